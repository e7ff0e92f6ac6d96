import assert from "node:assert/strict";
import { NS_PER_MS } from "../../lib/base/mod.ts";
import type { ReplicationResult } from "../../lib/metrics/mod.ts";
import { replicationSeed } from "../../lib/workload/mod.ts";
import { requireFeasible } from "../../live/feasible.ts";
import { runLive } from "../../live/live_run.ts";
import { simulate } from "../../sim/mod.ts";
import type { ReadyScenario } from "../../sim/study/mod.ts";
import { studyFrom } from "../sim/study.ts";

const SMALL = `
balancer: {backends: 3, algorithm: round-robin}
duration: 2s
warmup: 200ms
workload: {arrivals: {poisson: 40/s}}
service: {exponential: {mean: 15ms}}
`;

/** A live and a simulated run with the same seed, which have the same requests. */
async function inBothWorlds(text: string, series = false) {
  const scenario = studyFrom(text).variants[0]!.scenario as ReadyScenario;
  const seed = replicationSeed(1, 0);
  const simulated = simulate(scenario, seed);
  const { signal } = new AbortController();
  const { result } = await runLive(scenario, seed, { signal, series });
  assert.deepEqual(result.requests, simulated.requests);
  return { result, simulated };
}

Deno.test("runLive() serves the same requests with the same work as simulate() with the same seed", async () => {
  const { result, simulated } = await inBothWorlds(SMALL, true);
  assert.deepEqual(
    result.backends.map(({ done }) => done),
    simulated.backends.map(({ done }) => done),
    "the same requests went to the same backends",
  );
  // No request can be faster than its work. How much slower it is depends on the machine.
  assert.ok(result.sojourn.sum >= simulated.sojourn.sum - NS_PER_MS, `${result.sojourn.sum}`);
  assert.equal(result.series!.backends.length, 3);
});

Deno.test("runLive() ends at once when it is aborted, with the measurements so far", async () => {
  const text =
    `${SMALL}faults: [{at: 0s, backend: B1, kind: {slow: 2}}, {at: 1900ms, backend: B1, kind: hang}]`;
  const scenario = studyFrom(text).variants[0]!.scenario as ReadyScenario;
  const stop = new AbortController();
  const running = runLive(scenario, 1, {
    signal: stop.signal,
    series: false,
    progress: () => stop.abort(new Error("stopped")),
  });
  const { result, isInterrupted } = await running;
  assert.ok(isInterrupted);
  assert.equal(result.requests.done, result.requests.offered, "requests in flight are left out");
  assert.deepEqual(
    result.faults.map(({ at }) => at),
    [0],
    "faults that had not begun are left out",
  );
});

const IMPOSSIBLE: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ["10,000 backends", "balancer: {backends: 10000}", /10000 backends on one machine/],
  ["a study of five hours", "balancer: {backends: 3}\nduration: 5h", /take 5h, more than 1h/],
  [
    "a rate that is too high for one machine",
    "balancer: {backends: 3}\nservice: 1ms",
    /2400 requests\/s/,
  ],
  ["a warm-up that a pilot run finds", "balancer: {backends: 3}\nwarmup: auto", /pilot run/],
  ["a thousand balancers", "balancer: {backends: 3}\nload_balancers: 1000", /1000 load balancers/],
];

for (const [what, text, says] of IMPOSSIBLE) {
  Deno.test(`requireFeasible() refuses ${what}, with the reason`, () => {
    const study = studyFrom(`${text}\nreplications: 1\n`);
    assert.throws(() => requireFeasible(study, 3600e9), says);
  });
}

for (const abandoned of ["serve", "drop"]) {
  Deno.test(`runLive() follows servers.abandoned: ${abandoned}`, async () => {
    const scenario = studyFrom(`
balancer: {backends: 1, algorithm: round-robin, health_check: {type: none}}
duration: 2s
workload: {arrivals: {deterministic: 2/s}, timeout: 50ms}
service: 400ms
servers: {default: {abandoned: ${abandoned}}}
`).variants[0]!.scenario as ReadyScenario;
    const signal = new AbortController().signal;
    const { result } = await runLive(scenario, 1, { signal, series: false });
    const [backend] = result.backends;
    assert.equal(result.requests.timedOut, result.requests.offered);
    const isBusy = backend!.utilisation > 0.4;
    assert.equal(isBusy, abandoned === "serve", `utilisation ${backend!.utilisation}`);
  });
}

/** For each kind of fault of B2: its effect on B2 and on the requests. */
const FAULTS: readonly (readonly [kind: string, effect: (result: ReplicationResult) => void])[] = [
  ["partition", ({ backends }) => assert.ok(backends[1]!.downs > 0, "probes get no answer")],
  ["pause", ({ backends }) => {
    assert.ok(backends[1]!.failed > 0, "nothing answers its clients");
    assert.equal(backends[1]!.downs, 0, "its machine still accepts the probes");
  }],
  ["{flap: {period: 600ms}}", ({ backends }) => {
    assert.ok(backends[1]!.downs > 0);
    assert.ok(backends[1]!.done > 0, "the backend returns");
  }],
  ["drain", withoutClients],
  ["maintenance", withoutClients],
  ["{fast-errors: 100%}", ({ backends }) => {
    assert.ok(backends[1]!.failed > 0);
    assert.equal(backends[1]!.utilisation, 0, "an error costs no work");
  }],
  ["{fail-rate: 100%}", ({ backends }) => {
    assert.ok(backends[1]!.failed > 0);
    assert.ok(backends[1]!.utilisation > 0, "an error comes after the work");
  }],
  ["{gray: {rate: 100%}}", ({ backends }) => {
    assert.ok(backends[1]!.failed > 0, "its requests fail");
    assert.equal(backends[1]!.downs, 0, "its probes succeed");
  }],
];

function withoutClients({ backends: [b1, b2], requests }: ReplicationResult): void {
  assert.ok(b1!.connections > 20);
  assert.equal(b2!.connections, 0, "new connections go to the other backend");
  assert.equal(requests.failed, 0);
}

const FAULTY = `
balancer: {backends: 2, algorithm: round-robin, health_check: {interval: 150ms, timeout: 100ms, rise: 1, fall: 1}}
duration: 2s
warmup: 300ms
workload: {arrivals: {deterministic: 20/s}, timeout: 500ms}
service: 5ms
`;

for (const [kind, effect] of FAULTS) {
  Deno.test(`runLive() applies a fault to the sockets of its backend: ${kind}`, async () => {
    const text = `${FAULTY}faults: [{at: 100ms, backend: B2, kind: ${kind}}]`;
    const scenario = studyFrom(text).variants[0]!.scenario as ReadyScenario;
    const { signal } = new AbortController();
    effect((await runLive(scenario, 1, { signal, series: false })).result);
  });
}

Deno.test("runLive() restarts a balancer, which accepts no clients during the restart, and accepts them again afterwards", async () => {
  const text = `${FAULTY}faults: [{at: 500ms, for: 500ms, load_balancer: 1, kind: lb-restart}]`;
  const scenario = studyFrom(text).variants[0]!.scenario as ReadyScenario;
  const ended: number[] = [];
  const { result } = await runLive(scenario, 1, {
    signal: new AbortController().signal,
    series: false,
    observe: (events) =>
      events.subscribe("test", ["connection_closed"], ({ at_ms }) => ended.push(at_ms)),
  });
  assert.ok(result.turnedAway.balancer_down! > 0, "clients are refused");
  assert.ok(ended.some((at) => at > 1000), "and are served after the restart");
});

Deno.test("runLive() delays each message between client, balancer and backend by the latency", async () => {
  const { result, simulated } = await inBothWorlds(`
balancer: {backends: 1, algorithm: round-robin, health_check: {type: none}}
duration: 1s
warmup: 0s
network: {client_latency: 5ms, backend_latency: 3ms}
workload: {arrivals: {deterministic: 10/s}, requests_per_connection: 2}
service: 1ms
`);
  // The shortest sojourn is that of a later request: one message in each direction on both links,
  // and the work of 1 ms.
  assert.equal(simulated.sojourn.min, (2 * (5 + 3) + 1) * NS_PER_MS);
  assert.ok(result.sojourn.min! >= simulated.sojourn.min! - NS_PER_MS, `${result.sojourn.min}`);
  assert.ok(result.sojourn.sum >= simulated.sojourn.sum - NS_PER_MS, `${result.sojourn.sum}`);
});

Deno.test("runLive() changes its settings at the times of the scenario, as simulate() does", async () => {
  const { result, simulated } = await inBothWorlds(`
balancer: {backends: 2, algorithm: round-robin, health_check: {interval: 200ms, timeout: 100ms}}
duration: 2s
warmup: 0s
workload: {arrivals: {poisson: 30/s}}
service: 5ms
changes:
  - {at: 500ms, set: {workload.arrivals: {poisson: 60/s}, service: 10ms}}
  - {at: 1s, set: {balancer.backends: 3, network.latency: 2ms, servers.default.slots: 2}}
`);
  assert.ok(result.requests.offered > 70, "more arrive after the change");
  assert.equal(result.backends.length, 3);
  assert.ok(result.backends[2]!.connections > 0, "the backend that joined gets connections");
  assert.ok(result.sojourn.sum >= simulated.sojourn.sum - NS_PER_MS, `${result.sojourn.sum}`);
});
