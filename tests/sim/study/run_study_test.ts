import assert from "node:assert/strict";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { Forecast } from "../../../sim/study/forecast.ts";
import { byVariant, type Progress, runStudy } from "../../../sim/study/run_study.ts";
import { mergeShards, parseShard } from "../../../sim/study/shard.ts";
import { simulate } from "../../../sim/mod.ts";
import { summarise } from "../../../sim/study/summary.ts";
import { WorkerPool } from "../../../sim/threads/workers.ts";
import { LocalExecutor, studyFrom } from "../study.ts";
import { observer } from "../../support/events.ts";

const MAIN = new URL("../../../main.ts", import.meta.url).href;

const TEXT = `
balancer: {backends: 3}
duration: 5s
warmup: auto
replications: 4
compare: {balancer.algorithm: [random, least-connections]}
`;

Deno.test("runStudy() gives the same bytes on one thread, on several, and in workers", async () => {
  const study = studyFrom(TEXT);
  const one = JSON.stringify(await runStudy(study, new LocalExecutor(study)));
  assert.equal(JSON.stringify(await runStudy(study, new LocalExecutor(study, 3))), one);
  using pool = new WorkerPool(MAIN, 2, study);
  assert.equal(JSON.stringify(await runStudy(study, pool)), one);
});

Deno.test("WorkerPool starts no more threads than there are cores or runs", async () => {
  const cores = navigator.hardwareConcurrency;
  const many = studyFrom(TEXT, ["duration=1s", `replications=${2 * cores}`]);
  using pool = new WorkerPool(MAIN, 64, many);
  assert.equal(pool.threads, 0);
  await runStudy(many, pool);
  assert.equal(pool.threads, Math.min(cores, 64));
  const one = studyFrom("balancer: {backends: 1}\nduration: 1s\nreplications: 1\n");
  using lone = new WorkerPool(MAIN, 64, one);
  await runStudy(one, lone);
  assert.equal(lone.threads, 1);
});

Deno.test("runStudy() in parts, merged in any order, gives the same bytes", async () => {
  const study = studyFrom(TEXT);
  const whole = summarise(study, byVariant(study, await runStudy(study, new LocalExecutor(study))));
  const shards = await Promise.all([3, 1, 2].map(async (index) => {
    const shard = { index, of: 3 };
    const results = await runStudy(study, new LocalExecutor(study), { shard });
    const text = JSON.stringify({
      lbsim: "1.0.0",
      shard,
      inputs: study.inputs,
      wall_s: index,
      results,
    });
    return { file: `part${index}.json`, shard: parseShard(`part${index}.json`, text) };
  }));
  const merged = mergeShards("1.0.0", shards);
  assert.equal(merged.wallSeconds, 6);
  const summary = summarise(merged.study, byVariant(merged.study, merged.results));
  assert.equal(JSON.stringify(summary), JSON.stringify(whole));
  const wrong = (files: typeof shards, version = "1.0.0") => () => mergeShards(version, files);
  assert.throws(wrong(shards.slice(1)), /1 of 3 shards are missing: 3/);
  assert.throws(wrong([shards[0]!, ...shards]), /is shard 3 of 3, as is part3\.json/);
  assert.throws(wrong(shards, "2.0.0"), /was written by lbsim 1\.0\.0, and this is 2\.0\.0/);
  const other = studyFrom(TEXT, ["seed=2"]);
  const stranger = { ...shards[1]!, shard: { ...shards[1]!.shard, inputs: other.inputs } };
  assert.throws(wrong([shards[0]!, stranger, shards[2]!]), /belongs to another study than/);
});

Deno.test("parseShard() refuses a file that --shard did not write", () => {
  assert.throws(() => parseShard("x.json", "no"), /x\.json: is not JSON/);
  assert.throws(() => parseShard("x.json", "{}"), /was not written by `lbsim sim --shard`/);
  assert.throws(() => parseShard("x.json", "null"), /was not written by `lbsim sim --shard`/);
});

Deno.test("runStudy() with `precision` runs until the result is precise enough, or max_replications are reached", async () => {
  const precision = (relative: string, max = 200) =>
    studyFrom(TEXT, [
      `precision={metric: mean_ms, relative: ${relative}, max_replications: ${max}}`,
    ]);
  const runs = async (study: ReturnType<typeof studyFrom>) =>
    (await runStudy(study, new LocalExecutor(study))).length / 2;
  const [rough, fine] = [await runs(precision("50%")), await runs(precision("8%"))];
  assert.ok(rough < fine && fine < 200, `${rough} < ${fine}`);
  assert.equal(await runs(precision("0.01%", 12)), 12);
});

Deno.test("runStudy() stops when its signal is aborted", async () => {
  const study = studyFrom(TEXT);
  const stopping = new AbortController();
  const executor = new LocalExecutor(study);
  const progress = ({ done }: Progress) => {
    if (done === 2) stopping.abort(new Error("enough"));
  };
  await assert.rejects(
    runStudy(study, executor, { signal: stopping.signal, progress }),
    /enough/,
  );
  assert.ok(executor.tasks.length < 8);
  await assert.rejects(
    runStudy(study, executor, { signal: AbortSignal.abort(new Error("too late")) }),
    /too late/,
  );
});

Deno.test("Forecast shows the remaining time, except for a study that is about to end", () => {
  const forecast = new Forecast(10 * NS_PER_S);
  const line = (seconds: number, done: number, total: number, columns = 52) =>
    forecast.line({ done, total }, (10 + seconds) * NS_PER_S, columns);
  assert.equal(line(1, 10, 15), undefined);
  assert.equal(line(3, 10, 40), "25 %, 10 of 40 runs, 3.33 a second, about 9 s left");
  assert.equal(line(60, 10, 400), "2 %, 10 of 400 runs, 0.167 a second, about 39 min left");
  assert.equal(line(60, 400, 400), undefined);
  assert.equal(
    line(3, 10, 40, 61),
    "██░░░░░░  25 %, 10 of 40 runs, 3.33 a second, about 9 s left",
  );
  for (const columns of [54, 60, 80, 200]) {
    assert.ok(line(3, 10, 40, columns)!.length < columns, `${columns}`);
  }
});

Deno.test("runStudy() measures all variants over the same window, also with `warmup: auto`", async () => {
  const study = studyFrom(`
balancer: {backends: 5, health_check: {type: none}}
duration: 20s
warmup: auto
replications: 1
workload: {arrivals: {poisson: {load: 97%}}}
compare: {balancer.algorithm: [random, round-robin, least-connections, power-of-two]}
`);
  const results = await runStudy(study, new LocalExecutor(study));
  const [{ result: { window, requests } }] = results as [typeof results[number]];
  assert.ok(window.from > 0 && window.from <= 10e9, `${window.from}`);
  for (const { result } of results) {
    assert.deepEqual(result.window, window);
    assert.equal(result.requests.offered, requests.offered);
  }
});

for (const algorithm of ["source-hash", "ring-hash", "maglev"]) {
  const text = `
balancer: {backends: 5, algorithm: ${algorithm}, health_check: {type: none}}
duration: 5s
replications: 6
workload: {arrivals: {poisson: {load: 50%}}, clients: {count: 20}}
`;
  const shares = async (set: readonly string[]) => {
    const study = studyFrom(text, set);
    const results = await runStudy(study, new LocalExecutor(study));
    return results.map(({ result: { backends } }) =>
      backends.map(({ share }) => Math.round(5 * share))
    );
  };

  Deno.test(`${algorithm} places clients differently in every replication, unless hash_placement is fixed`, async () => {
    const [redrawn, again, fixed] = [
      await shares([]),
      await shares(["seed=2"]),
      await shares(["hash_placement=fixed"]),
    ];
    const different = new Set([...redrawn, ...again].map(String));
    assert.ok(different.size >= 6, [...different].join("; "));
    assert.ok(new Set(fixed.map(String)).size <= 3, fixed.join("; "));
  });

  Deno.test(`${algorithm} places a client on the same backend at all balancers of a replication`, () => {
    const study = studyFrom(text, ["load_balancers=3", "replications=1", "duration=20s"]);
    const owners = new Map<string, Set<string>>();
    const { scenario } = study.variants[0]!;
    simulate({ ...scenario, warmup: 0 }, 1, {
      observe: observer((event) => {
        if (event.type !== "connection_opened") return;
        const { client, backend } = event;
        owners.set(client, (owners.get(client) ?? new Set()).add(backend));
      }),
    });
    assert.equal(owners.size, 20);
    for (const [client, backends] of owners) assert.equal(backends.size, 1, client);
  });
}
