import assert from "node:assert/strict";
import { childSeed, createRandom } from "../../../lib/core/mod.ts";

Deno.test("createRandom() gives the same numbers for the same seed, on every platform", () => {
  const random = createRandom(42);
  const first = [random.next(), random.next(), random.next()];
  const again = createRandom(42);
  assert.deepEqual([again.next(), again.next(), again.next()], first);
  assert.notEqual(createRandom(43).next(), first[0]);
  assert.deepEqual(first, GOLDEN);
});

const GOLDEN: readonly number[] = [0.13045260959037308, 0.612598174530411, 0.8428174313650425];

Deno.test("Random.next() is uniform in [0, 1)", () => {
  const cells = 100;
  const draws = 1_000_000;
  for (const seed of [0, 1, 2, -1, 12345]) {
    const random = createRandom(seed);
    const counts = new Array<number>(cells).fill(0);
    for (let i = 0; i < draws; i++) {
      const value = random.next();
      assert.ok(value >= 0 && value < 1);
      counts[Math.floor(value * cells)]!++;
    }
    // χ² with 99 degrees of freedom exceeds 170 once in a hundred thousand.
    const expected = draws / cells;
    const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    assert.ok(chi < 170, `χ² ${chi} with seed ${seed}`);
  }
});

Deno.test("childSeed() gives each path a stream of its own", () => {
  const paths = [[], ["a"], ["b"], ["a", 1], ["a", "1"], ["a", 2], [1], ["1"], ["ab"], ["a", "b"]];
  const seeds = paths.map((path) => childSeed(7, ...path));
  assert.equal(new Set(seeds).size, paths.length);
  assert.equal(childSeed(7, "a", 1), seeds[3]);
});

Deno.test("streams of neighbouring children are not correlated", () => {
  const draws = 100_000;
  const a = createRandom(childSeed(1, "backend", 1));
  const b = createRandom(childSeed(1, "backend", 2));
  let sum = 0;
  for (let i = 0; i < draws; i++) sum += (a.next() - 0.5) * (b.next() - 0.5);
  // Of independent uniforms the mean product has a standard deviation of 1/12/√n.
  assert.ok(Math.abs(sum / draws) < 5 / 12 / Math.sqrt(draws), `${sum / draws}`);
});
