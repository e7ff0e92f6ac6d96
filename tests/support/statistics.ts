/** Bounds for what is random, computed rather than guessed. */
import assert from "node:assert/strict";

/**
 * The value that a chi-square variable exceeds with a probability of about one in a million, by the
 * approximation of Wilson and Hilferty (1931): `k·(1 − 2/9k + z·√(2/9k))³`, z = 4.753.
 */
export function chiSquareBound(degreesOfFreedom: number): number {
  const spread = 2 / (9 * degreesOfFreedom);
  return degreesOfFreedom * (1 - spread + 4.753 * Math.sqrt(spread)) ** 3;
}

/** Pearson's statistic: `Σ (observed − expected)² / expected`. */
export function chiSquare(observed: readonly number[], expected: readonly number[]): number {
  return observed.reduce((sum, count, i) => sum + (count - expected[i]!) ** 2 / expected[i]!, 0);
}

/**
 * Asserts that counts are what drawing in proportion to `weights` gives. Who has weight 0 must have
 * count 0. Wrong in one run of a million when the draws are independent, less often when they are more
 * even than that.
 */
export function assertProportional(observed: readonly number[], weights: readonly number[]): void {
  const draws = observed.reduce((sum, count) => sum + count, 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const expected = weights.map((weight) => draws * weight / total);
  const possible = weights.flatMap((weight, i) => weight > 0 ? [i] : []);
  assert.ok(possible.every((i) => expected[i]! >= 5), "too few draws for a chi-square test");
  observed.forEach((count, i) => assert.ok(expected[i]! > 0 || count === 0, `${i} was drawn`));
  const statistic = chiSquare(possible.map((i) => observed[i]!), possible.map((i) => expected[i]!));
  const bound = chiSquareBound(possible.length - 1);
  assert.ok(
    statistic <= bound,
    `chi-square ${statistic} > ${bound}: observed ${observed}, expected ${expected}`,
  );
}

/**
 * Asserts that the mean of a sample is the one expected: within four standard errors, which must
 * themselves be below 1 % of it, so that a noisy sample cannot pass.
 */
export function assertMean(sample: readonly number[], expected: number): void {
  const count = sample.length;
  const mean = sample.reduce((sum, value) => sum + value, 0) / count;
  const variance = sample.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const error = Math.sqrt(variance / count);
  assert.ok(error < 0.01 * Math.abs(expected), `too noisy: ${mean} ± ${error}`);
  assert.ok(
    Math.abs(mean - expected) <= 4 * error,
    `mean ${mean} ± ${error} of ${count}, expected ${expected}`,
  );
}
