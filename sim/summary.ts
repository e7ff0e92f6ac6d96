/** From replications to a study's result. */
import { NS_PER_MS } from "../lib/core/mod.ts";
import type {
  BackendReport,
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
} from "../lib/report/types.ts";
import {
  type Bound,
  type Expectation,
  holds,
  isMeant,
  type MetricTerm,
} from "../lib/scenario/expectation.ts";
import type { MetricName } from "../lib/scenario/metrics.ts";
import type { Study, Variant } from "../lib/scenario/mod.ts";
import { type Estimate, estimateMean, pairedDifference } from "../lib/stats/estimate.ts";
import { knownTheory } from "./known.ts";
import { offeredLoad } from "./load.ts";
import { detectionMs, failbackMs, Measured } from "./metrics.ts";
import type { FaultResult, ReplicationResult } from "./result.ts";

/** From this utilisation on a backend never rests. */
const SATURATED = 0.995;
/** A difference of errors that nobody would notice. */
const ERRORS_NEGLIGIBLE = 0.001;
/** What is compared between variants. */
const PAIRED_METRICS: readonly MetricName[] = ["mean_ms", "p99_ms", "errors"];
/** Metrics whose worst value counts when something is expected of them. */
const WORST_CASE: readonly MetricName[] = ["max_ms", "wait_max_ms", "detection_ms", "failback_ms"];

/** All that can be said of a study but how long it took and by which version. */
export type Summary = Pick<StudyReport, "variants" | "paired" | "winner" | "expectations">;

/**
 * Sums a study up.
 *
 * @param results By variant: one of each replication, in order.
 */
export function summarise(
  study: Study,
  results: readonly (readonly ReplicationResult[])[],
): Summary {
  const measured = results.map((ofVariant) => ofVariant.map((result) => new Measured(result)));
  const variants = study.variants.map((variant, i) => variantReport(variant, measured[i]!));
  return {
    variants,
    paired: pairedReports(study.variants, measured),
    winner: winnerOf(variants),
    expectations: study.expect.flatMap((expectation) =>
      checkExpectation(expectation, study.variants, measured)
    ),
  };
}

function variantReport(variant: Variant, runs: readonly Measured[]): VariantReport {
  const over = (metric: MetricName, backend?: string) =>
    interval(estimateMean(runs.map((run) => run.value(metric, backend))));
  const results = runs.map(({ result }) => result);
  const sum = (count: (result: ReplicationResult) => number) =>
    results.reduce((total, result) => total + count(result), 0);
  const load = offeredLoad(variant.scenario);
  const backends = results[0]!.backends.map(({ id }) => backendReport(id, over));
  return {
    name: variant.name,
    settings: variant.settings,
    replications: runs.length,
    events: sum(({ events }) => events),
    connections: sum(({ connections }) => connections),
    ...counts((metric) => runs.reduce((total, run) => total + run.value(metric), 0)),
    per_replication: counts((metric) => over(metric)),
    errors: over("errors"),
    throughput_per_s: over("throughput_per_s"),
    goodput_per_s: over("goodput_per_s"),
    sojourn_ms: times("", over),
    wait_ms: times("wait_", over),
    imbalance: {
      max_over_mean: over("imbalance"),
      coefficient_of_variation: over("imbalance_cv"),
    },
    turned_away: turnedAway(results),
    backends,
    faults: results[0]!.faults.map((fault, i) =>
      faultReport(fault, results.map(({ faults }) => faults[i]!))
    ),
    detection_ms: occurrence(runs.map((run) => run.value("detection_ms"))),
    failback_ms: occurrence(runs.map((run) => run.value("failback_ms"))),
    failover_ms: { mean: over("failover_mean_ms"), p99: over("failover_p99_ms") },
    sessions_moved: over("sessions_moved"),
    false_downs: over("false_downs"),
    load: finite(load),
    overloaded: load >= 1,
    saturated: saturated(variant, backends, load),
    theory: theory(variant, over),
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

function times(prefix: "" | "wait_", over: Over): Times {
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

function faultReport(fault: FaultResult, all: readonly FaultResult[]): FaultReport {
  return {
    backend: fault.backend,
    kind: fault.kind,
    at_ms: fault.at / NS_PER_MS,
    until_ms: fault.until === undefined ? null : fault.until / NS_PER_MS,
    detection_ms: occurrence(all.map(detectionMs))!,
    failback_ms: occurrence(all.map(failbackMs)),
  };
}

/** A time over the replications in which it came to an end; null if there was none to measure. */
function occurrence(values: readonly number[]): Occurrence | null {
  const due = values.filter((value) => !Number.isNaN(value));
  if (due.length === 0) return null;
  const happened = due.filter(Number.isFinite);
  return {
    ...interval(estimateMean(happened)),
    max: happened.length === 0 ? null : Math.max(...happened),
    missing: due.length - happened.length,
  };
}

/** Backends that never rest, where the load as a whole is bearable: the others could have helped. */
function saturated(
  { scenario }: Variant,
  backends: readonly BackendReport[],
  load: number,
): string[] {
  if (load >= 1) return [];
  return backends.flatMap(({ id, utilisation }, i) =>
    scenario.servers[i]!.queue === Infinity && (utilisation.value ?? 0) > SATURATED ? [id] : []
  );
}

function theory({ scenario }: Variant, over: Over): Theory[] {
  return knownTheory(scenario).map(({ metric, model, value }) => ({
    metric,
    model,
    value,
    measured: over(metric),
  }));
}

/** Every pair of variants, in every metric that is compared. */
function pairedReports(
  variants: readonly Variant[],
  measured: readonly (readonly Measured[])[],
): PairedReport[] {
  return variants.flatMap((a, i) =>
    variants.slice(i + 1).flatMap((b, offset) =>
      PAIRED_METRICS.map((metric): PairedReport => {
        const values = (runs: readonly Measured[]) => runs.map((run) => run.value(metric));
        const [ofA, ofB] = [values(measured[i]!), values(measured[i + 1 + offset]!)];
        // With `precision`, variants may have been run a different number of times.
        const pairs = Math.min(ofA.length, ofB.length);
        const difference = pairedDifference(ofA.slice(0, pairs), ofB.slice(0, pairs));
        return { a: a.name, b: b.name, metric, difference: interval(difference) };
      })
    )
  );
}

/** Errors come first: a variant that turns clients away is quick with the rest. */
function winnerOf(variants: readonly VariantReport[]): string | null {
  if (variants.length < 2) return null;
  const errors = ({ errors }: VariantReport) => errors.value ?? 1;
  const fewest = Math.min(...variants.map(errors));
  const p99 = ({ sojourn_ms }: VariantReport) => sojourn_ms.p99.value ?? Infinity;
  return variants.filter((variant) => errors(variant) <= fewest + ERRORS_NEGLIGIBLE)
    .reduce((best, variant) => p99(variant) < p99(best) ? variant : best).name;
}

function checkExpectation(
  { text, left, comparator, right }: Expectation,
  variants: readonly Variant[],
  measured: readonly (readonly Measured[])[],
): ExpectationReport[] {
  return variants.flatMap((variant, i): ExpectationReport[] => {
    if (!isMeant(left, partsOf(variant))) return [];
    const value = termValue(left, measured[i]!);
    const bound = boundValue(right, variants, measured, i);
    return [{
      text,
      variant: variant.name,
      value: finite(value),
      bound: finite(bound),
      holds: holds(value, comparator, bound),
    }];
  });
}

/** The bound's variant is the one it names; if it names none, the one that is compared with it. */
function boundValue(
  right: Bound,
  variants: readonly Variant[],
  measured: readonly (readonly Measured[])[],
  own: number,
): number {
  if ("value" in right) return right.value;
  const { term, factor } = right;
  const named = variants.findIndex((variant) => isMeant(term, partsOf(variant)));
  return factor * termValue(term, measured[term.variant.length === 0 ? own : named]!);
}

function partsOf({ name }: Variant): string[] {
  return [name, ...name.split(", ")];
}

function termValue({ metric, backend }: MetricTerm, runs: readonly Measured[]): number {
  const values = runs.map((run) => run.value(metric, backend));
  if (!WORST_CASE.includes(metric)) return estimateMean(values).value;
  const known = values.filter((value) => !Number.isNaN(value));
  return known.length === 0 ? NaN : Math.max(...known);
}

function interval({ value, low, high }: Estimate): Interval {
  return { value: finite(value), low: finite(low), high: finite(high) };
}

/** JSON has no other numbers. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
