import { childSeed, type Nanoseconds } from "../lib/core/mod.ts";
import type { Scenario } from "../lib/scenario/types.ts";
import { warmupLength } from "../lib/stats/mser.ts";
import { simulate } from "./simulate.ts";

/** A scenario whose warm-up is known. */
export type ReadyScenario = Scenario & { readonly warmup: Nanoseconds };

/**
 * The seed of a replication. It depends on nothing but the scenario's seed and the replication's number,
 * so a replication is the same in whichever variant, job or shard it runs: variants meet the same
 * arrivals and the same jobs.
 */
export function replicationSeed(seed: number, replication: number): number {
  return childSeed(seed, "replication", replication);
}

/**
 * Resolves `warmup: auto` by a pilot run without faults: the time after which the mean sojourn is as
 * steady as it gets (MSER-5), at most half of the run. Depends on scenario and seed alone.
 */
export function withWarmup(scenario: Scenario, seed: number): ReadyScenario {
  const { warmup } = scenario;
  if (warmup !== "auto") return { ...scenario, warmup };
  const pilot = simulate({ ...scenario, warmup: 0, faults: [] }, childSeed(seed, "pilot"), {
    series: true,
  });
  const { interval, meanSojourn } = pilot.series!;
  let last = 0;
  const steady = meanSojourn.map((value) => last = value ?? last);
  return { ...scenario, warmup: warmupLength(steady) * interval };
}
