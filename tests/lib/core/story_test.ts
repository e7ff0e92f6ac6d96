/** Complete sequences of events, as the log, the metrics and a recording get them. */
import assert from "node:assert/strict";
import type { LbEvent, StickyRules } from "../../../lib/core/mod.ts";
import { NS_PER_MS, NS_PER_S } from "../../../lib/base/mod.ts";
import { acquire, connecting, retried } from "../../support/phases.ts";
import { schedulerOf } from "../../support/scheduling.ts";

const STICKY: StickyRules = {
  by: "client-address",
  ipv4Prefix: 24,
  ipv6Prefix: 64,
  ttl: 600 * NS_PER_S,
  maxEntries: 1,
  onFailback: "return",
};

function ms(milliseconds: number): number {
  return milliseconds * NS_PER_MS;
}

/** Asserts which events were emitted since the last call. */
function assertTold(emitted: LbEvent[], expected: LbEvent[]): void {
  const told = emitted.splice(0).filter(({ type }) => type !== "connection_arrived");
  assert.deepEqual(told, expected);
}

Deno.test("Scheduler emits all events of a sticky client whose backend fails and returns", () => {
  const { scheduler, emitted } = schedulerOf({ backends: ["B1", "B2"], sticky: STICKY });
  const client = "10.0.0.9";

  const first = connecting(acquire(scheduler, client, ms(1)));
  assertTold(emitted, [
    { type: "session_pinned", at_ms: 1, client: "10.0.0.0/24", backend: "B1" },
  ]);

  first.connected(ms(1.5));
  const common = { connection: 1, client, backend: "B1" };
  assertTold(emitted, [
    {
      type: "connection_opened",
      at_ms: 1.5,
      ...common,
      attempt: 1,
      connect_ms: 0.5,
      since_arrival_ms: 0.5,
      in_flight: 1,
    },
  ]);

  const failed = connecting(acquire(scheduler, client, ms(2)));
  assertTold(emitted, []);
  const second = retried(failed, ms(4), "timeout");
  assertTold(emitted, [
    {
      type: "connect_failed",
      at_ms: 4,
      connection: 2,
      client,
      backend: "B1",
      attempt: 1,
      connect_ms: 2,
      reason: "timeout",
    },
    {
      type: "session_moved",
      at_ms: 4,
      client: "10.0.0.0/24",
      from: "B1",
      to: "B2",
      why: "failover",
    },
  ]);

  for (const at of [5, 6, 7]) scheduler.probed("B1", false, ms(at), ms(1), "connect: timed out");
  const probe = { type: "probe", backend: "B1", ok: false, probe_ms: 1 } as const;
  const reason = "connect: timed out";
  assertTold(emitted, [
    { ...probe, at_ms: 5, reason, streak: 1 },
    { ...probe, at_ms: 6, reason, streak: 2 },
    { ...probe, at_ms: 7, reason, streak: 3 },
    {
      type: "backend_down",
      at_ms: 7,
      backend: "B1",
      probes: 3,
      reason,
      in_flight: 1,
      active_servers: ["B2"],
    },
  ]);

  second.connected(ms(8));
  first.close("backend_aborted", ms(9), { bytesToBackend: 3, bytesToClient: 5 });
  const B2 = { connection: 2, client, backend: "B2" };
  assertTold(emitted, [
    {
      type: "connection_opened",
      at_ms: 8,
      ...B2,
      attempt: 2,
      connect_ms: 4,
      since_arrival_ms: 6,
      in_flight: 1,
    },
    {
      type: "connection_closed",
      at_ms: 9,
      ...common,
      end: "backend_aborted",
      duration_ms: 8,
      since_arrival_ms: 8,
      bytes_to_backend: 3,
      bytes_to_client: 5,
      in_flight: 0,
    },
  ]);

  scheduler.probed("B1", true, ms(10), ms(2));
  scheduler.probed("B1", true, ms(11), ms(2));
  const good = { type: "probe", backend: "B1", ok: true, probe_ms: 2 } as const;
  assertTold(emitted, [
    { ...good, at_ms: 10, streak: 1 },
    { ...good, at_ms: 11, streak: 2 },
    {
      type: "backend_up",
      at_ms: 11,
      backend: "B1",
      probes: 2,
      active_servers: ["B1", "B2"],
    },
  ]);

  const third = connecting(acquire(scheduler, client, ms(12)));
  assert.equal(third.backend.id, "B1");
  assertTold(emitted, [
    {
      type: "session_moved",
      at_ms: 12,
      client: "10.0.0.0/24",
      from: "B2",
      to: "B1",
      why: "failback",
    },
  ]);

  connecting(acquire(scheduler, "10.0.7.1", ms(13)));
  assertTold(emitted, [
    { type: "session_evicted", at_ms: 13, client: "10.0.0.0/24", backend: "B1" },
    { type: "session_pinned", at_ms: 13, client: "10.0.7.0/24", backend: "B2" },
  ]);
});

Deno.test("Scheduler reports clients that it refuses, and why", () => {
  const { scheduler, emitted } = schedulerOf({
    backends: [{ id: "B1", maxConnections: 1 }, "B2"],
    retries: 1,
    limits: { connections: 2 },
  });
  const refused = { type: "connection_refused", at_ms: 1 } as const;
  const first = connecting(acquire(scheduler, "a", ms(1)));
  const second = connecting(acquire(scheduler, "b", ms(1)));
  acquire(scheduler, "c", ms(1));
  assertTold(emitted, [
    { ...refused, connection: 3, client: "c", reason: "connection_limit", attempts: 0 },
  ]);

  // A retry is left, but no backend to try: B1 is full.
  assert.equal(second.backend.id, "B2");
  second.connectFailed("refused", ms(1));
  const failed = { type: "connect_failed", at_ms: 1, connect_ms: 0, reason: "refused" } as const;
  assertTold(emitted, [
    { ...failed, connection: 2, client: "b", backend: "B2", attempt: 1 },
    { ...refused, connection: 2, client: "b", reason: "connects_failed", attempts: 1 },
  ]);

  first.refuse("local_shortage", ms(1));
  assertTold(emitted, [
    { ...refused, connection: 1, client: "a", reason: "local_shortage", attempts: 0 },
  ]);
  assert.equal(scheduler.connections, 0);

  const changed = { type: "backend_mode_changed", at_ms: 1, in_flight: 0 } as const;
  for (const id of ["B1", "B2"]) scheduler.setMode(id, "maintenance", ms(1));
  scheduler.setMode("B2", "maintenance", ms(1)); // It is in maintenance already.
  acquire(scheduler, "d", ms(1));
  assertTold(emitted, [
    { ...changed, backend: "B1", mode: "maintenance" },
    { ...changed, backend: "B2", mode: "maintenance" },
    { ...refused, connection: 4, client: "d", reason: "no_backend_available", attempts: 0 },
  ]);

  for (const id of ["B1", "B2"]) scheduler.setMode(id, "ready", ms(1));
  emitted.length = 0;
  const last = connecting(acquire(scheduler, "e", ms(1)));
  scheduler.stop(0);
  acquire(scheduler, "f", ms(1));
  last.connectFailed("unreachable", ms(1));
  assertTold(emitted, [
    { ...refused, connection: 6, client: "f", reason: "stopping", attempts: 0 },
    {
      ...failed,
      connection: 5,
      client: "e",
      backend: last.backend.id,
      attempt: 1,
      reason: "unreachable",
    },
    { ...refused, connection: 5, client: "e", reason: "stopping", attempts: 1 },
  ]);
});

Deno.test("Scheduler emits events of the first probes, which decide alone", () => {
  const { scheduler, emitted } = schedulerOf({ backends: [] });
  for (const id of ["B1", "B2"]) scheduler.addBackend({ id, weight: 1, backup: false }, 0);
  assert.equal(acquire(scheduler, "a", 0).refusal, "no_backend_available");
  emitted.length = 0;
  scheduler.probed("B1", true, 0, 0);
  scheduler.probed("B2", false, 0, 0, "connect: refused");
  scheduler.probed("B9", false, 0, 0); // A backend that was removed during its probe.
  const at_ms = 0;
  assertTold(emitted, [
    { type: "probe", at_ms, backend: "B1", ok: true, probe_ms: 0, streak: 1 },
    { type: "backend_up", at_ms, backend: "B1", probes: 1, active_servers: ["B1"] },
    {
      type: "probe",
      at_ms,
      backend: "B2",
      ok: false,
      probe_ms: 0,
      reason: "connect: refused",
      streak: 1,
    },
    {
      type: "backend_down",
      at_ms,
      backend: "B2",
      probes: 1,
      reason: "connect: refused",
      in_flight: 0,
      active_servers: ["B1"],
    },
  ]);
});
