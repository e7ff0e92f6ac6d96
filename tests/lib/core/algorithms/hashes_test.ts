/** The three hashes: how even they are, how few clients move when a backend is removed, and the bound on load. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { LoadBound } from "../../../../lib/core/algorithms/_load_bound.ts";
import { hashText } from "../../../../lib/core/algorithms/_hash.ts";
import { isPrime, maglevTable } from "../../../../lib/core/algorithms/maglev.ts";
import {
  type Algorithm,
  type AlgorithmOptions,
  createAlgorithm,
} from "../../../../lib/core/mod.ts";
import { createRandom } from "../../../../lib/base/mod.ts";
import { acquire, open } from "../../../support/phases.ts";
import { candidatesOf, schedulerOf, type TestCandidate } from "../../../support/scheduling.ts";
import { assertProportional, chiSquare, chiSquareBound } from "../../../support/statistics.ts";

const HASHES = ["source-hash", "ring-hash", "maglev"] as const;

function algorithmOf(options: AlgorithmOptions, candidates: readonly TestCandidate[]): Algorithm {
  const algorithm = createAlgorithm(options, createRandom(1));
  for (const candidate of candidates) algorithm.add(candidate);
  return algorithm;
}

function clientOf(number: number): string {
  return `10.${number >> 16 & 255}.${number >> 8 & 255}.${number & 255}`;
}

/** The backend to which each of this many clients goes. */
function assignment(algorithm: Algorithm, clients: number): string[] {
  return Array.from({ length: clients }, (_, i) => algorithm.pick(clientOf(i), 0)!.id);
}

function countsOf(ids: readonly string[], candidates: readonly TestCandidate[]): number[] {
  return candidates.map(({ id }) => ids.filter((other) => other === id).length);
}

Deno.test("hashText() gives the published FNV-1a with MurmurHash3's finaliser", () => {
  // FNV-1a of "a" is e40c292c, of "foobar" bf9cf968; then fmix32, computed with another program.
  assert.deepEqual(["a", "foobar"].map((text) => fmix32(fnv1a(text))), [
    fmix32(0xe40c292cn),
    fmix32(0xbf9cf968n),
  ]);
  for (const text of ["", "a", "foobar", "192.168.1.50", "2001:db8::7"]) {
    assert.equal(BigInt(hashText(text)), fmix32(fnv1a(text)));
  }
});

const U32 = 0xffffffffn;

function fnv1a(text: string): bigint {
  let hash = 0x811c9dc5n;
  for (const char of text) hash = ((hash ^ BigInt(char.charCodeAt(0))) * 0x01000193n) & U32;
  return hash;
}

function fmix32(value: bigint): bigint {
  let h = value;
  h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & U32;
  h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & U32;
  return h ^ (h >> 16n);
}

Deno.test("maglevTable() builds the table of the paper's example", () => {
  const b0 = { offset: 3, skip: 4, weight: 1 };
  const b1 = { offset: 0, skip: 2, weight: 1 };
  const b2 = { offset: 3, skip: 1, weight: 1 };
  assert.deepEqual([...maglevTable(7, [b0, b1, b2])], [1, 0, 1, 0, 2, 2, 0]);
  const withoutB1 = [...maglevTable(7, [b0, b2])].map((member) => member === 0 ? 0 : 2);
  assert.deepEqual(withoutB1, [0, 0, 0, 0, 2, 2, 2]);
});

Deno.test("maglevTable() gives members slots in proportion to weight; equal members differ by at most one slot", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ hash: fc.nat(0xffff), weight: fc.integer({ min: 1, max: 20 }) }), {
        minLength: 1,
        maxLength: 20,
      }),
      (members) => {
        const size = 1009;
        const table = maglevTable(
          size,
          members.map(({ hash, weight }) => ({
            offset: hash % size,
            skip: hash % 1008 + 1,
            weight,
          })),
        );
        const total = members.reduce((sum, { weight }) => sum + weight, 0);
        members.forEach(({ weight }, m) => {
          const slots = table.filter((owner) => owner === m).length;
          const ideal = size * weight / total;
          // The last round may be incomplete.
          assert.ok(
            Math.abs(slots - ideal) <= 2 + members.length * weight / total,
            `${slots} ${ideal}`,
          );
        });
        members.forEach((a, i) =>
          members.forEach((b, j) => {
            if (a.weight !== b.weight) return;
            const [slotsA, slotsB] = [i, j].map((m) => table.filter((owner) => owner === m).length);
            assert.ok(Math.abs(slotsA! - slotsB!) <= 1);
          })
        );
      },
    ),
    { endOnFailure: true },
  );
});

Deno.test("maglevTable() changes a tenth of 65537 entries, and few others, when one of ten members is removed", () => {
  const members = Array.from({ length: 10 }, (_, i) => {
    const hash = hashText(`B${i}`);
    return { offset: hash % 65537, skip: hash % 65536 + 1, weight: 1 };
  });
  const before = maglevTable(65537, members);
  const counts = members.map((_, m) => before.filter((owner) => owner === m).length);
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
  const after = maglevTable(65537, members.slice(0, 9));
  const moved = before.filter((owner, slot) => owner !== after[slot]).length / 65537;
  assert.ok(moved >= 0.0999 && moved < 0.115, `${moved}`);
});

for (const name of HASHES) {
  Deno.test(`${name} always sends a client to the same backend`, () => {
    const candidates = candidatesOf([1, 3, 2, 1]);
    const algorithm = algorithmOf({ name }, candidates);
    assert.deepEqual(assignment(algorithm, 1000), assignment(algorithm, 1000));
  });

  Deno.test(`${name} spreads clients by weight`, () => {
    const weights = [1, 2, 3, 4];
    const candidates = candidatesOf(weights);
    const counts = countsOf(assignment(algorithmOf({ name }, candidates), 40_000), candidates);
    // A ring with 160 points per unit of weight is uneven: a share's standard deviation is about 1 / √160 of it.
    counts.forEach((count, i) => {
      const ideal = weights[i]! * 4000;
      assert.ok(Math.abs(count - ideal) < (name === "ring-hash" ? 0.3 : 0.05) * ideal, `${counts}`);
    });
  });

  Deno.test(`${name} moves only the clients of a backend that is not available`, () => {
    const candidates = candidatesOf(Array<number>(10).fill(1));
    const algorithm = algorithmOf({ name }, candidates);
    const before = assignment(algorithm, 5000);
    candidates[3]!.available = false;
    algorithm.update(candidates[3]!);
    const during = assignment(algorithm, 5000);
    before.forEach((id, client) => {
      if (id === "d") assert.notEqual(during[client], "d");
      else assert.equal(during[client], id);
    });
    candidates[3]!.available = true;
    algorithm.update(candidates[3]!);
    assert.deepEqual(assignment(algorithm, 5000), before);
  });

  Deno.test(`${name} spreads the clients of a backend that is down over the others by weight`, () => {
    for (const prefix of ["t1-", "B", "10.0.0.", "web"]) {
      for (const weights of [[1, 1, 1], [1, 3, 1], [2, 1, 4, 1, 1]]) {
        const candidates = candidatesOf(weights)
          .map((candidate, i) => ({ ...candidate, id: `${prefix}${i}` }));
        const algorithm = algorithmOf({ name }, candidates);
        const before = assignment(algorithm, 20_000);
        const down = candidates.at(-1)!;
        down.available = false;
        algorithm.update(down);
        const after = assignment(algorithm, 20_000);
        const heirs = after.filter((_, client) => before[client] === down.id);
        assertByWeight(name, countsOf(heirs, candidates.slice(0, -1)), weights.slice(0, -1));
      }
    }
  });

  Deno.test(`${name}: if a backend is at its bound, its clients go to the other backends in proportion to weight`, () => {
    const weights = [1, 1, 1, 2];
    const candidates = candidatesOf(weights);
    const algorithm = algorithmOf({ name, boundedLoad: 1.5 }, candidates);
    const before = assignment(algorithm, 20_000);
    candidates[0]!.inFlight = 1000;
    algorithm.loadChanged!(candidates[0]!);
    const heirs = assignment(algorithm, 20_000).filter((_, client) => before[client] === "a");
    assertByWeight(name, countsOf(heirs, candidates.slice(1)), weights.slice(1));
  });

  Deno.test(`${name} moves few clients of other backends when a backend is removed`, () => {
    const candidates = candidatesOf(Array<number>(10).fill(1));
    const algorithm = algorithmOf({ name }, candidates);
    const before = assignment(algorithm, 10_000);
    algorithm.remove(candidates[3]!);
    const after = assignment(algorithm, 10_000);
    const others = before.filter((id, client) => id !== "d" && after[client] !== id).length;
    assert.ok(!after.includes("d"));
    // Maglev builds its table again: about 1 % of the clients move without need. The other two hashes move no others.
    assert.ok(name === "maglev" ? others > 0 && others < 300 : others === 0, `${others}`);
  });

  Deno.test(`${name} decides the same in balancers that list their backends in another order`, () => {
    const ids = ["B1", "B2", "B3", "B4", "B5"];
    const one = schedulerOf({ algorithm: name, backends: ids, seed: 1 }).scheduler;
    const other = schedulerOf({ algorithm: name, backends: ids.toReversed(), seed: 2 }).scheduler;
    for (let i = 0; i < 2000; i++) {
      const picks = [one, other].map((scheduler) => {
        const lease = acquire(scheduler, clientOf(i), 0);
        assert.equal(lease.phase, "connecting");
        lease.connected(0);
        lease.close("closed", 0);
        return lease.backend.id;
      });
      assert.equal(picks[0], picks[1]);
    }
  });

  Deno.test(`${name} keeps its bound on load at every pick`, () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 3, noNaN: true }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(30), { minLength: 1, maxLength: 120 }),
        (boundedLoad, weights, steps) => {
          const candidates = candidatesOf(weights);
          const algorithm = algorithmOf({ name, boundedLoad }, candidates);
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          let inFlight = 0;
          for (const client of steps) {
            const picked = algorithm.pick(clientOf(client), 0) as TestCandidate;
            inFlight++;
            picked.inFlight++;
            algorithm.loadChanged!(picked);
            const bound = Math.ceil(boundedLoad * inFlight * (picked.weight / total));
            assert.ok(picked.inFlight <= bound, `${picked.inFlight} > ${bound}`);
            if (client % 5 > 0) continue;
            // Some of the connections end at once.
            picked.inFlight--;
            inFlight--;
            algorithm.loadChanged!(picked);
          }
        },
      ),
      { endOnFailure: true, numRuns: 60 },
    );
  });

  Deno.test(`${name} explains that a bound sent a client to another backend`, () => {
    const candidates = candidatesOf([1, 1]);
    const algorithm = algorithmOf({ name, boundedLoad: 1 }, candidates);
    const home = algorithm.pick("10.0.0.1", 0) as TestCandidate;
    home.inFlight = 5;
    algorithm.loadChanged!(home);
    let rule = "";
    const picked = algorithm.pick("10.0.0.1", 0, {
      considered() {},
      decided: (words) => rule = words,
    });
    assert.notEqual(picked, home);
    assert.match(rule, new RegExp(`${home.id} is at its bound of 3`));
  });
}

/**
 * The counts are in proportion to weight. On a ring a backend of weight 1 has 160 arcs of random length, each
 * of which passes to a random other backend. If such a backend gets a share p of the arcs, the standard deviation of
 * its count is √(2 / (160 · p)) of the count.
 */
function assertByWeight(name: string, counts: readonly number[], weights: readonly number[]): void {
  if (name !== "ring-hash") return assertProportional(counts, weights);
  const clients = counts.reduce((sum, count) => sum + count, 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  counts.forEach((count, i) => {
    const share = weights[i]! / total;
    const deviation = Math.sqrt(2 / (160 * share));
    assert.ok(Math.abs(count / (clients * share) - 1) < 4 * deviation, `${counts}`);
  });
}

Deno.test("ring-hash moves clients only to the new backend, however many points there are", () => {
  const candidates = candidatesOf([12, 12, 12, 12, 12, 12, 12, 12, 13]);
  const algorithm = algorithmOf({ name: "ring-hash", points: 10_000 }, candidates.slice(0, 8));
  const before = assignment(algorithm, 5000);
  algorithm.add(candidates[8]!); // 960,000 points become 1,090,000: more than 2²⁰.
  const after = assignment(algorithm, 5000);
  assert.ok(after.includes("i"));
  after.forEach((id, client) => assert.ok(id === "i" || id === before[client]));
  algorithm.remove(candidates[8]!);
  assert.deepEqual(assignment(algorithm, 5000), before);
});

Deno.test("ring-hash finds the first point at or after a client's place", () => {
  for (const weights of [[1], [1, 2], [3, 1, 1, 7]]) {
    for (const points of [1, 2, 3, 40]) {
      const candidates = candidatesOf(weights);
      const algorithm = algorithmOf({ name: "ring-hash", points }, candidates);
      const ring = candidates.flatMap(({ id, weight }) =>
        Array.from({ length: weight * points }, (_, i) => ({ id, place: hashText(`${id}#${i}`) }))
      ).toSorted((a, b) => a.place - b.place);
      for (let client = 0; client < 500; client++) {
        const place = hashText(clientOf(client));
        const next = ring.find((point) => point.place >= place) ?? ring[0]!;
        assert.equal(algorithm.pick(clientOf(client), 0)!.id, next.id);
      }
    }
  }
});

Deno.test("maglev spreads clients by weight over backends that own no slot", () => {
  // Two heavy backends own all slots of a small table, and are down.
  const weights = [1000, 1000, 1, 2, 1];
  const candidates = candidatesOf(weights);
  const algorithm = algorithmOf({ name: "maglev", tableSize: 11 }, candidates);
  for (const heavy of candidates.slice(0, 2)) {
    heavy.available = false;
    algorithm.update(heavy);
  }
  const counts = countsOf(assignment(algorithm, 20_000), candidates.slice(2));
  assertProportional(counts, weights.slice(2));
});

/** E[max] / mean of this many clients on ten backends, if each client picks at random; from a separate simulation. */
const FULLEST_OF_TEN = { 100: 1.512453, 10_000: 1.048942 } as const;

Deno.test("source-hash and maglev spread clients as evenly as random picks", () => {
  for (const name of ["source-hash", "maglev"] as const) {
    for (const clients of [100, 10_000] as const) {
      const ROUNDS = 60;
      const ratios = Array.from({ length: ROUNDS }, (_, round) => {
        const candidates = candidatesOf(Array<number>(10).fill(1))
          .map((candidate) => ({ ...candidate, id: `r${round}-${candidate.id}` }));
        const counts = countsOf(assignment(algorithmOf({ name }, candidates), clients), candidates);
        return Math.max(...counts) * 10 / clients;
      });
      const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ROUNDS;
      const variance = ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0) / (ROUNDS - 1);
      const error = Math.sqrt(variance / ROUNDS);
      assert.ok(
        Math.abs(mean - FULLEST_OF_TEN[clients]) < 4 * error,
        `${name} ${clients} ${mean} ±${error}`,
      );
    }
  }
});

Deno.test("source-hash picks the same for a client whose pick is cached as for a new client", () => {
  const random = createRandom(5);
  const candidates = candidatesOf(Array.from({ length: 200 }, (_, i) => 1 + i % 3));
  const algorithm = algorithmOf({ name: "source-hash" }, candidates);
  let members = [...candidates];
  for (let i = 0; i < 300; i++) {
    const changed = candidates[Math.floor(random.next() * candidates.length)]!;
    if (i % 10 === 0 && members.includes(changed)) {
      algorithm.remove(changed);
      members = members.filter((other) => other !== changed);
    } else if (i % 3 === 0 && members.includes(changed)) {
      changed.available = !changed.available;
      algorithm.update(changed);
    }
    const afresh = algorithmOf({ name: "source-hash" }, members);
    for (let client = 0; client < 20; client++) {
      const expected = afresh.pick(clientOf(client), 0);
      for (let again = 0; again < 2; again++) {
        assert.equal(algorithm.pick(clientOf(client), 0), expected);
      }
    }
  }
});

Deno.test("source-hash spreads the clients of a removed backend over all others by weight", () => {
  const weights = [4, 1, 2, 3];
  const candidates = candidatesOf(weights);
  const algorithm = algorithmOf({ name: "source-hash" }, candidates);
  const before = assignment(algorithm, 40_000);
  algorithm.remove(candidates[0]!);
  const after = assignment(algorithm, 40_000);
  const heirs = after.filter((_, client) => before[client] === "a");
  const counts = countsOf(heirs, candidates).slice(1);
  const total = counts.reduce((sum, count) => sum + count, 0);
  assert.ok(
    chiSquare(counts, [1, 2, 3].map((weight) => weight * total / 6)) < chiSquareBound(2),
    `${counts}`,
  );
});

Deno.test("LoadBound refuses a bound below 1", () => {
  assert.throws(() => new LoadBound(0.9), /must be at least 1: current value is 0.9/);
});

Deno.test("Maglev refuses a table whose size is not a prime", () => {
  assert.throws(
    () => createAlgorithm({ name: "maglev", tableSize: 65536 }, createRandom(1)),
    /must be a prime: current value is 65536/,
  );
});

Deno.test("isPrime() finds exactly the primes", () => {
  const primes = Array.from({ length: 30 }, (_, i) => i).filter(isPrime);
  assert.deepEqual(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
});

for (const name of ["source-hash", "ring-hash", "maglev"] as const) {
  Deno.test(`${name} sends a client to the same backend, however its address is spelt`, () => {
    const { scheduler } = schedulerOf({
      algorithm: name,
      backends: Array.from({ length: 20 }, (_, i) => `B${i + 1}`),
    });
    const went = (client: string) => open(scheduler, client).backend.id;
    for (let i = 1; i < 20; i++) {
      assert.equal(went(`::ffff:10.0.0.${i}`), went(`10.0.0.${i}`));
      assert.equal(went(`2001:DB8:0:0::${i}`), went(`2001:db8::${i}`));
    }
  });
}
