/**
 * Random lives of a scheduler, each with a subset of features, weights and faults of its own, drawn from one seed.
 * Connects fail, connections close, probes change their mind, operators drain and reload, backends come and go,
 * the store of sessions is down. Whatever happens, the scheduler does what books that are kept apart from it say.
 */
import fc from "fast-check";
import { createRandom } from "../../../lib/base/mod.ts";
import { ACTIONS, Life } from "../../support/swarm/life.ts";
import { drawSettings } from "../../support/swarm/settings.ts";
import { swarm } from "../../support/swarm/swarm.ts";

Deno.test("Scheduler does what its books say in a swarm of eight hundred lives", () => swarm(800));

Deno.test("Scheduler does what its books say in short lives, the shortest of which is shown", () => {
  const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const settings = fc.integer().map((seed) => drawSettings(createRandom(seed)));
  const step = fc.record({ action: fc.constantFrom(...ACTIONS), which: unit, how: unit });
  const steps = fc.array(step, { maxLength: 150, size: "max" });
  fc.assert(
    fc.property(settings, steps, (settings, steps) => {
      const life = new Life(settings);
      for (const step of steps) {
        life.step(step);
        life.compareViews();
      }
      life.finish();
    }),
    { numRuns: 200 },
  );
});
