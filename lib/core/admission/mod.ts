/** Which clients are accepted. */
export { Admission, type AdmissionRules } from "./admission.ts";
