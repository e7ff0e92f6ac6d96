/** The algorithms that look at answers or at who is idle: their exact rules. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { PeakAverages } from "../../../../lib/core/algorithms/_latency.ts";
import {
  type Algorithm,
  type AlgorithmOptions,
  createAlgorithm,
  createRandom,
  NS_PER_MS,
  NS_PER_S,
} from "../../../../lib/core/mod.ts";
import {
  candidatesOf,
  granted,
  schedulerOf,
  type TestCandidate,
} from "../../../support/scheduling.ts";

function algorithmOf(options: AlgorithmOptions, candidates: readonly TestCandidate[]): Algorithm {
  const algorithm = createAlgorithm(options, createRandom(1));
  for (const candidate of candidates) algorithm.add(candidate);
  return algorithm;
}

function close(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-6 * expected, `${actual}, not ${expected}`);
}

/** A single average. */
class SingleAverage {
  readonly #averages: PeakAverages;

  constructor(decay: number) {
    this.#averages = new PeakAverages(decay);
    this.#averages.reset(0);
  }

  get known(): boolean {
    return this.#averages.isKnown(0);
  }

  observe(latency: number, now: number): void {
    this.#averages.observe(0, latency, now);
  }

  at(now: number): number {
    this.#averages.advance(now);
    return this.#averages.current(0);
  }
}

Deno.test("PeakAverages jump up, and come down by e^(−Δt/τ)", () => {
  const average = new SingleAverage(10);
  assert.equal(average.known, false);
  assert.equal(average.at(0), 0);
  average.observe(100, 0);
  assert.equal(average.at(0), 100);
  average.observe(300, 0);
  assert.equal(average.at(0), 300);
  close(average.at(10), 300 / Math.E);
  average.observe(50, 10);
  close(average.at(10), 300 / Math.E + 50 * (1 - 1 / Math.E));
});

Deno.test("PeakAverages never lie below the latest latency, nor above the highest", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ after: fc.nat(50), latency: fc.nat(1000) }), { minLength: 1 }),
      (observations) => {
        const average = new SingleAverage(20);
        let now = 0;
        let highest = 0;
        for (const { after, latency } of observations) {
          now += after;
          highest = Math.max(highest, latency);
          average.observe(latency, now);
          assert.ok(average.at(now) >= latency);
          assert.ok(average.at(now) <= highest + 1e-9);
        }
      },
    ),
    { endOnFailure: true },
  );
});

/** The rule as it is written: each average by itself, with an exponential each time it is looked at. */
class WrittenRule {
  #average = 0;
  #at = -Infinity;

  constructor(readonly decay: number) {}

  at(now: number): number {
    return this.#average * Math.exp(-(now - this.#at) / this.decay);
  }

  observe(latency: number, now: number): void {
    const w = Math.exp(-(now - this.#at) / this.decay);
    this.#average = Math.max(latency, this.#average * w + latency * (1 - w));
    this.#at = now;
  }
}

const TAU = 10 * NS_PER_S;
/** Mostly short, and now and then so long that little or nothing is left. */
const gap = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: TAU }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 90 * TAU }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 5000 * TAU }) },
);

Deno.test("PeakAverages are what the rule says, over gaps of any length", () => {
  const step = fc.record({ gap, who: fc.nat(4), latency: fc.nat(60 * NS_PER_S) });
  const begin = fc.nat(1e6 * NS_PER_S);
  fc.assert(
    fc.property(begin, fc.array(step, { maxLength: 100, size: "max" }), (begin, steps) => {
      const averages = new PeakAverages(TAU);
      const rules = Array.from({ length: 5 }, () => new WrittenRule(TAU));
      const known = new Set<number>();
      rules.forEach((_, who) => averages.reset(who));
      let now = begin;
      for (const { gap, who, latency } of steps) {
        now += gap;
        averages.observe(who, latency, now);
        rules[who]!.observe(latency, now);
        known.add(who);
        rules.forEach((rule, who) => {
          assert.equal(averages.isKnown(who), known.has(who));
          const expected = known.has(who) ? rule.at(now) : 0;
          const actual = averages.current(who);
          // What is 600 τ old may be nothing: it is e^−600 of what it was.
          const tolerance = 1e-9 * expected + 60 * NS_PER_S * Math.exp(-600);
          assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, not ${expected}`);
        });
      }
    }),
    { endOnFailure: true },
  );
});

Deno.test("PeakAverages take an earlier time for the latest there was", () => {
  const average = new SingleAverage(10);
  average.observe(100, 20);
  assert.equal(average.at(10), 100);
  const faded = average.at(30);
  average.observe(1, 25);
  close(average.at(20), faded + 1 - 1 / Math.E);
});

Deno.test("PeakAverages begin anew when an index is given to another", () => {
  const averages = new PeakAverages(10);
  averages.reset(3);
  averages.observe(3, 100, 0);
  averages.reset(3);
  assert.equal(averages.isKnown(3), false);
  averages.observe(3, 1, 0);
  assert.equal(averages.current(3), 1);
});

Deno.test("peak-ewma takes the faster of two for what it has in flight", () => {
  const candidates = candidatesOf([1, 1]);
  const [slow, fast] = candidates as [TestCandidate, TestCandidate];
  const algorithm = algorithmOf({ name: "peak-ewma" }, candidates);
  algorithm.answered!(slow, 40 * NS_PER_MS, 0);
  algorithm.answered!(fast, 10 * NS_PER_MS, 0);
  // 40 · (0 + 1) against 10 · (k + 1): level at k = 3, where the first drawn wins.
  for (fast.inFlight = 0; fast.inFlight < 3; fast.inFlight++) {
    assert.equal(algorithm.pick("c", 0), fast);
  }
  fast.inFlight = 4;
  assert.equal(algorithm.pick("c", 0), slow);
});

Deno.test("peak-ewma gives one that has not answered yet a first connection, and no second", () => {
  const candidates = candidatesOf([1, 1]);
  const [known, fresh] = candidates as [TestCandidate, TestCandidate];
  const algorithm = algorithmOf({ name: "peak-ewma", initial: 30 * NS_PER_MS }, candidates);
  algorithm.answered!(known, 31 * NS_PER_MS, 0);
  assert.equal(algorithm.pick("c", 0), fresh);
  fresh.inFlight = 1;
  known.inFlight = 1000;
  assert.equal(algorithm.pick("c", 0), known);
});

Deno.test("peak-ewma comes back to one that was slow, when that has faded", () => {
  const candidates = candidatesOf([1, 1]);
  const [slow, fast] = candidates as [TestCandidate, TestCandidate];
  const algorithm = algorithmOf({ name: "peak-ewma", decay: NS_PER_S }, candidates);
  algorithm.answered!(slow, 10 * NS_PER_S, 0);
  algorithm.answered!(fast, 10 * NS_PER_MS, 0);
  assert.equal(algorithm.pick("c", 0), fast);
  algorithm.answered!(fast, 10 * NS_PER_MS, 8 * NS_PER_S);
  assert.equal(algorithm.pick("c", 8 * NS_PER_S), slow);
});

Deno.test("Lease.answered() tells the algorithm how long the first answer took, once", () => {
  const { scheduler } = schedulerOf({ algorithm: "peak-ewma", backends: ["B1", "B2"] });
  const costs = (now: number) => {
    const scores = new Map<string, number>();
    const lease = granted(
      scheduler.acquire("c", now, {
        considered: ({ id }, score) => scores.set(id, score),
        decided() {},
      }),
    );
    return { lease, scores };
  };
  const { lease } = costs(0);
  lease.connected(NS_PER_MS);
  lease.answered(20 * NS_PER_MS);
  lease.answered(900 * NS_PER_MS);
  lease.release("closed", 900 * NS_PER_MS);
  close(costs(20 * NS_PER_MS).scores.get(lease.backend.id)!, 20 * NS_PER_MS);
});

Deno.test("join-idle-queue takes whoever has been idle for longest", () => {
  const candidates = candidatesOf([1, 1, 1]);
  const algorithm = algorithmOf({ name: "join-idle-queue" }, candidates);
  const pick = () => {
    const picked = algorithm.pick("c", 0) as TestCandidate;
    picked.inFlight++;
    algorithm.loadChanged!(picked);
    return picked.id;
  };
  const ends = (id: string) => {
    const candidate = candidates.find((candidate) => candidate.id === id)!;
    candidate.inFlight--;
    algorithm.loadChanged!(candidate);
  };
  assert.equal(pick() + pick() + pick(), "abc");
  ends("c");
  ends("a");
  assert.equal(pick() + pick(), "ca");
});

Deno.test("join-idle-queue never picks a busy one while another is idle", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ who: fc.nat(7), what: fc.nat(3) }), { maxLength: 200 }),
      (steps) => {
        const candidates = candidatesOf([1, 2, 1, 5, 1, 1, 1, 1]);
        const algorithm = algorithmOf({ name: "join-idle-queue" }, candidates);
        for (const { who, what } of steps) {
          const candidate = candidates[who]!;
          if (what === 0) {
            candidate.available = !candidate.available;
            algorithm.update(candidate);
          } else if (what === 1 && candidate.inFlight > 0) {
            candidate.inFlight--;
            algorithm.loadChanged!(candidate);
          } else {
            const picked = algorithm.pick("c", 0) as TestCandidate | undefined;
            const available = candidates.filter(({ available }) => available);
            assert.equal(picked === undefined, available.length === 0);
            if (picked === undefined) continue;
            const idle = available.filter(({ inFlight }) => inFlight === 0);
            assert.ok(idle.length === 0 || idle.includes(picked));
            picked.inFlight++;
            algorithm.loadChanged!(picked);
          }
        }
      },
    ),
    { endOnFailure: true },
  );
});

/** Lets Prequal look around, by picks that nobody counts. */
function warmUp(algorithm: Algorithm, picks = 50): void {
  for (let i = 0; i < picks; i++) algorithm.pick("c", i);
}

Deno.test("prequal avoids the hot, and takes the fastest of the cold", () => {
  const candidates = candidatesOf(Array<number>(20).fill(1));
  const algorithm = algorithmOf({ name: "prequal" }, candidates);
  candidates.forEach((candidate, i) => {
    // One is swamped although it is the fastest. Hot is what lies above the 84 % quantile of the pool.
    candidate.inFlight = i === 0 ? 100 : 1;
    algorithm.loadChanged?.(candidate);
    algorithm.answered!(candidate, (i + 1) * NS_PER_MS, 0);
  });
  warmUp(algorithm);
  const picked = Array.from({ length: 500 }, (_, i) => algorithm.pick("c", 50 + i)!.index);
  const swamped = picked.filter((index) => index === 0).length;
  const fast = picked.filter((index) => index > 0 && index < 11).length;
  assert.ok(swamped < 10, `${swamped} of 500 went to the swamped`);
  assert.ok(fast > 400, `${fast} of 500 went to the faster half of the others`);
});

Deno.test("prequal uses no answer that is too old", () => {
  const candidates = candidatesOf(Array<number>(20).fill(1));
  const algorithm = algorithmOf({ name: "prequal", age: NS_PER_S }, candidates);
  warmUp(algorithm);
  let rule = "";
  algorithm.pick("c", 10 * NS_PER_S, { considered() {}, decided: (words) => rule = words });
  assert.match(rule, /fewer than two probe results: drawn at random/);
});

Deno.test("prequal picks the fastest of those at most at the quantile, as sorting says", () => {
  const backend = fc.record({
    inFlight: fc.nat(6),
    weights: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    latency: fc.nat(8),
  });
  fc.assert(
    fc.property(
      fc.array(backend, { minLength: 8, maxLength: 60, size: "max" }),
      fc.nat(),
      (backends, seed) => {
        const candidates = candidatesOf(backends.map(({ weights }) => weights[0]));
        // With so many probes each answer is used once: none is ever told of one more in flight.
        const algorithm = createAlgorithm({ name: "prequal", probes: 6 }, createRandom(seed));
        candidates.forEach((candidate, i) => {
          candidate.inFlight = backends[i]!.inFlight;
          algorithm.add(candidate);
          algorithm.answered!(candidate, backends[i]!.latency, 0);
        });
        for (let i = 0; i < 10; i++) algorithm.pick("c", 0);
        for (let i = 0; i < 20; i++) {
          if (i === 10) {
            candidates.forEach((candidate, i) => {
              candidate.weight = backends[i]!.weights[1];
              algorithm.update(candidate);
            });
          }
          const looks: { load: number; latency: number; score: number; index: number }[] = [];
          let decided = "";
          const picked = algorithm.pick("c", 0, {
            considered: ({ index, inFlight, weight }, score) => {
              const { latency } = backends[index]!;
              looks.push({ load: inFlight / weight, latency, score, index });
            },
            decided: (rule) => decided = rule,
          });
          const loads = looks.map(({ load }) => load).toSorted((a, b) => a - b);
          const quantile = loads[Math.floor(2 ** -0.25 * (loads.length - 1))]!;
          assert.equal(decided, `least latency among those with at most ${quantile} in flight`);
          for (const { load, latency, score } of looks) {
            assert.equal(score, load <= quantile ? latency : load);
          }
          const [best] = looks.filter(({ load }) => load <= quantile)
            .toSorted((a, b) => a.latency - b.latency || a.load - b.load);
          assert.equal(picked!.index, best!.index);
        }
      },
    ),
    { endOnFailure: true },
  );
});

Deno.test("prequal never picks one that has become unavailable", () => {
  const change = fc.record({ who: fc.nat(39), picks: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 20, maxLength: 200 }), fc.nat(), (changes, seed) => {
      const candidates = candidatesOf(Array<number>(40).fill(1));
      const algorithm = createAlgorithm({ name: "prequal" }, createRandom(seed));
      for (const candidate of candidates) algorithm.add(candidate);
      warmUp(algorithm);
      for (const { who, picks } of changes) {
        const candidate = candidates[who]!;
        candidate.available = !candidate.available;
        algorithm.update(candidate);
        for (let i = 0; i < picks; i++) {
          const picked = algorithm.pick("c", 50, {
            considered: (candidate) => assert.ok(candidate.available),
            decided() {},
          });
          assert.ok(picked?.available ?? !candidates.some(({ available }) => available));
        }
      }
    }),
    { endOnFailure: true },
  );
});

Deno.test("prequal keeps the answers of those that were full only between two picks", () => {
  const candidates = candidatesOf(Array<number>(20).fill(1));
  const algorithm = algorithmOf({ name: "prequal" }, candidates);
  warmUp(algorithm);
  for (const available of [false, true]) {
    for (const candidate of candidates) {
      candidate.available = available;
      algorithm.update(candidate);
    }
  }
  let rule = "";
  algorithm.pick("c", 50, { considered() {}, decided: (words) => rule = words });
  assert.match(rule, /least latency/);
});

Deno.test("prequal has a use for its pool however few backends there are", () => {
  for (let n = 1; n <= 40; n++) {
    const candidates = candidatesOf(Array<number>(n).fill(1));
    const algorithm = algorithmOf({ name: "prequal" }, candidates);
    const reached = new Set(
      Array.from({ length: 200 * n }, (_, i) => {
        const picked = algorithm.pick("c", i) as TestCandidate;
        picked.inFlight++;
        return picked.id;
      }),
    );
    assert.equal(reached.size, n, `${n} backends`);
  }
});

Deno.test("first-available fills one backend after the other", () => {
  const { scheduler } = schedulerOf({
    algorithm: "first-available",
    backends: [{ id: "B1", maxConnections: 2 }, { id: "B2", maxConnections: 1 }, "B3"],
  });
  const leases = Array.from({ length: 5 }, () => granted(scheduler.acquire("c", 0)));
  assert.deepEqual(leases.map(({ backend }) => backend.id), ["B1", "B1", "B2", "B3", "B3"]);
  leases[1]!.release("closed", 0);
  assert.equal(granted(scheduler.acquire("c", 0)).backend.id, "B1");
});

Deno.test("first-available takes the lowest of any set of places", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 200 }), (available) => {
      const candidates = candidatesOf(available.map(() => 1));
      candidates.forEach((candidate, i) => candidate.available = available[i]!);
      const algorithm = algorithmOf({ name: "first-available" }, candidates);
      assert.equal(algorithm.pick("c", 0), candidates[available.indexOf(true)]);
    }),
    { endOnFailure: true },
  );
});
