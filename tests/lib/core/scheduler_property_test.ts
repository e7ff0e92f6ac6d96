/**
 * A swarm: random lives of a scheduler, each with a subset of features, weights and faults of its own,
 * drawn from one seed. Connects fail, connections close, probes change their mind, operators drain and
 * reload, backends come and go, the store of sessions is down. Whatever happens, the books must balance.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  ALGORITHM_NAMES,
  type AlgorithmOptions,
  Arrival,
  type Lease,
  type Refusal,
  type Scheduler,
  Waiting,
} from "../../../lib/core/mod.ts";
import { childSeed, createRandom, type Random } from "../../../lib/base/mod.ts";
import {
  type Action,
  ACTIONS,
  optionsOf,
  type Settings,
  World,
} from "../../support/scheduler_world.ts";
import { schedulerOf } from "../../support/scheduling.ts";

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

/** One of two schedulers to which the same happens. */
class Twin {
  readonly scheduler: Scheduler;
  readonly emitted: ReturnType<typeof schedulerOf>["emitted"];
  readonly #clients: (Arrival | Lease | Waiting)[] = [];

  constructor(settings: Settings) {
    const backends = named(settings);
    ({ scheduler: this.scheduler, emitted: this.emitted } = schedulerOf({
      ...optionsOf(settings, backends),
      seed: settings.seed,
    }));
  }

  /** Something happens to a client, or to a backend. */
  step(draw: number, which: number, client: string, now: number): void {
    const { scheduler } = this;
    const { id } = scheduler.backends[Math.floor(which * scheduler.backends.length)] ?? {};
    if (draw < 0.3) this.#take(scheduler.acquire(client, now));
    else if (draw < 0.4) this.#take(scheduler.admit(client, now));
    else if (draw < 0.85) this.#goOn(which, draw, now);
    else if (draw < 0.97 && id !== undefined) scheduler.probed(id, which * 97 % 1 < 0.7, now, 0);
    else if (id !== undefined) scheduler.setMode(id, draw < 0.99 ? "ready" : "drain", now);
  }

  reload(settings: Settings, now: number): void {
    this.scheduler.reconfigure(optionsOf(settings, named(settings)), now);
  }

  #goOn(which: number, how: number, now: number): void {
    const at = Math.floor(which * this.#clients.length);
    const [client] = this.#clients.splice(at, 1);
    if (client instanceof Arrival) this.#take(client.acquire(now));
    else if (client instanceof Waiting) client.leave(now);
    else if (client !== undefined && how < 0.6) client.release("closed", now);
    else if (client !== undefined) this.#take(client.connectFailed("refused", now));
  }

  #take(client: Arrival | Lease | Waiting | Refusal): void {
    if ("reason" in client) return;
    this.#clients.push(client);
    if (!(client instanceof Waiting)) return;
    client.settled = (outcome) => {
      // It takes the same place, so that the same client is drawn, whenever it is settled.
      const at = this.#clients.indexOf(client);
      if (outcome.granted) this.#clients[at] = outcome;
      else this.#clients.splice(at, 1);
    };
  }
}

function named({ backends }: Settings) {
  return backends.map((backend, i) => ({ id: `B${i + 1}`, ...backend }));
}

Deno.test("Scheduler decides the same, at the same times, whether or not it is woken in between", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = createRandom(childSeed(seed, "twins"));
    const settings = drawSettings(createRandom(seed));
    const [woken, quiet] = [new Twin(settings), new Twin(settings)];
    let wake = woken.scheduler.nextWake ?? Infinity;
    woken.scheduler.onWake = (at) => wake = Math.min(wake, at);
    let now = 0;
    for (let step = 0; step < 300; step++) {
      now += Math.floor(random.next() ** 4 * 100);
      while (wake <= now) {
        const at = wake;
        wake = Infinity;
        woken.scheduler.passTime(at);
        wake = Math.min(wake, woken.scheduler.nextWake ?? Infinity);
        assert.ok(wake > at, `seed ${seed}: it wants to be woken later than at ${at}`);
      }
      const [draw, which] = [random.next(), random.next()];
      const client = `10.0.0.${Math.floor(random.next() * 6)}`;
      // What waits for time alone is settled first, in both: the draws are of the same clients.
      for (const { scheduler } of [woken, quiet]) scheduler.passTime(now);
      for (const twin of [woken, quiet]) twin.step(draw, which, client, now);
      if (step % 100 === 99) {
        const other = drawSettings(createRandom(childSeed(seed, "reload", step)));
        for (const twin of [woken, quiet]) twin.reload(other, now);
      }
    }
    assert.deepEqual(quiet.emitted, woken.emitted, `seed ${seed}`);
    assert.ok(woken.emitted.length > 0);
  }
});
