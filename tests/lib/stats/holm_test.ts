import assert from "node:assert/strict";
import { holm } from "../../../lib/stats/holm.ts";

/** Comparisons of known p-values. */
function byPValues(pValues: readonly number[]) {
  return pValues.map((p) => (confidence: number) => p <= 1 - confidence + 1e-15);
}

function standing(pValues: readonly number[], family = pValues.length): boolean[] {
  const comparisons = byPValues(pValues);
  return holm(comparisons, family, 0.95).map((level, i) => comparisons[i]!(level));
}

Deno.test("holm() decides the example of the textbook", () => {
  // Sorted: .005 ≤ .05/4, .01 ≤ .05/3, .03 > .05/2: the last two are not accepted.
  assert.deepEqual(standing([0.01, 0.04, 0.03, 0.005]), [true, false, false, true]);
});

Deno.test("holm() asks for a higher confidence if more comparisons could have been made", () => {
  assert.deepEqual(standing([0.02]), [true]);
  assert.deepEqual(standing([0.02], 3), [false]);
  assert.deepEqual(holm(byPValues([0.9]), 50, 0.95), [1 - 0.05 / 50]);
});

Deno.test("holm() returns the level at which a comparison was accepted, and the last level for the others", () => {
  const levels = holm(byPValues([0.001, 0.9, 0.02]), 3, 0.95);
  assert.deepEqual(levels, [1 - 0.05 / 3, 1 - 0.05 / 1, 1 - 0.05 / 2].map((level) => level));
});
