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
    meaning: "mean sojourn: from a client's wish to its answer; unknown if more than 1 % of the " +
      "requests were not answered",
  },
  p50_ms: { unit: "ms", of: "run", meaning: "median sojourn" },
  p90_ms: { unit: "ms", of: "run", meaning: "90th percentile of the sojourn" },
  p99_ms: { unit: "ms", of: "run", meaning: "99th percentile of the sojourn" },
  p999_ms: { unit: "ms", of: "run", meaning: "99.9th percentile of the sojourn" },
  max_ms: { unit: "ms", of: "run", meaning: "longest sojourn of all runs" },
  answered_mean_ms: { unit: "ms", of: "run", meaning: "mean sojourn of the answered requests" },
  answered_p50_ms: { unit: "ms", of: "run", meaning: "median of the same" },
  answered_p90_ms: { unit: "ms", of: "run", meaning: "90th percentile of the same" },
  answered_p99_ms: { unit: "ms", of: "run", meaning: "99th percentile of the same" },
  answered_p999_ms: { unit: "ms", of: "run", meaning: "99.9th percentile of the same" },
  answered_max_ms: { unit: "ms", of: "run", meaning: "longest of the same in all runs" },
  wait_mean_ms: {
    unit: "ms",
    of: "run",
    meaning: "mean time in queues, the balancer's and the backend's; unknown when `mean_ms` is",
  },
  wait_p50_ms: { unit: "ms", of: "run", meaning: "median time in queues" },
  wait_p90_ms: { unit: "ms", of: "run", meaning: "90th percentile of the wait" },
  wait_p99_ms: { unit: "ms", of: "run", meaning: "99th percentile of the wait" },
  wait_p999_ms: { unit: "ms", of: "run", meaning: "99.9th percentile of the wait" },
  wait_max_ms: { unit: "ms", of: "run", meaning: "longest wait of all runs" },
  errors: { unit: "share", of: "run", meaning: "requests that failed, were refused or timed out" },
  offered: { unit: "count", of: "run", meaning: "requests that clients wanted" },
  done: { unit: "count", of: "either", meaning: "requests that were answered well, in time" },
  failed: { unit: "count", of: "either", meaning: "requests that ended in an error or a reset" },
  refused: { unit: "count", of: "run", meaning: "requests that were turned away" },
  timed_out: { unit: "count", of: "run", meaning: "requests whose client lost patience" },
  retried: { unit: "count", of: "run", meaning: "attempts after the first" },
  unfinished: { unit: "count", of: "run", meaning: "requests that were never answered" },
  throughput_per_s: { unit: "per_s", of: "run", meaning: "requests done, whenever they began" },
  goodput_per_s: {
    unit: "per_s",
    of: "run",
    meaning: "of the requests that began in the window: done within the client's timeout",
  },
  imbalance: {
    unit: "ratio",
    of: "run",
    meaning: "most connections of a backend over the mean; backups and withdrawn backends left out",
  },
  imbalance_cv: {
    unit: "ratio",
    of: "run",
    meaning: "coefficient of variation of the same connections",
  },
  sessions_moved: { unit: "count", of: "run", meaning: "sessions that changed their backend" },
  false_downs: {
    unit: "count",
    of: "run",
    meaning: "times that a backend was taken down without a fault",
  },
  detection_ms: {
    unit: "ms",
    of: "either",
    meaning: "from a fault's beginning until every balancer has taken the backend down",
  },
  failback_ms: {
    unit: "ms",
    of: "either",
    meaning: "from a fault's end until every balancer has taken the backend in again",
  },
  failover_mean_ms: {
    unit: "ms",
    of: "run",
    meaning: "from the first pick to another backend, where the first failed",
  },
  failover_p99_ms: { unit: "ms", of: "run", meaning: "99th percentile of the same" },
  share: { unit: "share", of: "backend", meaning: "of all connections that reached a backend" },
  utilisation: { unit: "share", of: "backend", meaning: "slots at work, as a share of its slots" },
  queue: { unit: "count", of: "backend", meaning: "requests in its queue, on average" },
  in_flight: { unit: "count", of: "backend", meaning: "connections in flight to it, on average" },
  down_share: { unit: "share", of: "backend", meaning: "of the time: held for down" },
  downs: { unit: "count", of: "backend", meaning: "times that it was taken down" },
} as const satisfies Readonly<Record<string, MetricInfo>>;

/** The name of a metric. */
export type MetricName = keyof typeof METRICS;

/** Every name of a metric. */
export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];

/** Whether a text is the name of a metric. */
export function isMetric(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name);
}
