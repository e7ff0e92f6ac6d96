/** The tables that the text and the page have in common, as cells. */
import { mainMetrics, metricInfo } from "../metrics/mod.ts";
import { inUnit, withInterval } from "./format.ts";
import { backendMetricOf, runMetricOf } from "./metric_reports.ts";
import type { BackendReport, VariantReport } from "./types.ts";

/** A column of the main table. */
export interface MainColumn {
  readonly title: string;
  /** When there is no room for all columns, those of the lowest rank are left out first. */
  readonly rank: number;
  readonly cell: (variant: VariantReport) => string;
}

/** The columns of the main table, which has a row for each variant. */
export function mainColumns(): MainColumn[] {
  return mainMetrics("run").map((name) => {
    const { unit, column } = metricInfo(name);
    const { title, rank, interval = false } = column!;
    return {
      title,
      rank,
      cell(variant) {
        const reported = runMetricOf(variant, name);
        if (reported === null) return inUnit(unit, null);
        return interval ? withInterval(unit, reported) : inUnit(unit, reported.value);
      },
    };
  });
}

/** The heads of a table of backends, without that of the first column. */
export function backendHeads(): string[] {
  return mainMetrics("backend").map((name) => metricInfo(name).column!.title);
}

/** A backend's row. */
export function backendRow(backend: BackendReport): string[] {
  return [
    backend.id,
    ...mainMetrics("backend").map((name) =>
      inUnit(metricInfo(name).unit, backendMetricOf(backend, name).value)
    ),
  ];
}

/** The heads of the table that compares theory with measured values. */
export const THEORY_HEADS = ["variant", "model", "metric", "theory", "measured"];

/** The results of queueing theory for the variants, beside the measured values. */
export function theoryRows(variants: readonly VariantReport[]): string[][] {
  return variants.flatMap(({ name, theory }) =>
    theory.map(({ metric, model, value, measured }) => {
      const { unit } = metricInfo(metric);
      return [name, model, metric, inUnit(unit, value), withInterval(unit, measured)];
    })
  );
}
