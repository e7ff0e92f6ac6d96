/** The same as tests/sim/random_test.ts, with ten thousand scenarios instead of 500. */
import { checkRandomScenarios } from "../sim/random_scenarios.ts";

Deno.test("simulate() keeps every invariant in ten thousand random scenarios", async () => {
  await checkRandomScenarios(10_000);
});
