import type { MetricName } from "../metrics/mod.ts";
import {
  backendMetricReports,
  type Interval,
  type Reported,
  runMetricReports,
} from "./metric_reports.ts";
import type { BackendReport, VariantFacts, VariantReport } from "./types.ts";

/** The order of a report's keys, which its digest depends on. Keys that are not named here come last. */
const VARIANT_KEYS = [
  ...["name", "settings", "replications", "confidence", "events", "connections"],
  ...["offered", "done", "failed", "refused", "timed_out", "retried", "unfinished"],
  ...["per_replication", "errors", "throughput_per_s", "goodput_per_s", "sojourn_ms"],
  ...["answered_ms", "wait_ms", "imbalance", "turned_away", "backends", "faults"],
  ...["detection_ms", "failback_ms", "failover_ms", "sessions_moved", "false_downs"],
  ...["load", "overloaded", "saturated", "warnings", "theory"],
];
const BACKEND_KEYS = [
  ...["id", "share", "utilisation", "queue", "in_flight", "done", "failed"],
  ...["down_share", "downs"],
];

/** A variant's report from the facts about it and its metrics. */
export function variantReport(
  facts: VariantFacts,
  of: (name: MetricName) => Reported,
  total: (name: MetricName) => number,
): VariantReport {
  return inOrder(VARIANT_KEYS, { ...facts, ...runMetricReports(of, total) });
}

/** A backend's report from its metrics. */
export function backendReport(id: string, of: (name: MetricName) => Interval): BackendReport {
  return inOrder(BACKEND_KEYS, { id, ...backendMetricReports(of) });
}

function inOrder<T extends object>(keys: readonly string[], report: T): T {
  const place = (key: string) => keys.includes(key) ? keys.indexOf(key) : keys.length;
  const entries = Object.entries(report).toSorted(([a], [b]) => place(a) - place(b));
  return Object.fromEntries(entries) as T;
}
