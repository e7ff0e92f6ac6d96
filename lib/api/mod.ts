/** The admin API as schemas: what it takes and answers, and its OpenAPI description. Pure. */
export { faults as faultsAnswer, type FaultsAnswer } from "./answers.ts";
export { algorithmBody, explainBody, faultBody, stateBody, weightBody } from "./bodies.ts";
export { openApi } from "./openapi.ts";
