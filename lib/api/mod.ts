/** The admin API: its requests and answers as schemas, and its OpenAPI description. Pure. */
export {
  faults as faultsAnswer,
  type FaultsAnswer,
  service as serviceAnswer,
  type ServiceAnswer,
} from "./answers.ts";
export {
  algorithmBody,
  explainBody,
  faultBody,
  serviceBody,
  stateBody,
  weightBody,
} from "./bodies.ts";
export { openApi } from "./openapi.ts";
