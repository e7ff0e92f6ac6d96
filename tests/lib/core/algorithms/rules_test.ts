/** The exact rule of each algorithm, by sequences and by distributions that are derived here. */
import assert from "node:assert/strict";
import { type AlgorithmOptions, createAlgorithm, createRandom } from "../../../../lib/core/mod.ts";
import { PowerOfTwo } from "../../../../lib/core/algorithms/power_of_two.ts";
import {
  candidatesOf,
  open,
  schedulerOf,
  type TestCandidate,
} from "../../../support/scheduling.ts";

function sequence(options: AlgorithmOptions, weights: number[], picks: number): string {
  const algorithm = createAlgorithm(options, createRandom(1));
  for (const candidate of candidatesOf(weights)) algorithm.add(candidate);
  return Array.from({ length: picks }, () => algorithm.pick("c", 0)!.id).join(" ");
}

Deno.test("RoundRobin.pick() gives nginx's sequence for weights 5, 1, 1", () => {
  assert.equal(sequence({ name: "round-robin" }, [5, 1, 1], 14), "a a b a c a a a a b a c a a");
});

Deno.test("RoundRobin.pick() goes round in order when all weigh the same", () => {
  assert.equal(sequence({ name: "round-robin" }, [1, 1, 1], 7), "a b c a b c a");
});

Deno.test("RoundRobin.pick() goes on where it was when a backend returns", () => {
  const { scheduler } = schedulerOf();
  const next = () => open(scheduler).backend.id;
  assert.deepEqual([next(), next()], ["B1", "B2"]);
  scheduler.setMode("B3", "drain", 0);
  assert.deepEqual([next(), next()], ["B1", "B2"]);
  scheduler.setMode("B3", "ready", 0);
  assert.deepEqual(new Set([next(), next(), next()]), new Set(["B1", "B2", "B3"]));
});

Deno.test("LeastConnections.pick() counts the connection that is to come", () => {
  // (0 + 1) / 4 < (0 + 1) / 1: the heavy one first, until it is level at (3 + 1) / 4 = 1.
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

Deno.test("LeastConnections.pick() takes turns among the idle, not always the first", () => {
  const { scheduler } = schedulerOf({ algorithm: "least-connections" });
  const picks = Array.from({ length: 6 }, () => {
    const lease = open(scheduler);
    lease.release("closed", 0);
    return lease.backend.id;
  });
  assert.deepEqual(picks, ["B1", "B2", "B3", "B1", "B2", "B3"]);
});

Deno.test("LeastConnections.pick() forgets those that were level when it finds a lower one", () => {
  const { scheduler } = schedulerOf({ algorithm: "least-connections" });
  const leases = Array.from({ length: 6 }, () => open(scheduler)); // Two each.
  leases.find(({ backend }) => backend.id === "B3")!.release("closed", 0);
  for (let i = 0; i < 5; i++) {
    const lease = open(scheduler);
    assert.equal(lease.backend.id, "B3");
    lease.release("closed", 0);
  }
});

Deno.test("PowerOfTwo.pick() draws distinct backends", () => {
  // Of three backends with loads 0, 1, 2 the worst is picked only by drawing it twice: never.
  const candidates = candidatesOf([1, 1, 1]);
  candidates.forEach((candidate, i) => candidate.inFlight = i);
  const algorithm = createAlgorithm({ name: "power-of-two" }, createRandom(5));
  for (const candidate of candidates) algorithm.add(candidate);
  const counts = { a: 0, b: 0, c: 0 };
  const picks = 30_000;
  for (let i = 0; i < picks; i++) counts[algorithm.pick("x", 0)!.id as "a"]++;
  assert.equal(counts.c, 0);
  // The least loaded is among two of three with probability 2/3.
  const deviation = Math.sqrt(picks * (2 / 3) * (1 / 3));
  assert.ok(Math.abs(counts.a - picks * 2 / 3) < 5 * deviation, `${counts.a}`);
});

Deno.test("PowerOfTwo.pick() with as many choices as backends is least connections", () => {
  const candidates = candidatesOf([1, 1, 1, 1]);
  candidates.forEach((candidate, i) => candidate.inFlight = 9 - i);
  const algorithm = createAlgorithm({ name: "power-of-two", choices: 4 }, createRandom(5));
  for (const candidate of candidates) algorithm.add(candidate);
  for (let i = 0; i < 200; i++) assert.equal(algorithm.pick("x", 0)!.id, "d");
});

Deno.test("PowerOfTwo.pick() judges by what is in flight for the weight", () => {
  const candidates = candidatesOf([1, 3]);
  candidates[0]!.inFlight = 1;
  candidates[1]!.inFlight = 2; // 1 against 2/3.
  const algorithm = createAlgorithm({ name: "power-of-two" }, createRandom(5));
  for (const candidate of candidates) algorithm.add(candidate);
  for (let i = 0; i < 100; i++) assert.equal(algorithm.pick("x", 0)!.id, "b");
});

Deno.test("PowerOfTwo throws for choices that are no number of backends", () => {
  for (const choices of [0, -1, 1.5, NaN]) {
    assert.throws(() => new PowerOfTwo(choices, createRandom(1)), RangeError);
  }
});
