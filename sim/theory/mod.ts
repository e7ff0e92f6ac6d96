/** Results of queueing theory for a scenario, and the simulator compared with them. */
export { COMMON, exactResults, MODELS, whyNoTheory } from "./exact_results.ts";
export { judge, selftestStudies, type Verdict, verdictLines } from "./selftest.ts";
