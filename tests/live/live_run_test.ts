import assert from "node:assert/strict";
import { NS_PER_MS } from "../../lib/base/mod.ts";
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

Deno.test("runLive() does the work that simulate() does with the same seed", async () => {
  const scenario = studyFrom(SMALL).variants[0]!.scenario as ReadyScenario;
  const seed = replicationSeed(1, 0);
  const simulated = simulate(scenario, seed);
  const { result } = await runLive(scenario, seed, {
    signal: new AbortController().signal,
    series: true,
  });
  assert.deepEqual(result.requests, simulated.requests);
  assert.deepEqual(
    result.backends.map(({ done }) => done),
    simulated.backends.map(({ done }) => done),
    "the same requests went to the same backends",
  );
  // No request can be faster than its work. How much slower it is depends on the machine.
  assert.ok(result.sojourn.sum >= simulated.sojourn.sum - NS_PER_MS, `${result.sojourn.sum}`);
  assert.equal(result.series!.backends.length, 3);
});

Deno.test("runLive() ends at once when it is aborted, and leaves nothing open", async () => {
  const scenario = studyFrom(SMALL).variants[0]!.scenario as ReadyScenario;
  const stop = new AbortController();
  const running = runLive(scenario, 1, {
    signal: stop.signal,
    series: false,
    progress: () => stop.abort(new Error("stopped")),
  });
  await assert.rejects(running, /stopped/);
});

const IMPOSSIBLE: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ["10,000 backends", "balancer: {backends: 10000}", /10000 backends on one machine/],
  ["virtual hours", "balancer: {backends: 3}\nduration: 5h", /take 5h, more than 1h/],
  ["a rate beyond this machine", "balancer: {backends: 3}\nservice: 1ms", /2400 requests\/s/],
  ["a warm-up that a pilot run finds", "balancer: {backends: 3}\nwarmup: auto", /pilot run/],
  ["a million balancers", "balancer: {backends: 3}\nload_balancers: 1000", /1000 load balancers/],
];

for (const [what, text, says] of IMPOSSIBLE) {
  Deno.test(`requireFeasible() refuses ${what}, with the reason`, () => {
    const study = studyFrom(`${text}\nreplications: 1\n`);
    assert.throws(() => requireFeasible(study, 3600e9), says);
  });
}
