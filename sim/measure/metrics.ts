import { NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import type { MetricName } from "../../lib/scenario/metrics.ts";
import type { BackendResult, FaultResult, ReplicationResult } from "./result.ts";

/** Which of a run's histograms a time is of. */
export type Quantity = "sojourn" | "wait" | "failover";

/**
 * How a metric is made of the runs of a variant:
 * - `quantile`: of all observations as one. Requests without an answer count as larger than all, unless
 *   only answered ones are meant.
 * - `mean`: of all observations as one, with the same reservation.
 * - `ratio`: of two counts that add up over the runs.
 * - `run`: each run has a value of its own, and the mean of these counts.
 * - `max`: of all runs. It has no interval: longer runs have a larger one.
 */
export type Definition =
  | {
    readonly kind: "quantile";
    readonly of: Quantity;
    readonly q: number;
    readonly answered: boolean;
  }
  | { readonly kind: "mean"; readonly of: Quantity; readonly answered: boolean }
  | { readonly kind: "ratio"; readonly count: Read; readonly per: Read }
  | { readonly kind: "run"; readonly read: Read }
  | { readonly kind: "max"; readonly read: Read };

type Read = (result: ReplicationResult) => number;

/** Requests of a run that were not answered: they failed, were refused, timed out or never ended. */
export function unanswered({ requests }: ReplicationResult): number {
  return requests.offered - requests.done;
}

const quantile = (of: Quantity, q: number): Definition => ({
  kind: "quantile",
  of,
  q,
  answered: of === "failover",
});
const answered = (q: number): Definition => ({
  kind: "quantile",
  of: "sojourn",
  q,
  answered: true,
});
const run = (read: Read): Definition => ({ kind: "run", read });
const requests = (read: (counts: ReplicationResult["requests"]) => number): Definition =>
  run(({ requests }) => read(requests));
const longest = (of: "sojourn" | "wait", answered: boolean): Definition => ({
  kind: "max",
  read(result) {
    if (!answered && unanswered(result) > 0) return Infinity;
    const { count, max } = result[of];
    return count === 0 ? NaN : max / NS_PER_MS;
  },
});

/** Metrics of a whole run. */
const OF_RUN: Readonly<Partial<Record<MetricName, Definition>>> = {
  mean_ms: { kind: "mean", of: "sojourn", answered: false },
  p50_ms: quantile("sojourn", 0.5),
  p90_ms: quantile("sojourn", 0.9),
  p99_ms: quantile("sojourn", 0.99),
  p999_ms: quantile("sojourn", 0.999),
  max_ms: longest("sojourn", false),
  answered_mean_ms: { kind: "mean", of: "sojourn", answered: true },
  answered_p50_ms: answered(0.5),
  answered_p90_ms: answered(0.9),
  answered_p99_ms: answered(0.99),
  answered_p999_ms: answered(0.999),
  answered_max_ms: longest("sojourn", true),
  wait_mean_ms: { kind: "mean", of: "wait", answered: false },
  wait_p50_ms: quantile("wait", 0.5),
  wait_p90_ms: quantile("wait", 0.9),
  wait_p99_ms: quantile("wait", 0.99),
  wait_p999_ms: quantile("wait", 0.999),
  wait_max_ms: longest("wait", false),
  errors: {
    kind: "ratio",
    count: ({ requests }) => requests.failed + requests.refused + requests.timedOut,
    per: ({ requests }) => requests.offered,
  },
  offered: requests(({ offered }) => offered),
  done: requests(({ done }) => done),
  failed: requests(({ failed }) => failed),
  refused: requests(({ refused }) => refused),
  timed_out: requests(({ timedOut }) => timedOut),
  retried: requests(({ retried }) => retried),
  unfinished: requests(({ unfinished }) => unfinished),
  throughput_per_s: run(({ throughput }) => throughput),
  goodput_per_s: run(({ requests, window: { from, to } }) =>
    requests.inTime * NS_PER_S / (to - from)
  ),
  imbalance: run(({ imbalance }) => imbalance.maxOverMean),
  imbalance_cv: run(({ imbalance }) => imbalance.coefficientOfVariation),
  sessions_moved: run(({ sessionsMoved }) => sessionsMoved.failover + sessionsMoved.failback),
  false_downs: run(({ falseDowns }) => falseDowns),
  failover_mean_ms: { kind: "mean", of: "failover", answered: true },
  failover_p99_ms: quantile("failover", 0.99),
  detection_ms: run(({ faults }) => worst(faults.map(detectionMs))),
  failback_ms: run(({ faults }) => worst(faults.map(failbackMs))),
};

/** Metrics of one backend. */
const OF_BACKEND: Readonly<Partial<Record<MetricName, (backend: BackendResult) => number>>> = {
  share: ({ share }) => share,
  utilisation: ({ utilisation }) => utilisation,
  queue: ({ meanQueue }) => meanQueue,
  in_flight: ({ meanInFlight }) => meanInFlight,
  down_share: ({ downShare }) => downShare,
  downs: ({ downs }) => downs,
  done: ({ done }) => done,
  failed: ({ failed }) => failed,
};

/** Metrics of the faults of one backend. */
const OF_FAULTS: Readonly<Partial<Record<MetricName, (fault: FaultResult) => number>>> = {
  detection_ms: detectionMs,
  failback_ms: failbackMs,
};

/**
 * What a metric is. Of a run's value: NaN where nothing was measured, Infinity for what was to happen and
 * did not (a fault that was not detected).
 *
 * @param backend Its id, for a metric of a backend.
 */
export function definitionOf(metric: MetricName, backend?: string): Definition {
  if (backend === undefined) {
    const definition = OF_RUN[metric];
    if (definition === undefined) throw new RangeError(`${metric} is a metric of a backend`);
    return definition;
  }
  const ofFaults = OF_FAULTS[metric];
  if (ofFaults !== undefined) {
    return run(({ faults }) =>
      worst(faults.filter((fault) => fault.backend === backend).map(ofFaults))
    );
  }
  const read = OF_BACKEND[metric];
  if (read === undefined) throw new RangeError(`${metric} is not a metric of a backend`);
  return run((result) => {
    const found = backendOf(result, backend);
    return found === undefined ? NaN : read(found);
  });
}

const indexes = new WeakMap<ReplicationResult, ReadonlyMap<string, BackendResult>>();

/** A run's backend by its id; there may be thousands, asked for one after the other. */
function backendOf(result: ReplicationResult, id: string): BackendResult | undefined {
  let index = indexes.get(result);
  if (index === undefined) {
    index = new Map(result.backends.map((backend) => [backend.id, backend]));
    indexes.set(result, index);
  }
  return index.get(id);
}

/** Until the last balancer took it down; Infinity if one never did. */
export function detectionMs({ detection }: FaultResult): number {
  return worst(detection.map((time) => time === null ? Infinity : time / NS_PER_MS));
}

/** Until the last balancer took it in again; NaN if the fault never ended, or was not detected. */
export function failbackMs({ until, detection, failback }: FaultResult): number {
  if (until === undefined) return NaN;
  return worst(failback.map((time, balancer) => {
    if (detection[balancer] === null) return NaN;
    return time === null ? Infinity : time / NS_PER_MS;
  }));
}

/** The largest of those that are numbers; NaN if none is. */
export function worst(times: readonly number[]): number {
  const known = times.filter((time) => !Number.isNaN(time));
  return known.length === 0 ? NaN : Math.max(...known);
}
