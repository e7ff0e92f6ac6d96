/** A study's result as CSV: a line for each variant. */
import type { Interval, StudyReport, VariantReport } from "./types.ts";

/** The whole table, as RFC 4180 has it, with `\n` at the end of a line. */
export function csv({ variants }: StudyReport): string {
  const rows = variants.map((variant) => new Map(cells(variant)));
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))];
  const lines = [columns, ...rows.map((row) => columns.map((column) => row.get(column) ?? ""))];
  return lines.map((line) => line.map(quoted).join(",") + "\n").join("");
}

type Cell = readonly [column: string, value: string];

function cells(variant: VariantReport): Cell[] {
  const { sojourn_ms, answered_ms, wait_ms, imbalance } = variant;
  return [
    ["variant", variant.name],
    ...Object.entries(variant.settings).map(([key, value]): Cell => [
      key,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
    ...([
      "replications",
      "confidence",
      "events",
      "connections",
      "offered",
      "done",
      "failed",
      "refused",
      "timed_out",
      "retried",
      "unfinished",
    ] as const).map((key): Cell => [key, String(variant[key])]),
    ...interval("errors", variant.errors),
    ...interval("throughput_per_s", variant.throughput_per_s),
    ...interval("goodput_per_s", variant.goodput_per_s),
    ...Object.entries(sojourn_ms).flatMap(([key, value]) => interval(`${key}_ms`, value)),
    ...Object.entries(answered_ms).flatMap(([key, value]) => interval(`answered_${key}_ms`, value)),
    ...Object.entries(wait_ms).flatMap(([key, value]) => interval(`wait_${key}_ms`, value)),
    ...interval("imbalance", imbalance.max_over_mean),
    ...interval("imbalance_cv", imbalance.coefficient_of_variation),
    ...interval("failover_mean_ms", variant.failover_ms.mean),
    ...variant.detection_ms === null ? [] : interval("detection_ms", variant.detection_ms),
    ...variant.failback_ms === null ? [] : interval("failback_ms", variant.failback_ms),
    ...interval("sessions_moved", variant.sessions_moved),
    ...variant.backends.flatMap(({ id, share, utilisation, queue, in_flight }) => [
      ...interval(`share(${id})`, share),
      ...interval(`utilisation(${id})`, utilisation),
      ...interval(`queue(${id})`, queue),
      ...interval(`in_flight(${id})`, in_flight),
    ]),
  ];
}

function interval(column: string, { value, low, high }: Interval): Cell[] {
  const text = (number: number | null) => number === null ? "" : String(number);
  return [[column, text(value)], [`${column}_low`, text(low)], [`${column}_high`, text(high)]];
}

function quoted(cell: string): string {
  return /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
