/**
 * A swarm: random lives of a scheduler, each with a subset of features, weights and faults of its own,
 * drawn from one seed. Connects fail, connections close, probes change their mind, operators drain and
 * reload, backends come and go, the store of sessions is down. Whatever happens, the books must balance.
 */
import fc from "fast-check";
import {
  ALGORITHM_NAMES,
  type AlgorithmOptions,
  childSeed,
  createRandom,
  type Random,
} from "../../../lib/core/mod.ts";
import { type Action, ACTIONS, type Settings, World } from "../../support/scheduler_world.ts";

const RUNS = 1000;
const STEPS_PER_RUN = 2000;
const STEPS_PER_CHECK = 20;

const ALGORITHMS: readonly AlgorithmOptions[] = [
  ...ALGORITHM_NAMES.map((name) => ({ name }) as AlgorithmOptions),
  { name: "power-of-two", choices: 3 },
  { name: "ring-hash", points: 10, boundedLoad: 1.25 },
  { name: "maglev", tableSize: 101, boundedLoad: 2 },
];

/** Settings of every kind, and in each run other ones wildly exaggerated or switched off. */
function drawSettings(random: Random): Settings {
  const below = (count: number) => Math.floor(random.next() * count);
  const chance = (probability: number) => random.next() < probability;
  return {
    algorithm: ALGORITHMS[below(ALGORITHMS.length)]!,
    backends: Array.from({ length: below(8) }, () => ({
      weight: chance(0.1) ? 0 : 1 + below(5),
      backup: chance(0.2),
      maxConnections: chance(0.4) ? 1 + below(6) : undefined,
      mode: chance(0.9) ? "ready" : chance(0.5) ? "drain" : "maintenance",
    })),
    sticky: chance(0.3) ? undefined : {
      by: "client-address",
      ipv4Prefix: chance(0.5) ? 32 : 24,
      ipv6Prefix: chance(0.5) ? 128 : 64,
      ttl: 1 + below(chance(0.5) ? 20 : 500),
      maxEntries: 1 + below(chance(0.5) ? 5 : 100),
      onFailback: chance(0.5) ? "return" : "stay",
      drain: chance(0.5) ? "move" : "allow",
    },
    rise: 1 + below(3),
    fall: 1 + below(3),
    retries: below(5),
    connections: chance(0.2) ? 1 + below(10) : 1000,
    perClient: chance(0.2) ? 1 + below(4) : undefined,
    queue: chance(0.4) ? { length: 1 + below(20), timeout: 1 + below(100) } : undefined,
    ejection: chance(0.4)
      ? { failures: 1 + below(3), base: 1 + below(50), max: 100, maxShare: random.next() }
      : undefined,
    slowStart: chance(0.4)
      ? { duration: 1 + below(200), floor: Math.max(0.01, random.next()) }
      : undefined,
    tryAnyway: chance(0.2),
    clients: 1 + below(chance(0.5) ? 5 : 200),
    seed: below(2 ** 31),
  };
}

/** The settings that a reload brings. */
function redraw(seed: number): Settings {
  return drawSettings(createRandom(seed));
}

/** How often things happen, compared with each other. */
const FREQUENCIES: Readonly<Record<Action, number>> = {
  "connect": 40,
  "connected": 25,
  "connect fails": 8,
  "driver refuses": 1,
  "client leaves": 2,
  "connection ends": 20,
  "leaves the queue": 2,
  "probe succeeds": 20,
  "probe fails": 6,
  "mode": 3,
  "add": 1,
  "remove": 1,
  "reload": 1,
  "store opens": 2,
  "store writes": 10,
  "store fails": 1,
  "another balancer pins": 2,
  "wait": 1,
};

/** In each run some things happen far more often than others, and some not at all. */
function drawActions(random: Random): Action[] {
  return ACTIONS.flatMap((action) => {
    const often = random.next() < 0.1 ? 0 : 4 ** (2 * random.next() - 1);
    return Array<Action>(Math.round(FREQUENCIES[action] * often)).fill(action);
  });
}

/** A whole life. Everything in it follows from its seed. */
function live(seed: number): void {
  const settings = drawSettings(createRandom(childSeed(seed, "settings")));
  const actions = drawActions(createRandom(childSeed(seed, "actions")));
  const random = createRandom(childSeed(seed, "steps"));
  const world = new World(settings, redraw);
  for (let step = 1; step <= STEPS_PER_RUN; step++) {
    const action = actions[Math.floor(random.next() * actions.length)]!;
    world.step({ action, which: random.next(), how: random.next() });
    if (step % STEPS_PER_CHECK === 0) world.check();
  }
  world.finish();
}

Deno.test("Scheduler keeps its books in a swarm of a thousand lives, each with features, faults and outages of its own", () => {
  // The seeds are the same in every run, so that a failure is one for everybody.
  for (let seed = 1; seed <= RUNS; seed++) {
    try {
      live(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
});

Deno.test("Scheduler keeps its books through short lives, the shortest of which is shown", () => {
  const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const settings = fc.integer().map(redraw);
  const step = fc.record({ action: fc.constantFrom(...ACTIONS), which: unit, how: unit });
  const steps = fc.array(step, { maxLength: 150, size: "max" });
  fc.assert(
    fc.property(settings, steps, (settings, steps) => {
      const world = new World(settings, redraw);
      for (const step of steps) {
        world.step(step);
        world.check();
      }
      world.finish();
    }),
    { numRuns: 300 },
  );
});
