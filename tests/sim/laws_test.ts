/** Every law of service times, with extreme parameters, gives a result without NaN or Infinity. */
import assert from "node:assert/strict";
import { Replicator } from "../../sim/study/replicator.ts";
import { studyFrom } from "./study.ts";

const LAWS: readonly string[] = [
  "{erlang: {stages: 700, mean: 10ms}}",
  "{erlang: {stages: 800, mean: 10ms}}",
  "{erlang: {stages: 1000, mean: 1ms}}",
  "{hyperexponential: {mean: 10ms, scv: 1e6}}",
  "{lognormal: {mean: 10ms, sigma: 5}}",
  "{lognormal: {mean: 10ms, sigma: 1e-300}}",
  "{pareto: {min: 1ns, max: 100ms, alpha: 1e-300}}",
  "{pareto: {min: 1ms, max: 100ms, alpha: 1e-17}}",
  "{pareto: {min: 1ms, max: 100ms, alpha: 100}}",
  "{empirical: {values: [0s, 10ms], weights: [1e-300, 1e-300]}}",
];

for (const law of LAWS) {
  Deno.test(`simulate() answers every request when service is ${law}`, () => {
    const study = studyFrom(`
balancer: {backends: 2, health_check: {type: none}}
duration: 2s
workload: {arrivals: {poisson: {rate: 20/s}}}
service: ${law}
`);
    const result = new Replicator(study).run({ variant: 0, replication: 0 });
    const text = JSON.stringify(result, (_key, value) => {
      assert.ok(typeof value !== "number" || Number.isFinite(value), `${value}`);
      return value;
    });
    const { requests } = JSON.parse(text);
    assert.ok(requests.offered > 0 && requests.done === requests.offered, JSON.stringify(requests));
  });
}
