import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { Tally } from "../core/mod.ts";

/** A load: it sends requests, and `run` drives it. Times count from the start of the run. */
export interface Load {
  readonly tally: Tally;
  /** The reason if the first connection could not be opened. Then the whole run would fail. */
  readonly firstFailure: string | undefined;
  /** Called when `nextAt` may have become earlier, and when nothing is in flight any more. */
  changed: () => void;
  /** The number of requests that were sent, or wait for a connection, and have not ended. */
  readonly inFlight: number;
  /** When `ring` must be called; Infinity if the load waits for answers only. */
  readonly nextAt: Nanoseconds;
  /** Whether no request begins any more. */
  readonly isStopped: boolean;
  /** Whether nothing is left to do. */
  readonly isDone: boolean;
  /** Opens the connections that must be open before the first request. */
  prepare?(): Promise<void>;
  /** The run begins. */
  start(): void;
  /** Begins the requests that are due. */
  ring(now: Nanoseconds): void;
  /** Makes no request begin from now on. Requests that have begun are completed. */
  stop(): void;
  /** Closes all connections at once. */
  close(): Promise<void>;
}
