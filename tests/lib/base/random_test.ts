import assert from "node:assert/strict";
import { childSeed, createRandom } from "../../../lib/base/mod.ts";
import { assertMean, assertProportional } from "../../support/statistics.ts";

const DRAWS = 100_000;

function draws(seed: number, count: number): number[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random.next());
}

Deno.test("createRandom() gives these numbers, on every platform and in every version", () => {
  assert.deepEqual(draws(0, 3), [0.17549665838792183, 0.7970928798778789, 0.026641725103719094]);
  assert.deepEqual(draws(1, 3), [0.033409848716160484, 0.4506550666935092, 0.03454188981496953]);
  assert.deepEqual(draws(-1, 3), [0.3139175781612925, 0.07538561314980052, 0.7292978396647569]);
});

Deno.test("childSeed() gives these seeds, on every platform and in every version", () => {
  assert.deepEqual(
    [childSeed(0), childSeed(7, "arrivals"), childSeed(7, "arrivals", 3), childSeed(-1, 0)],
    [0, 1668829059, 491780511, 808457852],
  );
});

for (const seed of [0, 1, -1, 2 ** 31, 123456789]) {
  Deno.test(`createRandom(${seed}) is uniform in [0, 1)`, () => {
    const sample = draws(seed, DRAWS);
    assert.ok(sample.every((value) => value >= 0 && value < 1));
    const counts = Array<number>(100).fill(0);
    for (const value of sample) counts[Math.floor(value * 100)]!++;
    assertProportional(counts, counts.map(() => 1));
    assertMean(sample, 1 / 2);
    assertMean(sample.map((value) => value * value), 1 / 3);
  });

  Deno.test(`createRandom(${seed}) draws numbers that do not depend on earlier ones`, () => {
    const sample = draws(seed, DRAWS);
    for (const lag of [1, 2, 5]) {
      const counts = Array<number>(100).fill(0);
      for (let i = lag; i < sample.length; i++) {
        counts[10 * Math.floor(sample[i - lag]! * 10) + Math.floor(sample[i]! * 10)]!++;
      }
      assertProportional(counts, counts.map(() => 1));
    }
  });

  Deno.test(`createRandom(${seed}) uses every one of its 53 bits`, () => {
    const ones = Array<number>(53).fill(0);
    for (const value of draws(seed, 10_000)) {
      let rest = value;
      for (let bit = 0; bit < 53; bit++) {
        rest *= 2;
        if (rest >= 1) {
          ones[bit]!++;
          rest -= 1;
        }
      }
      assert.equal(rest, 0, "no more than 53 bits");
    }
    for (const count of ones) assertProportional([count, 10_000 - count], [1, 1]);
  });
}

Deno.test("createRandom() gives the same numbers for the same seed, and other numbers for another seed", () => {
  assert.deepEqual(draws(42, 100), draws(42, 100));
  assert.notDeepEqual(draws(42, 100), draws(43, 100));
});

Deno.test("createRandom() with neighbouring seeds: the first numbers are uniform", () => {
  for (const nth of [0, 1, 2]) {
    const counts = Array<number>(100).fill(0);
    for (let seed = 0; seed < DRAWS; seed++) {
      const random = createRandom(seed);
      for (let i = 0; i < nth; i++) random.next();
      counts[Math.floor(random.next() * 100)]!++;
    }
    assertProportional(counts, counts.map(() => 1));
  }
});

Deno.test("childSeed() gives different seeds for different paths", () => {
  const paths: (string | number)[][] = [
    [],
    [""],
    ["", ""],
    [0],
    ["0"],
    [1, 2],
    [12],
    ["1", 2],
    ["12"],
    ["a", "b"],
    ["ab"],
    ["b", "a"],
    ["a", "b", ""],
    ["a$b"],
  ];
  const seeds = paths.map((path) => childSeed(7, ...path));
  assert.equal(new Set(seeds).size, paths.length);
});

Deno.test("childSeed() spreads the children of a seed evenly", () => {
  const counts = Array<number>(256).fill(0);
  const low = Array<number>(256).fill(0);
  const seen = new Set<number>();
  for (let i = 0; i < DRAWS; i++) {
    const seed = childSeed(7, "clients", i);
    assert.equal(seed, seed | 0, "a 32-bit integer");
    counts[seed >>> 24]!++;
    low[seed & 255]!++;
    seen.add(seed);
  }
  assertProportional(counts, counts.map(() => 1));
  assertProportional(low, low.map(() => 1));
  // Of n seeds drawn at random from 2³², n²/2³³ = 1.16 pairs are equal on average. More than 8 equal pairs have a
  // probability of four in a million (Poisson).
  assert.ok(seen.size >= DRAWS - 8, `${DRAWS - seen.size} equal pairs`);
});

Deno.test("childSeed() makes streams that are independent of each other and of their parent", () => {
  const pairs: [number, number][] = [];
  for (let i = 0; i < 1000; i++) {
    pairs.push([childSeed(7, i), childSeed(7, i + 1)], [childSeed(i, "x"), childSeed(i + 1, "x")]);
    pairs.push([i, childSeed(i, "x")]);
  }
  const counts = Array<number>(100).fill(0);
  for (const [a, b] of pairs) {
    const ours = draws(a, 20);
    const theirs = draws(b, 20);
    ours.forEach((value, i) => {
      counts[10 * Math.floor(value * 10) + Math.floor(theirs[i]! * 10)]!++;
    });
  }
  assertProportional(counts, counts.map(() => 1));
});
