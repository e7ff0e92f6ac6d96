/** The simulator: the live balancer's scheduler in virtual time. */
export { simulate, type SimulateOptions } from "./study/simulate.ts";
export type {
  BackendResult,
  FaultResult,
  Imbalance,
  ReplicationResult,
  Series,
} from "./measure/result.ts";
export { type ReadyScenario, replicationSeed, withWarmup } from "./study/replications.ts";
