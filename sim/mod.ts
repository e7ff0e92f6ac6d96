/** The simulator: the live balancer's scheduler in virtual time. */
export type { ReplicationResult } from "../lib/metrics/mod.ts";
export { type Observer, plotsOf, type ReadyScenario, Replicator, simulate } from "./study/mod.ts";
export { COMMON, MODELS } from "./theory/mod.ts";
