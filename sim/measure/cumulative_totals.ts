import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { HealthLog } from "./health_log.ts";
import type { MeasuredBackend } from "./measured_backend.ts";
import type { Recorder } from "./recorder.ts";

/** Totals since the start of the run. The difference of two of them gives the averages of the time between. */
export interface CumulativeTotals {
  readonly at: Nanoseconds;
  readonly completions: number;
  readonly done: number;
  readonly errors: number;
  readonly sojourns: number;
  readonly backends: readonly {
    readonly inFlight: number;
    readonly queue: number;
    readonly busy: number;
    readonly down: number;
  }[];
}

/** The part of a run, simulated or real, that its measurements read. */
export interface MeasuredRun {
  readonly recorder: Recorder;
  readonly backends: readonly MeasuredBackend[];
}

/**
 * Reads the totals.
 *
 * @param backends How many backends to read, from the first on.
 */
export function readTotals(
  run: MeasuredRun,
  health: HealthLog,
  now: Nanoseconds,
  backends = run.backends.length,
): CumulativeTotals {
  const { requests, sojourn } = run.recorder;
  return {
    at: now,
    completions: run.recorder.completions,
    done: requests.done,
    errors: requests.failed + requests.refused + requests.timedOut,
    sojourns: sojourn.sum,
    backends: run.backends.slice(0, backends).map((backend) => ({
      inFlight: backend.inFlightTime(now),
      queue: backend.server.waitingTime(now),
      busy: backend.server.busyTime(now),
      down: health.downTime(backend.index, now),
    })),
  };
}

/** The totals with another backend, on which nothing has happened. */
export function withIdleBackend(totals: CumulativeTotals): CumulativeTotals {
  return {
    ...totals,
    backends: [...totals.backends, { inFlight: 0, queue: 0, busy: 0, down: 0 }],
  };
}
