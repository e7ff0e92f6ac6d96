import assert from "node:assert/strict";
import { createRandom } from "../../../lib/core/mod.ts";
import { interval, studentT } from "../../../lib/stats/interval.ts";

/** From printed tables of Student's t. */
const TABLE: readonly (readonly [number, number, number])[] = [
  [1, 0.95, 12.7062],
  [2, 0.95, 4.30265],
  [3, 0.95, 3.18245],
  [4, 0.95, 2.77645],
  [5, 0.99, 4.03214],
  [9, 0.95, 2.26216],
  [19, 0.9, 1.72913],
  [29, 0.95, 2.04523],
  [120, 0.95, 1.97993],
  [1000, 0.99, 2.58075],
];

for (const [freedom, level, expected] of TABLE) {
  Deno.test(`studentT() is ${expected} for ${freedom} degrees of freedom at ${level}`, () => {
    const value = studentT(freedom, level);
    assert.ok(Math.abs(value - expected) < 2e-4 * expected, `${value}`);
  });
}

Deno.test("interval() covers the truth as often as it says", () => {
  const random = createRandom(5);
  const runs = 4000;
  let covered = 0;
  for (let run = 0; run < runs; run++) {
    // Sums of uniforms are near enough to normal, and their mean is known.
    const values = Array.from(
      { length: 6 },
      () => Array.from({ length: 12 }, () => random.next()).reduce((a, b) => a + b),
    );
    const { low, high } = interval(values);
    if (low <= 6 && 6 <= high) covered++;
  }
  const deviation = Math.sqrt(runs * 0.95 * 0.05);
  assert.ok(Math.abs(covered - 0.95 * runs) < 4 * deviation, `${covered / runs}`);
});

Deno.test("interval() of one value is everything", () => {
  assert.deepEqual(interval([3]), { value: 3, low: -Infinity, high: Infinity });
});
