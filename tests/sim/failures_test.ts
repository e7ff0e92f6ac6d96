/** Compares probes, failover and stalls with theory. */
import assert from "node:assert/strict";
import { NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import { detectionTime } from "../../lib/core/mod.ts";
import type { BackendFaultKind } from "../../lib/scenario/types.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import { type ReplicationResult, simulate } from "../../sim/mod.ts";
import { failoverLoss, flapping } from "../../sim/theory/theory.ts";
import { assertMean } from "../support/statistics.ts";
import { refusedShare, replicate } from "./oracle.ts";
import { queueing, type QueueingOptions } from "./scenarios.ts";
import { observer } from "../support/events.ts";

/** There are few clients: these tests are about probes. */
const QUIET = { kind: "poisson", rate: 0.1 } as const;

/**
 * Runs a fault of B1 that begins at 20 s, at many phases of the probes. Returns the detection times
 * in seconds.
 */
function detections(
  kind: BackendFaultKind,
  healthCheck: { interval: number; timeout: number; fall: number; jitter: number },
  options: QueueingOptions = {},
): number[] {
  const results = replicate({
    n: 2,
    arrivals: QUIET,
    faults: [{ at: 20 * NS_PER_S, for: Infinity, backend: 0, kind }],
    balancer: {
      healthCheck: {
        type: "tcp",
        rise: 2,
        interval: healthCheck.interval * NS_PER_S,
        timeout: healthCheck.timeout * NS_PER_S,
        fall: healthCheck.fall,
        jitter: healthCheck.jitter,
      },
    },
    end: { duration: 120 * NS_PER_S },
    warmup: 0,
    ...options,
  }, 600);
  return results.map(({ faults }) => faults[0]!.detection[0]! / NS_PER_S);
}

const RULES = [
  { interval: 2, timeout: 1, fall: 3, jitter: 0 },
  { interval: 1, timeout: 0.2, fall: 1, jitter: 0 },
  { interval: 5, timeout: 3, fall: 2, jitter: 0 },
];

for (const rule of RULES) {
  const { interval, timeout, fall } = rule;
  for (const [kind, silence] of [["crash", 0], ["hang", timeout]] as const) {
    const name = `${kind}, interval ${interval} s, timeout ${timeout} s, fall ${fall}`;
    Deno.test(`simulate() detects a fault after the times that theory gives: ${name}`, () => {
      const { least, mean, most } = detectionTime(rule, silence);
      const times = detections({ name: kind }, rule);
      assert.ok(Math.min(...times) >= least - 1e-9, `${Math.min(...times)} < ${least}`);
      assert.ok(Math.max(...times) <= most + 1e-9, `${Math.max(...times)} > ${most}`);
      assertUniform(times, least, most);
      assertMean(times.map((time) => time + 100), mean + 100);
    });
  }
}

/** Kolmogorov and Smirnov's test, which fails by chance once in a thousand cases: 1.95/√n. */
function assertUniform(values: readonly number[], from: number, to: number): void {
  const sorted = values.toSorted((a, b) => a - b);
  const distance = Math.max(
    ...sorted.map((value, i) => Math.abs((value - from) / (to - from) - (i + 0.5) / sorted.length)),
  );
  assert.ok(distance < 1.95 / Math.sqrt(sorted.length), `distance ${distance}`);
}

Deno.test("simulate() detects a fault later over a slow network, and with jitter the detection times vary more", () => {
  const rule = { interval: 2, timeout: 1, fall: 3, jitter: 0.1 };
  const jittered = detections({ name: "crash" }, rule);
  assert.ok(Math.min(...jittered) >= 2 * 2 * 0.9 && Math.max(...jittered) <= 3 * 2 * 1.1);
  const slow = detections({ name: "crash" }, { ...rule, jitter: 0 }, {
    latency: { kind: "deterministic", value: 100 * NS_PER_MS },
  });
  // A probe that is on its way when the fault begins is refused, too: its arrival at the backend
  // decides.
  assert.ok(Math.min(...slow) >= 4 && Math.max(...slow) <= 6 + 0.2 + 1e-9);
});

Deno.test("simulate() marks a backend as down as often and as long as probes that fail by chance should cause", () => {
  const [failure, fall, rise] = [0.3, 3, 2];
  const results = replicate({
    n: 1,
    arrivals: { kind: "poisson", rate: 0.001 },
    faults: [{ at: 0, for: Infinity, backend: 0, kind: { name: "fail-rate", rate: failure } }],
    balancer: {
      healthCheck: {
        type: "http",
        interval: NS_PER_S,
        timeout: NS_PER_S / 2,
        fall,
        rise,
        jitter: 0,
      },
    },
    end: { duration: 100_000 * NS_PER_S },
    warmup: 0,
  }, 10);
  const { probesUp, downShare } = flapping(failure, fall, rise);
  assertMean(results.map(({ backends }) => backends[0]!.downShare), downShare);
  assertMean(
    results.map(({ backends }) => 100_000 * (1 - backends[0]!.downShare) / backends[0]!.downs),
    probesUp,
  );
});

for (const [n, dead, retries] of [[5, 3, 1], [10, 5, 2], [4, 2, 0], [6, 4, 3]] as const) {
  const name = `${dead} of ${n} dead, ${retries} retries`;
  Deno.test(`simulate() refuses the share of clients that picked only dead backends in all tries: ${name}`, () => {
    const results = replicate({
      n,
      load: 0.1,
      balancer: { retries },
      faults: Array.from({ length: dead }, (_, backend) => ({
        at: 0,
        for: Infinity,
        backend,
        kind: { name: "crash" } as const,
      })),
      end: { connections: 40_000 },
      warmup: NS_PER_S,
    }, 10);
    assertMean(results.map(refusedShare), failoverLoss(n, dead, retries));
  });
}

/** 100 requests a second, and a stall of 100 s after 100 s. */
const STALL: QueueingOptions = {
  service: { kind: "deterministic", value: NS_PER_MS },
  server: { slots: Infinity },
  faults: [{ at: 100 * NS_PER_S, for: 100 * NS_PER_S, backend: 0, kind: { name: "pause" } }],
  end: { duration: 200 * NS_PER_S },
  warmup: 0,
};

Deno.test("simulate() counts a sojourn from the intended start, so the result of an open loop shows a stall", () => {
  const [result] = replicate({ ...STALL, arrivals: { kind: "deterministic", rate: 100 } }, 1);
  const sojourn = Histogram.fromData(result!.sojourn);
  assert.equal(sojourn.count, 20_000);
  assert.ok(Math.abs(sojourn.mean / NS_PER_MS - 25_003) < 1, `${sojourn.mean}`);
  assert.ok(Math.abs(sojourn.quantile(0.99) / NS_PER_MS - 98_000) < 0.004 * 98_000);
});

Deno.test("simulate() of a closed loop hides nearly all of a stall: coordinated omission", () => {
  const think = { kind: "deterministic", value: 9 * NS_PER_MS } as const;
  const [result] = replicate({ ...STALL, arrivals: { kind: "closed", clients: 1, think } }, 1);
  const sojourn = Histogram.fromData(result!.sojourn);
  assert.ok(sojourn.quantile(0.9998) / NS_PER_MS < 1.005);
  assert.ok(sojourn.max >= 99 * NS_PER_S, "the request that was stalled is recorded");
});

Deno.test("simulate() of several balancers: each sees only its own connections, so least-connections gets worse with their number", () => {
  const mean = (loadBalancers: number) =>
    replicate({
      n: 5,
      load: 0.8,
      algorithm: { name: "least-connections" },
      loadBalancers,
      end: { connections: 60_000 },
    }, 6).map(({ sojourn }: ReplicationResult) => Histogram.fromData(sojourn).mean);
  const [one, four, many] = [1, 4, 64].map((count) =>
    mean(count).reduce((sum, value) => sum + value, 0) / 6 / NS_PER_S
  );
  assert.ok(one! < four! && four! < many!, `${one} ${four} ${many}`);
  // With a balancer for every few clients, each balancer sees hardly any connections. So its picks are nearly random:
  // M/M/1.
  assert.ok(many! > 3.2 && many! < 5.1, `${many}`);
});

/** Clients that send three requests, and think between them. */
const THINKING: QueueingOptions = {
  n: 2,
  arrivals: { kind: "poisson", rate: 5 },
  service: { kind: "exponential", mean: 10 * NS_PER_MS },
  latency: { kind: "deterministic", value: NS_PER_MS },
  workload: {
    requestsPerConnection: { kind: "deterministic", value: 3 },
    thinkTime: { kind: "exponential", mean: NS_PER_S },
  },
  end: { duration: 60 * NS_PER_S },
  warmup: 0,
};

Deno.test("simulate(): a client whose connection was cut during its think time connects again", () => {
  const cut: readonly QueueingOptions[] = [
    { faults: [{ at: 20e9, for: 1e9, loadBalancer: 0, kind: { name: "lb-restart" } }] },
    {
      balancer: { timeouts: { connect: NS_PER_S, idle: 300 * NS_PER_MS } },
      workload: { ...THINKING.workload, timeout: Infinity },
    },
  ];
  for (const options of cut) {
    const [{ requests }] = replicate({ ...THINKING, ...options }, 1) as [ReplicationResult];
    assert.equal(requests.unfinished, 0);
    assert.ok(requests.done > 800, `${requests.done}`);
  }
});

Deno.test("simulate() starts a balancer again after the last of several restarts that overlap", () => {
  const restart = (at: number, length: number) => ({
    at: at * NS_PER_S,
    for: length * NS_PER_S,
    loadBalancer: 0,
    kind: { name: "lb-restart" } as const,
  });
  const [{ requests, turnedAway }] = replicate({
    ...THINKING,
    balancer: {
      healthCheck: { type: "tcp", interval: 1e9, timeout: 5e8, rise: 1, fall: 1, jitter: 0 },
    },
    faults: [restart(20, 10), restart(25, 15)],
  }, 1) as [ReplicationResult];
  assert.equal(requests.unfinished, 0);
  // Five new clients per second for twenty seconds, and the clients whose connections were cut.
  assert.ok(turnedAway.balancer_down! > 60, `${turnedAway.balancer_down}`);
  assert.equal(turnedAway.balancer_down, requests.refused);
});

Deno.test("simulate() closes the connections of a backend that is marked as down, with on_down: close", () => {
  // One client, whose request hangs at B1 from 5 s on. The probes detect this.
  const run = (onDown: "keep" | "close") => {
    const ends: string[] = [];
    simulate(
      queueing({
        n: 2,
        arrivals: { kind: "trace", entries: [{ at: 0, client: 0, work: 100 * NS_PER_S }] },
        faults: [{ at: 5 * NS_PER_S, for: Infinity, backend: 0, kind: { name: "hang" } }],
        balancer: {
          onDown,
          healthCheck: {
            type: "tcp",
            rise: 2,
            fall: 3,
            jitter: 0,
            interval: NS_PER_S,
            timeout: NS_PER_S / 2,
          },
        },
        end: { duration: 60 * NS_PER_S },
        warmup: 0,
      }),
      1,
      {
        checked: true,
        observe: observer((event) => {
          if (event.type !== "connection_closed") return;
          ends.push(event.end);
          if (onDown === "close") assert.ok(event.at_ms > 6000 && event.at_ms < 9000);
        }),
      },
    );
    return ends[0];
  };
  assert.equal(run("close"), "backend_down");
  assert.notEqual(run("keep"), "backend_down");
});

Deno.test("simulate() of a drain lets every connection end normally, and sends no new clients to the backend", () => {
  const told: string[] = [];
  const { requests, backends, faults } = simulate(
    queueing({
      n: 2,
      load: 0.3,
      algorithm: { name: "round-robin" },
      workload: {
        requestsPerConnection: { kind: "deterministic", value: 5 },
        thinkTime: { kind: "exponential", mean: NS_PER_S },
      },
      faults: [{ at: 50 * NS_PER_S, for: 100 * NS_PER_S, backend: 0, kind: { name: "drain" } }],
      end: { duration: 300 * NS_PER_S },
      warmup: 0,
    }),
    1,
    {
      checked: true,
      observe: observer((event) => {
        if (event.type === "backend_mode_changed") told.push(`${event.mode} at ${event.at_ms}`);
        if (event.type === "connection_opened" && event.backend === "B1") {
          assert.ok(event.at_ms < 50_000 || event.at_ms >= 150_000);
        }
      }),
    },
  );
  assert.deepEqual(told, ["drain at 50000", "ready at 150000"]);
  assert.equal(requests.done, requests.offered);
  assert.ok(backends[0]!.connections > 0 && backends[0]!.connections < backends[1]!.connections);
  assert.deepEqual(faults, [], "a drain is not a fault to detect");
});

Deno.test("simulate() keeps the invariants of the balancer's queue through faults, timeouts and clients that give up", () => {
  const kinds: BackendFaultKind[] = [
    { name: "crash" },
    { name: "hang" },
    { name: "partition" },
    { name: "flap", period: 4 * NS_PER_S, down: 0.5 },
  ];
  for (const latency of [0, 20 * NS_PER_MS]) {
    const told = new Map<string, number>();
    const { turnedAway } = simulate(
      queueing({
        n: 3,
        load: 1.2,
        latency: { kind: "deterministic", value: latency },
        balancer: {
          backends: ["B1", "B2", "B3"].map((id) => ({
            id,
            weight: 1,
            backup: false,
            maxConnections: 1,
          })),
          queue: { length: 5, timeout: 2 * NS_PER_S },
          onDown: "close",
          timeouts: { connect: NS_PER_S / 2, idle: 30 * NS_PER_S },
          healthCheck: {
            type: "tcp",
            rise: 2,
            fall: 2,
            jitter: 0,
            interval: NS_PER_S,
            timeout: NS_PER_S / 2,
          },
        },
        workload: { timeout: 3 * NS_PER_S },
        loadBalancers: 1,
        faults: [
          ...kinds.map((kind, i) => ({
            at: (20 + 40 * i) * NS_PER_S,
            for: 15 * NS_PER_S,
            backend: i % 3,
            kind,
          })),
          { at: 200 * NS_PER_S, for: 5 * NS_PER_S, loadBalancer: 0, kind: { name: "lb-restart" } },
        ],
        end: { duration: 300 * NS_PER_S },
        warmup: 0,
      }),
      1,
      {
        checked: true,
        observe: observer(({ type }) => void told.set(type, (told.get(type) ?? 0) + 1)),
      },
    );
    assert.ok(turnedAway.queue_full! > 0 && turnedAway.queue_timeout! > 0);
    assert.ok(turnedAway.balancer_down! > 0);
    assert.ok(told.get("connection_queued")! > told.get("connection_dequeued")!);
  }
});

Deno.test("simulate() removes a client that gives up from the balancer's queue at once", () => {
  const told: string[] = [];
  const { requests } = simulate(
    queueing({
      n: 1,
      balancer: {
        backends: [{ id: "B1", weight: 1, backup: false, maxConnections: 1 }],
        queue: { length: 9, timeout: 100 * NS_PER_S },
      },
      arrivals: {
        kind: "trace",
        entries: [0, 5].map((at) => ({ at: at * NS_PER_S, client: 0, work: NS_PER_S })),
      },
      service: { kind: "deterministic", value: NS_PER_S },
      workload: {
        requestsPerConnection: { kind: "deterministic", value: 2 },
        thinkTime: { kind: "deterministic", value: 30 * NS_PER_S },
        timeout: 10 * NS_PER_S,
      },
      end: { duration: 60 * NS_PER_S },
      warmup: 0,
    }),
    1,
    {
      checked: true,
      observe: observer((event) => {
        if (!("connection" in event) || event.type === "pick_explained") return;
        const { type, connection, at_ms } = event;
        told.push(
          `${at_ms / 1000} s: ${type} ${connection}${"end" in event ? ` ${event.end}` : ""}`,
        );
      }),
    },
  );
  assert.deepEqual(told, [
    "0 s: connection_arrived 1",
    "0 s: connection_opened 1",
    "5 s: connection_arrived 2",
    "5 s: connection_queued 2",
    "15 s: connection_left 2",
    "32 s: connection_closed 1 closed",
  ]);
  assert.deepEqual([requests.done, requests.timedOut], [2, 1]);
});
