import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { createRandom } from "../../../../lib/base/mod.ts";
import { LatestQuantile } from "../../../../lib/core/algorithms/_latest_quantile.ts";

for (const share of [0, 0.5, 0.84, 1]) {
  Deno.test(`LatestQuantile.isBelow() agrees with the quantile ${share} of the sorted latest values`, () => {
    const random = createRandom(5);
    const latest = new LatestQuantile(share, 8);
    const values: number[] = [];
    for (let i = 0; i < 3000; i++) {
      // Equal values are frequent, and at times all values rise or fall.
      const value = Math.floor(random.next() * 6) / 2 + Math.abs(i % 200 - 100) / 20;
      values.push(value);
      latest.add(value);
      const sorted = values.slice(-8).sort((a, b) => a - b);
      const quantile = sorted[Math.floor(share * (sorted.length - 1))]!;
      strictEqual(latest.quantile, quantile);
      if (i % 3 === 0) continue;
      const asked = [quantile, quantile + 0.5, quantile - 0.5, value, random.next() * 8];
      deepStrictEqual(
        asked.map((number) => latest.isBelow(number)),
        asked.map((number) => number > quantile),
      );
    }
  });
}
