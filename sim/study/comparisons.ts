/** The best variant, and how it compares with each of the others. */
import { exp } from "../../lib/base/mod.ts";
import type { ComparisonReport, PairedReport } from "../../lib/report/mod.ts";
import { mainMetrics, metricInfo, type MetricName } from "../../lib/metrics/mod.ts";
import {
  differenceOf,
  type Estimate,
  holm,
  logRatioOf,
  withConfidence,
} from "../../lib/stats/mod.ts";
import { finite, intervalOf, type Measured } from "../measure/mod.ts";

/** A variant and its runs. */
export interface Contender {
  readonly name: string;
  readonly measured: Measured;
}

/**
 * Compares every pair of variants, in every metric that is compared. The intervals are not corrected for the number
 * of comparisons.
 */
export function pairedReports(
  contenders: readonly Contender[],
  confidence: number,
): PairedReport[] {
  const metrics = mainMetrics("run").filter((metric) => metricInfo(metric).paired);
  const estimates = contenders.map(({ measured }) =>
    metrics.map((metric) => measured.estimate(metric, undefined, confidence))
  );
  return contenders.flatMap((a, i) =>
    contenders.slice(i + 1).flatMap((b, offset) =>
      metrics.map((metric, m): PairedReport => {
        const difference = differenceOf(estimates[i]![m]!, estimates[i + 1 + offset]![m]!);
        return { a: a.name, b: b.name, metric, difference: intervalOf(difference) };
      })
    )
  );
}

/** A difference of a metric up to this size has no practical meaning. */
function negligible(metric: MetricName): number {
  return metricInfo(metric).negligible ?? 0;
}

/**
 * The variant with the fewest errors; among equal ones, the one with the lowest p99. Errors come first, because
 * refused requests are fast.
 */
export function bestOf(contenders: readonly Contender[]): Contender {
  const value = (metric: MetricName) => ({ measured }: Contender) => {
    const { value } = measured.estimate(metric);
    return Number.isNaN(value) ? Infinity : value;
  };
  const [errors, p99, mean] = [value("errors"), value("p99_ms"), value("answered_mean_ms")];
  const fewest = Math.min(...contenders.map(errors));
  return contenders.filter((one) => errors(one) <= fewest + negligible("errors"))
    .reduce((best, one) =>
      p99(one) < p99(best) || p99(one) === p99(best) && mean(one) < mean(best) ? one : best
    );
}

/**
 * The best variant compared with each of the others. Because the best one is chosen from the results, any pair of
 * variants could have been reported, in two metrics. All these comparisons are one family: the probability that it
 * has one or more false "beats" is as low as the probability that a single interval does not contain the true value.
 */
export function comparisonsOf(
  contenders: readonly Contender[],
  confidence: number,
): ComparisonReport[] {
  if (contenders.length < 2) return [];
  const best = bestOf(contenders);
  const others = contenders.filter((one) => one !== best);
  const anyErrors = contenders.some(({ measured }) => measured.estimate("errors").value > 0);
  const numbers = anyErrors ? [errorsOf, p99Of] : [p99Of];
  const family = numbers.length * contenders.length * (contenders.length - 1) / 2;
  const comparisons = numbers.flatMap((compare) =>
    others.map((other) => compare(best, other, confidence))
  );
  const levels = holm(
    comparisons.map(({ lower, margin }) => (level: number) => lower(level).low > margin),
    family,
    confidence,
  );
  const reports = comparisons.map((comparison, i) => reportOf(comparison, levels[i]!));
  return others.map((_, i) => {
    const [first, last] = [reports[i]!, reports.at(i - others.length)!];
    return first.verdict === "beats" ? first : last;
  });
}

/** Two variants compared in one metric. */
interface Comparison {
  readonly best: Contender;
  readonly other: Contender;
  readonly metric: "errors" | "p99_ms";
  /**
   * How much lower the metric is with the best variant, with an interval of the given confidence.
   */
  readonly lower: (confidence: number) => Estimate;
  /** The variant counts as better only if its value is lower by at least this much. */
  readonly margin: number;
}

/** The difference of the shares of errors. */
function errorsOf(best: Contender, other: Contender, confidence: number): Comparison {
  const of = ({ measured }: Contender) => measured.estimate("errors", undefined, confidence);
  const difference = differenceOf(of(other), of(best));
  const lower = (level: number) => withConfidence(difference, confidence, level);
  return { best, other, metric: "errors", lower, margin: negligible("errors") };
}

/** How much lower p99 is, as a share of the p99 of the other variant. */
function p99Of(best: Contender, other: Contender, confidence: number): Comparison {
  const of = ({ measured }: Contender) => measured.estimate("p99_ms", undefined, confidence);
  const logRatio = logRatioOf(of(best), of(other));
  return {
    best,
    other,
    metric: "p99_ms",
    lower(level) {
      const { value, low, high, ...rest } = withConfidence(logRatio, confidence, level);
      // An unknown p99 is infinite, so its logarithm is not a number to compare.
      if (!Number.isFinite(value)) return { ...rest, value: NaN, low: NaN, high: NaN };
      return { ...rest, value: 1 - exp(value), low: 1 - exp(high), high: 1 - exp(low) };
    },
    margin: 0,
  };
}

function verdictOf(
  { metric, margin }: Comparison,
  { value, low, high }: Estimate,
): ComparisonReport["verdict"] {
  if (!Number.isFinite(value)) return "unknown";
  if (metric === "p99_ms") {
    const limit = negligible(metric);
    const isTiny = low > -limit && high < limit;
    const isDifferent = low > 0 || high < 0;
    if (isTiny || isDifferent && Math.abs(value) < limit) {
      return "no practical difference";
    }
  }
  return low > margin ? "beats" : "cannot be told apart";
}

function reportOf(comparison: Comparison, confidence: number): ComparisonReport {
  const { best, other, metric, lower } = comparison;
  const value = ({ measured }: Contender) => finite(measured.estimate(metric).value);
  const difference = lower(confidence);
  return {
    best: best.name,
    other: other.name,
    metric,
    verdict: verdictOf(comparison, difference),
    best_value: value(best),
    other_value: value(other),
    lower: intervalOf(difference),
    confidence,
  };
}
