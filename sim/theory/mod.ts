/** What queueing theory says of a scenario, and the simulator compared with it. */
export { COMMON, exactResults, MODELS } from "./known.ts";
export { judge, selftestStudies, type Verdict, verdictLines } from "./selftest.ts";
