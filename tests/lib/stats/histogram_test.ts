import assert from "node:assert/strict";
import { createHistogram } from "node:perf_hooks";
import { createRandom } from "../../../lib/base/mod.ts";
import { Histogram } from "../../../lib/stats/histogram.ts";

function sample(size: number, seed: number): number[] {
  const random = createRandom(seed);
  return Array.from({ length: size }, () => Math.round(Math.exp(30 * random.next())));
}

function filled(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

Deno.test("Histogram.quantile() is within 0.4 % of the sorted values", () => {
  const values = sample(100_000, 1);
  const histogram = filled(values);
  values.sort((a, b) => a - b);
  for (const share of [0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999]) {
    const exact = values[Math.ceil(share * values.length) - 1]!;
    const error = Math.abs(histogram.quantile(share) - exact);
    assert.ok(error <= Math.max(0.004 * exact, 1), `${share}: ${error} off ${exact}`);
  }
  assert.equal(histogram.quantile(0), values[0]);
  assert.equal(histogram.quantile(1), values.at(-1));
});

Deno.test("Histogram agrees with the histogram of node:perf_hooks", () => {
  const values = sample(20_000, 2).map((value) => value + 1);
  const oracle = createHistogram({ figures: 4 });
  for (const value of values) oracle.record(value);
  const histogram = filled(values);
  for (const percent of [10, 50, 90, 99]) {
    const expected = oracle.percentile(percent);
    const error = Math.abs(histogram.quantile(percent / 100) / expected - 1);
    assert.ok(error < 0.006, `p${percent}: ${error}`);
  }
  assert.equal(histogram.count, oracle.count);
  assert.ok(Math.abs(histogram.mean / oracle.mean - 1) < 1e-3);
});

Deno.test("Histogram puts every value between its bucket's edges", () => {
  const edges = [0, 1, 2, 255, 256, 257, 511, 512, 513, 1023, 1e6, 2 ** 31, 2 ** 32, 2 ** 53];
  for (const value of [...edges, ...sample(1000, 3)]) {
    const [bucket] = [...filled([value]).buckets()];
    assert.ok(bucket !== undefined && bucket.from <= value && value < bucket.to, `${value}`);
    assert.ok(bucket.to - bucket.from <= Math.max(1, value / 256), `${value}: too wide a bucket`);
  }
});

Deno.test("Histogram has the exact mean, minimum and maximum", () => {
  const histogram = filled([3, 5, 1000]);
  assert.deepEqual([histogram.mean, histogram.min, histogram.max, histogram.sum], [
    336,
    3,
    1000,
    1008,
  ]);
});

Deno.test("Histogram without values has no mean and no quantile", () => {
  const empty = new Histogram();
  assert.equal(empty.count, 0);
  assert.ok(Number.isNaN(empty.mean) && Number.isNaN(empty.quantile(0.5)));
});

Deno.test("Histogram.add() gives the same as recording all values in one histogram", () => {
  const [a, b] = [sample(1000, 4), sample(1000, 5)];
  const sum = filled(a);
  sum.add(filled(b));
  assert.deepEqual(sum.toData(), filled([...b, ...a]).toData());
});

Deno.test("Histogram.fromData() undoes toData(), also if the data were JSON in between", () => {
  for (const values of [[], sample(1000, 6)]) {
    const data = filled(values).toData();
    const back = Histogram.fromData(JSON.parse(JSON.stringify(data)));
    assert.deepEqual(back.toData(), data);
    assert.equal(back.quantile(0.9), filled(values).quantile(0.9));
  }
});

Deno.test("Histogram.countAbove() counts the values above a limit", () => {
  const histogram = filled([1, 2, 3, 4, 5]);
  assert.equal(histogram.countAbove(0), 5);
  assert.equal(histogram.countAbove(3), 3 - 0);
  assert.equal(histogram.countAbove(5), 0);
});
