/** Scenarios: from a file to a `Study`, or to diagnostics that say what is wrong with it. */
export { durationSampler, parseDistribution } from "./distribution.ts";
export {
  counterpartOf,
  type Expectation,
  holds,
  type MetricTerm,
  variantsMeant,
} from "./expectation.ts";
export { loadStudy, studyOf } from "./load_study.ts";
export { scenarioSchema } from "./schema.ts";
export {
  parseStudy,
  type Repetition,
  type Study,
  type StudyInputs,
  type Variant,
} from "./study.ts";
