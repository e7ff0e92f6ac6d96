import type { ReplicationResult } from "../../lib/metrics/mod.ts";
import type { Task } from "./replicator.ts";

/** Runs tasks: in this thread, or in several. */
export interface Executor {
  /** How many tasks it runs at a time. */
  readonly width: number;
  /** Runs a task. */
  run(task: Task): Promise<ReplicationResult>;
}

/** The part of an `AbortSignal` that stopping a study needs. */
export interface StopSignal {
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
