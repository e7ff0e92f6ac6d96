/**
 * Random lives of a scheduler: connects that fail, closes, probes, operators, backends that come and go.
 * Whatever happens, the books must balance. A failure prints the seed that repeats it.
 */
import assert from "node:assert/strict";
import {
  ALGORITHM_NAMES,
  type AlgorithmOptions,
  createRandom,
  type Lease,
  type Refusal,
  type StickyRules,
} from "../../../lib/core/mod.ts";
import { schedulerOf } from "../../support/scheduling.ts";

const RUNS = 200;
const EVENTS_PER_RUN = 5000;

interface Held {
  readonly lease: Lease;
  opened: boolean;
}

function live(seed: number): void {
  const random = createRandom(seed);
  const below = (n: number) => Math.floor(random.next() * n);
  const chance = (p: number) => random.next() < p;
  const count = 1 + below(8);
  const sticky: StickyRules | undefined = chance(0.5)
    ? {
      by: "client-address",
      ipv4Prefix: chance(0.5) ? 32 : 24,
      ipv6Prefix: 128,
      ttl: 1 + below(200),
      maxEntries: 1 + below(30),
      onFailback: chance(0.5) ? "return" : "stay",
    }
    : undefined;
  const name = ALGORITHM_NAMES[below(ALGORITHM_NAMES.length)]!;
  const limit = 5 + below(60);
  const { scheduler, emitted } = schedulerOf({
    algorithm: { name } as AlgorithmOptions,
    backends: Array.from({ length: count }, (_, i) => ({
      id: `B${i}`,
      weight: 1 + below(5),
      backup: chance(0.2),
      ...chance(0.4) && { maxConnections: 1 + below(6) },
    })),
    retries: below(4),
    limits: { connections: limit },
    sticky,
    seed,
  });
  const held: Held[] = [];
  const removed = new Set<string>();
  let offered = 0;
  let refused = 0;
  let ended = 0;
  let nextId = count;

  const take = (outcome: Lease | Refusal) => {
    if (!outcome.granted) {
      refused++;
      return;
    }
    const { backend } = outcome;
    assert.equal(backend.health.state, "up");
    assert.equal(backend.mode, "ready");
    assert.ok(backend.inFlight <= backend.maxConnections, "no pick of a full backend");
    assert.ok(!removed.has(backend.id) || scheduler.backend(backend.id) === backend);
    for (let tried = outcome.tried; tried !== undefined; tried = tried.tried) {
      assert.notEqual(tried.backend, backend, "no pick of a backend that was tried");
    }
    held.push({ lease: outcome, opened: false });
  };

  for (let now = 1; now <= EVENTS_PER_RUN; now++) {
    const what = random.next();
    if (what < 0.4) {
      offered++;
      take(scheduler.acquire(`10.0.${below(4)}.${below(20)}`, now));
    } else if (what < 0.75 && held.length > 0) {
      const index = below(held.length);
      const one = held[index]!;
      if (!one.opened && chance(0.6)) {
        one.lease.connected(now);
        one.opened = true;
      } else {
        held.splice(index, 1);
        if (!one.opened && chance(0.7)) {
          take(one.lease.connectFailed("refused", now));
        } else {
          one.lease.release("closed", now);
          ended++;
        }
      }
    } else if (what < 0.94 && scheduler.backends.length > 0) {
      const { id } = scheduler.backends[below(scheduler.backends.length)]!;
      scheduler.probed(id, chance(0.6), now, 1);
    } else if (what < 0.97 && scheduler.backends.length > 0) {
      const { id } = scheduler.backends[below(scheduler.backends.length)]!;
      scheduler.setMode(id, (["ready", "ready", "drain", "maintenance"] as const)[below(4)]!, now);
    } else if (what < 0.985) {
      scheduler.addBackend({ id: `B${nextId++}`, weight: 1 + below(5), backup: chance(0.2) });
    } else if (scheduler.backends.length > 1) {
      const { id } = scheduler.backends[below(scheduler.backends.length)]!;
      scheduler.removeBackend(id);
      removed.add(id);
    }

    if (now % 50 === 0 || now === EVENTS_PER_RUN) {
      assert.equal(scheduler.connections, held.length);
      assert.equal(offered, refused + ended + held.length, "offered = refused + ended + in flight");
      assert.ok(held.length <= limit);
      for (const backend of scheduler.backends) {
        const open = held.filter(({ lease }) => lease.backend === backend).length;
        assert.equal(backend.inFlight, open, `in flight on ${backend.id}`);
        assert.equal(
          backend.available,
          backend.active && backend.inFlight < backend.maxConnections,
          `availability of ${backend.id}`,
        );
      }
      assert.deepEqual(
        scheduler.activeServers,
        scheduler.backends.filter(({ health, mode }) => health.state === "up" && mode === "ready")
          .map(({ id }) => id),
      );
      if (sticky !== undefined) {
        assert.ok(scheduler.sessionCount <= sticky.maxEntries, "sessions are bounded");
        const ids = new Set(scheduler.backends.map(({ id }) => id));
        for (const id of scheduler.sessionMap.values()) assert.ok(ids.has(id), `session on ${id}`);
      }
      emitted.length = 0;
    }
  }
}

Deno.test("Scheduler keeps its books through a million random events", () => {
  // The seeds are the same in every run, so that a failure is one for everybody.
  for (let seed = 1; seed <= RUNS; seed++) {
    try {
      live(seed);
    } catch (error) {
      throw new Error(`with seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
});
