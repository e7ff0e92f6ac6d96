/** The exact rule of each algorithm, by sequences and by distributions that are derived here. */
import assert from "node:assert/strict";
import {
  type Algorithm,
  type AlgorithmOptions,
  createAlgorithm,
} from "../../../../lib/core/mod.ts";
import { createRandom } from "../../../../lib/base/mod.ts";
import { PowerOfTwo } from "../../../../lib/core/algorithms/power_of_two.ts";
import { assertProportional, chiSquare, chiSquareBound } from "../../../support/statistics.ts";
import { open } from "../../../support/phases.ts";
import { candidatesOf, schedulerOf, type TestCandidate } from "../../../support/scheduling.ts";

function sequence(options: AlgorithmOptions, weights: number[], picks: number): string {
  const algorithm = createAlgorithm(options, createRandom(1));
  for (const candidate of candidatesOf(weights)) algorithm.add(candidate);
  return Array.from({ length: picks }, () => algorithm.pick("c", 0)!.id).join(" ");
}

Deno.test("RoundRobin.pick() gives nginx's sequence for weights 5, 1, 1", () => {
  assert.equal(sequence({ name: "round-robin" }, [5, 1, 1], 14), "a a b a c a a a a b a c a a");
});

Deno.test("RoundRobin.pick() follows the order of the configuration if all weights are equal", () => {
  assert.equal(sequence({ name: "round-robin" }, [1, 1, 1], 7), "a b c a b c a");
});

Deno.test("RoundRobin.pick() picks each backend as often as its weight in every cycle, and spreads these picks", () => {
  const weights = [7, 4, 2, 1];
  const picks = sequence({ name: "round-robin" }, weights, 10 * 14).split(" ");
  for (let cycle = 0; cycle < 10; cycle++) {
    const turn = picks.slice(14 * cycle, 14 * cycle + 14);
    assert.deepEqual([..."abcd"].map((id) => turn.filter((pick) => pick === id).length), weights);
  }
  // Half of all picks are for a: it never waits for three others, and is never picked three times in a row.
  assert.doesNotMatch(picks.join(""), /[^a]{3}|aaa/);
});

Deno.test("RoundRobin.pick() continues its cycle when a backend returns", () => {
  const { scheduler } = schedulerOf();
  const next = () => open(scheduler).backend.id;
  assert.deepEqual([next(), next()], ["B1", "B2"]);
  scheduler.setMode("B3", "drain", 0);
  assert.deepEqual([next(), next()], ["B1", "B2"]);
  scheduler.setMode("B3", "ready", 0);
  assert.deepEqual(new Set([next(), next(), next()]), new Set(["B1", "B2", "B3"]));
});

Deno.test("LeastConnections.pick() also counts the new connection", () => {
  // (0 + 1) / 4 < (0 + 1) / 1: the heavy backend is picked first, until both are equal at (3 + 1) / 4 = 1.
  const candidates = candidatesOf([1, 4]);
  const algorithm = createAlgorithm({ name: "least-connections" }, createRandom(1));
  for (const candidate of candidates) algorithm.add(candidate);
  const picks = Array.from({ length: 5 }, () => {
    const picked = algorithm.pick("c", 0) as TestCandidate;
    picked.inFlight++;
    algorithm.loadChanged!(picked);
    return picked.id;
  });
  assert.deepEqual(picks.slice(0, 3), ["b", "b", "b"]);
  assert.deepEqual(picks.slice(3).toSorted(), ["a", "b"]);
});

Deno.test("LeastConnections.pick() lets idle backends take turns, and does not always pick the first", () => {
  const { scheduler } = schedulerOf({ algorithm: "least-connections" });
  const picks = Array.from({ length: 6 }, () => {
    const lease = open(scheduler);
    lease.close("closed", 0);
    return lease.backend.id;
  });
  assert.deepEqual(picks, ["B1", "B2", "B3", "B1", "B2", "B3"]);
});

Deno.test("LeastConnections.pick() picks the least loaded backend, not the others that were equal before it", () => {
  const { scheduler } = schedulerOf({ algorithm: "least-connections" });
  const leases = Array.from({ length: 6 }, () => open(scheduler)); // Two each.
  leases.find(({ backend }) => backend.id === "B3")!.close("closed", 0);
  for (let i = 0; i < 5; i++) {
    const lease = open(scheduler);
    assert.equal(lease.backend.id, "B3");
    lease.close("closed", 0);
  }
});

Deno.test("PowerOfTwo.pick() draws distinct backends", () => {
  // Of three backends with loads 0, 1, 2, the third could be picked only if it were drawn twice.
  const candidates = candidatesOf([1, 1, 1]);
  candidates.forEach((candidate, i) => candidate.inFlight = i);
  const algorithm = createAlgorithm({ name: "power-of-two" }, createRandom(5));
  for (const candidate of candidates) algorithm.add(candidate);
  const counts = { a: 0, b: 0, c: 0 };
  const picks = 30_000;
  for (let i = 0; i < picks; i++) counts[algorithm.pick("x", 0)!.id as "a"]++;
  assert.equal(counts.c, 0);
  // The least loaded backend is one of the two drawn with probability 2/3.
  const deviation = Math.sqrt(picks * (2 / 3) * (1 / 3));
  assert.ok(Math.abs(counts.a - picks * 2 / 3) < 5 * deviation, `${counts.a}`);
});

/** The weights of some backends, and the number of connections in flight on each. */
interface Scene {
  readonly weights: readonly number[];
  readonly loads: readonly number[];
}

const SCENES: readonly Scene[] = [
  { weights: [1, 1, 1, 1, 1], loads: [0, 0, 0, 0, 0] },
  { weights: [1, 1, 1, 1, 1], loads: [0, 1, 2, 3, 4] },
  { weights: [1, 1, 1, 1, 1], loads: [2, 2, 0, 2, 2] },
  { weights: [5, 3, 1, 1], loads: [0, 0, 0, 0] },
  { weights: [5, 3, 1, 1], loads: [9, 1, 4, 4] },
  { weights: [8, 1], loads: [0, 0] },
];

/**
 * The probability that each backend is picked, computed over all sequences of draws. Each draw takes one of the
 * remaining backends in proportion to weight. The drawn backend with the least in flight / weight is picked; of equal
 * ones, the first one drawn.
 */
function chances({ weights, loads }: Scene, choices: number, distinct: boolean): number[] {
  const chance = weights.map(() => 0);
  const draw = (drawn: readonly number[], probability: number): void => {
    const left = weights.map((weight, i) => distinct && drawn.includes(i) ? 0 : weight);
    const total = left.reduce((sum, weight) => sum + weight, 0);
    if (drawn.length === choices || total === 0) {
      const load = (i: number) => loads[i]! / weights[i]!;
      const least = Math.min(...drawn.map(load));
      chance[drawn.find((i) => load(i) === least)!]! += probability;
      return;
    }
    left.forEach((weight, i) => {
      if (weight > 0) draw([...drawn, i], probability * weight / total);
    });
  };
  draw([], 1);
  return chance;
}

function picksOf({ weights, loads }: Scene, choices: number): number[] {
  const candidates = candidatesOf(weights);
  candidates.forEach((candidate, i) => candidate.inFlight = loads[i]!);
  const algorithm = createAlgorithm({ name: "power-of-two", choices }, createRandom(3));
  for (const candidate of candidates) algorithm.add(candidate);
  const counts = weights.map(() => 0);
  for (let i = 0; i < 50_000; i++) counts[algorithm.pick("c", 0)!.index]!++;
  return counts;
}

for (const scene of SCENES) {
  for (const choices of [1, 2, 3]) {
    const { weights, loads } = scene;
    Deno.test(`PowerOfTwo.pick() picks weights ${weights} with loads ${loads} with the probabilities for ${choices} draws`, () => {
      assertProportional(picksOf(scene, choices), chances(scene, choices, true));
    });
  }
}

Deno.test("assertProportional() can tell PowerOfTwo.pick() from draws with replacement", () => {
  for (const scene of SCENES.filter(({ loads }) => new Set(loads).size > 1)) {
    const counts = picksOf(scene, 2);
    const expected = chances(scene, 2, false).map((chance) => chance * 50_000);
    assert.ok(chiSquare(counts, expected) > 2 * chiSquareBound(counts.length - 1));
  }
});

/** For each pair of the three candidates: how often the second was picked right after the first. */
function pairsPicked(algorithm: Algorithm): number[] {
  const pairs = Array<number>(9).fill(0);
  let previous = 0;
  for (let i = 0; i < 50_000; i++) {
    const { index } = algorithm.pick("c", 0)!;
    pairs[3 * previous + index]!++;
    previous = index;
  }
  return pairs;
}

Deno.test("PowerOfTwo.pick() draws independently each time", () => {
  // Among equal backends, all pairs of consecutive picks have the same probability.
  const algorithm = createAlgorithm({ name: "power-of-two" }, createRandom(4));
  for (const candidate of candidatesOf([1, 1, 1])) algorithm.add(candidate);
  const pairs = pairsPicked(algorithm);
  assertProportional(pairs, pairs.map(() => 1));
});

Deno.test("RandomChoice.pick() draws by weight, independently of earlier draws", () => {
  const weights = [5, 3, 2];
  const algorithm = createAlgorithm({ name: "random" }, createRandom(4));
  for (const candidate of candidatesOf(weights)) algorithm.add(candidate);
  const pairs = pairsPicked(algorithm);
  assertProportional(pairs, weights.flatMap((first) => weights.map((second) => first * second)));
});

Deno.test("PowerOfTwo.pick() with as many choices as backends picks the least loaded backend", () => {
  const candidates = candidatesOf([1, 1, 1, 1]);
  candidates.forEach((candidate, i) => candidate.inFlight = 9 - i);
  const algorithm = createAlgorithm({ name: "power-of-two", choices: 4 }, createRandom(5));
  for (const candidate of candidates) algorithm.add(candidate);
  for (let i = 0; i < 200; i++) assert.equal(algorithm.pick("x", 0)!.id, "d");
});

Deno.test("PowerOfTwo.pick() compares connections in flight divided by weight", () => {
  const candidates = candidatesOf([1, 3]);
  candidates[0]!.inFlight = 1;
  candidates[1]!.inFlight = 2; // 1 against 2/3.
  const algorithm = createAlgorithm({ name: "power-of-two" }, createRandom(5));
  for (const candidate of candidates) algorithm.add(candidate);
  for (let i = 0; i < 100; i++) assert.equal(algorithm.pick("x", 0)!.id, "b");
});

Deno.test("PowerOfTwo throws a RangeError if choices is not a positive integer", () => {
  for (const choices of [0, -1, 1.5, NaN]) {
    assert.throws(() => new PowerOfTwo(choices, createRandom(1)), RangeError);
  }
});
