/** Whether the intervals keep what they promise. */
import assert from "node:assert/strict";
import { childSeed } from "../../lib/core/mod.ts";
import { estimateMean, pairedDifference } from "../../lib/stats/estimate.ts";
import { replicationSeed, simulate } from "../../sim/mod.ts";
import { roundRobin } from "../../sim/theory.ts";
import { meanSojourn } from "./oracle.ts";
import { queueing } from "./scenarios.ts";

const RUNS = 1000;
const REPLICATIONS = 6;
const LOAD = 0.4;

function scenario(name: "random" | "round-robin") {
  return queueing({
    n: 2,
    load: LOAD,
    algorithm: { name },
    end: { connections: 400 },
    warmup: 25e9,
  });
}

Deno.test("estimateMean() and pairedDifference() cover the truth as often as they say", () => {
  const [random, roundRobinOver] = [scenario("random"), scenario("round-robin")];
  const truth = 1 / (1 - LOAD);
  const difference = truth - roundRobin(2, LOAD).mean;
  const covered = { mean: 0, difference: 0 };
  for (let run = 0; run < RUNS; run++) {
    const seeds = Array.from(
      { length: REPLICATIONS },
      (_, r) => replicationSeed(childSeed(run, "coverage"), r),
    );
    const [a, b] = [random, roundRobinOver].map((one) =>
      seeds.map((seed) => meanSojourn(simulate(one, seed)))
    ) as [number[], number[]];
    const mean = estimateMean(a);
    const paired = pairedDifference(a, b);
    if (mean.low <= truth && truth <= mean.high) covered.mean++;
    if (paired.low <= difference && difference <= paired.high) covered.difference++;
  }
  // Four standard deviations of a binomial count around 95 %.
  const slack = 4 * Math.sqrt(0.95 * 0.05 / RUNS);
  for (const [name, count] of Object.entries(covered)) {
    const share = count / RUNS;
    assert.ok(Math.abs(share - 0.95) < slack, `${name}: ${share} of the intervals cover`);
  }
});
