/** Scenarios by lot, with everything checked after every event; ten thousand of them every night. */
import { checkRandomScenarios } from "./random_scenarios.ts";

Deno.test("simulate() keeps every invariant in random scenarios", async () => {
  await checkRandomScenarios(500);
});
