import assert from "node:assert/strict";
import { createRandom } from "../../../lib/core/mod.ts";
import { batchMeans, estimateMean, pairedDifference } from "../../../lib/stats/estimate.ts";
import { createSampler } from "../../../lib/stats/variates.ts";

Deno.test("estimateMean() gives the interval of the textbook", () => {
  // Mean 3, standard deviation √2.5, t(4) = 2.776445.
  const { value, low, high, standardError, count } = estimateMean([1, 2, 3, 4, 5]);
  assert.deepEqual([value, count], [3, 5]);
  assert.ok(Math.abs(standardError - Math.sqrt(0.5)) < 1e-12);
  assert.ok(Math.abs(high - 3 - 2.776445 * Math.sqrt(0.5)) < 1e-5);
  assert.ok(Math.abs(high + low - 6) < 1e-12);
});

Deno.test("estimateMean() knows no interval from one value, and leaves out NaN", () => {
  const one = estimateMean([7, NaN]);
  assert.deepEqual([one.value, one.count], [7, 1]);
  assert.ok(Number.isNaN(one.low) && Number.isNaN(one.high));
  assert.ok(Number.isNaN(estimateMean([]).value));
});

Deno.test("estimateMean() covers the truth as often as it says", () => {
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

Deno.test("pairedDifference() cancels what the pairs have in common", () => {
  const random = createRandom(2);
  const noise = Array.from({ length: 20 }, () => 1000 * random.next());
  const a = noise.map((value) => value + 1 + 0.01 * random.next());
  const { value, low, high } = pairedDifference(a, noise);
  assert.ok(low < value && value < high && high - low < 0.01 && Math.abs(value - 1.005) < 0.01);
});

Deno.test("pairedDifference() refuses lists of different lengths", () => {
  assert.throws(() => pairedDifference([1], [1, 2]), RangeError);
});

Deno.test("batchMeans() averages neighbours and drops the rest", () => {
  assert.deepEqual(batchMeans([1, 3, 5, 7, 100], 2), [2, 6]);
  assert.deepEqual(batchMeans([1], 2), []);
});
