import assert from "node:assert/strict";
import { byVariant, runStudy } from "../../sim/run_study.ts";
import { summarise } from "../../sim/summary.ts";
import { LocalExecutor, studyFrom } from "./study.ts";

async function summaryOf(text: string, set: readonly string[] = []) {
  const study = studyFrom(text, set);
  return summarise(study, byVariant(study, await runStudy(study, new LocalExecutor(study))));
}

const PLAIN = `
balancer: {backends: 2, health_check: {type: none}}
workload: {arrivals: {poisson: {load: 50%}}}
duration: 200s
replications: 8
`;

Deno.test("summarise() prints what theory knows beside what was measured, and they agree", async () => {
  const models: readonly [set: readonly string[], model: string][] = [
    [["balancer.algorithm=random"], "M/M/1"],
    [["balancer.algorithm=round-robin"], "E2/M/1"],
    [["balancer.algorithm=least-connections"], "JSQ(2)"],
    [["balancer.backends=1", "servers.default.slots=3"], "M/M/3"],
    [["balancer.backends=1", "service=10ms"], "M/D/1"],
    [["balancer.algorithm=random", "service.lognormal={mean: 10ms, sigma: 1}"], "M/G/1, c² = 1.72"],
    [["balancer.backends=1", "servers.default={discipline: processor-sharing}"], "M/G/1-PS"],
    [["balancer.backends=1", "servers.default={queue: 2}"], "M/M/1/3"],
    [
      ["balancer.backends=1", "workload.arrivals.closed={clients: 5, think: {exponential: 20ms}}"],
      "M/M/1//5",
    ],
  ];
  for (const [set, model] of models) {
    const { variants: [variant] } = await summaryOf(PLAIN, set);
    assert.ok(variant!.theory.length > 0, model);
    for (const { model: name, metric, value, measured } of variant!.theory) {
      assert.equal(name, model);
      const half = measured.high! - measured.value!;
      assert.ok(half < 0.2 * value, `${model} ${metric}: ± ${half} is too noisy`);
      assert.ok(
        Math.abs(measured.value! - value) < 2 * half + 1e-9,
        `${model} says ${metric} ${value}, measured ${measured.value} ± ${half}`,
      );
    }
  }
});

Deno.test("summarise() claims no theory where the model is another", async () => {
  const others = [
    "network.latency=1ms",
    "workload.timeout=1s",
    "servers.B1.speed=2",
    "balancer.backends=[{id: B1}, {id: B2, weight: 2}]",
    "faults=[{at: 1s, for: 1s, backend: B1, kind: crash}]",
    "load_balancers=2",
    "workload.requests_per_connection=2",
    "balancer.sticky={}",
  ];
  for (const set of others) {
    const { variants: [variant] } = await summaryOf(PLAIN, [set, "duration=5s", "replications=1"]);
    assert.deepEqual(variant!.theory, [], set);
  }
});

Deno.test("summarise() names the winner by errors first, then by p99", async () => {
  const compare = "compare: {balancer.algorithm: [random, round-robin, least-connections]}";
  const { winner, paired } = await summaryOf(`${PLAIN}\n${compare}`);
  assert.equal(winner, "least-connections");
  const difference =
    paired.find(({ a, b, metric }) =>
      a === "random" && b === "least-connections" && metric === "p99_ms"
    )!.difference;
  assert.ok(difference.low! > 0);
  assert.equal(paired.length, 3 * 3);
  const sinkhole = await summaryOf(`
balancer: {backends: 2}
workload: {arrivals: {poisson: {load: 80%}}}
faults: [{at: 0s, backend: B1, kind: {fast-errors: 100%}}]
duration: 20s
replications: 4
compare: {balancer.algorithm: [least-connections, round-robin]}
`);
  assert.equal(sinkhole.winner, "round-robin");
  assert.equal((await summaryOf(PLAIN, ["duration=1s"])).winner, null);
});

Deno.test("summarise() recognises overload, of all and of one", async () => {
  const { variants: [over] } = await summaryOf(PLAIN, [
    "workload.arrivals.load=120%",
    "duration=5s",
  ]);
  assert.deepEqual([over!.overloaded, over!.saturated], [true, []]);
  const { variants: [one] } = await summaryOf(PLAIN, [
    "workload.arrivals.load=75%",
    "servers.B1.speed=0.3",
  ]);
  assert.deepEqual([one!.overloaded, one!.saturated], [false, ["B1"]]);
  const { variants: [none] } = await summaryOf(PLAIN);
  assert.deepEqual([none!.overloaded, none!.saturated, none!.load], [false, [], 0.5]);
});

Deno.test("summarise() counts every request once", async () => {
  const { variants: [variant] } = await summaryOf(PLAIN, [
    "servers.default.queue=3",
    "workload.arrivals.load=95%",
    "workload.timeout=60ms",
    "faults=[{at: 30s, for: 30s, backend: B1, kind: {fail-rate: 20%}}]",
    "duration=90s",
  ]);
  const { offered, done, failed, refused, timed_out, unfinished } = variant!;
  assert.equal(offered, done + failed + refused + timed_out + unfinished);
  for (const count of [done, failed, refused, timed_out]) assert.ok(count > 0);
  const errors = (failed + refused + timed_out) / offered;
  assert.ok(Math.abs(variant!.errors.value! - errors) < 0.005);
});

Deno.test("summarise() holds expectations against the mean, or the worst", async () => {
  const text = `${PLAIN}
faults: [{at: 20s, for: 30s, backend: B1, kind: crash}]
`.replace("{type: none}", "{interval: 2s, timeout: 1s, fall: 3}").replace("200s", "60s");
  const { expectations, variants: [variant] } = await summaryOf(`${text}
expect:
  - mean_ms < 1
  - mean_ms < 10s
  - detection_ms(B1) < 7000
  - detection_ms(B1) < 1000
  - detection_ms(B1) > 1 * failback_ms
  - detection_ms(B2) < 7000
`);
  assert.deepEqual(expectations.map(({ holds }) => holds), [
    false,
    true,
    true,
    false,
    true,
    false,
  ]);
  assert.equal(expectations[2]!.value, variant!.detection_ms!.max);
  assert.ok(variant!.detection_ms!.value! < variant!.detection_ms!.max!);
});
