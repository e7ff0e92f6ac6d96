import { type Nanoseconds, NS_PER_S } from "../../lib/base/mod.ts";
import type { ReaderFailure } from "../../lib/core/mod.ts";
import type { BackendResult, ReplicationResult } from "../../lib/metrics/mod.ts";
import type { CumulativeTotals, MeasuredRun } from "./cumulative_totals.ts";
import type { HealthLog } from "./health_log.ts";
import type { Spread } from "./spread.ts";
import type { TimeSeries } from "./time_series.ts";

/** A run that is over, simulated or real, with all its measurements. */
export interface RunMeasurements extends MeasuredRun {
  readonly seed: number;
  readonly events: number;
  /** The totals when the warm-up ended, and when clients stopped. */
  readonly from: CumulativeTotals;
  readonly to: CumulativeTotals;
  /** When the last request that was measured had ended. */
  readonly endedAt: Nanoseconds;
  /** The number of balancers. */
  readonly balancers: number;
  readonly spread: Spread;
  readonly health: HealthLog;
  readonly readerFailures: readonly ReaderFailure[];
  readonly series: TimeSeries | undefined;
}

/** The result of a run, as plain data. */
export function replicationResult(run: RunMeasurements): ReplicationResult {
  const { recorder, from, to, health, readerFailures, series, balancers } = run;
  return {
    seed: run.seed,
    events: run.events,
    window: { from: from.at, to: to.at },
    endedAt: run.endedAt,
    connections: recorder.connections,
    requests: { ...recorder.requests, unfinished: recorder.inFlight },
    turnedAway: Object.fromEntries(recorder.refusals),
    idleCuts: recorder.idleCuts,
    throughput: (to.completions - from.completions) * NS_PER_S / (to.at - from.at),
    sojourn: recorder.sojourn.toData(),
    wait: recorder.wait.toData(),
    backends: backendResults(run),
    imbalance: run.spread.result(),
    faults: health.results(run.backends),
    falseDowns: health.falseDowns,
    failover: recorder.failover.toData(),
    sessionsMoved: { ...recorder.sessionsMoved },
    ...readerFailures.length > 0 && {
      readerFailures: readerFailures.map(({ message }) => message),
    },
    ...series !== undefined && { series: series.series(balancers, health) },
  };
}

function backendResults(
  { backends, balancers, from, to, health }: RunMeasurements,
): BackendResult[] {
  const total = backends.reduce((sum, { reached }) => sum + reached, 0);
  const span = to.at - from.at;
  return backends.map(({ id, index, server, reached, done, failed }) => {
    const [before, after] = [from.backends[index]!, to.backends[index]!];
    const meanBusy = (after.busy - before.busy) / span;
    return {
      id,
      connections: reached,
      share: total === 0 ? 0 : reached / total,
      done,
      failed,
      meanBusy,
      utilisation: meanBusy / server.meanSlots(from.at, to.at),
      meanQueue: (after.queue - before.queue) / span,
      meanInFlight: (after.inFlight - before.inFlight) / span,
      downShare: (after.down - before.down) / span / balancers,
      downs: health.downs[index]!,
    };
  });
}
