/** Runs that would never end. */
import assert from "node:assert/strict";
import { NS_PER_MS, NS_PER_S } from "../../../lib/base/mod.ts";
import { DiagnosticsError } from "../../../lib/config/diagnostic.ts";
import { parseStudy } from "../../../lib/scenario/study.ts";
import { UserError } from "../../../lib/base/user_error.ts";
import { simulate } from "../../../sim/mod.ts";
import { runStudy } from "../../../sim/study/run_study.ts";
import { queueing, type QueueingOptions } from "../scenarios.ts";

const NONE = { kind: "deterministic", value: 0 } as const;
const CLOSED = { kind: "closed", clients: 3, think: NONE } as const;

function run(options: QueueingOptions) {
  return simulate(queueing({ end: { duration: 10 * NS_PER_S }, warmup: 0, ...options }), 1);
}

const STANDSTILLS: readonly (readonly [string, RegExp, QueueingOptions])[] = [
  ["a full queue refuses clients that come again at once", /think/, {
    arrivals: CLOSED,
    server: { queue: 1 },
  }],
  ["a crash refuses clients that come again at once", /think/, {
    n: 2,
    arrivals: CLOSED,
    faults: [0, 1].map((backend) => ({
      at: 5 * NS_PER_S,
      for: NS_PER_S,
      backend,
      kind: { name: "crash" },
    })),
  }],
  ["a limit refuses clients that come again at once", /think/, {
    arrivals: CLOSED,
    balancer: { limits: { connections: 1 } },
  }],
  ["a balancer that restarts refuses clients that come again at once", /think/, {
    arrivals: CLOSED,
    faults: [{ at: NS_PER_S, for: NS_PER_S, loadBalancer: 0, kind: { name: "lb-restart" } }],
  }],
  ["work that takes no time", /think/, { arrivals: CLOSED, service: NONE }],
  ["retries without a pause", /think/, {
    arrivals: CLOSED,
    server: { queue: 0 },
    workload: { retries: { max: 5, backoff: 0, multiplier: 1, jitter: 0 } },
  }],
  ["more arrivals in a nanosecond than can be counted", /rate/, {
    arrivals: { kind: "poisson", rate: 1e16 },
    server: { queue: 0 },
  }],
];

for (const [name, hint, options] of STANDSTILLS) {
  Deno.test(`simulate() fails with a hint if virtual time stands still: ${name}`, () => {
    assert.throws(() => run(options), (error) => {
      assert.ok(error instanceof UserError && error.exitCode === 2);
      assert.match(error.message, /^virtual time does not advance at /);
      assert.match(error.hint!, hint);
      return true;
    });
  });
}

Deno.test("simulate() fails with a hint if virtual time advances by a nanosecond per event", () => {
  const think = { kind: "deterministic", value: 1 } as const;
  const refused = { arrivals: { ...CLOSED, think }, server: { queue: 1 } } as const;
  assert.throws(() => run(refused), (error) => {
    assert.ok(error instanceof UserError && error.exitCode === 2);
    assert.match(
      error.message,
      /^virtual time hardly advances at 1[\d.]+ms: \d+ events in 1\.001ms, /,
    );
    assert.match(error.hint!, /think/);
    return true;
  });
  // The same pace, but the run ends soon.
  const { requests } = run({ ...refused, end: { duration: 2 * NS_PER_MS } });
  assert.ok(requests.refused > 1_500_000, `${requests.refused}`);
});

Deno.test("simulate() handles a million events at one instant, if their number is limited", () => {
  const entries = Array.from({ length: 300_000 }, () => ({ at: NS_PER_S, work: 0 }));
  const { requests } = run({
    arrivals: { kind: "trace", entries },
    service: NONE,
    workload: { requestsPerConnection: { kind: "deterministic", value: 3 } },
  });
  assert.equal(requests.done, 900_000);
  const retried = run({
    arrivals: { kind: "trace", entries: entries.slice(0, 1000) },
    server: { queue: 0 },
    faults: [{ at: 0, for: Infinity, backend: 0, kind: { name: "crash" } }],
    workload: { retries: { max: 1000, backoff: 0, multiplier: 1, jitter: 0 } },
  });
  assert.equal(retried.requests.refused, 1000);
  assert.equal(retried.requests.retried, 1_000_000);
});

const NO_MORE: readonly (readonly [string, RegExp, QueueingOptions])[] = [
  ["a trace that has begun before the warm-up is over", /2 of 3 .*/, {
    arrivals: { kind: "trace", entries: [0, 2, 3].map((at) => ({ at: at * NS_PER_S })) },
    warmup: NS_PER_S,
    end: { connections: 3 },
  }],
  ["a closed loop in which all clients wait for ever", /3 of 1000 .*/, {
    arrivals: CLOSED,
    end: { connections: 1000 },
    faults: [{ at: 0, for: Infinity, backend: 0, kind: { name: "pause" } }],
    balancer: {
      healthCheck: { type: "tcp", interval: 1e9, timeout: 1e9, rise: 1, fall: 1, jitter: 0 },
    },
  }],
];

for (const [name, came, options] of NO_MORE) {
  Deno.test(`simulate() fails if no more clients can come: ${name}`, () => {
    assert.throws(() => run(options), (error) => {
      assert.ok(error instanceof UserError && error.exitCode === 2);
      assert.match(error.message, /^no more clients can come: /);
      assert.match(error.message, came);
      return true;
    });
  });
}

Deno.test("simulate() waits until probes or flaps end the connections that hang", () => {
  const hangs = { at: NS_PER_S, for: Infinity, backend: 0, kind: { name: "hang" } } as const;
  const probes = { type: "tcp", interval: 1e9, timeout: 5e8, rise: 1, fall: 3, jitter: 0 } as const;
  const closed = run({
    n: 2,
    arrivals: { kind: "trace", entries: [0, 0].map((at) => ({ at, work: 5 * NS_PER_S })) },
    end: { duration: NS_PER_S },
    faults: [hangs],
    balancer: { healthCheck: probes, onDown: "close", algorithm: { name: "round-robin" } },
  });
  assert.deepEqual([closed.requests.failed, closed.requests.unfinished], [1, 0]);
  const flap = { name: "flap", period: 20 * NS_PER_S, down: 0.5 } as const;
  const paused = { ...hangs, kind: { name: "pause" } } as const;
  const flapped = run({
    arrivals: { kind: "trace", entries: [{ at: 0.5 * NS_PER_S, work: 5 * NS_PER_S }] },
    end: { duration: NS_PER_S },
    faults: [paused, { at: 0, for: Infinity, backend: 0, kind: flap }],
  });
  assert.equal(flapped.requests.unfinished, 0);
});

Deno.test("simulate() does not wait days for the last requests after clients have stopped", () => {
  const probes = { type: "tcp", interval: 1e9, timeout: 1e9, rise: 1, fall: 1, jitter: 0 } as const;
  const { requests, endedAt } = run({
    arrivals: { kind: "deterministic", rate: 1 },
    balancer: { healthCheck: probes },
    service: { kind: "deterministic", value: 2000 * 3600 * NS_PER_S },
  });
  assert.equal(requests.unfinished, 10);
  assert.ok(endedAt < 2 * 3600 * NS_PER_S, `${endedAt}`);
  const { requests: patient } = run({
    arrivals: { kind: "deterministic", rate: 1 },
    balancer: { healthCheck: probes },
    service: { kind: "deterministic", value: 1800 * NS_PER_S },
  });
  assert.equal(patient.done, 10, "requests of half an hour are waited for");
});

Deno.test("simulate() ends although the time of a retry is beyond the largest time that it can count", () => {
  const { requests } = run({
    arrivals: { kind: "deterministic", rate: 1 },
    faults: [{ at: 0, for: Infinity, backend: 0, kind: { name: "crash" } }],
    workload: { retries: { max: 1000, backoff: NS_PER_MS, multiplier: 100, jitter: 0 } },
  });
  assert.equal(requests.offered, 10);
  assert.equal(requests.unfinished + requests.refused, 10);
});

for (
  const [arrivals, place, rest] of [
    ["{mmpp: {states: [{rate: none, stay: 1s}, {rate: none, stay: 2s}]}}", "states"],
    ["{on_off: {rate: 10/s, on: 0s, off: 1s}}", "on"],
    ["{on_off: {rate: 10/s, on: {uniform: {min: 0s, max: 0s}}, off: 1s}}", "on"],
    ["{renewal: {gap: 0s}}", "gap"],
    ["{trace: t.csv}", "connections", "connections: 3"],
    ["{mmpp: {states: [{rate: 1/s, stay: 1ns}, {rate: none, stay: 900ns}]}}", "states"],
    ["{on_off: {rate: 1/h, on: 1ns, off: {exponential: 5ns}}}", "on_off"],
    ...["deterministic", "poisson", "diurnal"].map((kind) =>
      [
        `{${kind}: {load: 90%${kind === "diurnal" ? ", amplitude: 50%, period: 1s" : ""}}}`,
        "load",
        "balancer: {backends: [{id: B1, mode: drain}, {id: B2, mode: maintenance}]}",
      ] as const
    ),
    ["{poisson: 5/s}", "period", "faults: [{at: 1s, backend: B1, kind: {flap: {period: 3ns}}}]"],
  ] as const
) {
  Deno.test(`parseStudy() refuses a scenario whose run would never end: ${[arrivals, rest].join(" ")}`, () => {
    const text = [
      ...rest?.startsWith("balancer") ? [] : ["balancer: {backends: 2}"],
      `workload: {arrivals: ${arrivals}}`,
      ...rest === undefined ? [] : [rest],
    ].join("\n");
    const files = { "t.csv": { file: "t.csv", text: "at\n0.1\n0.2\n" } };
    assert.throws(
      () => parseStudy({ scenario: { file: "x.yaml", text }, files, set: [] }),
      (error) => {
        assert.ok(error instanceof DiagnosticsError);
        assert.match(
          error.message,
          /would (ever )?come|the trace has only 2 connections|change too often|3ns is too short|no backend gets new/,
          place,
        );
        return true;
      },
    );
  });
}

Deno.test("runStudy() names the variant whose run would never end", async () => {
  const text = `
balancer: {backends: 1, health_check: {type: none}}
duration: 1s
workload: {arrivals: {closed: {clients: 3, think: 0s}}}
servers: {default: {queue: 1}}
compare: {balancer.algorithm: [random, maglev]}
`;
  const study = parseStudy({ scenario: { file: "x.yaml", text }, files: {}, set: [] });
  const run = () => Promise.reject(new UserError("no end", { exitCode: 2, hint: "think" }));
  await assert.rejects(runStudy(study, { width: 1, run }), (error) => {
    assert.ok(error instanceof UserError);
    assert.deepEqual([error.message, error.exitCode, error.hint], ["random: no end", 2, "think"]);
    return true;
  });
});
