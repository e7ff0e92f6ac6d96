/** A study's result, as `--json` prints it: plain data, names with units. */

/**
 * A number over all replications with its confidence interval. `null`: nothing was measured, or it is not
 * known how large it is, because it falls among requests without an answer. Without both ends it has no
 * interval (of one replication, or a maximum); without `high` alone, its upper end is not known.
 */
export interface Interval {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** How long something took. */
export interface Times {
  readonly mean: Interval;
  readonly p50: Interval;
  readonly p90: Interval;
  readonly p99: Interval;
  readonly p999: Interval;
  readonly max: Interval;
}

/** Requests, and what became of them. */
export interface Counts<T> {
  readonly offered: T;
  readonly done: T;
  readonly failed: T;
  readonly refused: T;
  readonly timed_out: T;
  readonly retried: T;
  /** Still waited for when nothing could happen any more. */
  readonly unfinished: T;
}

/** One backend of a variant. */
export interface BackendReport {
  readonly id: string;
  /** Of all connections that reached a backend. */
  readonly share: Interval;
  /** Slots at work, as a share of its slots. */
  readonly utilisation: Interval;
  /** Requests waiting, on average. */
  readonly queue: Interval;
  /** Connections in flight, on average. */
  readonly in_flight: Interval;
  readonly done: Interval;
  readonly failed: Interval;
  /** Share of the time for which it was held for down. */
  readonly down_share: Interval;
  /** How often it was taken down. */
  readonly downs: Interval;
}

/** A time that was not always there to be measured: over those replications in which it was. */
export interface Occurrence extends Interval {
  readonly max: number | null;
  /** Replications in which it did not happen, for at least one balancer. */
  readonly missing: number;
}

/** A fault, and how the balancers dealt with it. */
export interface FaultReport {
  readonly backend: string;
  readonly kind: string;
  readonly at_ms: number;
  /** `null` if it lasts to the end. */
  readonly until_ms: number | null;
  /** Until the last balancer had taken the backend down. */
  readonly detection_ms: Occurrence;
  /** From its end until the last balancer had taken the backend in again. */
  readonly failback_ms: Occurrence | null;
}

/** What theory has to say of a measured number. */
export interface Theory {
  /** Name of the metric, as in `expect`. */
  readonly metric: string;
  /** The model, in the field's notation. */
  readonly model: string;
  readonly value: number;
  readonly measured: Interval;
}

/** One variant's outcome over all replications. */
export interface VariantReport extends Counts<number> {
  readonly name: string;
  /** What sets it apart, by the path of the setting. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly replications: number;
  /** Of each interval by itself. With `precision` it is more than 0.95, which pays for looking often. */
  readonly confidence: number;
  /** What happened in the simulated world, counted. */
  readonly events: number;
  readonly connections: number;
  readonly per_replication: Counts<Interval>;
  /** Requests that were not done, as a share of those offered. */
  readonly errors: Interval;
  readonly throughput_per_s: Interval;
  readonly goodput_per_s: Interval;
  /** Requests that were not answered count as slower than every answer. */
  readonly sojourn_ms: Times;
  /** Of answered requests only. */
  readonly answered_ms: Times;
  readonly wait_ms: Times;
  readonly imbalance: {
    readonly max_over_mean: Interval;
    readonly coefficient_of_variation: Interval;
  };
  /** Clients that a balancer turned away, by its reason; each attempt counts. */
  readonly turned_away: Readonly<Record<string, number>>;
  readonly backends: readonly BackendReport[];
  readonly faults: readonly FaultReport[];
  /** Over all faults. */
  readonly detection_ms: Occurrence | null;
  readonly failback_ms: Occurrence | null;
  readonly failover_ms: { readonly mean: Interval; readonly p99: Interval };
  readonly sessions_moved: Interval;
  readonly false_downs: Interval;
  /** Offered work over what all backends but backups can do; `null` where it is an outcome. */
  readonly load: number | null;
  /** Whether more work is offered than can be done, so that queues grow as long as the run lasts. */
  readonly overloaded: boolean;
  /** Backends that worked without a pause although others had time. */
  readonly saturated: readonly string[];
  /** What has to be known to read these numbers. */
  readonly warnings: readonly string[];
  readonly theory: readonly Theory[];
}

/** One variant's number less another's, replication by replication: of the same clients and jobs. */
export interface PairedReport {
  readonly a: string;
  readonly b: string;
  readonly metric: string;
  /** a less b. Each interval is by itself: for a statement about many, take `comparisons`. */
  readonly difference: Interval;
}

/** The best variant beside another. */
export interface ComparisonReport {
  readonly best: string;
  readonly other: string;
  readonly metric: "errors" | "p99_ms";
  /** `unknown`: the number falls among requests without an answer. */
  readonly verdict: "beats" | "no practical difference" | "cannot be told apart" | "unknown";
  readonly best_value: number | null;
  readonly other_value: number | null;
  /** By how much the best is lower: p99 as a share of the other's, errors in absolute terms. */
  readonly lower: Interval;
  /** Of this interval: so much that all claims of a study are right in 95 % of studies (Holm). */
  readonly confidence: number;
}

/** Whether something that was expected holds. */
export interface ExpectationReport {
  readonly text: string;
  readonly variant: string;
  readonly value: number | null;
  readonly bound: number | null;
  readonly holds: boolean;
  /** Why there is no value. */
  readonly reason?: string;
}

/** A study's result. */
export interface StudyReport {
  /** Version of lbsim. */
  readonly lbsim: string;
  readonly scenario: string;
  readonly title: string | null;
  readonly seed: number;
  /** SHA-256 of all that follows but the times it took: the same seed, the same digest. */
  readonly digest: string;
  readonly variants: readonly VariantReport[];
  readonly paired: readonly PairedReport[];
  /** The best variant beside each of the others. */
  readonly comparisons: readonly ComparisonReport[];
  /** The best variant: fewest errors, then least p99; `null` if it does not beat any other. */
  readonly winner: string | null;
  readonly expectations: readonly ExpectationReport[];
  /** How long it took. */
  readonly wall_s?: number;
  readonly events_per_s?: number;
}
