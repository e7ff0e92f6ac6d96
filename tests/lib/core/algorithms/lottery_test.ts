import assert from "node:assert/strict";
import { Lottery } from "../../../../lib/core/algorithms/_lottery.ts";
import type { Candidate } from "../../../../lib/core/mod.ts";
import { createRandom } from "../../../../lib/base/mod.ts";
import { assertProportional } from "../../../support/statistics.ts";

function lotteryOf(weights: readonly number[], seed: number): Lottery {
  const lottery = new Lottery(createRandom(seed));
  weights.forEach((weight, index) =>
    lottery.update({
      id: `B${index}`,
      index,
      order: index,
      weight,
      inFlight: 0,
      available: weight > 0,
    })
  );
  return lottery;
}

for (const weights of [[1, 1], [1, 1, 1, 1, 1], [2.5, 2.5, 2.5], [1, 2, 3, 4], [5, 0, 0.5, 1]]) {
  Deno.test(`Lottery draws two different backends of weights ${weights} like a draw without replacement`, () => {
    const lottery = lotteryOf(weights, 21);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const counts = weights.flatMap(() => weights.map(() => 0));
    for (let i = 0; i < 200_000; i++) {
      const first = lottery.draw()!;
      const second = lottery.drawBeside(first)!;
      counts[first.index * weights.length + second.index]!++;
    }
    const chances = weights.flatMap((first, i) =>
      weights.map((second, j) => i === j ? 0 : first / total * second / (total - first))
    );
    assertProportional(counts, chances);
  });
}

for (const weights of [[1, 1, 1], [1, 2, 5]]) {
  Deno.test(`Lottery draws three times with one random number, of weights ${weights}, like with three numbers`, () => {
    const lottery = lotteryOf(weights, 24);
    const size = weights.length;
    const counts = Array<number>(size ** 3).fill(0);
    for (let i = 0; i < 200_000; i++) {
      const drawn = [lottery.drawIndex(), lottery.drawIndexAgain(), lottery.drawIndexAgain()];
      counts[drawn.reduce((sum, index) => sum * size + index, 0)]!++;
    }
    const chances = counts.map((_, triple) =>
      [size ** 2, size, 1].reduce((product, place) => {
        return product * weights[Math.floor(triple / place) % size]!;
      }, 1)
    );
    assertProportional(counts, chances);
  });
}

Deno.test("Lottery draws nothing from an empty set, and nothing when the only backend is excluded", () => {
  assert.equal(lotteryOf([0, 0], 22).draw(), undefined);
  assert.equal(lotteryOf([0, 0], 22).drawIndex(), -1);
  assert.equal(lotteryOf([0, 0], 22).drawIndexAgain(), -1);
  for (const weights of [[3], [0, 3]]) {
    const lottery = lotteryOf(weights, 23);
    const only: Candidate = lottery.draw()!;
    assert.equal(only.index, weights.length - 1);
    assert.equal(lottery.drawBeside(only), undefined);
  }
});
