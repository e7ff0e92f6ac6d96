/**
 * Random lives of a scheduler, each with its own features, weights and faults, drawn from one seed. Connects fail,
 * connections close, results of probes change, operators drain and reload, backends are added and removed, the session
 * store is down. In all cases, the scheduler must agree with books: separate code that computes the same counts.
 */
import fc from "fast-check";
import { createRandom } from "../../../lib/base/mod.ts";
import { ACTIONS, Life } from "../../support/swarm/life.ts";
import { drawSettings } from "../../support/swarm/settings.ts";
import { swarm } from "../../support/swarm/swarm.ts";

Deno.test("Scheduler agrees with separate bookkeeping in eight hundred random lives", () =>
  swarm(800));

Deno.test("Scheduler agrees with separate bookkeeping in short random lives; if one fails, the shortest is shown", () => {
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
