/** What tests/lib/core/swarm_test.ts does to eight hundred lives, to ten thousand. */
import { swarm } from "../support/swarm/swarm.ts";

Deno.test("Scheduler does what its books say in a swarm of ten thousand lives", () =>
  swarm(10_000));
