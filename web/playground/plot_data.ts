/** The plots of the page, from the statistics of the variants. */
import { formatMs, formatNumber, type Stroke } from "../dashboard/mod.ts";
import type { PlotData, PlotSeries } from "./plot.ts";
import type { Series, VariantStatistics } from "./protocol.ts";

/** Points along the latencies of all variants. */
const POINTS = 160;
/** Smaller shares are below the axis. */
const SHARE_MIN = 1e-5;

/** A variant's name and its line. */
export interface NamedStroke {
  readonly name: string;
  readonly stroke: Stroke;
}

/**
 * The share of requests that took longer, by latency; with the lines of queueing theory where its assumptions are
 * true.
 */
export function latencyPlotData(
  variants: readonly VariantStatistics[],
  names: readonly NamedStroke[],
): PlotData {
  const all = variants.flatMap(({ ccdf, theory }) => [ccdf, ...theory?.ccdf ? [theory.ccdf] : []]);
  const from = Math.max(1e-3, Math.min(...all.map(({ latency_ms }) => latency_ms[0] ?? Infinity)));
  const to = Math.max(...all.map(({ latency_ms }) => latency_ms.at(-1) ?? 0));
  const xs = from < to
    ? Array.from({ length: POINTS }, (_, i) => from * (to / from) ** (i / (POINTS - 1)))
    : [];
  const series = variants.flatMap(({ ccdf, theory }, i): PlotSeries[] => {
    const { name, stroke } = names[i]!;
    return [
      { label: name, ...stroke, values: sharesAt(xs, ccdf) },
      ...theory?.ccdf
        ? [{
          label: `${name}: theory (${theory.model})`,
          colour: stroke.colour,
          dash: [2, 4],
          values: sharesAt(xs, theory.ccdf),
        }]
        : [],
    ];
  });
  return {
    title: "Share of requests that took longer",
    x: { label: "sojourn time (ms)", isLog: true, format: formatMs },
    y: { label: "share", isLog: true, max: 1, format: formatSmallShare },
    xs,
    series,
  };
}

function sharesAt(
  xs: readonly number[],
  { latency_ms, share }: { readonly latency_ms: Float64Array; readonly share: Float64Array },
): (number | null)[] {
  let i = -1;
  return xs.map((x) => {
    while (i + 1 < latency_ms.length && latency_ms[i + 1]! <= x * (1 + 1e-12)) i++;
    const value = i < 0 ? 1 : share[i]!;
    return latency_ms.length === 0 || value < SHARE_MIN ? null : value;
  });
}

/** `10 %`, `0.1 %`. */
function formatSmallShare(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}

/** A quantile over time. */
export function quantilePlotData(
  variants: readonly VariantStatistics[],
  names: readonly NamedStroke[],
  quantile: "p50" | "p99",
): PlotData {
  return overTime(
    `Sojourn time over time, ${quantile}`,
    { label: "ms", min: 0, format: (value) => formatNumber(value) },
    variants,
    names,
    (series, i) => series[`${quantile}_ms`][i]!,
  );
}

/** The share of requests that ended in an error, over time. */
export function errorPlotData(
  variants: readonly VariantStatistics[],
  names: readonly NamedStroke[],
): PlotData {
  const most = Math.max(
    0.05,
    ...variants.flatMap(({ series }) =>
      Array.from({ length: series.length }, (_, i) => shareOfErrors(series, i))
        .filter((share) => !Number.isNaN(share))
    ),
  );
  return overTime(
    "Errors over time",
    {
      label: "share of requests",
      min: 0,
      max: Math.min(1, most),
      format: (value) => formatSmallShare(value),
    },
    variants,
    names,
    shareOfErrors,
  );
}

function shareOfErrors({ done, errors }: Series, i: number): number {
  return errors[i]! / (done[i]! + errors[i]!);
}

function overTime(
  title: string,
  y: PlotData["y"],
  variants: readonly VariantStatistics[],
  names: readonly NamedStroke[],
  valueOf: (series: Series, i: number) => number,
): PlotData {
  const longest = variants.map(({ series }) => series)
    .reduce((a, b) => b.length * b.interval_ms > a.length * a.interval_ms ? b : a);
  const xs = Array.from(
    { length: longest.length },
    (_, i) => (i + 0.5) * longest.interval_ms / 1000,
  );
  return {
    title,
    x: { label: "time (s)", min: 0, format: (value) => `${formatNumber(value)} s` },
    y,
    xs,
    series: variants.map(({ series }, v) => ({
      label: names[v]!.name,
      ...names[v]!.stroke,
      values: xs.map((x) => {
        const i = Math.floor(x * 1000 / series.interval_ms);
        const value = i < series.length ? valueOf(series, i) : NaN;
        return Number.isNaN(value) ? null : value;
      }),
    })),
  };
}

/** A sentence about the lines of theory in the plot of latencies; empty if nothing is known yet. */
export function theoryNote(
  variants: readonly { readonly theory: unknown; readonly no_theory: string | null }[],
): string {
  if (variants.some(({ theory }) => theory !== null)) return "Dotted: queueing theory.";
  const reason = variants.map(({ no_theory }) => no_theory).find((words) => words !== null);
  if (!reason) return "";
  const words = reason.replace(/^theory/, "it").replace("would need:", "holds only if")
    .replaceAll("`", "");
  return `No line of queueing theory: ${words}.`;
}
