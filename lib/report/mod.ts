/** A result as text, JSON, CSV and a page with plots. */
export { csv } from "./csv.ts";
export { inUnit, percent, plain } from "./format.ts";
export { reportPage } from "./html.ts";
export type { Interval, Occurrence } from "./metric_reports.ts";
export {
  bothSheets,
  figureOf,
  listOf,
  pageOf,
  type Section,
  tableOf,
  withStableNames,
} from "./page_parts.ts";
export { coursePlot, healthPlot, latencyPlot, loadPlot, PLOT_STYLE } from "./plots.ts";
export type { VariantPlots } from "./plots.ts";
export { type SideBySide, sideBySide, sideBySideLines, sideBySidePage } from "./side_by_side.ts";
export { NARROW, type Sheet, WIDE } from "./sheet.ts";
export { reportLines, wrapped } from "./text.ts";
export type {
  BackendReport,
  ComparisonReport,
  ExpectationReport,
  FaultMedians,
  FaultReport,
  PairedReport,
  StudyReport,
  Theory,
  VariantFacts,
  VariantReport,
} from "./types.ts";
export { backendReport, variantReport } from "./variant_report.ts";
