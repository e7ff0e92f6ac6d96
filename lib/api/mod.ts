/** The admin API as schemas: what it takes and answers, and its OpenAPI description. Pure. */
export { algorithmBody, explainBody, stateBody, weightBody } from "./bodies.ts";
export { openApi } from "./openapi.ts";
