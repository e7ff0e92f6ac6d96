import { ln } from "../base/mod.ts";
import { studentTQuantile } from "./student_t.ts";

/** The share of studies in which an interval covers the true value, by default. */
export const CONFIDENCE = 0.95;

/** A value of a study, with its precision. */
export interface Estimate {
  readonly value: number;
  /** Ends of the confidence interval; NaN if there is only one run. */
  readonly low: number;
  readonly high: number;
  readonly standardError: number;
  /** The number of runs. */
  readonly count: number;
  /** The contribution of each run to the deviation of the value, in any unit. Comparisons use it. */
  readonly scores: readonly number[];
}

/**
 * The mean of independent values, one of each run, with its confidence interval by Student's t: `mean ± t(n −
 * 1) · s / √n`. Values that are NaN (nothing was measured) are left out.
 *
 * @param confidence The share of studies in which the interval covers the true value: 0.95 for 95 %.
 */
export function estimateMean(values: readonly number[], confidence = CONFIDENCE): Estimate {
  const known = values.filter((value) => !Number.isNaN(value));
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return symmetric(mean, known.map((value) => value - mean), confidence);
}

/**
 * A ratio of sums, `r = Σ aᵢ / Σ bᵢ`, with an interval by Student's t from the residuals `aᵢ − r · bᵢ` of
 * the runs. The mean of all observations is such a ratio: `aᵢ` is a run's sum, `bᵢ` its count. (The mean
 * of the runs' means gives a run with few observations as much weight as one with many.)
 *
 * Source: W. G. Cochran, "Sampling Techniques", 1977, 6.4.
 */
export function estimateRatio(
  numerators: readonly number[],
  denominators: readonly number[],
  confidence = CONFIDENCE,
): Estimate {
  const total = denominators.reduce((sum, value) => sum + value, 0);
  const ratio = numerators.reduce((sum, value) => sum + value, 0) / total;
  const mean = total / denominators.length;
  const residuals = numerators.map((value, i) => (value - ratio * denominators[i]!) / mean);
  return symmetric(ratio, residuals, confidence);
}

/** An estimate in another unit. */
export function scaled(estimate: Estimate, factor: number): Estimate {
  const { value, low, high, standardError } = estimate;
  return {
    ...estimate,
    value: value * factor,
    low: low * factor,
    high: high * factor,
    standardError: standardError * factor,
  };
}

/**
 * `a − b` of two estimates from the same runs. Variation that both have in common cancels: with common random
 * numbers the interval is far narrower than that of either. The distance of an end from the value is `√(x² + y² −
 * 2rxy)`, where `r` is the correlation of the runs' scores. For the upper end, `x` is the distance of the upper end
 * of `a` from its value, and `y` that of the lower end of `b`; for the lower end, the other way round. For two means
 * this is exactly the paired t-interval, and it also holds for intervals that are not symmetric. If both are the same in
 * every run, the difference is known exactly: it is 0. (Otherwise `x` and `y` would not cancel if they differ.)
 *
 * Source: G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures: a general
 * approach", 2008 (MOVER).
 *
 * @throws {RangeError} if they have different numbers of runs.
 */
export function differenceOf(a: Estimate, b: Estimate): Estimate {
  if (a.count !== b.count) {
    throw new RangeError(
      `Cannot compare estimates: they must have the same number of runs: current numbers are ${a.count} and ${b.count}`,
    );
  }
  if (isSameInEachRun(a, b)) {
    const scores = a.scores.map(() => 0);
    return { ...a, value: 0, low: 0, high: 0, standardError: 0, scores };
  }
  const r = correlation(a.scores, b.scores);
  const distance = (x: number, y: number) => {
    if (x === Infinity || y === Infinity) return Infinity;
    return Math.sqrt(Math.max(0, x * x + y * y - 2 * r * x * y));
  };
  const value = a.value - b.value;
  const below = distance(a.value - a.low, b.high - b.value);
  const above = distance(a.high - a.value, b.value - b.low);
  return {
    value,
    low: value - below,
    high: value + above,
    standardError: distance(a.standardError, b.standardError),
    count: a.count,
    scores: a.scores.map((score, i) => score - b.scores[i]!),
  };
}

/** An end that is infinite is unknown, so nothing is known exactly. */
function isSameInEachRun(a: Estimate, b: Estimate): boolean {
  return a.value === b.value && a.low === b.low && a.high === b.high &&
    Number.isFinite(a.low) && Number.isFinite(a.high) &&
    a.scores.every((score, i) => score === b.scores[i]);
}

/** `ln a − ln b` of two positive estimates from the same runs: the logarithm of their ratio. */
export function logRatioOf(a: Estimate, b: Estimate): Estimate {
  return differenceOf(logarithm(a), logarithm(b));
}

/**
 * The same estimate with an interval of another confidence. The standard error is computed from the width of the
 * present interval. Each half of the new interval is Student's quantile times this standard error, so both halves
 * are equal.
 */
export function withConfidence(estimate: Estimate, from: number, to: number): Estimate {
  const { value, low, high, count } = estimate;
  const half = (high - low) / 2 * (studentT(to, count) / studentT(from, count));
  return { ...estimate, low: value - half, high: value + half };
}

function logarithm(estimate: Estimate): Estimate {
  const { value, low, high, standardError } = estimate;
  const log = (x: number) => x > 0 ? ln(x) : x <= 0 ? -Infinity : NaN;
  return {
    ...estimate,
    value: log(value),
    low: log(low),
    high: log(high),
    standardError: standardError / value,
  };
}

/** Pearson's coefficient of correlation; 0 if one of the two does not vary. */
export function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [both, squareA, squareB] = [0, 0, 0];
  a.forEach((value, i) => {
    const [x, y] = [value - meanA, b[i]! - meanB];
    both += x * y;
    squareA += x * x;
    squareB += y * y;
  });
  const scale = Math.sqrt(squareA * squareB);
  return scale > 0 ? Math.min(1, Math.max(-1, both / scale)) : 0;
}

/** The interval by Student's t, from the deviations of the runs. */
function symmetric(value: number, deviations: readonly number[], confidence: number): Estimate {
  const count = deviations.length;
  const standardError = standardErrorOf(deviations);
  const half = standardError === 0 ? 0 : studentT(confidence, count) * standardError;
  return {
    value,
    low: value - half,
    high: value + half,
    standardError,
    count,
    scores: deviations,
  };
}

/** `√(Σ d² / (n − 1) / n)`; NaN if there is only one run. */
export function standardErrorOf(deviations: readonly number[]): number {
  const count = deviations.length;
  if (count < 2) return NaN;
  const squares = deviations.reduce((sum, deviation) => sum + deviation * deviation, 0);
  return Math.sqrt(squares / (count - 1) / count);
}

/** How many standard errors an interval over `count` runs extends to either side. */
export function studentT(confidence: number, count: number): number {
  return count < 2 ? NaN : studentTQuantile((1 + confidence) / 2, count - 1);
}
