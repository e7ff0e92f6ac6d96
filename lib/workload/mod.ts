/**
 * What clients ask for, drawn from a seed: when they arrive, how many requests they send, and the work of each
 * request. The simulator and the load generator draw it here, so the same seed gives the same requests in both.
 */
export {
  type ArrivalProcess,
  createArrivals,
  meanRate,
  type OpenArrivals,
  type Ramp,
} from "./arrivals.ts";
export { Chances } from "./chances.ts";
export { Demand, type DemandOptions } from "./demand.ts";
export {
  type AnswerLine,
  answerLine,
  type JobLine,
  jobLine,
  parseAnswerLine,
  parseJobLine,
} from "./job_line.ts";
export { Population } from "./population.ts";
export { replicationSeed } from "./replication_seed.ts";
export { SlotHistory } from "./slot_history.ts";
