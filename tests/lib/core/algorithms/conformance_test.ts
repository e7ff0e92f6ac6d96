/** What every algorithm must do, whatever its rule: one table of cases, run against all of them. */
import assert from "node:assert/strict";
import {
  type Algorithm,
  ALGORITHM_NAMES,
  type AlgorithmName,
  type AlgorithmOptions,
  createAlgorithm,
  createRandom,
} from "../../../../lib/core/mod.ts";
import {
  candidatesOf,
  open,
  schedulerOf,
  type TestCandidate,
} from "../../../support/scheduling.ts";

const PICKS = 20_000;

/** Parameters that an algorithm is also to be tried with. */
const VARIANTS: readonly AlgorithmOptions[] = [
  ...ALGORITHM_NAMES.map((name) => ({ name }) as AlgorithmOptions),
  { name: "power-of-two", choices: 1 },
  { name: "power-of-two", choices: 3 },
];

/** Rules to which an algorithm is a declared exception. */
const EXCEPTIONS: readonly {
  readonly algorithm: AlgorithmName;
  readonly cases: readonly string[];
  readonly reason: string;
}[] = [
  {
    algorithm: "least-connections",
    cases: ["shares in proportion to weight when idle"],
    reason: "(0 + 1) / weight is least for the heaviest: an idle cluster sends all to it",
  },
  {
    algorithm: "round-robin",
    cases: ["evens out what is in flight"],
    reason: "it does not look at what is in flight",
  },
  {
    algorithm: "random",
    cases: ["evens out what is in flight"],
    reason: "it does not look at what is in flight",
  },
];

interface Subject {
  readonly options: AlgorithmOptions;
  make(candidates: readonly TestCandidate[], seed?: number): Algorithm;
}

const CASES: Readonly<Record<string, (subject: Subject) => void>> = {
  "picks nobody when there is nobody"({ make }) {
    assert.equal(make([]).pick("c", 0), undefined);
  },
  "picks nobody when nobody is available"({ make }) {
    const candidates = candidatesOf([1, 2, 3]);
    for (const candidate of candidates) candidate.available = false;
    assert.equal(make(candidates).pick("c", 0), undefined);
  },
  "picks the only one, always"({ make }) {
    const [only] = candidatesOf([3]);
    const algorithm = make([only!]);
    for (let i = 0; i < 100; i++) assert.equal(algorithm.pick(`c${i}`, i), only);
  },
  "picks only those available, as availability changes"({ make }) {
    const candidates = candidatesOf([1, 5, 2, 1, 3]);
    const algorithm = make(candidates);
    const random = createRandom(42);
    for (let i = 0; i < PICKS; i++) {
      const changed = candidates[Math.floor(random.next() * candidates.length)]!;
      changed.available = !changed.available;
      algorithm.update(changed);
      const picked = algorithm.pick(`c${i}`, i);
      const anybody = candidates.some(({ available }) => available);
      assert.equal(picked !== undefined, anybody);
      if (picked !== undefined) assert.ok(picked.available, `picked ${picked.id}`);
    }
  },
  "reaches everybody"({ make }) {
    const candidates = candidatesOf([1, 1, 1, 1, 1]);
    const counts = pickMany(make(candidates), candidates, PICKS, { hold: true });
    assert.ok(counts.every((count) => count > 0), `${counts}`);
  },
  "shares evenly among equals"({ make }) {
    const candidates = candidatesOf([1, 1, 1, 1]);
    const counts = pickMany(make(candidates), candidates, PICKS, { hold: false });
    assertShares(counts, [1, 1, 1, 1]);
  },
  "shares in proportion to weight when idle"({ make, options }) {
    const weights = [5, 3, 2];
    const candidates = candidatesOf(weights);
    const counts = pickMany(make(candidates), candidates, PICKS, { hold: false });
    // Of two or more drawn by weight, idle ones tie and the first drawn wins: that draw is by weight.
    assert.ok(options.name !== "least-connections");
    assertShares(counts, weights);
  },
  "shares in proportion to weight when connections are held"({ make }) {
    const weights = [5, 3, 2];
    const candidates = candidatesOf(weights);
    const counts = pickMany(make(candidates), candidates, PICKS, { hold: true });
    assertShares(counts, weights);
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
    assertShares(pickMany(algorithm, candidates, PICKS, { hold: true }), [1, 4]);
  },
  "takes in one that is added, and forgets one that is removed"({ make }) {
    const candidates = candidatesOf([1, 1, 1]);
    const algorithm = make(candidates.slice(0, 2));
    algorithm.add(candidates[2]!);
    assert.ok(pickMany(algorithm, candidates, 1000, { hold: true })[2]! > 0);
    candidates[1]!.available = false;
    algorithm.update(candidates[1]!);
    algorithm.remove(candidates[1]!);
    assert.equal(pickMany(algorithm, candidates, 1000, { hold: true })[1], 0);
  },
  "treats one that takes over an index as new"({ make }) {
    const candidates = candidatesOf([1, 1]);
    const algorithm = make(candidates);
    pickMany(algorithm, candidates, 101, { hold: false });
    candidates[1]!.available = false;
    algorithm.update(candidates[1]!);
    algorithm.remove(candidates[1]!);
    const heir: TestCandidate = { id: "heir", index: 1, weight: 1, inFlight: 0, available: true };
    algorithm.add(heir);
    const now = [candidates[0]!, heir];
    assertShares(pickMany(algorithm, now, PICKS, { hold: false }), [1, 1]);
  },
  "decides alike for the same seed"({ make }) {
    const run = (seed: number) => {
      const candidates = candidatesOf([1, 2, 3, 4]);
      const algorithm = make(candidates, seed);
      return Array.from({ length: 500 }, (_, i) => algorithm.pick(`c${i}`, i)!.id).join("");
    };
    assert.equal(run(7), run(7));
  },
  "evens out what is in flight"({ make }) {
    const candidates = candidatesOf(Array<number>(20).fill(1));
    const counts = pickMany(make(candidates), candidates, 20_000, { hold: true });
    // Picked blindly, the fullest of 20 would lead by about two standard deviations: 60 connections.
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 20, `${counts}`);
  },
  "explains a pick by candidates that are available, and a rule"({ make }) {
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

/** How often each was picked. `hold`: nobody closes; otherwise each connection ends at once. */
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

/** Within five standard deviations of a multinomial's count: a false alarm in two million. */
function assertShares(counts: readonly number[], weights: readonly number[]): void {
  const picks = counts.reduce((sum, count) => sum + count, 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  counts.forEach((count, i) => {
    const share = weights[i]! / total;
    const deviation = Math.sqrt(picks * share * (1 - share));
    assert.ok(
      Math.abs(count - picks * share) <= 5 * deviation,
      `${count} of ${picks}, expected ${picks * share} ± ${5 * deviation}`,
    );
  });
}

for (const options of VARIANTS) {
  const parameters = "choices" in options ? ` with ${options.choices} choices` : "";
  const subject: Subject = {
    options,
    make(candidates, seed = 1) {
      const algorithm = createAlgorithm(options, createRandom(seed));
      for (const candidate of candidates) algorithm.add(candidate);
      return algorithm;
    },
  };
  for (const [name, run] of Object.entries(CASES)) {
    const exception = EXCEPTIONS.find(({ algorithm, cases }) =>
      algorithm === options.name && cases.includes(name)
    );
    const blind = options.name === "power-of-two" && options.choices === 1 &&
      name === "evens out what is in flight";
    if (exception !== undefined || blind) continue;
    Deno.test(`${options.name}${parameters} ${name}`, () => run(subject));
  }
  Deno.test(`${options.name}${parameters} counts a burst before any connect is over`, () => {
    if (options.name === "random") return; // It does not look at counts; that they are kept is below.
    const { scheduler } = schedulerOf({ algorithm: options, backends: ["B1", "B2", "B3", "B4"] });
    for (let i = 0; i < 400; i++) scheduler.acquire(`10.0.0.${i}`, 0);
    const counts = [...scheduler.connectionCount.values()];
    assert.equal(counts.reduce((sum, count) => sum + count, 0), 400);
    assert.ok(Math.max(...counts) < 160, `a burst must not pile up: ${counts}`);
  });
  Deno.test(`${options.name}${parameters} never goes above max_connections`, () => {
    const { scheduler } = schedulerOf({
      algorithm: options,
      backends: [{ id: "B1", maxConnections: 3 }, { id: "B2", maxConnections: 2 }],
    });
    const leases = Array.from({ length: 5 }, () => open(scheduler));
    assert.deepEqual(scheduler.acquire("c", 0), { granted: false, reason: "all_backends_full" });
    leases[0]!.release("closed", 1);
    assert.equal(open(scheduler).backend, leases[0]!.backend);
  });
}

Deno.test("ALGORITHM_NAMES has no exception for a name or a case that does not exist", () => {
  for (const { algorithm, cases } of EXCEPTIONS) {
    assert.ok(ALGORITHM_NAMES.includes(algorithm));
    for (const name of cases) assert.ok(name in CASES, name);
  }
});
