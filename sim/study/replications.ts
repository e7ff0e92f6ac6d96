import { childSeed, finished, type Nanoseconds } from "../../lib/base/mod.ts";
import type { Scenario } from "../../lib/scenario/types.ts";
import { warmupLength } from "../../lib/stats/mod.ts";
import { Simulation } from "./simulate.ts";

/** A scenario with a known warm-up. */
export type ReadyScenario = Scenario & { readonly warmup: Nanoseconds };

/** A scenario with its warm-up: see `withWarmups`. */
export function withWarmup(scenario: Scenario, seed: number): ReadyScenario {
  return withWarmups([scenario], seed)[0]!;
}

/**
 * Scenarios to compare, each with its warm-up. With `auto`, all scenarios of the same length get the same warm-up,
 * the longest that one of them needs. So their differences concern the same requests. Depends only on the scenarios
 * and the seed.
 */
export function withWarmups(scenarios: readonly Scenario[], seed: number): ReadyScenario[] {
  return finished(warmupsInPieces(scenarios, seed, Infinity));
}

/** As `withWarmups`, with a pause after each batch of events of a pilot run. */
export function* warmupsInPieces(
  scenarios: readonly Scenario[],
  seed: number,
  events: number,
): Generator<void, ReadyScenario[]> {
  const longest = new Map<string, Nanoseconds>();
  for (const scenario of scenarios) {
    if (scenario.warmup !== "auto") continue;
    const key = JSON.stringify(scenario.end);
    const own = yield* pilotWarmup(scenario, seed, events);
    longest.set(key, Math.max(longest.get(key) ?? 0, own));
  }
  return scenarios.map((scenario) => {
    const { warmup, end } = scenario;
    return { ...scenario, warmup: warmup === "auto" ? longest.get(JSON.stringify(end))! : warmup };
  });
}

/**
 * A pilot run without faults finds the time after which the mean sojourn time is steady (MSER-5). It is at most half
 * of the run.
 */
function* pilotWarmup(
  scenario: Scenario,
  seed: number,
  events: number,
): Generator<void, Nanoseconds> {
  const pilot = new Simulation(
    { ...scenario, warmup: 0, faults: [], changes: [] },
    childSeed(seed, "pilot"),
    { series: true },
  );
  while (!pilot.isOver) {
    pilot.advance(Infinity, events);
    yield;
  }
  const { interval, meanSojourn } = pilot.result().series!;
  let last = 0;
  const steady = meanSojourn.map((value) => last = value ?? last);
  return warmupLength(steady) * interval;
}
