/** Algorithms that use latency learn from answers that do not come. */
import assert from "node:assert/strict";
import { Replicator } from "../../sim/study/replicator.ts";
import { studyFrom } from "./study.ts";

/** The share of requests that time out, by algorithm, while one of ten backends is silent for half the time. */
function timedOut(kind: string, requestsPerConnection: number): Record<string, number> {
  const algorithms = ["least-connections", "power-of-two", "peak-ewma", "prequal"];
  const study = studyFrom(`
balancer: {backends: 10, limits: {connections: 1000000}, health_check: {type: none}}
duration: 60s
service: {exponential: {mean: 100ms}}
servers: {default: {slots: unlimited}}
workload:
  arrivals: {poisson: ${500 / requestsPerConnection}/s}
  requests_per_connection: ${requestsPerConnection}
  timeout: 1s
faults: [{at: 20s, for: 30s, backend: B1, kind: ${kind}}]
compare: {balancer.algorithm: [${algorithms}]}
`);
  const replicator = new Replicator(study);
  return Object.fromEntries(algorithms.map((algorithm, variant) => {
    const { requests } = replicator.run({ variant, replication: 0 });
    return [algorithm, requests.timedOut / requests.offered];
  }));
}

Deno.test("peak-ewma and prequal lose fewer requests to a paused backend than least-connections", () => {
  const { "least-connections": counting, "peak-ewma": ewma, prequal } = timedOut("pause", 1);
  assert.ok(counting! > 0.005, `${counting}`);
  assert.ok(ewma! < counting!, `peak-ewma ${ewma}, least-connections ${counting}`);
  assert.ok(prequal! < counting! / 2, `prequal ${prequal}, least-connections ${counting}`);
});

Deno.test("peak-ewma and prequal lose fewer requests than least-connections, also if connections carry several requests", () => {
  const { "least-connections": counting, "peak-ewma": ewma, prequal } = timedOut("pause", 5);
  assert.ok(ewma! < counting!, `peak-ewma ${ewma}, least-connections ${counting}`);
  assert.ok(prequal! < counting!, `prequal ${prequal}, least-connections ${counting}`);
});

Deno.test("peak-ewma and prequal avoid a machine that does not answer a connect", () => {
  const { "least-connections": counting, "peak-ewma": ewma, prequal } = timedOut("hang", 1);
  assert.ok(ewma! < counting!, `peak-ewma ${ewma}, least-connections ${counting}`);
  assert.ok(prequal! < counting!, `prequal ${prequal}, least-connections ${counting}`);
});
