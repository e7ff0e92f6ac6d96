/** A scheduler that is woken when it asks for it decides the same as one that is not woken. */
import assert from "node:assert/strict";
import type { Connection, Scheduler } from "../../../lib/core/mod.ts";
import { childSeed, createRandom, NS_PER_MS } from "../../../lib/base/mod.ts";
import { drawSettings, optionsOf, type Settings } from "../../support/swarm/settings.ts";
import { acquire } from "../../support/phases.ts";
import { schedulerOf } from "../../support/scheduling.ts";

/** One of two schedulers that get the same calls. */
class Twin {
  readonly scheduler: Scheduler;
  readonly emitted: ReturnType<typeof schedulerOf>["emitted"];
  readonly #connections: Connection[] = [];

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
    if (draw < 0.3) this.#take(acquire(scheduler, client, now));
    else if (draw < 0.4) this.#take(scheduler.accept(client, now));
    else if (draw < 0.85) this.#goOn(which, draw, now);
    else if (draw < 0.97 && id !== undefined) scheduler.probed(id, which * 97 % 1 < 0.7, now, 0);
    else if (id !== undefined) scheduler.setMode(id, draw < 0.99 ? "ready" : "drain", now);
  }

  reload(settings: Settings, now: number): void {
    this.scheduler.reconfigure(optionsOf(settings, named(settings)), now);
  }

  #goOn(which: number, how: number, now: number): void {
    const connection = this.#connections[Math.floor(which * this.#connections.length)];
    if (connection === undefined) return;
    if (connection.phase === "arriving") connection.assign(now);
    else if (connection.phase === "waiting" || how < 0.6) connection.leave(now);
    else connection.connectFailed("refused", now);
    if (connection.phase === "ended") this.#forget(connection);
  }

  #take(connection: Connection): void {
    if (connection.phase === "ended") return;
    this.#connections.push(connection);
    connection.onSettled = ({ kind }) => {
      if (kind === "refused") this.#forget(connection);
    };
  }

  #forget(connection: Connection): void {
    this.#connections.splice(this.#connections.indexOf(connection), 1);
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
      now += Math.floor(random.next() ** 4 * 100 * NS_PER_MS);
      while (wake <= now) {
        const at = wake;
        wake = Infinity;
        woken.scheduler.passTime(at);
        wake = Math.min(wake, woken.scheduler.nextWake ?? Infinity);
        assert.ok(wake > at, `seed ${seed}: it wants to be woken later than at ${at}`);
      }
      const [draw, which] = [random.next(), random.next()];
      const client = `10.0.0.${Math.floor(random.next() * 6)}`;
      // First, time passes in both, so that the same clients wait when the step draws one.
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
