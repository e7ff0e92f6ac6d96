/** The place of each metric in a report: once as types, once as values. Both follow from the table of metrics. */
import {
  backendMetrics,
  metricInfo,
  type MetricName,
  type METRICS,
  runMetrics,
} from "../metrics/mod.ts";

/**
 * A number over all replications with its confidence interval. `value` is null if nothing was measured, or if the
 * number is unknown because it falls among requests without an answer. If both ends are null, there is no interval
 * (one replication, or a maximum). If only `high` is null, the upper end is unknown.
 */
export interface Interval {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** A time that can be measured only in some replications. The numbers are over these replications. */
export interface Occurrence extends Interval {
  readonly max: number | null;
  /** The number of replications in which it did not happen for at least one balancer. */
  readonly missing: number;
}

type Table = typeof METRICS;
/** The names of the entries that have a property. */
type With<P> = { [N in MetricName]: Table[N] extends P ? N : never }[MetricName];
type PathOf<N extends MetricName> = Table[N] extends { readonly path: infer P extends string } ? P
  : N;
/** `At<"a.b", V>` is `{ a: { b: V } }`. */
type At<Path extends string, V> = Path extends `${infer Key}.${infer Rest}`
  ? { readonly [K in Key]: At<Rest, V> }
  : { readonly [K in Path]: V };
type Intersection<Union> = (Union extends unknown ? (part: Union) => void : never) extends
  (whole: infer I) => void ? I
  : never;
type OccurrenceName = With<{ readonly fault: unknown }>;
type IntervalName = Exclude<With<{ readonly run: unknown }>, OccurrenceName>;

/** A metric of a run in a variant's report. An occurrence is `null` if there was no fault to measure. */
export type Reported = Interval | Occurrence | null;

/** The metrics of a whole run, each at its path. */
export type RunMetrics =
  & Intersection<{ [N in IntervalName]: At<PathOf<N>, Interval> }[IntervalName]>
  & Intersection<{ [N in OccurrenceName]: At<PathOf<N>, Occurrence | null> }[OccurrenceName]>;

/** The sums over all runs that a variant's report has. */
export type Totals = { readonly [N in With<{ readonly total: true }>]: number };

/** The metrics of a backend. */
export type BackendMetrics = { readonly [N in With<{ readonly backend: unknown }>]: Interval };

/** Puts the metrics of a run into the places of a variant's report. */
export function runMetricReports(
  of: (name: MetricName) => Reported,
  total: (name: MetricName) => number,
): RunMetrics & Totals {
  const report: Record<string, unknown> = {};
  for (const name of runMetrics()) {
    if (metricInfo(name).total) report[name] = total(name);
    const keys = pathOf(name);
    let at = report;
    for (const key of keys.slice(0, -1)) at = (at[key] ??= {}) as Record<string, unknown>;
    at[keys.at(-1)!] = of(name);
  }
  return report as RunMetrics & Totals;
}

/** The metrics of a backend, as its report has them. */
export function backendMetricReports(of: (name: MetricName) => Interval): BackendMetrics {
  return Object.fromEntries(backendMetrics().map((name) => [name, of(name)])) as BackendMetrics;
}

/** A metric of a run, from a variant's report. */
export function runMetricOf(report: RunMetrics, name: MetricName): Reported {
  let at: unknown = report;
  for (const key of pathOf(name)) at = (at as Record<string, unknown>)[key];
  return at as Reported;
}

/** The sum of a metric over all runs, from a variant's report. */
export function totalOf(report: Totals, name: MetricName): number {
  return (report as Readonly<Record<string, number>>)[name]!;
}

/** A metric of a backend, from its report. */
export function backendMetricOf(report: BackendMetrics, name: MetricName): Interval {
  return (report as Readonly<Record<string, Interval>>)[name]!;
}

function pathOf(name: MetricName): string[] {
  return (metricInfo(name).path ?? name).split(".");
}
