/** What a run measures, and estimates from all runs of a variant. */
export {
  type CumulativeTotals,
  type MeasuredRun,
  readTotals,
  withIdleBackend,
} from "./cumulative_totals.ts";
export { HealthLog, isPlanned } from "./health_log.ts";
export { finite, intervalOf, occurrenceOf } from "./intervals.ts";
export { Measured } from "./measured.ts";
export type { MeasuredBackend } from "./measured_backend.ts";
export { type Outcome, Recorder } from "./recorder.ts";
export { replicationResult, type RunMeasurements } from "./replication_result.ts";
export { Spread } from "./spread.ts";
export { SERIES_BACKENDS_MAX, SLICES, TimeSeries } from "./time_series.ts";
