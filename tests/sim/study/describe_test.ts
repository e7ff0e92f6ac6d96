import assert from "node:assert/strict";
import { describeScenarios } from "../../../sim/study/mod.ts";
import { studyFrom } from "../study.ts";
import { parseStudy } from "../../../lib/scenario/study.ts";

function described(yaml: string): string {
  const { variants } = studyFrom(`balancer: {backends: 2}\nduration: 2s\n${yaml}`);
  return describeScenarios(variants.map(({ scenario }) => scenario));
}

Deno.test("describeScenarios() names arrivals, service law, slots and requests per connection", () => {
  assert.equal(
    described(
      "workload: {arrivals: {poisson: {rate: 90/s}}, requests_per_connection: 3}\n" +
        "service: {lognormal: {mean: 10ms, sigma: 1}}\nservers: {default: {slots: 4}}\n",
    ),
    "Poisson arrivals, 90.0 connections/s; service lognormal, mean 10ms, sigma 1.00; " +
      "4 slots per backend; 3 requests per connection",
  );
  assert.equal(
    described(
      "workload: {arrivals: {closed: {clients: 9, think: 1s}}}\nservice: 5ms\n" +
        "servers: {B1: {slots: 2}}\n",
    ),
    "9 clients in a closed loop, think time always 1s; service always 5ms; " +
      "1 to 2 slots per backend; 1 request per connection",
  );
});

Deno.test("describeScenarios() names the service times of a trace instead of a law that is not used", () => {
  const of = (trace: string) => {
    const { variants } = parseStudy({
      scenario: {
        file: "x.yaml",
        text: "balancer: {backends: 2}\nworkload: {arrivals: {trace: t.csv}}\nservice: 50ms\n",
      },
      files: { "t.csv": { file: "t.csv", text: trace } },
      set: [],
    });
    return describeScenarios(variants.map(({ scenario }) => scenario));
  };
  assert.match(of("at,service\n0,1ms\n1,2ms\n"), /; service times of the trace; 1 slot/);
  assert.match(
    of("at,service\n0,1ms\n1,\n"),
    /; service times of the trace, otherwise always 50ms; 1 slot/,
  );
  assert.match(of("at\n0\n1\n"), /; service always 50ms; 1 slot/);
});

Deno.test("describeScenarios() says which part differs between variants", () => {
  assert.match(
    described("compare: {workload.arrivals.poisson.load: [50%, 80%]}\n"),
    /^arrivals differ; service exponential, mean 10ms; 1 slot per backend; 1 request/,
  );
});
