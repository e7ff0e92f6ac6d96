import { square } from "../base/mod.ts";
import { studentTQuantile } from "./student_t.ts";

/** A mean, and how well it is known. */
export interface Estimate {
  readonly value: number;
  /** Ends of the confidence interval; NaN if there is only one value to go by. */
  readonly low: number;
  readonly high: number;
  readonly standardError: number;
  /** How many values it is the mean of. */
  readonly count: number;
}

/**
 * The mean of independent values, one of each replication, with its confidence interval by Student's t:
 * `mean ± t(n − 1) · s / √n`. Values that are NaN (nothing was measured) are left out.
 *
 * @param confidence How often such an interval is to cover the truth: 0.95 for 95 %.
 */
export function estimateMean(values: readonly number[], confidence = 0.95): Estimate {
  const known = values.filter((value) => !Number.isNaN(value));
  const count = known.length;
  const mean = known.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { value: mean, low: NaN, high: NaN, standardError: NaN, count };
  const variance = known.reduce((sum, value) => sum + square(value - mean), 0) / (count - 1);
  const standardError = Math.sqrt(variance / count);
  const half = studentTQuantile((1 + confidence) / 2, count - 1) * standardError;
  return { value: mean, low: mean - half, high: mean + half, standardError, count };
}

/**
 * The mean of `a[i] − b[i]`, with its confidence interval. With common random numbers the two values of
 * a pair have most of their noise in common, and it cancels: the interval is far narrower than that of
 * either mean.
 *
 * @throws {RangeError} if there are not as many of one as of the other.
 */
export function pairedDifference(
  a: readonly number[],
  b: readonly number[],
  confidence = 0.95,
): Estimate {
  if (a.length !== b.length) {
    throw new RangeError(
      `Cannot pair values: there must be as many of each: current numbers are ${a.length} and ${b.length}`,
    );
  }
  return estimateMean(a.map((value, i) => value - b[i]!), confidence);
}

/**
 * Means of consecutive batches: what makes nearly independent values out of one long run whose
 * neighbours depend on each other. What is left over at the end is dropped.
 */
export function batchMeans(values: readonly number[], batches: number): number[] {
  const size = Math.floor(values.length / batches);
  if (size === 0) return [];
  return Array.from({ length: batches }, (_, batch) => {
    let sum = 0;
    for (let i = batch * size; i < (batch + 1) * size; i++) sum += values[i]!;
    return sum / size;
  });
}
