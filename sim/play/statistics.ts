/** Statistics of all variants while they run. */
import { exp, type Nanoseconds, NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import type { ReplicationResult } from "../../lib/metrics/mod.ts";
import type { ComparisonReport } from "../../lib/report/mod.ts";
import type { Scenario } from "../../lib/scenario/types.ts";
import { CONFIDENCE, type Histogram, type HistogramData } from "../../lib/stats/mod.ts";
import { Measured } from "../measure/mod.ts";
import { comparisonsOf, type Simulation } from "../study/mod.ts";
import { exactResults, whyNoTheory } from "../theory/mod.ts";
import type { ShownRun } from "./shown_run.ts";
import type { Batch, Slice } from "./slice_log.ts";
import type { Series, TheoryLines, VariantStatistics, Verdict } from "./types.ts";

/** A distribution has at most this many points. */
const POINTS_MAX = 300;
/** A heat map has at most this many backends. */
const HEAT_MAP_MAX = 200;
/** A comparison rests on at least this many batches, and on at most twice as many. */
const BATCHES_MIN = 10;

/** Statistics of a variant up to the present time. */
export function statisticsOf(
  { sojourn, requests: { offered, failed, refused, timedOut } }: ShownRun["measured"],
  slices: readonly Slice[],
  sliceMs: number,
  theory: TheoryLines | string,
): VariantStatistics {
  const errors = failed + refused + timedOut;
  return {
    ccdf: ccdfOf(sojourn),
    theory: typeof theory === "string" ? null : theory,
    no_theory: typeof theory === "string" ? theory : null,
    p50_ms: sojourn.quantile(0.5) / NS_PER_MS,
    p99_ms: sojourn.quantile(0.99) / NS_PER_MS,
    mean_ms: sojourn.mean / NS_PER_MS,
    errors: offered === 0 ? 0 : errors / offered,
    series: seriesOf(slices, sliceMs),
  };
}

/** The complementary distribution, in steps that are even on a logarithmic axis. */
function ccdfOf(sojourn: Histogram): VariantStatistics["ccdf"] {
  const latency: number[] = [];
  const share: number[] = [];
  let above = sojourn.count;
  let lastShare = Infinity;
  let lastLatency = 0;
  for (const { to, count } of sojourn.buckets()) {
    above -= count;
    const ms = Math.min(to, sojourn.max) / NS_PER_MS;
    const now = above / sojourn.count;
    // The next point is far enough away from the last one in one of the two directions.
    const isFar = now < lastShare * 0.97 || ms > lastLatency * 1.03;
    if (above === 0 || !isFar) continue;
    latency.push(ms);
    share.push(now);
    lastShare = now;
    lastLatency = ms;
  }
  const every = Math.ceil(latency.length / POINTS_MAX);
  const kept = (numbers: number[]) =>
    Float64Array.from(numbers.filter((_, i) => i % every === 0 || i === numbers.length - 1));
  if (latency.length === 0) return { latency_ms: new Float64Array(), share: new Float64Array() };
  return { latency_ms: kept(latency), share: kept(share) };
}

function seriesOf(slices: readonly Slice[], sliceMs: number): Series {
  const { length } = slices;
  const backends = Math.min(
    HEAT_MAP_MAX,
    slices.reduce((most, { inFlight }) => Math.max(most, inFlight.length), 0),
  );
  const column = (read: (slice: Slice) => number) => Float64Array.from(slices, read);
  const inFlight = new Float32Array(length * backends);
  slices.forEach((slice, i) => inFlight.set(slice.inFlight.subarray(0, backends), i * backends));
  return {
    interval_ms: sliceMs,
    length,
    done: column(({ done }) => done),
    errors: column(({ errors }) => errors),
    p50_ms: column(({ p50Ms }) => p50Ms),
    p99_ms: column(({ p99Ms }) => p99Ms),
    backends,
    in_flight: inFlight,
  };
}

/**
 * The lines of theory of each scenario. They also depend on counts of the run, which `key` contains. They are kept
 * because some models take half a second to solve.
 */
const SOLVED = new WeakMap<
  Scenario,
  { readonly key: string; readonly lines: TheoryLines | string }
>();

/**
 * The lines of theory for a scenario, or the reason why there are none. The columns are copies, which the caller may
 * transfer to another thread.
 */
export function theoryOf(scenario: Scenario, simulation: Simulation): TheoryLines | string {
  const { downs, world: { recorder: { refusals, idleCuts } } } = simulation;
  const key = JSON.stringify([[...refusals], idleCuts, [...downs]]);
  let solved = SOLVED.get(scenario);
  if (solved?.key !== key) {
    solved = { key, lines: solve(scenario, simulation) };
    SOLVED.set(scenario, solved);
  }
  const { lines } = solved;
  if (typeof lines === "string" || lines.ccdf === null) return lines;
  const { latency_ms, share } = lines.ccdf;
  return { ...lines, ccdf: { latency_ms: latency_ms.slice(), share: share.slice() } };
}

function solve(
  scenario: Scenario,
  { downs, world: { recorder } }: Simulation,
): TheoryLines | string {
  const nothing = batchResult([]);
  const results: readonly ReplicationResult[] = [{
    ...nothing,
    turnedAway: Object.fromEntries(recorder.refusals),
    idleCuts: recorder.idleCuts,
    backends: Array.from(downs, (times, i) => ({
      ...{ id: String(i), connections: 0, share: 0, done: 0, failed: 0 },
      ...{ meanBusy: 0, utilisation: 0, meanQueue: 0, meanInFlight: 0, downShare: 0 },
      downs: times,
    })),
  }];
  const exact = exactResults(scenario, results);
  const [first] = exact;
  if (first === undefined) {
    return whyNoTheory(scenario, results) ?? "no model of queueing theory gives a latency here";
  }
  const value = (metric: string) => exact.find((one) => one.metric === metric)?.value ?? null;
  const [mean, p99] = [value("mean_ms"), value("p99_ms")];
  return {
    model: first.model,
    mean_ms: mean,
    p50_ms: value("p50_ms"),
    p99_ms: p99,
    ccdf: mean !== null && p99 !== null && isExponential(mean, p99) ? exponentialCcdf(mean) : null,
  };
}

/**
 * Whether a mean and a p99 are those of an exponential time, whose p99 is ln 100 times its mean.
 */
function isExponential(mean: number, p99: number): boolean {
  return Math.abs(exp(-p99 / mean) - 0.01) < 1e-6;
}

function exponentialCcdf(mean: number): NonNullable<TheoryLines["ccdf"]> {
  const latency = Float64Array.from({ length: 120 }, (_, i) => mean * exp((i - 80) / 16));
  return { latency_ms: latency, share: latency.map((time) => exp(-time / mean)) };
}

/**
 * Which variant leads. All variants get the same arrivals, so pieces of time are compared in pairs: they stand for the
 * runs of a study. The same comparison as in a report decides.
 *
 * @param pieces By variant: the requests of equal pieces of time since the end of the warm-up.
 * @param warm When the warm-up ends, if it has not ended.
 */
export function verdictOf(
  names: readonly string[],
  pieces: readonly (readonly Batch[])[],
  warm: Nanoseconds | undefined,
): Verdict {
  if (names.length < 2) return { sentence: "", leader: null, batches: 0 };
  const length = Math.min(...pieces.map((ofVariant) => ofVariant.length));
  if (length < BATCHES_MIN) {
    return {
      sentence: warm === undefined
        ? "Too early to compare: the run has measured too little so far."
        : `Too early to compare: the run warms up, and is measured from ${
          (warm / NS_PER_S).toFixed(1)
        } s on.`,
      leader: null,
      batches: 0,
    };
  }
  // Longer batches depend less on each other.
  const size = Math.floor(length / BATCHES_MIN);
  const batches = Math.floor(length / size);
  const contenders = pieces.map((ofVariant, variant) => ({
    name: names[variant]!,
    measured: new Measured(
      Array.from(
        { length: batches },
        (_, i) => batchResult(ofVariant.slice(i * size, (i + 1) * size)),
      ),
    ),
  }));
  const comparisons = comparisonsOf(contenders, CONFIDENCE);
  const [first] = comparisons;
  const leader = first === undefined ? null : names.indexOf(first.best);
  const isSure = comparisons.every(({ verdict }) => verdict === "beats");
  return {
    sentence: sentenceOf(comparisons, batches),
    leader: isSure ? leader : null,
    batches,
  };
}

function sentenceOf(comparisons: readonly ComparisonReport[], batches: number): string {
  const [first] = comparisons;
  if (first === undefined) return "";
  const { best } = first;
  const beaten = comparisons.filter(({ verdict }) => verdict === "beats");
  const others = comparisons.filter(({ verdict }) => verdict !== "beats");
  const basis = `(${batches} batches of the same arrivals, 95 % confidence)`;
  if (beaten.length === 0) {
    const names = others.map(({ other }) => other).join(" and ");
    const isSame = others.every(({ verdict }) => verdict === "no practical difference");
    return isSame
      ? `${best} and ${names}: no practical difference ${basis}.`
      : `${best} is better than ${names}, but this may be chance ${basis}.`;
  }
  const words = beaten.map(({ other, metric, lower: { value, low, high } }) => {
    const percent = (share: number | null) => `${Math.round(100 * (share ?? 0))}`;
    const unit = metric === "errors" ? " percentage points" : " %";
    const what = metric === "errors" ? "fewer errors" : "lower p99";
    return `${other} (${percent(value)}${unit} ${what}; ${percent(low)} to ${percent(high)})`;
  });
  const rest = others.length === 0
    ? ""
    : `; it cannot be told apart from ${others.map(({ other }) => other).join(" and ")}`;
  return `${best} is better than ${words.join(" and ")}, by more than chance${rest} ${basis}.`;
}

/** The parts of a run's result that the comparison reads, for a batch. */
function batchResult(pieces: readonly Batch[]): ReplicationResult {
  const sum = (read: (batch: Batch) => number) =>
    pieces.reduce((total, batch) => total + read(batch), 0);
  const [done, failed, refused, timedOut] = [
    sum((batch) => batch.done),
    sum((batch) => batch.failed),
    sum((batch) => batch.refused),
    sum((batch) => batch.timedOut),
  ];
  const offered = done + failed + refused + timedOut;
  const nothing: HistogramData = { count: 0, sum: 0, max: 0, buckets: [] };
  return {
    seed: 0,
    events: 0,
    window: { from: 0, to: 0 },
    endedAt: 0,
    connections: offered,
    requests: {
      offered,
      done,
      failed,
      refused,
      timedOut,
      retried: 0,
      inTime: done,
      unfinished: 0,
    },
    turnedAway: {},
    idleCuts: 0,
    throughput: 0,
    sojourn: together(pieces.map(({ sojourn }) => sojourn)),
    wait: nothing,
    backends: [],
    imbalance: { maxOverMean: 1, coefficientOfVariation: 0 },
    faults: [],
    falseDowns: 0,
    failover: nothing,
    sessionsMoved: { failover: 0, failback: 0 },
  };
}

/** Several histograms as one. */
function together(histograms: readonly HistogramData[]): HistogramData {
  const counts = new Map<number, number>();
  for (const { buckets } of histograms) {
    for (let i = 0; i < buckets.length; i += 2) {
      counts.set(buckets[i]!, (counts.get(buckets[i]!) ?? 0) + buckets[i + 1]!);
    }
  }
  const sum = (read: (histogram: HistogramData) => number) =>
    histograms.reduce((total, histogram) => total + read(histogram), 0);
  const mins = histograms.flatMap(({ min }) => min ?? []);
  return {
    count: sum(({ count }) => count),
    sum: sum((histogram) => histogram.sum),
    ...mins.length > 0 && { min: Math.min(...mins) },
    max: Math.max(0, ...histograms.map(({ max }) => max)),
    buckets: [...counts].sort(([a], [b]) => a - b).flat(),
  };
}
