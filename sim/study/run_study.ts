import type { Study } from "../../lib/scenario/mod.ts";
import { UserError } from "../../lib/base/mod.ts";
import { Measured } from "../measure/mod.ts";
import type { ReplicationResult } from "../../lib/metrics/mod.ts";
import { checkpointsOf, confidenceOf, relativeHalf } from "./precision.ts";
import type { Task } from "./replicator.ts";
import type { Shard } from "./shard.ts";
import type { Executor, StopSignal } from "./executor.ts";

/** The progress of a study. */
export interface Progress {
  readonly done: number;
  /** The number of runs; with `precision`, the number up to the next checkpoint. */
  readonly total: number;
}

/** A task and its result. */
export interface TaskResult extends Task {
  readonly result: ReplicationResult;
}

/**
 * Runs a whole study, or a shard of it. The results are in the order of the tasks, for any number of threads.
 *
 * @throws The signal's reason, when it is aborted.
 */
export async function runStudy(
  study: Study,
  executor: Executor,
  options: {
    readonly shard?: Shard | undefined;
    readonly signal?: StopSignal | undefined;
    readonly progress?: ((progress: Progress) => void) | undefined;
  } = {},
): Promise<TaskResult[]> {
  const { shard, signal, progress } = options;
  const results: TaskResult[] = [];
  let replications = 0;
  for (const goal of checkpointsOf(study.repetition)) {
    const tasks = tasksOf(study, replications, goal).filter((_, i) => isOf(shard, i));
    const before = results.length;
    const done = await runAll(
      tasks,
      named(study, executor),
      signal,
      (count) => progress?.({ done: before + count, total: before + tasks.length }),
    );
    results.push(...done);
    replications = goal;
    if (isPrecise(study, results)) break;
  }
  return results;
}

/** The results of each variant, in the order of its replications. */
export function byVariant(
  study: Study,
  results: readonly TaskResult[],
): readonly (readonly ReplicationResult[])[] {
  return study.variants.map((_, variant) =>
    results.filter((task) => task.variant === variant)
      .toSorted((a, b) => a.replication - b.replication)
      .map(({ result }) => result)
  );
}

/** The tasks of the replications from `from` to `to` (exclusive); all variants of one replication in turn. */
export function tasksOf({ variants }: Study, from: number, to: number): Task[] {
  return Array.from({ length: to - from }, (_, i) => from + i).flatMap((replication) =>
    variants.map((_, variant): Task => ({ variant, replication }))
  );
}

function isOf(shard: Shard | undefined, task: number): boolean {
  return shard === undefined || task % shard.of === shard.index - 1;
}

/** Whether every variant is as precise as the study asks for. */
function isPrecise(study: Study, results: readonly TaskResult[]): boolean {
  const { repetition } = study;
  if ("replications" in repetition) return true;
  const { metric, relative } = repetition;
  const confidence = confidenceOf(repetition);
  return byVariant(study, results).every((runs) =>
    relativeHalf(new Measured(runs).estimate(metric, undefined, confidence)) <= relative
  );
}

/** Makes errors name their variant, if there are several. */
function named({ variants }: Study, executor: Executor): Executor {
  if (variants.length === 1) return executor;
  const run = async (task: Task) => {
    try {
      return await executor.run(task);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const { message, ...rest } = error;
      throw new UserError(`${variants[task.variant]!.name}: ${message}`, rest);
    }
  };
  return { width: executor.width, run };
}

/** Runs tasks, as many at a time as the executor can. */
async function runAll(
  tasks: readonly Task[],
  executor: Executor,
  signal: StopSignal | undefined,
  progress: (done: number) => void,
): Promise<TaskResult[]> {
  signal?.throwIfAborted();
  const results: TaskResult[] = new Array(tasks.length);
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < tasks.length) {
      signal?.throwIfAborted();
      const i = next++;
      const task = tasks[i]!;
      results[i] = { ...task, result: await executor.run(task) };
      progress(++done);
    }
  };
  const working = Promise.all(Array.from({ length: executor.width }, work));
  await (signal === undefined ? working : orAborted(working, signal));
  return results;
}

/** The result of the promise; throws the signal's reason if the signal comes first. */
async function orAborted<T>(promise: Promise<T>, signal: StopSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
