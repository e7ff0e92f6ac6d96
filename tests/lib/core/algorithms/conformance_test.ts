/** What every algorithm must do, whatever its rule: one table of cases, which runs against all algorithms. */
import assert from "node:assert/strict";
import {
  type Algorithm,
  ALGORITHM_NAMES,
  type AlgorithmOptions,
  createAlgorithm,
} from "../../../../lib/core/mod.ts";
import { createRandom, type Random } from "../../../../lib/base/mod.ts";
import { acquire, connecting, open } from "../../../support/phases.ts";
import {
  candidatesOf,
  schedulerOf,
  takeDown,
  type TestCandidate,
} from "../../../support/scheduling.ts";
import { assertProportional } from "../../../support/statistics.ts";

const PICKS = 20_000;

/** Cases that do not apply, and why. */
interface Skip {
  readonly reason: string;
  readonly cases: readonly string[];
}

const BLIND: Skip = {
  reason: "it does not use the numbers in flight",
  cases: ["evens out the numbers in flight"],
};

const BY_LOT: Skip = {
  reason: "it picks at random, so a burst is only as even as chance makes it",
  cases: ["spreads a burst evenly before any connect has finished"],
};

const CHECKS_LATENCY_FIRST: Skip = {
  reason: "it judges backends by the latency of their answers, and here there are no answers",
  cases: [
    "picks idle backends in proportion to weight",
    "picks in proportion to weight while connections stay open",
    "gives a backend its share at any place in the list",
    "follows a change of weight",
    "evens out the numbers in flight",
  ],
};

const BY_QUEUE: Skip = {
  reason: "while all backends are idle, they take turns, whatever their weight",
  cases: [
    "picks idle backends in proportion to weight",
    "gives a backend its share at any place in the list",
  ],
};

const BY_HASH: Skip = {
  reason: "its picks depend on the client's address and the names of backends: see hashes_test.ts",
  cases: [
    "picks equal backends equally often",
    "picks idle backends in proportion to weight",
    "picks in proportion to weight while connections stay open",
    "gives a backend its share at any place in the list",
    "decides independently of the names of backends",
    "works if other backends have some of the indices",
    "finds the few available backends among a thousand",
    "follows a change of weight",
    "treats a backend that gets the index of a removed one as new",
    "counts the connections of a burst before any connect has finished",
  ],
};

const BY_ORDER: Skip = {
  reason: "all connections go to the first backend that is not full",
  cases: [
    "picks every backend",
    "picks equal backends equally often",
    "picks idle backends in proportion to weight",
    "picks in proportion to weight while connections stay open",
    "gives a backend its share at any place in the list",
    "works if other backends have some of the indices",
    "finds the few available backends among a thousand",
    "follows a change of weight",
    "picks a backend that was added, and none that was removed",
    "treats a backend that gets the index of a removed one as new",
    "counts the connections of a burst before any connect has finished",
    "picks no backend that is down, and picks it again when it is up",
  ],
};

/** Every algorithm, and some of them again with a parameter that changes the rule. */
const SUBJECTS: readonly { readonly options: AlgorithmOptions; readonly skip?: readonly Skip[] }[] =
  [
    { options: { name: "round-robin" }, skip: [BLIND] },
    {
      options: { name: "least-connections" },
      skip: [{
        reason:
          "(0 + 1) / weight is least for the heaviest backend, so it gets all while all are idle",
        cases: [
          "picks idle backends in proportion to weight",
          "gives a backend its share at any place in the list",
        ],
      }],
    },
    { options: { name: "random" }, skip: [BLIND, BY_LOT] },
    { options: { name: "power-of-two" }, skip: [BY_LOT] },
    { options: { name: "power-of-two", choices: 1 }, skip: [BLIND, BY_LOT] },
    { options: { name: "power-of-two", choices: 3 }, skip: [BY_LOT] },
    { options: { name: "peak-ewma" }, skip: [BY_LOT, CHECKS_LATENCY_FIRST] },
    { options: { name: "join-idle-queue" }, skip: [BLIND, BY_LOT, BY_QUEUE] },
    { options: { name: "prequal" }, skip: [BY_LOT, CHECKS_LATENCY_FIRST] },
    { options: { name: "source-hash" }, skip: [BLIND, BY_LOT, BY_HASH] },
    { options: { name: "source-hash", boundedLoad: 1.25 }, skip: [BLIND, BY_LOT, BY_HASH] },
    { options: { name: "ring-hash" }, skip: [BLIND, BY_LOT, BY_HASH] },
    { options: { name: "ring-hash", boundedLoad: 1.25 }, skip: [BLIND, BY_LOT, BY_HASH] },
    { options: { name: "maglev" }, skip: [BLIND, BY_LOT, BY_HASH] },
    { options: { name: "maglev", boundedLoad: 1.25 }, skip: [BLIND, BY_LOT, BY_HASH] },
    { options: { name: "first-available" }, skip: [BLIND, BY_LOT, BY_ORDER] },
  ];

/** An algorithm with its options, ready for the cases. */
interface Subject {
  readonly options: AlgorithmOptions;
  make(candidates: readonly TestCandidate[], seed?: number): Algorithm;
}

/** Makes one candidate available or unavailable, and then calls a function; repeats this many times. */
function asAvailabilityChanges(
  algorithm: Algorithm,
  candidates: readonly TestCandidate[],
  random: Random,
  pick: (i: number) => void,
): void {
  for (let i = 0; i < PICKS; i++) {
    const changed = candidates[Math.floor(random.next() * candidates.length)]!;
    changed.available = !changed.available;
    algorithm.update(changed);
    pick(i);
  }
}

const CASES: Readonly<Record<string, (subject: Subject) => void>> = {
  "picks nothing if there is no backend"({ make }) {
    assert.equal(make([]).pick("c", 0), undefined);
  },
  "picks nothing if no backend is available"({ make }) {
    const candidates = candidatesOf([1, 2, 3]);
    for (const candidate of candidates) candidate.available = false;
    assert.equal(make(candidates).pick("c", 0), undefined);
  },
  "always picks the only backend"({ make }) {
    const [only] = candidatesOf([3]);
    const algorithm = make([only!]);
    for (let i = 0; i < 100; i++) assert.equal(algorithm.pick(`c${i}`, i), only);
  },
  "picks only available backends while availability changes"({ make }) {
    const candidates = candidatesOf([1, 5, 2, 1, 3]);
    const algorithm = make(candidates);
    asAvailabilityChanges(algorithm, candidates, createRandom(42), (i) => {
      const picked = algorithm.pick(`c${i}`, i);
      const isAnyAvailable = candidates.some(({ available }) => available);
      assert.equal(picked !== undefined, isAnyAvailable);
      if (picked !== undefined) assert.ok(picked.available, `picked ${picked.id}`);
    });
  },
  "picks no excluded backend, and picks each again when it is not excluded"({ make }) {
    const candidates = candidatesOf([1, 5, 2, 1, 3]);
    const algorithm = make(candidates);
    const random = createRandom(43);
    asAvailabilityChanges(algorithm, candidates, random, (i) => {
      const available = candidates.filter(({ available }) => available);
      const excluded = available.filter(() => random.next() < 0.5);
      const left = available.length > excluded.length;
      const picked = algorithm.pick(`c${i}`, i, undefined, excluded);
      assert.equal(picked !== undefined, left);
      assert.ok(picked === undefined || !excluded.includes(picked as TestCandidate));
      assert.equal(algorithm.pick(`c${i}`, i) !== undefined, available.length > 0);
    });
    for (const candidate of candidates) {
      candidate.available = true;
      algorithm.update(candidate);
    }
    const trace = {
      considered() {},
      decided() {
        throw new TypeError("a reader's defect");
      },
    };
    assert.throws(() => algorithm.pick("c", PICKS, trace, candidates.slice(1)), TypeError);
    for (const candidate of candidates) {
      const others = candidates.filter((other) => other !== candidate);
      assert.equal(algorithm.pick("c", PICKS, undefined, others), candidate);
    }
  },
  "considers no excluded backend"({ make }) {
    const candidates = candidatesOf([1, 2, 3]);
    const considered: string[] = [];
    const trace = { considered: ({ id }: { id: string }) => considered.push(id), decided() {} };
    make(candidates).pick("c", 0, trace, [candidates[1]!]);
    assert.ok(considered.length > 0 && !considered.includes("b"));
  },
  "picks every backend"({ make }) {
    const candidates = candidatesOf([1, 1, 1, 1, 1]);
    const counts = pickMany(make(candidates), candidates, PICKS, { hold: true });
    assert.ok(counts.every((count) => count > 0), `${counts}`);
  },
  "picks equal backends equally often"({ make }) {
    const candidates = candidatesOf([1, 1, 1, 1]);
    const counts = pickMany(make(candidates), candidates, PICKS, { hold: false });
    assertProportional(counts, [1, 1, 1, 1]);
  },
  "picks idle backends in proportion to weight"({ make }) {
    const weights = [5, 3, 2];
    const candidates = candidatesOf(weights);
    const counts = pickMany(make(candidates), candidates, PICKS, { hold: false });
    // Algorithms that draw several backends pick the first one drawn if all are idle, and they draw by weight.
    assertProportional(counts, weights);
  },
  "picks in proportion to weight while connections stay open"({ make }) {
    const weights = [5, 3, 2];
    const candidates = candidatesOf(weights);
    const counts = pickMany(make(candidates), candidates, PICKS, { hold: true });
    assertProportional(counts, weights);
  },
  "gives a backend its share at any place in the list"({ make }) {
    for (const weights of [[1, 2, 4], [2, 4, 1], [4, 1, 2], [4, 2, 1]]) {
      const candidates = candidatesOf(weights);
      const counts = pickMany(make(candidates), candidates, PICKS, { hold: false });
      assertProportional(counts, weights);
    }
  },
  "decides independently of the names of backends"({ make }) {
    const run = (prefix: string) => {
      const candidates = candidatesOf([1, 2, 3, 1]).map((candidate) => ({
        ...candidate,
        id: `${prefix}${9 - candidate.index}`,
      }));
      const algorithm = make(candidates);
      return Array.from({ length: 200 }, (_, i) => algorithm.pick(`c${i}`, i)!.index).join("");
    };
    assert.equal(run("x"), run("y"));
  },
  "works if other backends have some of the indices"({ make }) {
    const [, b, , d, , , g] = candidatesOf([1, 1, 1, 1, 1, 1, 1]);
    const some = [b!, d!, g!];
    assertProportional(pickMany(make(some), some, PICKS, { hold: false }), [1, 1, 1]);
  },
  "finds the few available backends among a thousand"({ make }) {
    const candidates = candidatesOf(Array<number>(1000).fill(1));
    candidates.forEach((candidate, index) => candidate.available = index % 333 === 7);
    const few = candidates.filter(({ available }) => available);
    const algorithm = make(candidates);
    assertProportional(pickMany(algorithm, few, PICKS, { hold: false }), [1, 1, 1]);
  },
  "follows a change of weight"({ make }) {
    const candidates = candidatesOf([1, 1]);
    const algorithm = make(candidates);
    pickMany(algorithm, candidates, 100, { hold: false });
    candidates[1]!.weight = 4;
    algorithm.update(candidates[1]!);
    for (const candidate of candidates) {
      candidate.inFlight = 0;
      algorithm.loadChanged?.(candidate);
    }
    assertProportional(pickMany(algorithm, candidates, PICKS, { hold: true }), [1, 4]);
  },
  "picks a backend that was added, and none that was removed"({ make }) {
    const candidates = candidatesOf([1, 1, 1]);
    const algorithm = make(candidates.slice(0, 2));
    algorithm.add(candidates[2]!);
    assert.ok(pickMany(algorithm, candidates, 1000, { hold: true })[2]! > 0);
    candidates[1]!.available = false;
    algorithm.update(candidates[1]!);
    algorithm.remove(candidates[1]!);
    assert.equal(pickMany(algorithm, candidates, 1000, { hold: true })[1], 0);
  },
  "never picks a backend that was removed while it was available"({ make }) {
    const candidates = candidatesOf([1, 1, 1]);
    const algorithm = make(candidates);
    algorithm.remove(candidates[1]!);
    assert.equal(pickMany(algorithm, candidates, 1000, { hold: true })[1], 0);
    algorithm.remove(candidates[0]!);
    algorithm.remove(candidates[2]!);
    assert.equal(algorithm.pick("c", 0), undefined);
  },
  "treats a backend that gets the index of a removed one as new"({ make }) {
    const candidates = candidatesOf([1, 1]);
    const algorithm = make(candidates);
    pickMany(algorithm, candidates, 101, { hold: false });
    candidates[1]!.available = false;
    algorithm.update(candidates[1]!);
    algorithm.remove(candidates[1]!);
    const heir: TestCandidate = { ...candidates[1]!, id: "heir", available: true };
    algorithm.add(heir);
    const now = [candidates[0]!, heir];
    assertProportional(pickMany(algorithm, now, PICKS, { hold: false }), [1, 1]);
  },
  "decides the same with the same seed"({ make }) {
    const run = (seed: number) => {
      const candidates = candidatesOf([1, 2, 3, 4]);
      const algorithm = make(candidates, seed);
      return Array.from({ length: 500 }, (_, i) => algorithm.pick(`c${i}`, i)!.id).join("");
    };
    assert.equal(run(7), run(7));
  },
  "decides the same whether or not its picks are explained"({ make }) {
    const run = (trace?: { considered(): void; decided(): void }) => {
      const candidates = candidatesOf([1, 2, 3, 4]);
      const algorithm = make(candidates);
      return Array.from({ length: 500 }, (_, i) => {
        const picked = algorithm.pick(`c${i}`, i, trace) as TestCandidate;
        picked.inFlight = (picked.inFlight + 1) % 7;
        algorithm.loadChanged?.(picked);
        return picked.id;
      }).join("");
    };
    assert.equal(run({ considered() {}, decided() {} }), run());
  },
  "evens out the numbers in flight"({ make }) {
    const candidates = candidatesOf(Array<number>(20).fill(1));
    const counts = pickMany(make(candidates), candidates, 20_000, { hold: true });
    // With picks at random, each count would have a standard deviation of √(20,000 / 20) = 32. The largest and
    // the smallest of 20 counts would differ by almost four standard deviations.
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 20, `${counts}`);
  },
  "explains a pick by available candidates and one rule"({ make }) {
    const candidates = candidatesOf([1, 2, 3]);
    candidates[1]!.available = false;
    const considered: string[] = [];
    const rules: string[] = [];
    const picked = make(candidates).pick("c", 0, {
      considered: ({ id }, score) => {
        assert.ok(Number.isFinite(score));
        considered.push(id);
      },
      decided: (rule) => rules.push(rule),
    });
    assert.ok(considered.includes(picked!.id));
    assert.ok(!considered.includes("b"));
    assert.equal(rules.length, 1);
  },
};

/** How often each candidate was picked. With `hold`, connections stay open; otherwise each ends at once. */
function pickMany(
  algorithm: Algorithm,
  candidates: readonly TestCandidate[],
  picks: number,
  { hold }: { readonly hold: boolean },
): number[] {
  const counts = new Map(candidates.map((candidate) => [candidate.id, 0]));
  for (let i = 0; i < picks; i++) {
    const picked = algorithm.pick(`10.0.${i >> 8}.${i & 255}`, i) as TestCandidate;
    counts.set(picked.id, counts.get(picked.id)! + 1);
    picked.inFlight++;
    algorithm.loadChanged?.(picked);
    if (!hold) {
      picked.inFlight--;
      algorithm.loadChanged?.(picked);
    }
  }
  return candidates.map(({ id }) => counts.get(id)!);
}

const IDS = ["B1", "B2", "B3", "B4"];

/** Cases that run an algorithm in a scheduler. */
const SCHEDULED: Readonly<Record<string, (options: AlgorithmOptions) => void>> = {
  "spreads a burst evenly before any connect has finished"(algorithm) {
    const { scheduler } = schedulerOf({ algorithm, backends: IDS });
    for (let i = 0; i < 400; i++) connecting(acquire(scheduler, `10.0.1.${i}`, 0));
    assert.deepEqual([...scheduler.connectionCount.values()], [100, 100, 100, 100]);
  },
  "counts the connections of a burst before any connect has finished"(algorithm) {
    const { scheduler } = schedulerOf({ algorithm, backends: IDS });
    for (let i = 0; i < 4000; i++) connecting(acquire(scheduler, `10.0.1.${i}`, 0));
    assertProportional([...scheduler.connectionCount.values()], [1, 1, 1, 1]);
  },
  "never goes above max_connections"(algorithm) {
    const { scheduler } = schedulerOf({
      algorithm,
      backends: [{ id: "B1", maxConnections: 3 }, { id: "B2", maxConnections: 2 }],
    });
    const leases = Array.from({ length: 5 }, () => open(scheduler));
    assert.equal(acquire(scheduler, "c", 0).refusal, "all_backends_full");
    leases[0]!.close("closed", 1);
    assert.equal(open(scheduler).backend, leases[0]!.backend);
  },
  "tries every backend once, then gives up"(algorithm) {
    const { scheduler } = schedulerOf({ algorithm, backends: IDS, retries: 9 });
    for (let i = 0; i < 50; i++) {
      const tried: string[] = [];
      const connection = acquire(scheduler, `10.0.0.${i}`, i);
      while (connection.phase === "connecting") {
        tried.push(connection.backend.id);
        connection.connectFailed("refused", i);
      }
      assert.equal(connection.refusal, "connects_failed");
      assert.deepEqual(tried.toSorted(), IDS);
    }
    assert.deepEqual([...scheduler.connectionCount.values()], [0, 0, 0, 0]);
  },
  "picks no backend that is down, and picks it again when it is up"(algorithm) {
    const { scheduler } = schedulerOf({ algorithm, backends: IDS });
    takeDown(scheduler, "B2");
    const picked = () =>
      new Set(Array.from({ length: 200 }, (_, i) => {
        const lease = open(scheduler, `10.0.0.${i}`);
        lease.close("closed", 0);
        return lease.backend.id;
      }));
    assert.deepEqual([...picked()].toSorted(), ["B1", "B3", "B4"]);
    scheduler.probed("B2", true, 1, 0);
    scheduler.probed("B2", true, 2, 0);
    assert.deepEqual([...picked()].toSorted(), IDS);
  },
};

for (const { options, skip = [] } of SUBJECTS) {
  const { name: _, ...given } = options;
  const parameters = Object.entries(given).map(([key, value]) => ` with ${key} ${value}`).join("");
  const subject: Subject = {
    options,
    make(candidates, seed = 1) {
      const algorithm = createAlgorithm(options, createRandom(seed));
      for (const candidate of candidates) algorithm.add(candidate);
      return algorithm;
    },
  };
  const cases = [
    ...Object.entries(CASES).map(([name, run]) => ({ name, run: () => run(subject) })),
    ...Object.entries(SCHEDULED).map(([name, run]) => ({ name, run: () => run(options) })),
  ];
  for (const { name, run } of cases) {
    if (skip.some(({ cases }) => cases.includes(name))) continue;
    Deno.test(`${options.name}${parameters} ${name}`, run);
  }
}

Deno.test("the conformance suite runs against every algorithm", () => {
  const names = new Set(SUBJECTS.map(({ options }) => options.name));
  assert.deepEqual(ALGORITHM_NAMES.filter((name) => !names.has(name)), []);
});

Deno.test("the conformance suite skips only cases that exist", () => {
  for (const { skip = [] } of SUBJECTS) {
    for (const name of skip.flatMap(({ cases }) => cases)) {
      assert.ok(name in CASES || name in SCHEDULED, name);
    }
  }
});
