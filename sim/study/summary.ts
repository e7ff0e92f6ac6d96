/** From replications to a study's result. */
import { NS_PER_MS } from "../../lib/base/mod.ts";
import {
  type BackendReport,
  type Counts,
  type ExpectationReport,
  type FaultReport,
  type Interval,
  percent,
  type StudyReport,
  type Theory,
  type Times,
  type VariantReport,
} from "../../lib/report/mod.ts";
import {
  counterpartOf,
  type Expectation,
  holds,
  type MetricTerm,
  type Study,
  type Variant,
  variantsMeant,
} from "../../lib/scenario/mod.ts";
import type { MetricName } from "../../lib/scenario/metrics.ts";
import { comparisonsOf, pairedReports } from "./comparisons.ts";
import {
  definitionOf,
  detectionMs,
  failbackMs,
  type FaultResult,
  finite,
  intervalOf,
  Measured,
  occurrenceOf,
  type ReplicationResult,
} from "../measure/mod.ts";
import { exactResults } from "../theory/mod.ts";
import { offeredLoad } from "../model/mod.ts";
import { confidenceOf } from "./precision.ts";
import { SATURATED, warningsOf } from "./warnings.ts";

/** Metrics whose worst value counts when something is expected of them. */
const WORST_CASE: readonly MetricName[] = ["detection_ms", "failback_ms"];

/** All that can be said of a study but how long it took and by which version. */
export type Summary = Pick<
  StudyReport,
  "variants" | "paired" | "comparisons" | "winner" | "expectations"
>;

/**
 * Sums a study up.
 *
 * @param results By variant: one of each replication, in order.
 */
export function summarise(
  study: Study,
  results: readonly (readonly ReplicationResult[])[],
): Summary {
  const confidence = confidenceOf(study.repetition);
  const measured = results.map((ofVariant) => new Measured(ofVariant));
  const contenders = study.variants.map(({ name }, i) => ({ name, measured: measured[i]! }));
  const comparisons = comparisonsOf(contenders, confidence);
  return {
    variants: study.variants.map((variant, i) =>
      variantReport(study, variant, measured[i]!, confidence)
    ),
    paired: pairedReports(contenders, confidence),
    comparisons,
    winner: comparisons.find(({ verdict }) => verdict === "beats")?.best ?? null,
    expectations: study.expect.flatMap((expectation) =>
      checkExpectation(expectation, study.variants, measured)
    ),
  };
}

function variantReport(
  study: Study,
  variant: Variant,
  measured: Measured,
  confidence: number,
): VariantReport {
  const over = (metric: MetricName, backend?: string) =>
    intervalOf(measured.estimate(metric, backend, confidence));
  const { results } = measured;
  const sum = (count: (result: ReplicationResult) => number) =>
    results.reduce((total, result) => total + count(result), 0);
  const load = offeredLoad(variant.scenario);
  const backends = results[0]!.backends.map(({ id }) => backendReport(id, over));
  const overloaded = load >= 1;
  const saturatedOnes = overloaded ? [] : saturated(variant, backends);
  return {
    name: variant.name,
    settings: variant.settings,
    replications: results.length,
    confidence,
    events: sum(({ events }) => events),
    connections: sum(({ connections }) => connections),
    ...counts((metric) => measured.total(metric)),
    per_replication: counts((metric) => over(metric)),
    errors: over("errors"),
    throughput_per_s: over("throughput_per_s"),
    goodput_per_s: over("goodput_per_s"),
    sojourn_ms: times("", over),
    answered_ms: times("answered_", over),
    wait_ms: times("wait_", over),
    imbalance: {
      max_over_mean: over("imbalance"),
      coefficient_of_variation: over("imbalance_cv"),
    },
    turned_away: turnedAway(results),
    backends,
    faults: results[0]!.faults.map((fault, i) =>
      faultReport(fault, results.map(({ faults }) => faults[i]!), confidence)
    ),
    detection_ms: occurrenceOf(measured.values("detection_ms"), confidence),
    failback_ms: occurrenceOf(measured.values("failback_ms"), confidence),
    failover_ms: { mean: over("failover_mean_ms"), p99: over("failover_p99_ms") },
    sessions_moved: over("sessions_moved"),
    false_downs: over("false_downs"),
    load: finite(load),
    overloaded,
    saturated: saturatedOnes,
    warnings: warningsOf(study, variant.scenario, measured, {
      load,
      saturated: saturatedOnes,
      confidence,
    }),
    theory: theory(variant, measured, over),
  };
}

function turnedAway(results: readonly ReplicationResult[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const result of results) {
    for (const [reason, count] of Object.entries(result.turnedAway)) {
      total[reason] = (total[reason] ?? 0) + count;
    }
  }
  return total;
}

function counts<T>(count: (metric: MetricName) => T): Counts<T> {
  return {
    offered: count("offered"),
    done: count("done"),
    failed: count("failed"),
    refused: count("refused"),
    timed_out: count("timed_out"),
    retried: count("retried"),
    unfinished: count("unfinished"),
  };
}

type Over = (metric: MetricName, backend?: string) => Interval;

function times(prefix: "" | "answered_" | "wait_", over: Over): Times {
  return {
    mean: over(`${prefix}mean_ms`),
    p50: over(`${prefix}p50_ms`),
    p90: over(`${prefix}p90_ms`),
    p99: over(`${prefix}p99_ms`),
    p999: over(`${prefix}p999_ms`),
    max: over(`${prefix}max_ms`),
  };
}

function backendReport(id: string, over: Over): BackendReport {
  return {
    id,
    share: over("share", id),
    utilisation: over("utilisation", id),
    queue: over("queue", id),
    in_flight: over("in_flight", id),
    done: over("done", id),
    failed: over("failed", id),
    down_share: over("down_share", id),
    downs: over("downs", id),
  };
}

function faultReport(
  fault: FaultResult,
  all: readonly FaultResult[],
  confidence: number,
): FaultReport {
  return {
    backend: fault.backend,
    kind: fault.kind,
    at_ms: fault.at / NS_PER_MS,
    until_ms: fault.until === undefined ? null : fault.until / NS_PER_MS,
    detection_ms: occurrenceOf(all.map(detectionMs), confidence)!,
    failback_ms: occurrenceOf(all.map(failbackMs), confidence),
  };
}

/**
 * Backends that never rest, where the load as a whole is bearable: the others could have helped. In a
 * closed loop no queue grows without end: all clients may wait at one backend, and then none comes.
 */
function saturated(
  { scenario }: Variant,
  backends: readonly BackendReport[],
): string[] {
  if (scenario.workload.arrivals.kind === "closed") return [];
  return backends.flatMap(({ id, utilisation }, i) =>
    scenario.servers[i]!.queue === Infinity && (utilisation.value ?? 0) > SATURATED ? [id] : []
  );
}

function theory({ scenario }: Variant, measured: Measured, over: Over): Theory[] {
  return exactResults(scenario, measured.results).map(({ metric, model, value }) => ({
    metric,
    model,
    value,
    measured: over(metric),
  }));
}

function checkExpectation(
  { text, left, comparator, right }: Expectation,
  variants: readonly Variant[],
  measured: readonly Measured[],
): ExpectationReport[] {
  const of = (variant: Variant) => measured[variants.indexOf(variant)]!;
  return variantsMeant(left, variants).map((variant): ExpectationReport => {
    const counterpart = "value" in right ? undefined : counterpartOf(right.term, variant, variants);
    const value = termValue(left, of(variant));
    const bound = "value" in right
      ? right.value
      : right.factor * termValue(right.term, of(counterpart!));
    const reason = unknownReason(left, value, of(variant)) ??
      ("value" in right ? undefined : unknownReason(right.term, bound, of(counterpart!)));
    return {
      text,
      variant: variant.name,
      value: finite(value),
      bound: finite(bound),
      holds: holds(value, comparator, bound),
      ...reason !== undefined && { reason },
    };
  });
}

/** Why a time is unknown; undefined if it is known, or nothing was measured. */
function unknownReason(
  { metric }: MetricTerm,
  value: number,
  { unansweredShare }: Measured,
): string | undefined {
  if (Number.isFinite(value) || !isTime(metric) || !(unansweredShare > 0)) return undefined;
  return `unknown: ${percent(unansweredShare)} of requests were not answered`;
}

/** A metric to which requests without an answer matter. */
function isTime(metric: MetricName): boolean {
  return /^(wait_)?(mean|p\d+|max)_ms$/.test(metric);
}

/**
 * What a metric is, to be compared. A percentile among requests without an answer is larger than every
 * answer; of a mean that is unknown nothing can be said, so it is not a number.
 */
function termValue({ metric, backend }: MetricTerm, measured: Measured): number {
  if (WORST_CASE.includes(metric)) return measured.worst(metric, backend);
  const { value } = measured.estimate(metric, backend);
  return value === Infinity && definitionOf(metric, backend).kind === "mean" ? NaN : value;
}
