/** The simulator: the live balancer's scheduler in virtual time. */
export { simulate, type SimulateOptions } from "./simulate.ts";
export type { BackendResult, FaultResult, Imbalance, ReplicationResult, Series } from "./result.ts";
export { type ReadyScenario, replicationSeed, withWarmup } from "./replications.ts";
