import assert from "node:assert/strict";
import {
  Demo,
  type DemoEvent,
  demoScenario,
  type DemoSummary,
  problemsOf,
} from "../../live/demo.ts";
import { NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import { loadStudy } from "../../lib/files/load_study.ts";
import { monotonicNow } from "../../lib/io/mod.ts";

const GOOD: DemoSummary = {
  ...{ algorithm: "random", duration_ms: 20_000, interrupted: false, connections: 9, backends: [] },
  ...{ answers: 9, client_errors: 2, client_errors_unavoidable: 2, failed_over: 1 },
  ...{ detection_ms: 1, detection_bound_ms: 2, failback_ms: 1, failback_bound_ms: 2 },
  ...{ latency_ms: { p50: 1, p99: 1, max: 1 }, ok: true },
};

Deno.test("problemsOf() returns only the problems that occurred", () => {
  assert.deepEqual(problemsOf(GOOD), []);
  assert.deepEqual(problemsOf({ ...GOOD, failback_ms: null }), ["B2 was not marked as up again"]);
  assert.deepEqual(problemsOf({ ...GOOD, detection_ms: null, client_errors: 3 }), [
    "1 request got no answer, although the balancer could have sent it to another backend",
    "B2 was not marked as down",
  ]);
  const early = { ...GOOD, interrupted: true, detection_ms: null, failback_ms: null };
  assert.deepEqual(problemsOf(early), []);
  assert.deepEqual(problemsOf({ ...early, answers: 0, client_errors: 4 }), [
    "no request got an answer",
    "2 requests got no answer, although the balancer could have sent them to another backend",
  ]);
});

Deno.test("Demo waits for the failback that it announced, even if the machine is busy until its end", async () => {
  const types: string[] = [];
  const now = monotonicNow;
  // With this duration, the crash is detected before the return, also on a busy machine.
  const duration = 3000 * NS_PER_MS;
  let begun = 0;
  const report = ({ type }: DemoEvent) => {
    types.push(type);
    if (type === "started") begun = now();
    // Keeps the thread busy until after the end of the demo, so that no probe and no timer can run.
    while (type === "returned" && now() < begun + 1.1 * duration);
  };
  const { signal } = new AbortController();
  // With `finished`, the summary does not wait for requests that are in progress.
  const finished = () => Promise.resolve();
  const options = { algorithm: "random", duration, now, seed: 1, signal, finished } as const;
  const summary = await new Demo(options, report, () => {}).run();
  assert.ok(types.includes("failed_back"), `${types}`);
  assert.ok(summary!.failback_ms !== null);
});

Deno.test("demoScenario() is the scenario of examples/, whose times change with the duration", async () => {
  const { pathname } = new URL("../../examples/crash-and-return.yaml", import.meta.url);
  const { scenario } = (await loadStudy(pathname, [])).variants[0]!;
  assert.deepEqual(demoScenario("round-robin", 20 * NS_PER_S), scenario);
  const short = demoScenario("random", 8 * NS_PER_S);
  assert.deepEqual(short.end, { duration: 8 * NS_PER_S });
  const [fault] = short.faults;
  assert.deepEqual([fault!.at, fault!.for], [2.4 * NS_PER_S, 2.4 * NS_PER_S]);
  assert.equal(short.balancer.healthCheck.interval, 200 * NS_PER_MS);
  assert.equal(short.balancer.algorithm.name, "random");
  const long = demoScenario("random", 60 * NS_PER_S);
  assert.equal(long.balancer.healthCheck.interval, 500 * NS_PER_MS);
  assert.equal(long.faults[0]!.at, 18 * NS_PER_S);
});

Deno.test("Demo ends without a summary if it is stopped before its balancer listens", async () => {
  const signal = AbortSignal.abort();
  const duration = 4 * NS_PER_S;
  const options = { algorithm: "random", duration, now: monotonicNow, seed: 1, signal } as const;
  assert.equal(await new Demo(options, () => {}, () => {}).run(), undefined);
});
