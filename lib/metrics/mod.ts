/** What a run measures, and the table of all metrics: what they mean and how they are read from runs. */
export {
  backendMetrics,
  definitionOf,
  isMetric,
  mainMetrics,
  metricInfo,
  type MetricName,
  metricNames,
  METRICS,
  runMetrics,
  scopeOf,
  UNANSWERED_MAX,
} from "./metrics.ts";
export {
  type Column,
  detectionMs,
  failbackMs,
  type Metric,
  type Quantity,
  unanswered,
  type Unit,
  worst,
} from "./metric.ts";
export type {
  BackendResult,
  FaultResult,
  Imbalance,
  RefusalCause,
  ReplicationResult,
  RequestCounts,
  Series,
} from "./result.ts";
