/** A study's result, as `--json` prints it: plain data, names with units. */
import type { MetricName } from "../metrics/mod.ts";
import type { BackendMetrics, Interval, Occurrence, RunMetrics, Totals } from "./metric_reports.ts";

/** One backend of a variant, with the metrics of a backend. */
export interface BackendReport extends BackendMetrics {
  readonly id: string;
}

/** The medians that are shown instead of a mean without meaning. They are not part of the result. */
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
  /** The time until the last balancer considered the backend down. */
  readonly detection_ms: Occurrence;
  /** The time from its end until the last balancer considered the backend up. */
  readonly failback_ms: Occurrence | null;
}

/** The result of queueing theory for a metric, and the measured value. */
export interface Theory {
  readonly metric: MetricName;
  /** The model, in the field's notation. */
  readonly model: string;
  readonly value: number;
  readonly measured: Interval;
}

/**
 * One variant's outcome over all replications: facts about it; the metrics of a whole run, at the paths that the table
 * of metrics gives; and, for metrics that count requests, the sums over all runs. `sojourn_ms` and `wait_ms` count
 * requests that were not answered as slower than every answer; `answered_ms` leaves them out.
 */
export type VariantReport = VariantFacts & RunMetrics & Totals;

/** The parts of a variant's report besides the metrics. */
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
  /**
   * The offered work divided by the capacity of the backends that take clients while all are healthy; `null` in a closed
   * loop, where the load is a result.
   */
  readonly load: number | null;
  /** Whether `load` is 1 or more, so that queues grow until the run ends. */
  readonly overloaded: boolean;
  /** Backends that were always busy although others were not. */
  readonly saturated: readonly string[];
  /** Warnings about the reliability of these numbers. */
  readonly warnings: readonly string[];
  readonly theory: readonly Theory[];
}

/** The difference between two variants in a metric, from the same clients and jobs in each replication. */
export interface PairedReport {
  readonly a: string;
  readonly b: string;
  readonly metric: MetricName;
  /**
   * a minus b. The interval is not corrected for the number of pairs: for a statement about many pairs, use
   * `comparisons`.
   */
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
  /** The confidence of this interval. It is so high that all claims of a study are right in 95 % of studies (Holm). */
  readonly confidence: number;
}

/** Whether an expectation holds. */
export interface ExpectationReport {
  readonly text: string;
  readonly variant: string;
  readonly value: number | null;
  readonly bound: number | null;
  readonly holds: boolean;
  /** The reason why there is no value. */
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
