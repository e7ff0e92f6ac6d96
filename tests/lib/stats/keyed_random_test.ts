import assert from "node:assert/strict";
import { NS_PER_MS, NS_PER_S } from "../../../lib/base/mod.ts";
import type { AlgorithmOptions } from "../../../lib/core/mod.ts";
import type { Arrivals, BackendFaultKind } from "../../../lib/scenario/types.ts";
import type { Connection } from "../../../sim/model/connections.ts";
import { FifoServer } from "../../../sim/model/fifo_server.ts";
import { KeyedRandom, KeyedSampler } from "../../../lib/stats/keyed_random.ts";
import { simulate } from "../../../sim/mod.ts";
import { assertMean } from "../../support/statistics.ts";
import { queueing, type QueueingOptions } from "../../sim/scenarios.ts";

const KEYS = 100_000;

/** Kolmogorov and Smirnov's distance from the uniform law, in units of 1/√n. It is above 2 in one of 1000 samples. */
function distance(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const n = sorted.length;
  return Math.sqrt(n) *
    Math.max(...chunks(sorted.map((value, i) => Math.abs(value - (i + 0.5) / n))));
}

/** The largest value of each thousand, because an argument list must not be too long. */
function chunks(values: readonly number[]): number[] {
  return Array.from(
    { length: Math.ceil(values.length / 1000) },
    (_, i) => Math.max(...values.slice(1000 * i, 1000 * i + 1000)),
  );
}

Deno.test("KeyedRandom gives a key the same numbers, in any order of the keys", () => {
  const random = new KeyedRandom(7);
  const draw = (first: number, second: number, third?: number) => {
    random.seek(first, second, third);
    return [random.next(), random.next(), random.next()];
  };
  const keys: [number, number, number?][] = [[0, 1], [1, 0], [1, 1], [2, 1, 1], [2, 1, 2], [-1, 3]];
  const once = keys.map((key) => draw(...key));
  const again = keys.toReversed().map((key) => draw(...key)).toReversed();
  assert.deepEqual(again, once);
  assert.equal(new Set(once.flat()).size, 18, "different keys have different numbers");
  assert.notDeepEqual(new KeyedRandom(8).seek(0, 1).next(), once[0]![0]);
});

for (
  const [name, key] of [
    ["arrivals, one request each", (i: number) => [i, 1, 0]],
    ["one client, request after request", (i: number) => [3, i, 0]],
    ["clients in turn", (i: number) => [i % 100, Math.floor(i / 100), 0]],
    ["attempts", (i: number) => [Math.floor(i / 4), 1, 1 + i % 4]],
  ] as const
) {
  Deno.test(`KeyedRandom is uniform and independent over keys: ${name}`, () => {
    for (const seed of [1, 2, 3]) {
      const random = new KeyedRandom(seed);
      const draws = Array.from({ length: KEYS }, (_, i) => {
        const [first, second, third] = key(i) as [number, number, number];
        random.seek(first, second, third);
        return [random.next(), random.next()] as const;
      });
      const [one, two] = [draws.map(([a]) => a), draws.map(([, b]) => b)];
      assert.ok(distance(one) < 2.2, `first numbers: ${distance(one)}`);
      assert.ok(distance(two) < 2.2, `second numbers: ${distance(two)}`);
      const correlation = (a: readonly number[], b: readonly number[]) =>
        a.reduce((sum, value, i) => sum + (value - 0.5) * (b[i]! - 0.5), 0) * 12 / Math.sqrt(KEYS);
      const next = [...one.slice(1), one[0]!];
      assert.ok(Math.abs(correlation(one, two)) < 4.5, "within a key");
      assert.ok(Math.abs(correlation(one, next)) < 4.5, "from key to key");
      const low = one.map((value) => value * 2 ** 20 % 1);
      assert.ok(distance(low) < 2.2, "the low bits, too");
    }
  });
}

Deno.test("KeyedRandom is uniform and independent within one key, too", () => {
  const random = new KeyedRandom(4).seek(0, 0);
  const draws = Array.from({ length: 10 * KEYS }, () => random.next());
  assert.ok(distance(draws) < 2.2, `${distance(draws)}`);
  for (const lag of [1, 2, 3, 10]) {
    const sum = draws.reduce(
      (sum, value, i) => sum + (value - 0.5) * (draws[(i + lag) % draws.length]! - 0.5),
      0,
    );
    assert.ok(Math.abs(sum * 12 / Math.sqrt(draws.length)) < 4.5, `at a distance of ${lag}`);
  }
});

Deno.test("KeyedSampler draws from every law, and always the same for a key", () => {
  for (
    const [law, mean] of [
      [{ kind: "exponential", mean: 10 }, 10],
      [{ kind: "lognormal", mean: 10, sigma: 1 }, 10],
      [{ kind: "erlang", stages: 4, mean: 10 }, 10],
      [{ kind: "uniform", min: 5, max: 15 }, 10],
    ] as const
  ) {
    const sampler = new KeyedSampler(law, 5);
    const draws = Array.from({ length: KEYS }, (_, i) => sampler.at(i, 1));
    assertMean(draws, mean);
    assert.deepEqual(
      draws.slice(0, 50).toReversed(),
      [...draws.keys()].slice(0, 50).toReversed()
        .map((i) => sampler.at(i, 1)),
      law.kind,
    );
  }
});

/** The work of every request, by its client and number, as it reached a backend. */
function jobs(options: QueueingOptions): Map<string, number> {
  const seen = new Map<string, number>();
  const { submit } = FifoServer.prototype;
  FifoServer.prototype.submit = function (connection: Connection, now: number) {
    if (connection.origin >= 0) {
      seen.set(`${connection.origin}.${connection.nth}`, connection.work);
    }
    submit.call(this, connection, now);
  };
  try {
    simulate(queueing(options), 3);
  } finally {
    FifoServer.prototype.submit = submit;
  }
  return seen;
}

const CRASH: BackendFaultKind = { name: "crash" };

for (
  const [name, arrivals, options] of [
    ["several requests on a connection", { kind: "poisson", rate: 20 }, {}],
    ["a closed loop", {
      kind: "closed",
      clients: 20,
      think: { kind: "exponential", mean: 200 * NS_PER_MS },
    }, {}],
    ["several balancers", { kind: "poisson", rate: 20 }, { loadBalancers: 3 }],
    ["a network", { kind: "poisson", rate: 20 }, {
      latency: { kind: "exponential", mean: 5 * NS_PER_MS },
    }],
    ["faults, timeouts and retries", { kind: "poisson", rate: 20 }, {
      faults: [{ at: 3 * NS_PER_S, for: 3 * NS_PER_S, backend: 0, kind: CRASH }],
      workload: {
        timeout: 500 * NS_PER_MS,
        retries: { max: 2, backoff: NS_PER_MS, multiplier: 2, jitter: 0.5 },
      },
    }],
  ] as const satisfies readonly (readonly [string, Arrivals, QueueingOptions])[]
) {
  Deno.test(`simulate() gives two variants the same work for the same request: ${name}`, () => {
    const of = (algorithm: AlgorithmOptions) =>
      jobs({
        n: 5,
        service: { kind: "lognormal", mean: 40 * NS_PER_MS, sigma: 1 },
        end: { duration: 20 * NS_PER_S },
        warmup: 0,
        ...options,
        algorithm,
        arrivals,
        workload: {
          requestsPerConnection: { kind: "uniform", min: 1, max: 9 },
          thinkTime: { kind: "exponential", mean: 20 * NS_PER_MS },
          ...(options as QueueingOptions).workload,
        },
      });
    const [one, other] = [of({ name: "random" }), of({ name: "least-connections" })];
    const both = [...one.keys()].filter((request) => other.has(request));
    assert.ok(both.length > 0.9 * one.size && both.length > 1000, `${both.length} of ${one.size}`);
    for (const request of both) assert.equal(one.get(request), other.get(request), request);
    assert.ok(new Set(one.values()).size > 0.99 * one.size, "each request has its own work");
  });
}

Deno.test("simulate() gives all requests of a recorded connection the recorded work", () => {
  const works = [
    ...jobs({
      arrivals: {
        kind: "trace",
        entries: [{ at: 0, work: 5 }, { at: NS_PER_S, work: 7 }, { at: 2 * NS_PER_S }],
      },
      workload: { requestsPerConnection: { kind: "deterministic", value: 3 } },
      service: { kind: "deterministic", value: 9 },
      end: { duration: 10 * NS_PER_S },
      warmup: 0,
    }).values(),
  ];
  assert.deepEqual(works, [5, 5, 5, 7, 7, 7, 9, 9, 9]);
});
