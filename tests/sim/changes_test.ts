/** Settings that change during a run. */
import assert from "node:assert/strict";
import { createRandom } from "../../lib/base/mod.ts";
import { parseStudy } from "../../lib/scenario/mod.ts";
import { withWarmups } from "../../sim/study/mod.ts";
import { simulate } from "../../sim/study/simulate.ts";
import { askedSeed, newSeed } from "../support/seeds.ts";

function studyOf(text: string) {
  return parseStudy({ scenario: { file: "changes.yaml", text }, files: {}, set: [] });
}

function run(text: string, checked = false) {
  const { variants, seed } = studyOf(text);
  const [scenario] = withWarmups(variants.map((variant) => variant.scenario), seed);
  return simulate(scenario!, seed, { checked });
}

const START = `duration: 8s
warmup: 0s
service: {deterministic: 10ms}
workload: {arrivals: {deterministic: 100/s}}
`;

Deno.test("simulate() applies a change at its time, and not before", () => {
  const { connections, backends } = run(`${START}balancer: {backends: 2}
changes:
  - {at: 2s, set: {workload.arrivals.rate: 200/s}}
  - {at: 4s, set: {balancer.backends: 3, servers.B3.slots: 2}}
  - {at: 6s, set: {balancer.backends: [{id: B2}]}}
`);
  assert.ok(Math.abs(connections - (200 + 1200)) <= 2, `${connections} connections`);
  assert.deepEqual(backends.map(({ id }) => id), ["B1", "B2", "B3"]);
  const [first, second, third] = backends.map((backend) => backend.connections);
  assert.ok(Math.abs(first! - (100 + 200 + 133)) < 10, `B1: ${first}`);
  assert.ok(Math.abs(third! - 133) < 10, `B3: ${third}`);
  assert.ok(second! > first! + 350, `B2: ${second}`);
});

Deno.test("simulate() sends waiting clients to a backend as soon as it joins, also if it gets the index of a backend that left", () => {
  const busy = `${START.replace("10ms", "1s")}balancer:
  backends: [{id: B1, max_connections: 1}, {id: B2, max_connections: 1}]
  health_check: {type: none}
  queue: {length: 50, timeout: 5s}
`;
  // B3 gets the index of B1, which has left.
  for (const stays of ["{id: B1, max_connections: 1}, ", ""]) {
    const { backends } = run(
      `${busy}changes: [{at: 2s, set: {balancer.backends: [${stays}{id: B2, max_connections: 1}, ` +
        "{id: B3, max_connections: 9}], servers.B3.slots: 9}}]\n",
      true,
    );
    const [first, , third] = backends.map(({ connections }) => connections);
    assert.ok(third! > 30, `B3: ${third}`);
    if (stays === "") assert.ok(first! <= 2, `B1: ${first}`);
  }
});

Deno.test("parseStudy() refuses a change that is not possible, and names its place in the file", () => {
  const cases: readonly [string, RegExp][] = [
    ["{at: 1s, set: {load_balancers: 2}}", /6:\d+: "load_balancers" cannot change during a run/],
    ["{at: 9s, set: {service: 1ms}}", /6:\d+: the change comes after the end of the run/],
    ["{at: 1s, set: {balancer.algorithm: fastest}}", /6:\d+: .*algorithm/s],
    ["{at: 1s, set: {balancer.backends.B9.weight: 2}}", /6:\d+: there is no "B9" in the list/],
    [
      "{at: 1s, set: {workload.arrivals: {closed: {clients: 3, think: 1s}}}}",
      /arrivals cannot change between a closed loop/,
    ],
    ["{at: 1s, set: {servers.B1.discipline: processor-sharing}}", /discipline of B1 cannot change/],
  ];
  for (const [change, message] of cases) {
    const text = `${START}balancer: {backends: 2}\nchanges: [${change}]\n`;
    assert.throws(() => studyOf(text), { message }, change);
  }
});

/** Changes that can be combined in every way. */
const POSSIBLE = [
  "workload.arrivals.rate: 400/s",
  "workload.arrivals: {deterministic: 300/s}",
  "workload.timeout: 300ms",
  "workload.retries: {max: 3, backoff: 20ms}",
  "workload.requests_per_connection: 3, workload.think_time: 5ms",
  "workload.clients: {count: 30, zipf: 1}",
  "service: {exponential: {mean: 4ms}}",
  "network.latency: 2ms",
  "network.latency: 0s",
  "servers: {default: {slots: 3, queue: 20}}",
  "servers: {default: {slots: 1, speed: 0.7, abandoned: drop}}",
  "balancer.backends: [{id: B1, max_connections: 8}, {id: B2, weight: 3}, {id: B4}]",
  "balancer.backends: [{id: B3}, {id: B2, backup: true}, {id: B1, max_connections: 8}]",
  "balancer.backends: [{id: B1, max_connections: 8, mode: drain}, {id: B5}]",
  "balancer.algorithm: maglev",
  "balancer.algorithm: least-connections",
  "balancer.algorithm: prequal",
  "balancer.sticky: {ttl: 1m}",
  "balancer.sticky: off",
  "balancer.ejection: {failures: 2}",
  "balancer.slow_start: {duration: 1s}",
  "balancer.retries: 0",
  "balancer.limits.connections: 60",
  "balancer.on_down: close",
  "balancer.health_check: {type: http, interval: 300ms, timeout: 100ms}",
  "balancer.health_check: {type: none}",
  "balancer.timeouts: {connect: 50ms, idle: 1s}",
];

Deno.test("simulate() keeps its invariants with any combination of changes", async (t) => {
  const seed = askedSeed() ?? newSeed();
  for (let i = 0; i < 12; i++) {
    const random = createRandom(seed + i);
    const below = (n: number) => Math.floor(random.next() * n);
    const changes = Array.from(
      { length: 8 },
      (_, k) => `  - {at: ${200 + 300 * k}ms, set: {${POSSIBLE[below(POSSIBLE.length)]}}}`,
    );
    const text = `duration: 3s
balancer: {backends: [{id: B1, max_connections: 8}, {id: B2}, {id: B3}], queue: {length: 20, timeout: 1s}}
load_balancers: ${1 + below(2)}
network: {latency: ${below(2)}ms}
workload: {arrivals: {poisson: 300/s}, timeout: 1s, retries: {max: 1}}
faults:
  - {at: 700ms, for: 500ms, backend: B1, kind: ${["crash", "hang", "pause", "drain"][below(4)]}}
  - {at: 1s, for: 1s, kind: lb-restart}
changes:
${changes.join("\n")}
`;
    await t.step(`seed ${seed + i}`, () => {
      const first = JSON.stringify(run(text, true));
      assert.equal(JSON.stringify(run(text)), first);
    });
  }
});
