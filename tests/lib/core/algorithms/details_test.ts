/** The data that each algorithm shows for an explanation of its picks. */
import assert from "node:assert/strict";
import {
  type Algorithm,
  ALGORITHM_NAMES,
  type AlgorithmOptions,
  createAlgorithm,
  type PickDetails,
} from "../../../../lib/core/mod.ts";
import { createRandom, NS_PER_MS, NS_PER_S } from "../../../../lib/base/mod.ts";
import { candidatesOf, type TestCandidate } from "../../../support/scheduling.ts";

function make(options: AlgorithmOptions, candidates: readonly TestCandidate[]): Algorithm {
  const algorithm = createAlgorithm(options, createRandom(1));
  for (const candidate of candidates) algorithm.add(candidate);
  return algorithm;
}

type Kind = PickDetails["kind"];

function detailsOf<K extends Kind>(
  algorithm: Algorithm,
  kind: K,
  client = "c",
  now = 0,
): Extract<PickDetails, { readonly kind: K }> {
  const details = algorithm.details!(client, now)!;
  assert.equal(details.kind, kind);
  return details as Extract<PickDetails, { readonly kind: K }>;
}

for (const name of ALGORITHM_NAMES) {
  Deno.test(`details() of ${name} changes no pick`, () => {
    const run = (asks: boolean) => {
      const candidates = candidatesOf([1, 2, 3, 4]);
      const algorithm = make({ name } as AlgorithmOptions, candidates);
      const random = createRandom(2);
      return Array.from({ length: 500 }, (_, i) => {
        const now = i * NS_PER_S;
        const changed = candidates[i % 4]!;
        changed.available = !changed.available || i % 3 === 0;
        algorithm.update(changed);
        if (asks) algorithm.details?.(`c${i}`, now + NS_PER_S / 2);
        const picked = algorithm.pick(`c${i}`, now) as TestCandidate | undefined;
        if (picked === undefined) return "";
        picked.inFlight = (picked.inFlight + 1) % 7;
        algorithm.loadChanged?.(picked);
        algorithm.answered?.(picked, random.next() * NS_PER_S, picked.inFlight, now + 1);
        return picked.id;
      }).join("");
    };
    assert.equal(run(true), run(false));
  });

  Deno.test(`details() of ${name} works without a backend`, () => {
    make({ name } as AlgorithmOptions, []).details?.("c", 0);
  });
}

Deno.test("RingHash.details() shows the ring, on which the first point at or after the client decides", () => {
  const algorithm = make({ name: "ring-hash", points: 20 }, candidatesOf([1, 2, 1]));
  for (let i = 0; i < 200; i++) {
    const { backends, points, owners, key } = detailsOf(algorithm, "ring", `c${i}`);
    assert.equal(points.length, 80);
    const next = points.findIndex((point) => point >= key);
    assert.equal(backends[owners.at(next === -1 ? 0 : next)!], algorithm.pick(`c${i}`, 0)!.id);
  }
});

Deno.test("Maglev.details() shows the table, in which the client's entry decides", () => {
  const algorithm = make({ name: "maglev", tableSize: 251 }, candidatesOf([1, 2, 1]));
  for (let i = 0; i < 200; i++) {
    const { backends, owners, entry } = detailsOf(algorithm, "table", `c${i}`);
    assert.equal(owners.length, 251);
    assert.equal(backends[owners[entry]!], algorithm.pick(`c${i}`, 0)!.id);
  }
});

Deno.test("RoundRobin.details() shows weights and current: the backend with the largest sum of both is next", () => {
  const candidates = candidatesOf([5, 1, 1]);
  const algorithm = make({ name: "round-robin" }, candidates);
  for (let i = 0; i < 50; i++) {
    candidates[2]!.available = i % 10 < 7;
    algorithm.update(candidates[2]!);
    const { backends, weights, current } = detailsOf(algorithm, "turns");
    assert.deepEqual(backends, ["a", "b", "c"].slice(0, i % 10 < 7 ? 3 : 2));
    const after = current.map((value, k) => value + weights[k]!);
    assert.equal(backends[after.indexOf(Math.max(...after))], algorithm.pick("c", 0)!.id);
  }
});

Deno.test("Prequal.details() shows the pool, without results that are too old", () => {
  const candidates = candidatesOf([1, 1, 1, 1, 1, 1]);
  const algorithm = make({ name: "prequal", age: NS_PER_S }, candidates);
  assert.deepEqual(detailsOf(algorithm, "pool").results, []);
  candidates.forEach((candidate, i) => {
    algorithm.answered!(candidate, (10 + i) * NS_PER_MS, 0, 0);
  });
  algorithm.pick("c", 0);
  const { results } = detailsOf(algorithm, "pool", "c", NS_PER_S / 2);
  assert.ok(results.length > 0);
  for (const { backend, in_flight, latency_ms, age_ms } of results) {
    assert.equal(in_flight, 0);
    assert.equal(candidates[latency_ms - 10]!.id, backend);
    assert.equal(age_ms, 500);
  }
  assert.deepEqual(detailsOf(algorithm, "pool", "c", 2 * NS_PER_S).results, []);
});

Deno.test("PeakEwma.details() shows the latencies as they have fallen by the given time", () => {
  const candidates = candidatesOf([1, 1]);
  const algorithm = make({ name: "peak-ewma", decay: NS_PER_S }, candidates);
  algorithm.answered!(candidates[0]!, 100 * NS_PER_MS, 0, 0);
  const { backends, latency_ms } = detailsOf(algorithm, "latencies", "c", NS_PER_S);
  assert.deepEqual(backends, ["a", "b"]);
  assert.ok(Math.abs(latency_ms[0]! - 100 / Math.E) < 1e-6, `${latency_ms[0]}`);
  assert.ok(Number.isNaN(latency_ms[1]));
});

Deno.test("JoinIdleQueue.details() shows the idle backends in the order in which they will be picked", () => {
  const candidates = candidatesOf([1, 1, 1]);
  const algorithm = make({ name: "join-idle-queue" }, candidates);
  for (let i = 0; i < 3; i++) {
    const { backends } = detailsOf(algorithm, "idle");
    const picked = algorithm.pick("c", 0) as TestCandidate;
    assert.equal(backends[0], picked.id);
    picked.inFlight++;
    algorithm.loadChanged!(picked);
  }
  assert.deepEqual(detailsOf(algorithm, "idle").backends, []);
});
