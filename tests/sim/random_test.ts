/** Random scenarios, checked after every event. Every night ten thousand of them are checked. */
import { checkRandomScenarios } from "./random_scenarios.ts";

Deno.test("simulate() keeps every invariant in random scenarios", async () => {
  await checkRandomScenarios(500);
});
