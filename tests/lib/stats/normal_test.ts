import assert from "node:assert/strict";
import { normalQuantile } from "../../../lib/stats/normal.ts";

Deno.test("normalQuantile() is exact, in the middle and in the tails", () => {
  for (
    const [share, quantile] of [
      [0.5, 0],
      [0.3, -0.5244005127080407],
      [0.0749, -1.4402382675279632],
      [0.075, -1.4395314709384557],
      [0.05, -1.6448536269514726],
      [0.01, -2.3263478740408408],
      [0.001, -3.090232306167813],
      [1e-8, -5.61200124417479],
      [1e-12, -7.034483825301132],
      [1e-16, -8.222082216130435],
    ] as const
  ) {
    const tolerance = 4e-15 * Math.max(1, Math.abs(quantile));
    assert.ok(Math.abs(normalQuantile(share) - quantile) <= tolerance, `${share}`);
    if (share < 1e-6) continue;
    assert.ok(Math.abs(normalQuantile(1 - share) + quantile) <= 1e-9, `${1 - share}`);
  }
});

Deno.test("normalQuantile() is finite and increasing, also at both ends", () => {
  const shares = [0, 2 ** -53, 1e-9, 0.0749999, 0.0750001, 0.5, 0.925, 1 - 1e-9, 1 - 2 ** -53, 1];
  const quantiles = shares.map(normalQuantile);
  assert.ok(quantiles.every(Number.isFinite));
  assert.deepEqual(quantiles, quantiles.toSorted((a, b) => a - b));
});
