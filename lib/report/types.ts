/** A study's result, as `--json` prints it: plain data, names with units. */
import type { MetricName } from "../metrics/mod.ts";
import type { BackendMetrics, Interval, Occurrence, RunMetrics, Totals } from "./metric_reports.ts";

/** One backend of a variant, with the metrics of a backend. */
export interface BackendReport extends BackendMetrics {
  readonly id: string;
}

/** What stands for a mean that says nothing. It is beside the result, not part of it. */
export interface FaultMedians {
  readonly detection_ms: number | null;
  readonly failback_ms: number | null;
}

/** A fault, and the times in which the balancers detected it and its end. */
export interface FaultReport {
  readonly backend: string;
  readonly kind: string;
  readonly at_ms: number;
  /** `null` if it lasts to the end of the run. */
  readonly until_ms: number | null;
  /** Until the last balancer considered the backend down. */
  readonly detection_ms: Occurrence;
  /** From its end until the last balancer considered the backend up. */
  readonly failback_ms: Occurrence | null;
}

/** What queueing theory gives for a metric, and what was measured. */
export interface Theory {
  readonly metric: MetricName;
  /** The model, in the field's notation. */
  readonly model: string;
  readonly value: number;
  readonly measured: Interval;
}

/**
 * One variant's outcome over all replications: facts about it, the metrics of a whole run at the paths that
 * the table of metrics gives, and the sums over all runs of those that count requests. `sojourn_ms` and
 * `wait_ms` count requests that were not answered as slower than every answer; `answered_ms` leaves them out.
 */
export type VariantReport = VariantFacts & RunMetrics & Totals;

/** What a variant's report says besides the metrics. */
export interface VariantFacts {
  readonly name: string;
  /** The compared settings that this variant has, by path. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly replications: number;
  /** The confidence of each interval. With `precision` it is more than 0.95, because the intervals are checked several times. */
  readonly confidence: number;
  /** Events of the simulation. */
  readonly events: number;
  readonly connections: number;
  /** How often balancers refused a client, by reason; each attempt counts. */
  readonly turned_away: Readonly<Record<string, number>>;
  readonly backends: readonly BackendReport[];
  readonly faults: readonly FaultReport[];
  /** Offered work over the capacity of all backends but backups; `null` in a closed loop, where it is an outcome. */
  readonly load: number | null;
  /** Whether the offered work exceeds the capacity, so that queues grow as long as the run lasts. */
  readonly overloaded: boolean;
  /** Backends that were always busy although others were not. */
  readonly saturated: readonly string[];
  /** Warnings about how far these numbers can be trusted. */
  readonly warnings: readonly string[];
  readonly theory: readonly Theory[];
}

/** The difference between two variants in a metric, from the same clients and jobs in each replication. */
export interface PairedReport {
  readonly a: string;
  readonly b: string;
  readonly metric: MetricName;
  /** a minus b. Each interval stands by itself: for a statement about many pairs, use `comparisons`. */
  readonly difference: Interval;
}

/** The best variant compared with another. */
export interface ComparisonReport {
  readonly best: string;
  readonly other: string;
  readonly metric: "errors" | "p99_ms";
  /** `unknown`: the number falls among requests without an answer. */
  readonly verdict: "beats" | "no practical difference" | "cannot be told apart" | "unknown";
  readonly best_value: number | null;
  readonly other_value: number | null;
  /** The other variant minus the best one: for p99 as a share of the other's p99, for errors absolute. */
  readonly lower: Interval;
  /** The confidence of this interval, such that all claims of a study are right in 95 % of studies (Holm). */
  readonly confidence: number;
}

/** Whether an expectation holds. */
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
  /** SHA-256 of all following fields except the wall time: the same seed gives the same digest. */
  readonly digest: string;
  readonly variants: readonly VariantReport[];
  readonly paired: readonly PairedReport[];
  /** The best variant compared with each of the others. */
  readonly comparisons: readonly ComparisonReport[];
  /** The best variant: fewest errors, then least p99; `null` if it does not beat any other. */
  readonly winner: string | null;
  readonly expectations: readonly ExpectationReport[];
  /** The wall time of the study. */
  readonly wall_s?: number;
  readonly events_per_s?: number;
}
