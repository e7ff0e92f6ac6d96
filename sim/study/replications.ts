import { childSeed, type Nanoseconds } from "../../lib/base/mod.ts";
import type { Scenario } from "../../lib/scenario/types.ts";
import { warmupLength } from "../../lib/stats/mod.ts";
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

/** A scenario with its warm-up: see `withWarmups`. */
export function withWarmup(scenario: Scenario, seed: number): ReadyScenario {
  return withWarmups([scenario], seed)[0]!;
}

/**
 * Scenarios that are compared, each with its warm-up. `auto` is the same for all that run equally long, the
 * longest that one of them needs: so their differences are of the same requests. Depends on scenarios and
 * seed alone.
 */
export function withWarmups(scenarios: readonly Scenario[], seed: number): ReadyScenario[] {
  const longest = new Map<string, Nanoseconds>();
  for (const scenario of scenarios) {
    if (scenario.warmup !== "auto") continue;
    const key = JSON.stringify(scenario.end);
    longest.set(key, Math.max(longest.get(key) ?? 0, pilotWarmup(scenario, seed)));
  }
  return scenarios.map((scenario) => {
    const { warmup, end } = scenario;
    return { ...scenario, warmup: warmup === "auto" ? longest.get(JSON.stringify(end))! : warmup };
  });
}

/**
 * A pilot run without faults finds the time after which the mean sojourn is as steady as it gets (MSER-5),
 * at most half of the run.
 */
function pilotWarmup(scenario: Scenario, seed: number): Nanoseconds {
  const pilot = simulate({ ...scenario, warmup: 0, faults: [] }, childSeed(seed, "pilot"), {
    series: true,
  });
  const { interval, meanSojourn } = pilot.series!;
  let last = 0;
  const steady = meanSojourn.map((value) => last = value ?? last);
  return warmupLength(steady) * interval;
}
