/** Several balancers that share their sessions, each with a clock of its own. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { NS_PER_MS, NS_PER_S } from "../../../../lib/base/mod.ts";
import type { Scheduler } from "../../../../lib/core/mod.ts";
import { open } from "../../../support/phases.ts";
import { schedulerOf } from "../../../support/scheduling.ts";

const BACKENDS = ["B1", "B2", "B3"];

/** A session as a store keeps it; `changedAt` is by the writer's wall clock, in milliseconds. */
interface Stored {
  readonly backend: string;
  readonly home: string;
  readonly changedAt: number;
}

/** A balancer whose wall clock is wrong by `skewMs`. All balancers share the store. */
function balancer(store: Map<string, Stored>, skewMs: number, onFailback: "return" | "stay") {
  const { scheduler } = schedulerOf({
    backends: BACKENDS,
    healthCheck: { type: "none", interval: NS_PER_S, jitter: 0, rise: 1, fall: 1 },
    sticky: {
      by: "client-address",
      ipv4Prefix: 32,
      ipv6Prefix: 128,
      ttl: 1e6 * NS_PER_S,
      maxEntries: 3,
      onFailback,
    },
  });
  scheduler.onSessionUse = ({ key, backend, home, changedAt: changed }) => {
    const changedAt = Math.floor(changed / NS_PER_MS) + skewMs;
    if ((store.get(key)?.changedAt ?? -Infinity) >= changedAt) return;
    store.set(key, { backend: backend.id, home: home.id, changedAt });
  };
  return {
    scheduler,
    visit(client: string, now: number): string {
      const stored = store.get(client);
      if (stored !== undefined) {
        const changedAt = (stored.changedAt - skewMs) * NS_PER_MS;
        scheduler.adopt({ key: client, ...stored, changedAt, usedAt: now }, now);
      }
      const lease = open(scheduler, client, now);
      lease.close("closed", now);
      return lease.backend.id;
    },
  };
}

Deno.test("balancers that share sessions send a client to the same backend, however wrong their clocks are", () => {
  const step = fc.record({
    balancer: fc.nat({ max: 2 }),
    client: fc.constantFrom("a", "b", "c", "d", "e"),
    afterMs: fc.constantFrom(0, 0, 0.3, 1, 50),
    /** A backend goes down for all balancers, or comes back. */
    toggle: fc.option(fc.constantFrom(...BACKENDS), { freq: 3 }),
  });
  const skews = fc.array(fc.integer({ min: -1e6, max: 1e6 }), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      skews,
      fc.constantFrom("return", "stay"),
      (steps, skews, onFailback) => {
        const store = new Map<string, Stored>();
        const all = skews.map((skew) => balancer(store, skew, onFailback));
        const down = new Set<string>();
        const toggle = (scheduler: Scheduler, id: string, now: number) =>
          scheduler.setMode(id, down.has(id) ? "maintenance" : "ready", now);
        let now = 0;
        for (const { balancer, client, afterMs, toggle: id } of steps) {
          now += afterMs * NS_PER_MS;
          if (id !== null && (down.has(id) || down.size < 2)) {
            if (!down.delete(id)) down.add(id);
            all.forEach(({ scheduler }) => toggle(scheduler, id, now));
          }
          const place = all[balancer]!.visit(client, now);
          assert.ok(!down.has(place));
          for (const other of all) assert.equal(other.visit(client, now), place);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
