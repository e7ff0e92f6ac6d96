import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { RefusalCause, RequestCounts } from "../../lib/metrics/mod.ts";
import { Histogram } from "../../lib/stats/mod.ts";

/** How a request can end. */
export type Outcome = "done" | "failed" | "refused" | "timedOut";

/** Records the results of requests that begin after the warm-up. */
export class Recorder {
  readonly requests: RequestCounts = {
    offered: 0,
    done: 0,
    failed: 0,
    refused: 0,
    timedOut: 0,
    retried: 0,
    inTime: 0,
  };
  /** Connections that clients began. */
  connections = 0;
  /** Requests done since the start, including those that began during the warm-up. */
  completions = 0;
  readonly sojourn: Histogram = new Histogram();
  readonly wait: Histogram = new Histogram();
  /** The times to reach another backend after the first connect had failed. */
  readonly failover: Histogram = new Histogram();
  readonly refusals: Map<RefusalCause, number> = new Map();
  /** Requests cut off by the idle timeout. */
  idleCuts = 0;
  sessionsMoved = { failover: 0, failback: 0 };
  /** How long clients wait for an answer. */
  patience: Nanoseconds;

  constructor(patience: Nanoseconds) {
    this.patience = patience;
  }

  /** Requests that have not ended. */
  get inFlight(): number {
    const { offered, done, failed, refused, timedOut } = this.requests;
    return offered - done - failed - refused - timedOut;
  }

  requestDone(sojourn: Nanoseconds, wait: Nanoseconds): void {
    this.requests.done++;
    if (sojourn <= this.patience) this.requests.inTime++;
    this.sojourn.record(sojourn);
    this.wait.record(wait);
  }

  clientRefused(reason: RefusalCause): void {
    this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + 1);
  }
}
