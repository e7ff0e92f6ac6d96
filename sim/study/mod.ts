/** Many runs: replications, comparisons, the summary. */
export { describeScenarios } from "./describe.ts";
export { comparisonsOf, type Contender } from "./comparisons.ts";
export { reportDigest } from "./digest.ts";
export { type Extension, extensionOf } from "./extension.ts";
export type { Executor, StopSignal } from "./executor.ts";
export { Forecast } from "./forecast.ts";
export { faultMedians } from "./medians.ts";
export { plotsOf } from "./plots.ts";
export { Replicator, type Runnable, type Task } from "./replicator.ts";
export { byVariant, runStudy, type TaskResult } from "./run_study.ts";
export { type ReadyScenario, warmupsInPieces, withWarmup, withWarmups } from "./replications.ts";
export { mergeShards, parseShard, type Shard, type ShardFile } from "./shard.ts";
export { type Observer, simulate, Simulation } from "./simulate.ts";
export { sliceOf } from "./slices.ts";
export { summarise } from "./summary.ts";
