import assert from "node:assert/strict";
import { byVariant, runStudy } from "../../../sim/study/run_study.ts";
import { summarise } from "../../../sim/study/summary.ts";
import { LocalExecutor, studyFrom } from "../study.ts";

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

Deno.test("summarise() shows theory beside the measured values, and they agree", async () => {
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

Deno.test("summarise() shows no theory if an assumption of the model is not true", async () => {
  const others = [
    "network.latency=1ms",
    "overheads={connect: 1ms}",
    "overheads={relay_connection: 2ms}",
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

Deno.test("summarise() recognises overload of all backends, and of one backend", async () => {
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

Deno.test("summarise() finds no practical difference between variants whose runs are the same", async () => {
  const { comparisons, paired } = await summaryOf(
    `${PLAIN}\ncompare: {balancer.timeouts.connect: [1s, 2s]}`,
    ["duration=10s"],
  );
  assert.deepEqual(
    comparisons.map(({ verdict, lower }) => [verdict, lower]),
    [["no practical difference", { value: 0, low: 0, high: 0 }]],
  );
  for (const { metric, difference } of paired) {
    assert.deepEqual(difference, { value: 0, low: 0, high: 0 }, metric);
  }
});

Deno.test("summarise() calls a backend overloaded only if it has served enough requests", async () => {
  const text = `
balancer: {backends: 1000, algorithm: random, health_check: {type: none}}
workload: {arrivals: {poisson: {load: 60%}}}
service: {exponential: {mean: 10ms}}
duration: 300ms
replications: 1
`;
  const { variants: [short] } = await summaryOf(text);
  const [warning] = short!.warnings.filter((line) => line.includes("busy"));
  assert.ok(short!.saturated.length > 0);
  assert.match(warning!, /always busy: overloaded, or busy by chance/);
  assert.ok(!short!.warnings.some((line) => /(is|are) overloaded/.test(line)), warning);
  const { variants: [long] } = await summaryOf(PLAIN, [
    "workload.arrivals.load=75%",
    "servers.B1.speed=0.3",
  ]);
  assert.match(long!.warnings.join(), /B1 is overloaded: its queue grows/);
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

Deno.test("summarise() checks expectations with the mean; for times of faults, with the worst value", async () => {
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

Deno.test("summarise() warns if runs are too short for their load, and states a sufficient length", async () => {
  const text = `
balancer: {backends: 1, health_check: {type: none}}
workload: {arrivals: {poisson: {load: 90%}}}
`;
  const warnings = async (set: readonly string[]) =>
    (await summaryOf(text, set)).variants[0]!.warnings;
  const [warning] = await warnings([]);
  const long = /^the runs are too short .* Sufficient: duration: (\w+), or replications: (\d+)$/
    .exec(warning!)!;
  assert.deepEqual(await warnings([`duration=${long[1]}`]), []);
  assert.deepEqual(await warnings([`replications=${long[2]}`]), []);
  assert.deepEqual(await warnings(["workload.arrivals.load=60%"]), []);
  // These runs are so short that no number of replications is sufficient.
  const [hopeless] = await warnings(["duration=10s"]);
  assert.match(hopeless!, /too short .* Sufficient: duration: \w+$/);
  // In some of these runs the queue was never empty. This is chance, because the load is below 100
  // %.
  const [chance, ...rest] = await warnings(["workload.arrivals.load=98%"]);
  assert.match(chance!, /^the runs are too short .* Sufficient: duration: \w+$/);
  assert.deepEqual(rest, []);
  const [few] = await warnings(["workload.arrivals.load=10%", "duration=2s"]);
  assert.match(
    few!,
    /too short .*: there are too few requests for p99|too short .*a long queue needs/,
  );
});

Deno.test("summarise() counts a request without an answer as slower than every answer", async () => {
  const text = `
balancer: {backends: 2, health_check: {type: none}}
duration: 20s
replications: 4
workload: {arrivals: {poisson: {load: 150%}}, timeout: 50ms}
servers: {default: {abandoned: drop}}
service: {exponential: {mean: 20ms}}
expect: [p99_ms < 80, mean_ms < 80, p99_ms > 80, mean_ms > 80, max_ms < 80, wait_p99_ms < 80, answered_p99_ms < 80]
`;
  const { variants: [variant], expectations } = await summaryOf(text);
  assert.ok(variant!.errors.value! > 0.2);
  const { sojourn_ms, answered_ms } = variant!;
  assert.deepEqual([sojourn_ms.p99.value, sojourn_ms.mean.value], [null, null]);
  assert.ok(answered_ms.p99.value! > 40 && answered_ms.p99.value! <= 50);
  assert.deepEqual(expectations.map(({ holds }) => holds), [
    false,
    false,
    true,
    false,
    false,
    false,
    true,
  ]);
  assert.match(expectations[0]!.reason!, /^unknown: \d+ % of requests were not answered$/);
  assert.match(
    variant!.warnings[0]!,
    /^\d+ % of requests were not answered and count as slower than every answer.*p99 \d\d\.\d ms/,
  );
  // A few errors increase only the percentiles.
  const few = await summaryOf(PLAIN, ["workload.timeout=140ms"]);
  const { sojourn_ms: all, answered_ms: some, errors } = few.variants[0]!;
  assert.ok(errors.value! > 0 && errors.value! < 0.01, `${errors.value}`);
  assert.ok(all.p99.value! > some.p99.value!);
  assert.equal(all.mean.value, some.mean.value);
  assert.equal(all.max.value, null);
});

Deno.test("summarise() shows theory only if no limit or timeout had an effect, and warns otherwise", async () => {
  const one = (set: readonly string[]) =>
    summaryOf(PLAIN, ["balancer.backends=1", "duration=60s", ...set]);
  const warned = async (set: readonly string[], what: RegExp) => {
    const { variants: [variant] } = await one(set);
    assert.deepEqual(variant!.theory, [], set.join());
    assert.ok(variant!.warnings.some((text) => what.test(text)), `${variant!.warnings}`);
  };
  const { variants: [plain] } = await one([]);
  assert.equal(plain!.theory.length, 2);
  await warned(["balancer.limits.connections=2"], /^limits\.connections: 2 refused \d+ %/);
  await warned(
    ["balancer.timeouts.idle=1s", "service.exponential=2s", "workload.arrivals.load=60%"],
    /^timeouts\.idle: 1\.00 s ended \d+ % of requests/,
  );
  const full = [
    "servers.default={slots: 1, queue: 0}",
    "workload.arrivals.load=300%",
    "duration=120s",
  ];
  assert.deepEqual((await one(full)).variants[0]!.theory.map(({ model }) => model), ["M/M/1/1"]);
  const probed = "balancer.health_check={type: tcp, interval: 1s, timeout: 1s, fall: 2}";
  await warned([...full, probed], /^backends without a fault were marked as down/);
  for (
    const set of [
      "balancer.ejection={failures: 5}",
      "balancer.slow_start={duration: 10s}",
      "workload.retries.max=1",
      "balancer.limits.per_client={connections: 1000}",
    ]
  ) {
    const short = ["balancer.algorithm=random", "duration=5s", "replications=1"];
    const { variants: [variant] } = await summaryOf(PLAIN, [set, ...short]);
    assert.deepEqual(variant!.theory, [], set);
  }
});

Deno.test("summarise() warns if a result is not as precise as requested", async () => {
  const precision = (relative: string) =>
    summaryOf(PLAIN.replace(/replications.*/, ""), [
      "duration=5s",
      `precision={metric: mean_ms, relative: ${relative}, max_replications: 25}`,
    ]);
  const { variants: [vague] } = await precision("0.1%");
  assert.equal(vague!.replications, 25);
  assert.ok(vague!.confidence > 0.95);
  assert.ok(
    vague!.warnings.some((text) =>
      /^mean_ms has not reached the requested precision: ± \S+ % instead of ± 0\.10 % after 25/
        .test(text)
    ),
    `${vague!.warnings}`,
  );
  const { variants: [enough] } = await precision("50%");
  assert.deepEqual([enough!.replications, enough!.warnings.length], [20, 0]);
});

Deno.test("runStudy() does not treat a metric that is 0 in all runs as precise", async () => {
  const { variants: [variant] } = await summaryOf(PLAIN.replace(/replications.*/, ""), [
    "duration=1s",
    "precision={metric: errors, relative: 10%, max_replications: 25}",
  ]);
  assert.equal(variant!.replications, 25);
  assert.ok(
    variant!.warnings.some((text) => /^errors is 0 in all 25 replications .* unknown$/.test(text)),
    `${variant!.warnings}`,
  );
});

Deno.test("summarise() shows the maximum of all runs, without an interval", async () => {
  const study = studyFrom(PLAIN, ["duration=5s", "replications=4"]);
  const [results] = byVariant(study, await runStudy(study, new LocalExecutor(study)));
  const { variants: [variant] } = summarise(study, [results!]);
  const value = Math.max(...results!.map(({ sojourn }) => sojourn.max)) / 1e6;
  assert.deepEqual(variant!.sojourn_ms.max, { value, low: null, high: null });
  assert.ok(variant!.sojourn_ms.p999.value! <= value);
});

Deno.test("summarise(): an expectation that compares two unknown times does not hold", async () => {
  const { expectations } = await summaryOf(`
balancer: {backends: 2, health_check: {type: none}}
duration: 5s
replications: 2
workload: {arrivals: {poisson: {load: 150%}}, timeout: 50ms}
compare: {balancer.algorithm: [random, least-connections], workload.timeout: [50ms, 1h]}
expect:
  - "p99_ms[random, timeout=50ms] <= p99_ms[least-connections]"
  - "p99_ms[random, timeout=1h] < p99_ms[timeout=50ms]"
  - "mean_ms[random, timeout=1h] < mean_ms[timeout=50ms]"
`);
  assert.deepEqual(expectations.map(({ holds }) => holds), [false, true, false]);
  for (const { reason } of expectations) assert.match(reason!, /^unknown: /);
});

Deno.test("summarise() also warns if runs of a closed loop are too short, but never calls a closed loop overloaded", async () => {
  const closed = async (think: string, set: readonly string[]) => {
    const arrivals = `workload.arrivals={closed: {clients: 50, think: {exponential: ${think}}}}`;
    const { variants: [variant] } = await summaryOf(PLAIN, [
      ...["balancer.backends=1", "balancer.algorithm=random", "duration=5s", arrivals],
      ...set,
    ]);
    return variant!;
  };
  const { warnings: [short] } = await closed("500ms", []);
  // By the eigenvalues of the chain, the relaxation time is 0.25 s.
  const [, relaxation] = /^the runs are too short .* a long queue needs about ([\d.]+) s/.exec(
    short!,
  )!;
  assert.ok(0.25 < Number(relaxation) && Number(relaxation) < 0.5, relaxation);
  const { warnings: [after] } = await closed("500ms", ["warmup=1s", "duration=31s"]);
  assert.equal(after, undefined);
  const busy = await closed("10ms", []);
  assert.ok(busy.backends[0]!.utilisation.value! > 0.999);
  assert.deepEqual([busy.saturated, busy.warnings], [[], []]);
});

Deno.test("summarise() warns that runs are too short if they have no warm-up", async () => {
  const warnings = async (set: readonly string[]) =>
    (await summaryOf(PLAIN, ["duration=3s", "replications=60", ...set])).variants[0]!.warnings;
  assert.deepEqual(await warnings([]), []);
  const [cold] = await warnings(["warmup=0s"]);
  assert.match(cold!, /^the runs are too short/);
});

Deno.test("summarise() compares each variant with the best one, in per cent", async () => {
  const { comparisons, winner } = await summaryOf(`${PLAIN}
compare:
  balancer.algorithm: [random, least-connections, {name: power-of-two, choices: 2}]
`);
  assert.equal(winner, comparisons[0]!.best);
  const of = (name: string) => comparisons.find(({ other }) => other === name)!;
  assert.equal(of("random").verdict, "beats");
  const { value, low, high } = of("random").lower;
  assert.ok(0.2 < low! && low! < value! && value! < high! && high! < 0.7);
  // With two backends, power of two compares all of them, so it differs from least-connections only
  // in the order of ties.
  const alike = comparisons.find(({ other }) => other !== "random")!;
  assert.notEqual(alike.verdict, "beats");
});

Deno.test("summarise() compares the two sides of an expectation between variants that differ in nothing else", async () => {
  const { expectations, variants } = await summaryOf(`
balancer: {backends: 4, health_check: {type: none}}
duration: 10s
replications: 2
workload: {arrivals: {poisson: {load: 50%}}}
compare:
  balancer.algorithm: [random, least-connections]
  workload.arrivals.load: [50%, 90%]
expect: ["mean_ms[least-connections] < mean_ms[random]"]
`);
  const mean = (name: string) =>
    variants.find((variant) => variant.name === name)!.sojourn_ms.mean.value;
  assert.deepEqual(
    expectations.map(({ variant, bound, holds }) => [variant, bound, holds]),
    ["load=50%", "load=90%"].map((load) => [
      `least-connections, ${load}`,
      mean(`random, ${load}`),
      true,
    ]),
  );
});

Deno.test("summarise() warns only of connections that are long compared with the run", async () => {
  const warned = async (...set: string[]) => {
    const { variants: [variant] } = await summaryOf(PLAIN, [
      ...set,
      "service=10ms",
      "duration=60s",
      "warmup=6s",
      "replications=2",
    ]);
    return variant!.warnings.filter((warning) => warning.startsWith("a connection lasts"));
  };
  const long = "workload.requests_per_connection=100";
  const [outlasting] = await warned(long, "workload.think_time=2s");
  assert.match(
    outlasting!,
    /^a connection lasts about 199 s, which is longer than the run \(60\.0 s\).* about 17 % of/,
  );
  const [slow] = await warned(long, "workload.think_time=300ms");
  assert.match(slow!, /^a connection lasts about 30\.7 s, which is long compared with the run/);
  assert.deepEqual(await warned(long, "workload.think_time=50ms"), []);
  assert.deepEqual(
    await warned(
      long,
      "workload.think_time=2s",
      "workload.arrivals.closed={clients: 5, think: {exponential: 20ms}}",
    ),
    [],
  );
  assert.deepEqual(await warned(), []);
});
