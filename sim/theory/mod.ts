/** What queueing theory says of a scenario, and the simulator compared with it. */
export { COMMON, exactResults, MODELS } from "./exact_results.ts";
export { judge, selftestStudies, type Verdict, verdictLines } from "./selftest.ts";
