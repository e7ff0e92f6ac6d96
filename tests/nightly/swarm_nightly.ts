/** The same as tests/lib/core/swarm_test.ts, with ten thousand lives instead of eight hundred. */
import { swarm } from "../support/swarm/swarm.ts";

Deno.test("Scheduler does what separate bookkeeping says, in ten thousand random lives", () =>
  swarm(10_000));
