/** A study's result as CSV: a line for each variant. */
import {
  backendMetrics,
  metricInfo,
  type MetricName,
  runMetrics,
  scopeOf,
} from "../metrics/mod.ts";
import { backendMetricOf, type Interval, runMetricOf, totalOf } from "./metric_reports.ts";
import type { StudyReport, VariantReport } from "./types.ts";

/** The whole table in the format of RFC 4180, with `\n` at the end of a line. */
export function csv({ variants }: StudyReport): string {
  const rows = variants.map((variant) => new Map(cells(variant)));
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))];
  const lines = [columns, ...rows.map((row) => columns.map((column) => row.get(column) ?? ""))];
  return lines.map((line) => line.map(quoted).join(",") + "\n").join("");
}

type Cell = readonly [column: string, value: string];

function cells(variant: VariantReport): Cell[] {
  const shown = (name: MetricName) => !metricInfo(name).notInCsv;
  return [
    ["variant", variant.name],
    ...Object.entries(variant.settings).map(([key, value]): Cell => [
      key,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
    ...(["replications", "confidence", "events", "connections"] as const)
      .map((key): Cell => [key, String(variant[key])]),
    ...runMetrics().filter(shown).flatMap((name) => runCells(variant, name)),
    ...variant.backends.flatMap((backend) =>
      backendMetrics().filter((name) => shown(name) && scopeOf(name) === "backend").flatMap((
        name,
      ) => interval(`${name}(${backend.id})`, backendMetricOf(backend, name)))
    ),
  ];
}

/**
 * The cells of a metric of the run: a count as its sum over all runs, any other metric as its value and
 * interval; none if there was no fault.
 */
function runCells(variant: VariantReport, name: MetricName): Cell[] {
  if (metricInfo(name).total) {
    return [[name, String(totalOf(variant, name))]];
  }
  const reported = runMetricOf(variant, name);
  return reported === null ? [] : interval(name, reported);
}

function interval(column: string, { value, low, high }: Interval): Cell[] {
  const text = (number: number | null) => number === null ? "" : String(number);
  return [[column, text(value)], [`${column}_low`, text(low)], [`${column}_high`, text(high)]];
}

function quoted(cell: string): string {
  return /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
