/** What tests/sim/random_test.ts does to 500 scenarios, to ten thousand. */
import { checkRandomScenarios } from "../sim/random_scenarios.ts";

Deno.test("simulate() keeps every invariant in ten thousand random scenarios", async () => {
  await checkRandomScenarios(10_000);
});
