import assert from "node:assert/strict";
import { createRandom } from "../../../lib/base/mod.ts";
import { exponential } from "../../../lib/stats/exponential.ts";
import { Histogram, type HistogramData } from "../../../lib/stats/histogram.ts";
import { PooledQuantiles } from "../../../lib/stats/pooled_quantiles.ts";

function histogramOf(values: readonly number[]): HistogramData {
  const histogram = new Histogram();
  values.forEach((value) => histogram.record(value));
  return histogram.toData();
}

function pooled(runs: readonly (readonly number[])[], missing: readonly number[] = []) {
  return new PooledQuantiles(
    runs.map((values, i) => ({ histogram: histogramOf(values), missing: missing[i] ?? 0 })),
  );
}

/** The observations of several runs; each observation is a new draw. */
function runsOf(runs: number, size: number, draw: () => number): number[][] {
  return Array.from({ length: runs }, () => Array.from({ length: size }, draw));
}

const STUDIES = 300;

/** The share of studies for which something holds. */
function shareOfStudies(holds: () => boolean): number {
  return Array.from({ length: STUDIES }, holds).filter(Boolean).length / STUDIES;
}

Deno.test("PooledQuantiles gives the quantile of the observations of all runs together", () => {
  const random = createRandom(1);
  const runs = Array.from(
    { length: 4 },
    (_, run) => Array.from({ length: 500 * (run + 1) }, () => 1e6 * exponential(random)),
  );
  const all = new Histogram();
  runs.flat().forEach((value) => all.record(value));
  for (const q of [0.01, 0.5, 0.9, 0.99, 0.999]) {
    const { value, low, high } = pooled(runs).estimate(q);
    assert.ok(Math.abs(value / all.quantile(q) - 1) < 1e-9, `${q}`);
    assert.ok(low < value && value < high, `${q}: ${low} ${value} ${high}`);
  }
});

Deno.test("PooledQuantiles gives an interval without width if all observations are the same", () => {
  const runs = [200, 100, 100].map((size) => new Array<number>(size).fill(1e7));
  const { value, low, high, standardError } = pooled(runs).estimate(0.99);
  assert.deepEqual([value, low, high, standardError], [1e7, 1e7, 1e7, 0]);
});

Deno.test("PooledQuantiles counts missing observations as larger than all others", () => {
  const values = Array.from({ length: 98 }, (_, i) => i + 1);
  const complete = pooled([values, values]);
  const some = pooled([values, values], [2, 2]);
  assert.ok(some.estimate(0.5).value > complete.estimate(0.5).value);
  assert.ok(Math.abs(some.estimate(0.5).value - 51) < 1);
  assert.equal(some.estimate(0.99).value, Infinity);
  assert.ok(Number.isFinite(some.estimate(0.97).value));
  // The runs have different numbers of missing observations, so the upper end may be among these.
  const uneven = pooled([values, values, values], [0, 0, 2]).estimate(0.99);
  assert.ok(Number.isFinite(uneven.value));
  assert.equal(uneven.high, Infinity);
});

Deno.test("PooledQuantiles gives no interval for one run, and no value without observations", () => {
  const one = pooled([[1, 2, 3]]).estimate(0.5);
  assert.ok(Math.abs(one.value - 2) <= 1);
  assert.ok(Number.isNaN(one.low) && Number.isNaN(one.high));
  assert.ok(Number.isNaN(pooled([[], []]).estimate(0.5).value));
});

Deno.test("PooledQuantiles covers the true quantile of independent observations in 95 % of studies", () => {
  const random = createRandom(3);
  const truth = -Math.log(0.01) * 1e6;
  const covered = shareOfStudies(() => {
    const runs = runsOf(10, 200, () => 1e6 * exponential(random));
    const { low, high } = pooled(runs).estimate(0.99);
    return low <= truth && truth <= high;
  });
  const slack = 4 * Math.sqrt(0.95 * 0.05 / STUDIES);
  assert.ok(Math.abs(covered - 0.95) < slack, `${covered}`);
});

Deno.test("PooledQuantiles gives no upper end if, of few observations, perhaps none is above the quantile", () => {
  const random = createRandom(4);
  // Of 1000 observations none is above p99.9 in 37 % of studies.
  const truth = -Math.log(0.001) * 1e6;
  const covered = shareOfStudies(() => {
    const runs = runsOf(5, 200, () => 1e6 * exponential(random));
    const { value, low, high } = pooled(runs).estimate(0.999);
    assert.ok(Number.isFinite(value));
    assert.equal(high, Infinity);
    return low <= truth;
  });
  assert.ok(covered > 0.9, `${covered}`);
  assert.ok(Number.isFinite(pooled([[1, 2], [1, 2], [1, 2], [1, 2]]).estimate(0.3).high));
});

Deno.test("PooledQuantiles gives wide enough intervals if runs are alike by chance", () => {
  const random = createRandom(5);
  const truth = 1e6 * Math.pow(0.01, -1 / 1.2);
  const covered = shareOfStudies(() => {
    const runs = runsOf(2, 2000, () => 1e6 * Math.pow(1 - random.next(), -1 / 1.2));
    const { low, high } = pooled(runs).estimate(0.99);
    return low <= truth && truth <= high;
  });
  assert.ok(covered > 0.9, `${covered}`);
});
