import assert from "node:assert/strict";
import { createRandom } from "../../../lib/base/mod.ts";
import {
  differenceOf,
  estimateMean,
  estimateRatio,
  logRatioOf,
  withConfidence,
} from "../../../lib/stats/estimate.ts";
import { createSampler } from "../../../lib/stats/variates.ts";

Deno.test("estimateMean() gives the interval of the textbook", () => {
  // Mean 3, standard deviation √2.5, t(4) = 2.776445.
  const { value, low, high, standardError, count } = estimateMean([1, 2, 3, 4, 5]);
  assert.deepEqual([value, count], [3, 5]);
  assert.ok(Math.abs(standardError - Math.sqrt(0.5)) < 1e-12);
  assert.ok(Math.abs(high - 3 - 2.776445 * Math.sqrt(0.5)) < 1e-5);
  assert.ok(Math.abs(high + low - 6) < 1e-12);
});

Deno.test("estimateMean() gives no interval for a single value, and leaves out NaN", () => {
  const one = estimateMean([7, NaN]);
  assert.deepEqual([one.value, one.count], [7, 1]);
  assert.ok(Number.isNaN(one.low) && Number.isNaN(one.high));
  assert.ok(Number.isNaN(estimateMean([]).value));
});

Deno.test("estimateMean() gives an interval that covers the true mean in 95 % of cases", () => {
  const uniform = createSampler({ kind: "uniform", min: 0, max: 1 }, createRandom(1));
  const runs = 4000;
  let covered = 0;
  for (let run = 0; run < runs; run++) {
    const { low, high } = estimateMean(Array.from({ length: 8 }, () => uniform.next()));
    if (low <= 0.5 && 0.5 <= high) covered++;
  }
  // Four standard deviations of a binomial law.
  const bound = 4 * Math.sqrt(0.95 * 0.05 / runs);
  assert.ok(Math.abs(covered / runs - 0.95) < bound, `${covered} of ${runs}`);
});

Deno.test("estimateRatio() weights each run by its number of observations", () => {
  const { value, low, high, scores } = estimateRatio([10, 300], [10, 100]);
  assert.equal(value, 310 / 110);
  assert.ok(Math.abs(scores[0]! + scores[1]!) < 1e-12, "residuals sum to zero");
  assert.ok(low < value && value < high);
  // With equal counts, the ratio is the mean of the runs' means.
  const [ratio, mean] = [estimateRatio([2, 4, 9], [2, 2, 2]), estimateMean([1, 2, 4.5])];
  assert.deepEqual([ratio.value, ratio.count], [mean.value, mean.count]);
  assert.ok(Math.abs(ratio.high - mean.high) < 1e-12);
});

Deno.test("differenceOf() of two means is the paired t-interval", () => {
  const random = createRandom(2);
  const noise = Array.from({ length: 20 }, () => 1000 * random.next());
  const a = noise.map((value) => value + 1 + 0.01 * random.next());
  const difference = differenceOf(estimateMean(a), estimateMean(noise));
  const paired = estimateMean(a.map((value, i) => value - noise[i]!));
  for (const end of ["value", "low", "high"] as const) {
    assert.ok(Math.abs(difference[end] - paired[end]) < 1e-6, end);
  }
  assert.ok(
    difference.high - difference.low < 0.01,
    "the variation that both values of a pair have in common cancels",
  );
});

Deno.test("differenceOf() computes both ends of an interval that is not symmetric", () => {
  const of = (value: number, low: number, high: number, scores: number[]) => (
    { value, low, high, standardError: 1, count: 2, scores }
  );
  const [a, b] = [of(10, 9, 14, [1, -1]), of(5, 2, 6, [1, 1])];
  const { value, low, high } = differenceOf(a, b);
  assert.equal(value, 5);
  assert.ok(Math.abs(5 - low - Math.sqrt(1 + 1)) < 1e-12);
  assert.ok(Math.abs(high - 5 - Math.sqrt(16 + 9)) < 1e-12);
});

Deno.test("differenceOf() is exactly 0 if both estimates are the same in every run, even if their interval is not symmetric", () => {
  const skewed = { ...estimateMean([8, 9, 10, 13]), low: 9, high: 14 };
  const { value, low, high } = differenceOf(skewed, { ...skewed });
  assert.deepEqual([value, low, high], [0, 0, 0]);
  const ratio = logRatioOf(skewed, { ...skewed });
  assert.deepEqual([ratio.value, ratio.low, ratio.high], [0, 0, 0]);
  // The same values in another order of the runs are another result.
  const other = { ...estimateMean([13, 10, 9, 8]), low: 9, high: 14 };
  assert.ok(differenceOf(skewed, other).high > 0);
  const unknown = { ...skewed, high: Infinity };
  assert.equal(differenceOf(unknown, { ...unknown }).high, Infinity);
});

Deno.test("differenceOf() refuses estimates of different numbers of runs", () => {
  assert.throws(() => differenceOf(estimateMean([1]), estimateMean([1, 2])), RangeError);
});

Deno.test("logRatioOf() is the logarithm of the ratio, and its lower end is −∞ if an end is not positive", () => {
  const [a, b] = [estimateMean([8, 8, 8]), estimateMean([2, 2, 2])];
  const { value, low, high } = logRatioOf(a, b);
  for (const end of [value, low, high]) assert.ok(Math.abs(end - Math.log(4)) < 1e-12);
  assert.equal(logRatioOf(estimateMean([0.1, 8, 16]), b).low, -Infinity);
});

Deno.test("withConfidence() gives the interval of another confidence", () => {
  const values = [3, 1, 4, 1, 5, 9];
  const [narrow, wide] = [estimateMean(values), estimateMean(values, 0.999)];
  assert.ok(Math.abs(withConfidence(narrow, 0.95, 0.999).high - wide.high) < 1e-9);
  assert.ok(Math.abs(withConfidence(wide, 0.999, 0.95).low - narrow.low) < 1e-9);
});
