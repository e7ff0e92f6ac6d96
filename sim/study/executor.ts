import type { ReplicationResult } from "../../lib/metrics/mod.ts";
import type { Task } from "./replicator.ts";

/** Runs tasks somewhere. */
export interface Executor {
  /** How many tasks it runs at a time. */
  readonly width: number;
  /** Runs a task. */
  run(task: Task): Promise<ReplicationResult>;
}

/** As much of an `AbortSignal` as is needed to stop a study. */
export interface StopSignal {
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
