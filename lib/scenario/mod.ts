/** Scenarios: from texts to a `Study`, or to diagnostics that say what is wrong with them. Pure. */
export { durationSampler, parseDistribution } from "./distribution.ts";
export {
  counterpartOf,
  type Expectation,
  holds,
  type MetricTerm,
  variantsMeant,
} from "./expectation.ts";
export { scenarioSchema } from "./schema.ts";
export {
  type NamedFile,
  parseStudy,
  type Repetition,
  ScenarioDraft,
  type Study,
  type StudyInputs,
  type Variant,
} from "./study.ts";
