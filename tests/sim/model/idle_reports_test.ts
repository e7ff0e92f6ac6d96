/** Backends that report when they are idle, as the paper on join-idle-queue describes. */
import assert from "node:assert/strict";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { simulate } from "../../../sim/mod.ts";
import { replicationSeed } from "../../../lib/workload/mod.ts";
import { meanSojourn, replicate } from "../oracle.ts";
import { queueing, type QueueingOptions } from "../scenarios.ts";
import { studyFrom } from "../study.ts";

const REPORTED: QueueingOptions = {
  n: 100,
  load: 0.9,
  algorithm: { name: "join-idle-queue", backendsReport: true },
  idleReports: true,
  workload: { clients: { count: 100_000, zipf: 0 } },
  end: { connections: 200_000 },
  warmup: 100 * NS_PER_S,
};

function mean(options: QueueingOptions): number {
  const means = replicate(options, 3).map(meanSojourn);
  return means.reduce((sum, value) => sum + value, 0) / means.length;
}

/** Lu et al. 2011: mean sojourn in service times, 100 servers at ρ = 0.9, by number of dispatchers. */
for (const [dispatchers, published] of [[10, 1.9], [50, 3.8]] as const) {
  Deno.test(`simulate() gives the published mean sojourn of ${published} for join-idle-queue with ${dispatchers} dispatchers`, () => {
    const measured = mean({ ...REPORTED, loadBalancers: dispatchers });
    assert.ok(Math.abs(measured / published - 1) < 0.05, `${measured}`);
  });
}

Deno.test("simulate() of join-idle-queue without reports is slower with several balancers", () => {
  const algorithm = { name: "join-idle-queue" } as const;
  const measured = mean({ ...REPORTED, algorithm, idleReports: false, loadBalancers: 10 });
  assert.ok(measured > 3, `${measured}`);
});

Deno.test("simulate() of join-idle-queue is the same with and without reports for one balancer", () => {
  const reported = mean({ ...REPORTED, n: 10 });
  const own = mean({
    ...REPORTED,
    n: 10,
    algorithm: { name: "join-idle-queue" },
    idleReports: false,
  });
  assert.ok(Math.abs(reported / own - 1) < 0.01, `${reported} ${own}`);
});

Deno.test("simulate(): backends continue to report after backends and balancers have failed and returned", () => {
  const scenario = queueing({
    ...REPORTED,
    n: 6,
    load: 0.5,
    loadBalancers: 3,
    latency: { kind: "exponential", mean: 0.01 * NS_PER_S },
    end: { duration: 600 * NS_PER_S },
    warmup: 0,
    faults: [
      { at: 50e9, for: 50e9, backend: 0, kind: { name: "crash" } },
      { at: 120e9, for: 50e9, backend: 1, kind: { name: "pause" } },
      { at: 150e9, for: 80e9, backend: 2, kind: { name: "hang" } },
      { at: 200e9, for: 300e9, backend: 3, kind: { name: "flap", period: 20e9, down: 0.5 } },
      { at: 250e9, for: 50e9, backend: 4, kind: { name: "partition", loadBalancer: 1 } },
      { at: 300e9, for: 20e9, loadBalancer: 2, kind: { name: "lb-restart" } },
    ],
  });
  const run = () => simulate(scenario, replicationSeed(1, 0), { checked: true });
  const result = run();
  assert.ok(result.requests.done > 1000);
  assert.ok(result.backends.every(({ share }) => share > 0.05));
  assert.deepEqual(run(), result);
});

Deno.test("`idle_reports` of a scenario states whether backends report, and can be compared", () => {
  const { variants } = studyFrom(`
balancer: {backends: 3, algorithm: join-idle-queue}
load_balancers: 2
compare: {idle_reports: [false, true]}
`);
  assert.deepEqual(variants.map(({ scenario }) => scenario.balancer.algorithm), [
    { name: "join-idle-queue" },
    { name: "join-idle-queue", backendsReport: true },
  ]);
  assert.deepEqual(variants.map(({ scenario }) => scenario.idleReports), [false, true]);
});
