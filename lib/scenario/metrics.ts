/** What can be asked of a simulation: the names that `expect`, `precision` and the reports share. */

/** What a metric is a number of. */
export type Unit = "ms" | "share" | "count" | "per_s" | "ratio";

/** What is known of a metric by its name. */
export interface MetricInfo {
  readonly unit: Unit;
  /** Whether it is asked of one backend: `share(B1)`. Some may be asked either way. */
  readonly of: "run" | "backend" | "either";
  readonly meaning: string;
}

/**
 * From this share of requests without an answer on, no mean time is reported: it would be that of the
 * requests that were easy to answer.
 */
export const UNANSWERED_MAX = 0.01;

/**
 * Every metric. A sojourn is the time from a client's wish to its answer. A request that was not answered
 * (it failed, was refused or timed out) counts as slower than every answer, so that errors cannot make a
 * percentile smaller; the metrics that begin with `answered_` leave such requests out.
 */
export const METRICS = {
  mean_ms: {
    unit: "ms",
    of: "run",
    meaning:
      "mean sojourn time: from when a client first wants a request until it has the answer; unknown if more than 1 % of the " +
      "requests were not answered",
  },
  p50_ms: { unit: "ms", of: "run", meaning: "median sojourn time" },
  p90_ms: { unit: "ms", of: "run", meaning: "90th percentile of the sojourn time" },
  p99_ms: { unit: "ms", of: "run", meaning: "99th percentile of the sojourn time" },
  p999_ms: { unit: "ms", of: "run", meaning: "99.9th percentile of the sojourn time" },
  max_ms: { unit: "ms", of: "run", meaning: "longest sojourn time of all runs" },
  answered_mean_ms: {
    unit: "ms",
    of: "run",
    meaning: "mean sojourn time of the answered requests",
  },
  answered_p50_ms: {
    unit: "ms",
    of: "run",
    meaning: "median sojourn time of the answered requests",
  },
  answered_p90_ms: {
    unit: "ms",
    of: "run",
    meaning: "90th percentile of the sojourn time of the answered requests",
  },
  answered_p99_ms: {
    unit: "ms",
    of: "run",
    meaning: "99th percentile of the sojourn time of the answered requests",
  },
  answered_p999_ms: {
    unit: "ms",
    of: "run",
    meaning: "99.9th percentile of the sojourn time of the answered requests",
  },
  answered_max_ms: {
    unit: "ms",
    of: "run",
    meaning: "longest sojourn time of the answered requests of all runs",
  },
  wait_mean_ms: {
    unit: "ms",
    of: "run",
    meaning:
      "mean time in the queues of the balancer and the backend; unknown when `mean_ms` is unknown",
  },
  wait_p50_ms: { unit: "ms", of: "run", meaning: "median time in queues" },
  wait_p90_ms: { unit: "ms", of: "run", meaning: "90th percentile of the wait" },
  wait_p99_ms: { unit: "ms", of: "run", meaning: "99th percentile of the wait" },
  wait_p999_ms: { unit: "ms", of: "run", meaning: "99.9th percentile of the wait" },
  wait_max_ms: { unit: "ms", of: "run", meaning: "longest wait of all runs" },
  errors: { unit: "share", of: "run", meaning: "requests that failed, were refused or timed out" },
  offered: { unit: "count", of: "run", meaning: "requests that clients wanted to send" },
  done: { unit: "count", of: "either", meaning: "requests with a successful answer in time" },
  failed: { unit: "count", of: "either", meaning: "requests that ended in an error or a reset" },
  refused: { unit: "count", of: "run", meaning: "requests that were refused" },
  timed_out: { unit: "count", of: "run", meaning: "requests whose client gave up" },
  retried: { unit: "count", of: "run", meaning: "attempts after the first attempt of a request" },
  unfinished: { unit: "count", of: "run", meaning: "requests that were never answered" },
  throughput_per_s: {
    unit: "per_s",
    of: "run",
    meaning: "requests answered per second, including those that began during the warm-up",
  },
  goodput_per_s: {
    unit: "per_s",
    of: "run",
    meaning:
      "requests per second that began after the warm-up and were answered within the client's timeout",
  },
  imbalance: {
    unit: "ratio",
    of: "run",
    meaning:
      "connections of the backend with the most, divided by the mean; without backups and backends in drain or maintenance",
  },
  imbalance_cv: {
    unit: "ratio",
    of: "run",
    meaning: "coefficient of variation of the connections of these backends",
  },
  sessions_moved: { unit: "count", of: "run", meaning: "sessions that changed their backend" },
  false_downs: {
    unit: "count",
    of: "run",
    meaning: "how often a backend without a fault was marked as down",
  },
  detection_ms: {
    unit: "ms",
    of: "either",
    meaning: "time from the start of a fault until every balancer has marked the backend as down",
  },
  failback_ms: {
    unit: "ms",
    of: "either",
    meaning: "time from the end of a fault until every balancer has marked the backend as up",
  },
  failover_mean_ms: {
    unit: "ms",
    of: "run",
    meaning:
      "if the first connect of a connection failed: mean time from its first pick until another backend accepted it",
  },
  failover_p99_ms: { unit: "ms", of: "run", meaning: "99th percentile of this time" },
  share: {
    unit: "share",
    of: "backend",
    meaning: "its share of all connections that reached a backend",
  },
  utilisation: { unit: "share", of: "backend", meaning: "mean share of its slots that are busy" },
  queue: { unit: "count", of: "backend", meaning: "mean number of requests in its queue" },
  in_flight: { unit: "count", of: "backend", meaning: "mean number of its connections in flight" },
  down_share: {
    unit: "share",
    of: "backend",
    meaning: "share of the time for which it was considered down",
  },
  downs: { unit: "count", of: "backend", meaning: "how often it was marked as down" },
} as const satisfies Readonly<Record<string, MetricInfo>>;

/** The name of a metric. */
export type MetricName = keyof typeof METRICS;

/** Every name of a metric. */
export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];

/** Whether a text is the name of a metric. */
export function isMetric(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name);
}
