/** What a run measures, and estimates from all runs of a variant. */
export { type CumulativeTotals, readTotals } from "./cumulative_totals.ts";
export { HealthLog, isPlanned } from "./health_log.ts";
export { finite, intervalOf, occurrenceOf } from "./intervals.ts";
export { Measured } from "./measured.ts";
export { type Outcome, Recorder } from "./recorder.ts";
export { Spread } from "./spread.ts";
export { TimeSeries } from "./time_series.ts";
