/** Properties that every simulation must have, with any numbers. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { LbEvent } from "../../lib/core/mod.ts";
import { createRandom, NS_PER_S } from "../../lib/base/mod.ts";
import { parseStudy } from "../../lib/scenario/study.ts";
import type { TraceEntry } from "../../lib/scenario/types.ts";
import { createSampler } from "../../lib/stats/variates.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import { type ReadyScenario, simulate } from "../../sim/mod.ts";
import { queueing, type QueueingOptions } from "./scenarios.ts";
import { observer } from "../support/events.ts";

const FAULT_KINDS = [
  ...["crash", "hang", "pause", "partition"],
  ...[{ slow: 4 }, { "fail-rate": "30%" }, { "fast-errors": "50%" }],
  ...[{ gray: { rate: "20%", slow: 2 } }, { flap: { period: "3s", down: "40%" } }],
];

const seconds = (min: number, max: number) =>
  fc.integer({ min: min * 10, max: max * 10 }).map((tenths) => `${tenths / 10}s`);
const percent = (min: number, max: number) => fc.integer({ min, max }).map((value) => `${value}%`);

/**
 * Times with which a run has at most some thousand requests. All connections are checked after each event, so the cost
 * of a scenario grows with the square of their number.
 */
const duration = fc.oneof(
  fc.constant("40ms"),
  fc.constant({ exponential: { mean: "50ms" } }),
  fc.constant({ lognormal: { mean: "40ms", sigma: 1 } }),
  fc.constant({ pareto: { min: "15ms", max: "1s", alpha: 1.5 } }),
);

/** A scenario of any kind, small enough to be checked after every event. */
const anyScenario = fc.record({
  balancer: fc.record({
    backends: fc.integer({ min: 1, max: 5 }),
    algorithm: fc.constantFrom("round-robin", "least-connections", "random", "power-of-two"),
    health_check: fc.record({
      type: fc.constantFrom("tcp", "expect", "http", "none"),
      interval: fc.constantFrom("500ms", "2s"),
      timeout: fc.constantFrom("100ms", "500ms"),
      fall: fc.integer({ min: 1, max: 3 }),
      rise: fc.integer({ min: 1, max: 3 }),
      expect: fc.constant("ok"),
    }),
    sticky: fc.constantFrom(
      "off",
      {},
      { on_failback: "stay", max_entries: 3, ttl: "2s" },
      { max_entries: 3, ttl: "2s", store: { redis: "redis://127.0.0.1" } },
    ),
    retries: fc.integer({ min: 0, max: 3 }),
    timeouts: fc.record({
      connect: fc.constantFrom("50ms", "1s"),
      idle: fc.constantFrom("200ms", "5m"),
    }),
    limits: fc.record({ connections: fc.constantFrom(3, 10_000) }),
  }),
  load_balancers: fc.integer({ min: 1, max: 3 }),
  workload: fc.record({
    arrivals: fc.oneof(
      fc.record({ poisson: fc.record({ load: percent(20, 150) }) }),
      fc.record({
        closed: fc.record({ clients: fc.integer({ min: 1, max: 9 }), think: duration }),
      }),
      fc.constant({ on_off: { rate: "100/s", on: "1s", off: { exponential: { mean: "1s" } } } }),
    ),
    clients: fc.record({ count: fc.integer({ min: 1, max: 20 }), zipf: fc.constantFrom(0, 1.2) }),
    requests_per_connection: fc.constantFrom(1, 3, { uniform: { min: 1, max: 5 } }),
    think_time: fc.constantFrom("0s", "30ms"),
    timeout: fc.constantFrom("none", "100ms", "1s"),
    retries: fc.record({ max: fc.integer({ min: 0, max: 3 }), backoff: fc.constant("20ms") }),
  }),
  service: duration,
  servers: fc.record({
    default: fc.record({
      slots: fc.integer({ min: 1, max: 3 }),
      queue: fc.constantFrom(0, 2, "unlimited"),
      discipline: fc.constantFrom("fifo", "processor-sharing"),
      abandoned: fc.constantFrom("serve", "drop"),
    }),
  }),
  network: fc.record({ latency: fc.constantFrom("0s", "1ms", { exponential: { mean: "2ms" } }) }),
  faults: fc.array(
    fc.oneof(
      fc.record({
        at: seconds(0, 5),
        for: seconds(1, 4),
        backend: fc.constant("B1"),
        kind: fc.constantFrom(...FAULT_KINDS),
      }),
      fc.record({ at: seconds(0, 5), for: seconds(1, 4), kind: fc.constant("lb-restart") }),
    ),
    { maxLength: 3 },
  ),
});

Deno.test("simulate() loses no request and counts each request once, at any time, in any scenario", () => {
  fc.assert(
    fc.property(anyScenario, fc.nat(1000), (data, seed) => {
      const text = JSON.stringify({ ...data, duration: "6s", warmup: "1s" });
      const study = parseStudy({ scenario: { file: "any.yaml", text }, files: {}, set: [] });
      const scenario = study.variants[0]!.scenario as ReadyScenario;
      const checked = simulate(scenario, seed, { checked: true });
      const { offered, done, failed, refused, timedOut, unfinished } = checked.requests;
      assert.equal(offered, done + failed + refused + timedOut + unfinished);
      const plain = simulate(scenario, seed);
      assert.equal(JSON.stringify(plain), JSON.stringify(checked), "the same seed, the same bytes");
    }),
    { numRuns: 100, endOnFailure: true },
  );
});

const BUSY: QueueingOptions = {
  n: 3,
  load: 0.8,
  algorithm: { name: "least-connections" },
  end: { connections: 20_000 },
  warmup: 0,
};

function run(options: QueueingOptions, seed = 1) {
  return simulate(queueing({ ...BUSY, ...options }), seed);
}

Deno.test("simulate() gives another result for another seed", () => {
  assert.notEqual(JSON.stringify(run({}).sojourn), JSON.stringify(run({}, 2).sojourn));
});

Deno.test("simulate() takes half the time when everything is twice as fast", () => {
  const fast = run({ arrivals: { kind: "poisson", rate: 0.8 * 3 * 2 }, server: { speed: 2 } });
  const slow = run({ arrivals: { kind: "poisson", rate: 0.8 * 3 } });
  const close = (a: number, b: number) =>
    assert.ok(Math.abs(a / b - 2) < 1e-6, `${a} is not twice ${b}`);
  close(slow.endedAt, fast.endedAt);
  close(slow.sojourn.sum, fast.sojourn.sum);
  close(slow.sojourn.max, fast.sojourn.max);
  for (const [i, { share, utilisation }] of slow.backends.entries()) {
    assert.equal(share, fast.backends[i]!.share);
    assert.ok(Math.abs(utilisation - fast.backends[i]!.utilisation) < 1e-6);
  }
});

Deno.test("simulate(): if the backends are in another order, their results are in this order, too", () => {
  const speeds = [4, 1, 2];
  const orders = [[0, 1, 2], [2, 0, 1], [1, 2, 0]];
  const shares = orders.map((order) => {
    const results = [1, 2, 3, 4, 5, 6].map((seed) =>
      run({
        load: 0.5,
        algorithm: { name: "random" },
        servers: order.map((i) => ({ speed: speeds[i]! })),
        weights: order.map((i) => speeds[i]!),
        arrivals: { kind: "poisson", rate: 0.6 * 7 },
      }, seed)
    );
    return speeds.map((_, i) => {
      const place = order.indexOf(i);
      return results.reduce((sum, { backends }) => sum + backends[place]!.utilisation, 0) / 6;
    });
  });
  for (const share of shares.slice(1)) {
    share.forEach((value, i) =>
      assert.ok(Math.abs(value - shares[0]![i]!) < 0.02, `${shares.join(" | ")}`)
    );
  }
});

Deno.test("simulate() gives every algorithm the same clients at the same moments with the same jobs", () => {
  const meet = (name: "round-robin" | "least-connections" | "random" | "power-of-two") => {
    const came: string[] = [];
    const observe = (event: LbEvent) => {
      if (event.type === "connection_opened") came.push(`${event.at_ms} ${event.client}`);
    };
    // With enough slots no request waits: a sojourn is as long as its job.
    const scenario = queueing({
      ...BUSY,
      algorithm: { name },
      server: { slots: Infinity },
      arrivals: { kind: "poisson", rate: 3 },
      workload: { clients: { count: 50, zipf: 1 } },
      end: { connections: 3000 },
    });
    return { jobs: simulate(scenario, 7, { observe: observer(observe) }).sojourn, came };
  };
  const first = meet("round-robin");
  assert.equal(new Set(first.came.map((line) => line.split(" ")[1])).size > 20, true);
  for (const name of ["least-connections", "random", "power-of-two"] as const) {
    assert.deepEqual(meet(name), first);
  }
});

Deno.test("simulate(): if each job goes to the backend with the least unfinished work, all sojourn times are those of one central queue", () => {
  const [n, jobs] = [3, 5000];
  const random = createRandom(5);
  const gap = createSampler({ kind: "exponential", mean: NS_PER_S / (0.8 * n) }, random);
  const size = createSampler({ kind: "lognormal", mean: NS_PER_S, sigma: 1 }, random);
  let at = 0;
  const trace: Required<TraceEntry>[] = Array.from({ length: jobs }, () => {
    at += Math.round(gap.next());
    return { at, client: 0, work: Math.round(size.next()) };
  });
  // When each backend will have done all its jobs. The first one to finish gets the next job.
  const free = new Array<number>(n).fill(0);
  const parts: Required<TraceEntry>[][] = free.map(() => []);
  for (const entry of trace) {
    const least = free.indexOf(Math.min(...free.map((time) => Math.max(time, entry.at))));
    const chosen = least === -1 ? free.findIndex((time) => time <= entry.at) : least;
    free[chosen] = Math.max(free[chosen]!, entry.at) + entry.work;
    parts[chosen]!.push(entry);
  }
  const sojourns = (entries: readonly TraceEntry[], slots: number) => {
    const { sojourn } = simulate(
      queueing({
        n: 1,
        arrivals: { kind: "trace", entries },
        server: { slots },
        end: { duration: at + NS_PER_S },
        warmup: 0,
      }),
      1,
    );
    return Histogram.fromData(sojourn);
  };
  const separate = sojourns(parts[0]!, 1);
  for (const part of parts.slice(1)) separate.add(sojourns(part, 1));
  assert.deepEqual(separate.toData(), sojourns(trace, n).toData());
  assert.equal(separate.count, jobs);
});
