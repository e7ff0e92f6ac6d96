/** The table of all metrics. A new metric is one entry here. */
import { NS_PER_S } from "../base/mod.ts";
import {
  answeredQuantile,
  type Definition,
  definitionFor,
  detectionMs,
  failbackMs,
  longest,
  type Metric,
  ofRequests,
  ofRun,
  quantile,
} from "./metric.ts";

/**
 * If the share of requests without an answer is larger than this, no mean time is reported, because it would be the
 * mean of only those requests that were easy to answer.
 */
export const UNANSWERED_MAX = 0.01;

/**
 * Every metric. Expectations, the summary, comparisons, text, CSV, JSON, HTML and the documents read this
 * table; metrics are listed in its order.
 *
 * A sojourn is the time from when a client wants to send a request to the end of the answer. A request that
 * was not answered (it failed, was refused or timed out) counts as slower than every answer, so that errors
 * cannot make a percentile smaller; the metrics that begin with `answered_` leave such requests out.
 */
export const METRICS = {
  offered: {
    unit: "count",
    meaning: "requests that clients wanted to send",
    run: ofRequests(({ offered }) => offered),
    path: "per_replication.offered",
    total: true,
  },
  done: {
    unit: "count",
    better: "higher",
    meaning: "requests with a successful answer in time",
    run: ofRequests(({ done }) => done),
    backend: ({ done }) => done,
    path: "per_replication.done",
    total: true,
  },
  failed: {
    unit: "count",
    better: "lower",
    meaning: "requests that ended in an error or a reset",
    run: ofRequests(({ failed }) => failed),
    backend: ({ failed }) => failed,
    path: "per_replication.failed",
    total: true,
  },
  refused: {
    unit: "count",
    better: "lower",
    meaning: "requests that were refused",
    run: ofRequests(({ refused }) => refused),
    path: "per_replication.refused",
    total: true,
  },
  timed_out: {
    unit: "count",
    better: "lower",
    meaning: "requests whose client gave up",
    run: ofRequests(({ timedOut }) => timedOut),
    path: "per_replication.timed_out",
    total: true,
  },
  retried: {
    unit: "count",
    better: "lower",
    meaning: "attempts after the first attempt of a request",
    run: ofRequests(({ retried }) => retried),
    path: "per_replication.retried",
    total: true,
  },
  unfinished: {
    unit: "count",
    better: "lower",
    meaning: "requests that had not ended at the end of the run",
    run: ofRequests(({ unfinished }) => unfinished),
    path: "per_replication.unfinished",
    total: true,
  },
  errors: {
    unit: "share",
    better: "lower",
    meaning: "requests that failed, were refused or timed out",
    run: {
      kind: "ratio",
      count: ({ requests }) => requests.failed + requests.refused + requests.timedOut,
      per: ({ requests }) => requests.offered,
    },
    column: { title: "errors", place: 7, rank: 7 },
    paired: true,
    negligible: 0.001,
  },
  throughput_per_s: {
    unit: "per_s",
    better: "higher",
    meaning: "requests answered per second, including those that began during the warm-up",
    run: ofRun(({ throughput }) => throughput),
  },
  goodput_per_s: {
    unit: "per_s",
    better: "higher",
    meaning:
      "requests per second that began after the warm-up and were answered within the client's timeout",
    run: ofRun(({ requests, window: { from, to } }) => requests.inTime * NS_PER_S / (to - from)),
    column: { title: "goodput/s", place: 8, rank: 6 },
  },
  mean_ms: {
    unit: "ms",
    better: "lower",
    meaning:
      "mean sojourn time: from when a client first wants a request until it has the answer; unknown if more than 1 % of the requests were not answered",
    run: { kind: "mean", of: "sojourn", answered: false },
    path: "sojourn_ms.mean",
    column: { title: "mean ms", place: 1, rank: 8, interval: true },
    paired: true,
  },
  p50_ms: {
    unit: "ms",
    better: "lower",
    meaning: "median sojourn time",
    run: quantile("sojourn", 0.5),
    path: "sojourn_ms.p50",
    column: { title: "p50 ms", place: 2, rank: 5 },
  },
  p90_ms: {
    unit: "ms",
    better: "lower",
    meaning: "90th percentile of the sojourn time",
    run: quantile("sojourn", 0.9),
    path: "sojourn_ms.p90",
    column: { title: "p90 ms", place: 3, rank: 2 },
  },
  p99_ms: {
    unit: "ms",
    better: "lower",
    meaning: "99th percentile of the sojourn time",
    run: quantile("sojourn", 0.99),
    path: "sojourn_ms.p99",
    column: { title: "p99 ms", place: 4, rank: 9, interval: true },
    paired: true,
    negligible: 0.02,
  },
  p999_ms: {
    unit: "ms",
    better: "lower",
    meaning: "99.9th percentile of the sojourn time",
    run: quantile("sojourn", 0.999),
    path: "sojourn_ms.p999",
    column: { title: "p99.9 ms", place: 5, rank: 3 },
  },
  max_ms: {
    unit: "ms",
    better: "lower",
    meaning: "longest sojourn time of all runs",
    run: longest("sojourn", false),
    path: "sojourn_ms.max",
    column: { title: "max ms", place: 6, rank: 1 },
  },
  answered_mean_ms: {
    unit: "ms",
    better: "lower",
    meaning: "mean sojourn time of the answered requests",
    run: { kind: "mean", of: "sojourn", answered: true },
    path: "answered_ms.mean",
  },
  answered_p50_ms: {
    unit: "ms",
    better: "lower",
    meaning: "median sojourn time of the answered requests",
    run: answeredQuantile(0.5),
    path: "answered_ms.p50",
  },
  answered_p90_ms: {
    unit: "ms",
    better: "lower",
    meaning: "90th percentile of the sojourn time of the answered requests",
    run: answeredQuantile(0.9),
    path: "answered_ms.p90",
  },
  answered_p99_ms: {
    unit: "ms",
    better: "lower",
    meaning: "99th percentile of the sojourn time of the answered requests",
    run: answeredQuantile(0.99),
    path: "answered_ms.p99",
  },
  answered_p999_ms: {
    unit: "ms",
    better: "lower",
    meaning: "99.9th percentile of the sojourn time of the answered requests",
    run: answeredQuantile(0.999),
    path: "answered_ms.p999",
  },
  answered_max_ms: {
    unit: "ms",
    better: "lower",
    meaning: "longest sojourn time of the answered requests of all runs",
    run: longest("sojourn", true),
    path: "answered_ms.max",
  },
  wait_mean_ms: {
    unit: "ms",
    better: "lower",
    meaning:
      "mean time in the queues of the balancer and the backend; unknown when `mean_ms` is unknown",
    run: { kind: "mean", of: "wait", answered: false },
    path: "wait_ms.mean",
  },
  wait_p50_ms: {
    unit: "ms",
    better: "lower",
    meaning: "median time in queues",
    run: quantile("wait", 0.5),
    path: "wait_ms.p50",
  },
  wait_p90_ms: {
    unit: "ms",
    better: "lower",
    meaning: "90th percentile of the wait",
    run: quantile("wait", 0.9),
    path: "wait_ms.p90",
  },
  wait_p99_ms: {
    unit: "ms",
    better: "lower",
    meaning: "99th percentile of the wait",
    run: quantile("wait", 0.99),
    path: "wait_ms.p99",
  },
  wait_p999_ms: {
    unit: "ms",
    better: "lower",
    meaning: "99.9th percentile of the wait",
    run: quantile("wait", 0.999),
    path: "wait_ms.p999",
  },
  wait_max_ms: {
    unit: "ms",
    better: "lower",
    meaning: "longest wait of all runs",
    run: longest("wait", false),
    path: "wait_ms.max",
  },
  imbalance: {
    unit: "ratio",
    better: "lower",
    meaning:
      "how many connections a backend got in the run, relative to its share by weight: the largest value, divided by the mean of all backends; 1 is perfectly even. Backups, and backends while they are in drain or maintenance, do not count",
    run: ofRun(({ imbalance }) => imbalance.maxOverMean),
    path: "imbalance.max_over_mean",
    column: { title: "imbalance", place: 9, rank: 4 },
  },
  imbalance_cv: {
    unit: "ratio",
    better: "lower",
    meaning:
      "coefficient of variation of the backends' connections, each relative to its share by weight",
    run: ofRun(({ imbalance }) => imbalance.coefficientOfVariation),
    path: "imbalance.coefficient_of_variation",
  },
  failover_mean_ms: {
    unit: "ms",
    better: "lower",
    meaning:
      "of connections whose first connect failed: mean time from the first pick until another backend accepted the connection",
    run: { kind: "mean", of: "failover", answered: true },
    path: "failover_ms.mean",
  },
  failover_p99_ms: {
    unit: "ms",
    better: "lower",
    meaning: "99th percentile of the failover time",
    run: quantile("failover", 0.99),
    path: "failover_ms.p99",
    notInCsv: true,
  },
  detection_ms: {
    unit: "ms",
    better: "lower",
    meaning: "time from the start of a fault until every balancer has marked the backend as down",
    fault: detectionMs,
  },
  failback_ms: {
    unit: "ms",
    better: "lower",
    meaning: "time from the end of a fault until every balancer has marked the backend as up",
    fault: failbackMs,
  },
  sessions_moved: {
    unit: "count",
    better: "lower",
    meaning: "sessions that changed their backend",
    run: ofRun(({ sessionsMoved }) => sessionsMoved.failover + sessionsMoved.failback),
  },
  false_downs: {
    unit: "count",
    better: "lower",
    meaning: "how often a backend without a fault was marked as down",
    run: ofRun(({ falseDowns }) => falseDowns),
    notInCsv: true,
  },
  share: {
    unit: "share",
    meaning: "the backend's share of all connections that reached a backend",
    backend: ({ share }) => share,
    column: { title: "share", place: 1, rank: 1 },
  },
  utilisation: {
    unit: "share",
    meaning: "mean share of the backend's slots that are busy",
    backend: ({ utilisation }) => utilisation,
    column: { title: "busy", place: 2, rank: 1 },
  },
  queue: {
    unit: "count",
    better: "lower",
    meaning: "mean number of requests in the backend's queue",
    backend: ({ meanQueue }) => meanQueue,
    column: { title: "queue", place: 3, rank: 1 },
  },
  in_flight: {
    unit: "count",
    meaning: "mean number of the backend's connections in flight",
    backend: ({ meanInFlight }) => meanInFlight,
    column: { title: "in flight", place: 4, rank: 1 },
  },
  down_share: {
    unit: "share",
    better: "lower",
    meaning: "share of the time for which the backend was considered down",
    backend: ({ downShare }) => downShare,
    column: { title: "down", place: 5, rank: 1 },
    notInCsv: true,
  },
  downs: {
    unit: "count",
    better: "lower",
    meaning: "how often the backend was marked as down",
    backend: ({ downs }) => downs,
    notInCsv: true,
  },
} as const satisfies Readonly<Record<string, Metric>>;

/** The name of a metric. */
export type MetricName = keyof typeof METRICS;

/** A metric's entry in the table. */
export function metricInfo(name: MetricName): Metric {
  return METRICS[name];
}

/** The names of all metrics, in the order of the table. */
export function metricNames(): MetricName[] {
  return Object.keys(METRICS) as MetricName[];
}

/** Whether a text is the name of a metric. */
export function isMetric(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name);
}

/** Whether a metric belongs to a whole run, to one backend (`share(B1)`), or to either. */
export function scopeOf(name: MetricName): "run" | "backend" | "either" {
  const { run, backend, fault } = metricInfo(name);
  if (fault !== undefined || (run !== undefined && backend !== undefined)) return "either";
  return run === undefined ? "backend" : "run";
}

/**
 * How a metric of a whole run, or of one backend, is computed.
 *
 * @param backend The id of the backend; undefined for a whole run.
 * @throws {RangeError} if a whole run (or, with `backend`, a backend) does not have this metric.
 */
export function definitionOf(name: MetricName, backend?: string): Definition {
  return definitionFor(name, metricInfo(name), backend);
}

/** The metrics of a whole run. */
export function runMetrics(): MetricName[] {
  return metricNames().filter((name) => scopeOf(name) !== "backend");
}

/** The metrics that a backend's report has: not those of its faults, which have reports of their own. */
export function backendMetrics(): MetricName[] {
  return metricNames().filter((name) => metricInfo(name).backend !== undefined);
}

/** The columns of the main table (`run`) or of a table of backends, in the order in which they are shown. */
export function mainMetrics(scope: "run" | "backend"): MetricName[] {
  return metricNames().filter((name) =>
    metricInfo(name).column !== undefined && (scopeOf(name) === "backend") === (scope === "backend")
  ).toSorted((a, b) => metricInfo(a).column!.place - metricInfo(b).column!.place);
}
