/** Runs a study's tasks on several threads. */
import { UserError } from "../../lib/base/mod.ts";
import type { ReplicationResult } from "../../lib/metrics/mod.ts";
import type { Executor } from "../study/executor.ts";
import { WORKER_NAME } from "./worker_name.ts";
import { Replicator, type Runnable, type Task } from "../study/replicator.ts";

/** A message to a worker: first the study, then one task at a time. */
type Request = { readonly study: Runnable } | { readonly task: Task };
/** A worker's answer to a task. Classes cannot be sent between threads, so an error is sent as its parts. */
type Answer =
  | { readonly result: ReplicationResult }
  | { readonly failure: Pick<UserError, "message" | "exitCode" | "hint"> }
  | { readonly defect: string };

/** The part of a worker's global scope that is needed here. */
export interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
}

/** The worker's side: serves tasks from now on. */
export function serveTasks(scope: WorkerScope): void {
  let replicator: Replicator | undefined;
  scope.onmessage = ({ data }: MessageEvent<Request>) => {
    if ("study" in data) {
      replicator = new Replicator(data.study);
      return;
    }
    scope.postMessage(answer(replicator!, data.task));
  };
}

function answer(replicator: Replicator, task: Task): Answer {
  try {
    return { result: replicator.run(task) };
  } catch (error) {
    if (error instanceof UserError) {
      const { message, exitCode, hint } = error;
      return { failure: { message, exitCode, hint } };
    }
    return { defect: error instanceof Error ? error.stack ?? error.message : String(error) };
  }
}

/**
 * Runs a study's tasks in threads, one task each at a time, so that the page or terminal stays responsive.
 * There are no more threads than cores, because more would only wait for each other. A thread is started when
 * there is a task for it.
 */
export class WorkerPool implements Executor, Disposable {
  readonly width: number;
  readonly #program: string;
  readonly #study: Runnable;
  readonly #idle: Worker[] = [];
  readonly #all: Worker[] = [];
  readonly #waiting: ((worker: Worker) => void)[] = [];

  /**
   * @param program URL of a program that calls `serveTasks` in a thread named `WORKER_NAME`.
   * @param threads The largest number of threads. There are never more than cores.
   */
  constructor(program: string, threads: number, { seed, variants }: Runnable) {
    this.width = Math.min(threads, navigator.hardwareConcurrency);
    this.#program = program;
    // Only this part of a study is sent: the rest contains functions.
    this.#study = { seed, variants: variants.map(({ scenario }) => ({ scenario })) };
  }

  /** How many threads have been started. */
  get threads(): number {
    return this.#all.length;
  }

  async run(task: Task): Promise<ReplicationResult> {
    const worker = this.#idle.pop() ?? this.#start() ??
      await new Promise<Worker>((resolve) => this.#waiting.push(resolve));
    try {
      return await ask(worker, task);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(worker);
      else next(worker);
    }
  }

  /** Starts another thread, unless there are enough. */
  #start(): Worker | undefined {
    if (this.#all.length === this.width) return undefined;
    const worker = new Worker(this.#program, { type: "module", name: WORKER_NAME });
    worker.postMessage({ study: this.#study } satisfies Request);
    this.#all.push(worker);
    return worker;
  }

  /** Ends all threads at once, also those that run a task. */
  [Symbol.dispose](): void {
    this.#all.forEach((worker) => worker.terminate());
  }
}

function ask(worker: Worker, task: Task): Promise<ReplicationResult> {
  const { promise, resolve, reject } = Promise.withResolvers<ReplicationResult>();
  worker.onmessage = ({ data }: MessageEvent<Answer>) => {
    if ("result" in data) resolve(data.result);
    else if ("failure" in data) reject(new UserError(data.failure.message, data.failure));
    else reject(new Error(data.defect));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new UserError(`a worker failed: ${event.message}`));
  };
  worker.postMessage({ task } satisfies Request);
  return promise;
}
