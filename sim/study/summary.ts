/** Computes a study's report from the results of all replications. */
import { NS_PER_MS } from "../../lib/base/mod.ts";
import {
  definitionOf,
  detectionMs,
  failbackMs,
  type FaultResult,
  metricInfo,
  type MetricName,
  type ReplicationResult,
} from "../../lib/metrics/mod.ts";
import { percent } from "../../lib/report/format.ts";
import type {
  BackendReport,
  ExpectationReport,
  FaultReport,
  Interval,
  StudyReport,
  Theory,
  VariantFacts,
  VariantReport,
} from "../../lib/report/mod.ts";
import { backendReport, variantReport } from "../../lib/report/variant_report.ts";
import {
  counterpartOf,
  type Expectation,
  holds,
  type MetricTerm,
  type Study,
  type Variant,
  variantsMeant,
} from "../../lib/scenario/mod.ts";
import { comparisonsOf, pairedReports } from "./comparisons.ts";
import { finite, intervalOf, Measured, occurrenceOf } from "../measure/mod.ts";
import { exactResults } from "../theory/mod.ts";
import { offeredLoad } from "../model/mod.ts";
import { confidenceOf } from "./precision.ts";
import { SATURATED, warningsOf } from "./warnings.ts";

/** A study's report without the time that it took and the version of lbsim. */
export type Summary = Pick<
  StudyReport,
  "variants" | "paired" | "comparisons" | "winner" | "expectations"
>;

/**
 * Summarises a study.
 *
 * @param results For each variant, the results of its replications in their order.
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
      reportOf(study, variant, measured[i]!, confidence)
    ),
    paired: pairedReports(contenders, confidence),
    comparisons,
    winner: comparisons.find(({ verdict }) => verdict === "beats")?.best ?? null,
    expectations: study.expect.flatMap((expectation) =>
      checkExpectation(expectation, study.variants, measured)
    ),
  };
}

function reportOf(
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
  const backends = results[0]!.backends.map(({ id }) =>
    backendReport(id, (metric) => over(metric, id))
  );
  const overloaded = load >= 1;
  const saturatedOnes = overloaded ? [] : saturated(variant, backends);
  const facts: VariantFacts = {
    name: variant.name,
    settings: variant.settings,
    replications: results.length,
    confidence,
    events: sum(({ events }) => events),
    connections: sum(({ connections }) => connections),
    turned_away: refusals(results),
    backends,
    faults: results[0]!.faults.map((fault, i) =>
      faultReport(fault, results.map(({ faults }) => faults[i]!), confidence)
    ),
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
  return variantReport(
    facts,
    (metric) =>
      definitionOf(metric).kind === "occurrence"
        ? occurrenceOf(measured.values(metric), confidence)
        : over(metric),
    (metric) => measured.total(metric),
  );
}

function refusals(results: readonly ReplicationResult[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const result of results) {
    for (const [reason, count] of Object.entries(result.turnedAway)) {
      total[reason] = (total[reason] ?? 0) + count;
    }
  }
  return total;
}

type Over = (metric: MetricName, backend?: string) => Interval;

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
 * Backends that are always busy although the load of all backends together is below 1. A closed loop has none,
 * because no queue grows without end there: when all clients wait at one backend, none arrives.
 */
function saturated(
  { scenario }: Variant,
  backends: readonly BackendReport[],
): string[] {
  if (scenario.workload.arrivals.kind === "closed") return [];
  return backends.flatMap(({ id, utilisation }, i) =>
    scenario.servers[i]?.queue === Infinity && (utilisation.value ?? 0) > SATURATED ? [id] : []
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

/** The reason why a time is unknown; undefined if it is known, or if there was no measurement. */
function unknownReason(
  { metric }: MetricTerm,
  value: number,
  { unansweredShare }: Measured,
): string | undefined {
  if (Number.isFinite(value) || !countsUnanswered(metric) || !(unansweredShare > 0)) {
    return undefined;
  }
  return `unknown: ${percent(unansweredShare)} of requests were not answered`;
}

/** Whether requests without an answer count in a metric, so that they can make it unknown. */
function countsUnanswered(metric: MetricName): boolean {
  const { path = metric } = metricInfo(metric);
  return path.startsWith("sojourn_ms.") || path.startsWith("wait_ms.");
}

/**
 * A metric's value in a comparison. A percentile among requests without an answer is larger than every answer; an
 * unknown mean is NaN, so every comparison with it is false.
 */
function termValue({ metric, backend }: MetricTerm, measured: Measured): number {
  const { kind } = definitionOf(metric, backend);
  if (kind === "occurrence") return measured.worst(metric, backend);
  const { value } = measured.estimate(metric, backend);
  return value === Infinity && kind === "mean" ? NaN : value;
}
