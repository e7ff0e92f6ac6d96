/** A result as text, JSON, CSV and a page with plots. */
export { csv } from "./csv.ts";
export { percent, plain } from "./format.ts";
export { reportPage, withStableNames } from "./html.ts";
export {
  coursePlot,
  healthPlot,
  latencyPlot,
  loadPlot,
  PLOT_STYLE,
  type VariantPlots,
} from "./plots.ts";
export { aligned, reportLines } from "./text.ts";
export type {
  BackendReport,
  ComparisonReport,
  Counts,
  ExpectationReport,
  FaultReport,
  Interval,
  Occurrence,
  PairedReport,
  StudyReport,
  Theory,
  Times,
  VariantReport,
} from "./types.ts";
