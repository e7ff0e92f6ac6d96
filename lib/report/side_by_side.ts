/** Two results side by side, with their differences: text, data and a page. */
import { aligned } from "../base/mod.ts";
import { mainMetrics, metricInfo, type MetricName, type Unit } from "../metrics/mod.ts";
import { inUnit, plain, plusMinus } from "./format.ts";
import { escape } from "./markup.ts";
import { backendMetricOf, type Interval, runMetricOf } from "./metric_reports.ts";
import { document, listOf, tableOf } from "./page_parts.ts";
import type { StudyReport, VariantReport } from "./types.ts";

/** One metric in both results. */
export interface MetricDifference {
  readonly metric: MetricName;
  /** The backend, for a metric of a backend. */
  readonly backend?: string;
  /** The fault, for a detection or failback time. */
  readonly fault?: string;
  readonly unit: Unit;
  readonly a: number | null;
  readonly b: number | null;
  /**
   * b minus a. The interval is computed as for independent runs; if both results have the same clients and jobs, it is
   * wider than necessary. There is no interval if one of the two was run only once.
   */
  readonly difference: Interval;
  /** The difference as a share of a; `null` for a share, and if a is 0. */
  readonly relative: number | null;
}

/** A variant in both results. */
export interface VariantDifference {
  readonly variant: string;
  readonly metrics: readonly MetricDifference[];
}

/** Two results side by side. */
export interface SideBySide {
  readonly a: Pick<StudyReport, "scenario" | "seed" | "digest">;
  readonly b: Pick<StudyReport, "scenario" | "seed" | "digest">;
  readonly variants: readonly VariantDifference[];
  /** Variants that only one of the results has. */
  readonly only_a: readonly string[];
  readonly only_b: readonly string[];
  /** The reasons for which the two are not comparable. */
  readonly warnings: readonly string[];
}

/** The metrics of a backend that are compared. */
const OF_BACKEND: readonly MetricName[] = ["share", "utilisation", "queue"];

/** Compares the variants that both results have. If each result has only one variant, compares these two. */
export function sideBySide(a: StudyReport, b: StudyReport): SideBySide {
  const isSingle = a.variants.length === 1 && b.variants.length === 1;
  const partner = ({ name }: VariantReport) =>
    isSingle ? b.variants[0] : b.variants.find((one) => one.name === name);
  const names = (report: StudyReport) => report.variants.map(({ name }) => name);
  const without = (some: readonly string[], others: readonly string[]) =>
    isSingle ? [] : some.filter((name) => !others.includes(name));
  return {
    a: identity(a),
    b: identity(b),
    variants: a.variants.flatMap((variant) => {
      const other = partner(variant);
      return other === undefined ? [] : [{
        variant: variant.name === other.name ? variant.name : `${variant.name} | ${other.name}`,
        metrics: metricsOf(variant, other),
      }];
    }),
    only_a: without(names(a), names(b)),
    only_b: without(names(b), names(a)),
    warnings: a.seed === b.seed ? [] : [
      `the seeds differ (${a.seed} and ${b.seed}): clients and jobs are not the same`,
    ],
  };
}

function identity({ scenario, seed, digest }: StudyReport): SideBySide["a"] {
  return { scenario, seed, digest };
}

function metricsOf(a: VariantReport, b: VariantReport): MetricDifference[] {
  const ofRun = mainMetrics("run").map((metric) =>
    differenceOf({ metric, unit: metricInfo(metric).unit }, {
      a: runMetricOf(a, metric),
      b: runMetricOf(b, metric),
    })
  );
  const ofBackends = a.backends.flatMap((backend) => {
    const other = b.backends.find(({ id }) => id === backend.id);
    return other === undefined
      ? []
      : OF_BACKEND.map((metric) =>
        differenceOf({ metric, backend: backend.id, unit: metricInfo(metric).unit }, {
          a: backendMetricOf(backend, metric),
          b: backendMetricOf(other, metric),
        })
      );
  });
  const ofFaults = a.faults.flatMap((fault, i) => {
    const other = b.faults[i];
    if (other === undefined) return [];
    const name = `${fault.kind} of ${fault.backend}`;
    return (["detection_ms", "failback_ms"] as const).map((metric) =>
      differenceOf({ metric, fault: name, unit: "ms" }, { a: fault[metric], b: other[metric] })
    );
  });
  return [...ofRun, ...ofBackends, ...ofFaults];
}

function differenceOf(
  about: Pick<MetricDifference, "metric" | "backend" | "fault" | "unit">,
  { a, b }: { readonly a: Interval | null; readonly b: Interval | null },
): MetricDifference {
  const [from, to] = [a?.value ?? null, b?.value ?? null];
  const value = from === null || to === null ? null : to - from;
  const half = halfOf(a, b);
  const isRelative = value !== null && from !== 0 && about.unit !== "share";
  return {
    ...about,
    a: from,
    b: to,
    difference: {
      value,
      low: value === null || half === null ? null : value - half,
      high: value === null || half === null ? null : value + half,
    },
    relative: isRelative ? value / from! : null,
  };
}

/** Half the interval of a difference: the squares of the halves of independent intervals add up. */
function halfOf(a: Interval | null, b: Interval | null): number | null {
  let sum = 0;
  for (const interval of [a, b]) {
    if (interval === null || interval.low === null || interval.high === null) return null;
    const half = (interval.high - interval.low) / 2;
    sum += half * half;
  }
  return Math.sqrt(sum);
}

const HEADS = ["metric", "a", "b", "b − a", "relative"];

/** The lines for a terminal. */
export function sideBySideLines(compared: SideBySide): string[] {
  const sections = compared.variants.map(({ variant, metrics }) => [
    variant,
    ...aligned([HEADS, ...metrics.map(rowOf)].map(([head, ...cells]) => [head!, ...cells])),
  ]);
  return [
    `a: ${inWords(compared.a)}`,
    `b: ${inWords(compared.b)}`,
    ...sections.flatMap((lines) => ["", ...lines]),
    ...notes(compared).flatMap((line, i) => i === 0 ? ["", line] : [line]),
  ];
}

/** One HTML page without other files. The same comparison gives the same bytes. */
export function sideBySidePage(compared: SideBySide): string {
  const sections = compared.variants.map(({ variant, metrics }) =>
    `<h2>${escape(variant)}</h2>${tableOf(HEADS, metrics.map(rowOf))}`
  );
  return document(
    "Two results side by side",
    `<p class="facts">a: ${escape(inWords(compared.a))}<br>b: ${escape(inWords(compared.b))}</p>
${sections.join("\n")}
${listOf(notes(compared), "warning")}`,
  );
}

function inWords({ scenario, seed, digest }: SideBySide["a"]): string {
  return `${scenario}, seed ${seed}, digest ${digest.slice(0, 12)}`;
}

function notes({ only_a, only_b, warnings }: SideBySide): string[] {
  return [
    ...only_a.length === 0 ? [] : [`only in a: ${only_a.join(", ")}`],
    ...only_b.length === 0 ? [] : [`only in b: ${only_b.join(", ")}`],
    ...warnings,
  ];
}

function rowOf({ metric, backend, fault, unit, a, b, difference, relative }: MetricDifference) {
  const title = metricInfo(metric).column?.title ?? `${metric.replace(/_ms$/, "")} ms`;
  const about = backend ?? fault;
  return [
    about === undefined ? title : `${title} (${about})`,
    inUnit(unit, a),
    inUnit(unit, b),
    signed(difference, unit),
    relative === null ? "" : `${relative < 0 ? "−" : "+"}${plain(Math.abs(100 * relative))} %`,
  ];
}

/** A difference with its sign; a difference of shares is in percentage points. */
function signed(difference: Interval, unit: Unit): string {
  const { value, low, high } = difference;
  if (value === null) return plain(null);
  const scale = unit === "share" ? 100 : 1;
  const points = unit === "share" ? " pp" : "";
  const sign = value < 0 ? "−" : "+";
  if (low === null || high === null) return `${sign}${plain(Math.abs(value * scale))}${points}`;
  const size = {
    value: Math.abs(value),
    low: value < 0 ? -high : low,
    high: value < 0 ? -low : high,
  };
  return `${sign}${plusMinus(size, scale)}${points}`;
}
