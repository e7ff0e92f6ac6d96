/** Clients that wait while every backend is full. */
import assert from "node:assert/strict";
import type { Connection, PickExplained } from "../../../lib/core/mod.ts";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { acquire, connecting, open, placeOf, waiting } from "../../support/phases.ts";
import {
  bringUp,
  schedulerOf,
  type SchedulerOverrides,
  STICKY,
  takeDown,
} from "../../support/scheduling.ts";

const QUEUE = { length: 3, timeout: 5 * NS_PER_S };
const FULL = [{ id: "B1", maxConnections: 1 }, { id: "B2", maxConnections: 1 }];

/** A scheduler with a queue, and the clients that have left the queue: each with its backend, or why it was refused. */
function queueOf(overrides: SchedulerOverrides = {}) {
  const { scheduler, emitted } = schedulerOf({ queue: QUEUE, backends: FULL, ...overrides });
  const settled: string[] = [];
  const served: Connection[] = [];
  const queue = (client: string, now = 0) => {
    const place = waiting(acquire(scheduler, client, now));
    place.onSettled = (outcome) => {
      if (outcome.kind === "connect") served.push(place);
      settled.push(`${client}: ${placeOf(place)}`);
    };
    return place;
  };
  return { scheduler, emitted, settled, served, queue };
}

Deno.test("Connection.assign() lets clients wait while all backends are full, and serves them in order", () => {
  const { scheduler, settled, served, queue } = queueOf();
  const [one, other] = [open(scheduler), open(scheduler)];
  queue("c");
  queue("d");
  queue("e");
  assert.equal(scheduler.waiting, 3);
  assert.equal(scheduler.connections, 2, "who waits is on no backend");
  other.close("closed", 1);
  one.close("closed", 2);
  assert.deepEqual(settled, [`c: ${other.backend.id}`, `d: ${one.backend.id}`]);
  assert.equal(scheduler.waiting, 1);
  served[0]!.leave(3);
  assert.equal(settled.length, 3);
  assert.deepEqual([...scheduler.connectionCount.values()], [1, 1]);
});

Deno.test("Connection.assign() refuses clients for which the queue has no place", () => {
  const { scheduler, queue } = queueOf();
  open(scheduler);
  open(scheduler);
  for (const client of ["c", "d", "e"]) queue(client);
  assert.equal(acquire(scheduler, "f", 0).refusal, "queue_full");
});

Deno.test("Connection.assign() lets no client wait for a backend that is down, drains or has weight 0", () => {
  for (const hinder of ["down", "drain", "weight"]) {
    const { scheduler } = queueOf({
      backends: [{ id: "B1", maxConnections: 1, weight: hinder === "weight" ? 0 : 1 }],
    });
    if (hinder === "down") takeDown(scheduler, "B1");
    if (hinder === "drain") scheduler.setMode("B1", "drain", 0);
    assert.equal(acquire(scheduler, "c", 0).phase, "ended", hinder);
  }
});

Deno.test("Scheduler.passTime() refuses a client once when it has waited for too long", () => {
  const { scheduler, emitted, settled, queue } = queueOf();
  open(scheduler);
  open(scheduler);
  const place = queue("c", 7);
  assert.equal(scheduler.nextWake, 7 + QUEUE.timeout);
  scheduler.passTime(7 + QUEUE.timeout - 1);
  assert.deepEqual(settled, []);
  scheduler.passTime(7 + QUEUE.timeout);
  assert.deepEqual(settled, ["c: queue_timeout"]);
  assert.throws(() => place.leave(7 + QUEUE.timeout), /leaves once/);
  assert.equal(scheduler.waiting, 0);
  assert.equal(scheduler.nextWake, undefined);
  assert.deepEqual(emitted.slice(-2), [
    { type: "connection_queued", at_ms: 7e-6, connection: 3, client: "c", waiting: 1 },
    {
      type: "connection_refused",
      at_ms: 5000 + 7e-6,
      connection: 3,
      client: "c",
      reason: "queue_timeout",
      attempts: 0,
    },
  ]);
});

Deno.test("Scheduler.reconfigure() applies another queue timeout to clients that wait", () => {
  const base = { healthCheck: { type: "none", interval: 1, jitter: 0, rise: 1, fall: 1 } };
  const options = (timeout: number | undefined) => ({
    ...base,
    algorithm: { name: "round-robin" } as const,
    backends: FULL.map((backend) => ({ weight: 1, backup: false, ...backend })),
    retries: 0,
    limits: { connections: 100 },
    queue: timeout === undefined ? undefined : { length: 10, timeout: timeout * NS_PER_S },
  });
  const { scheduler, settled, queue } = queueOf(options(60));
  open(scheduler);
  open(scheduler);
  queue("c", 0);
  queue("d", 3 * NS_PER_S);
  scheduler.reconfigure(options(5), 4 * NS_PER_S);
  scheduler.passTime(5 * NS_PER_S);
  assert.deepEqual(settled, ["c: queue_timeout"]);
  scheduler.reconfigure(options(undefined), 6 * NS_PER_S);
  scheduler.passTime(8 * NS_PER_S);
  assert.deepEqual(settled, ["c: queue_timeout", "d: queue_timeout"], "as long as it was to wait");
});

Deno.test("Connection.leave() makes room in the queue, and emits connection_left", () => {
  const { scheduler, emitted, settled, queue } = queueOf();
  const first = open(scheduler);
  open(scheduler);
  const place = queue("c");
  queue("d");
  place.leave(NS_PER_S);
  first.close("closed", NS_PER_S);
  assert.deepEqual(settled, [`d: ${first.backend.id}`]);
  const told = emitted.filter(({ type }) =>
    type === "connection_dequeued" || type === "connection_left"
  );
  assert.deepEqual(told, [
    {
      type: "connection_left",
      at_ms: 1000,
      connection: 3,
      client: "c",
      phase: "waiting",
      attempts: 0,
      since_arrival_ms: 1000,
    },
    {
      type: "connection_dequeued",
      at_ms: 1000,
      connection: 4,
      client: "d",
      backend: first.backend.id,
      waited_ms: 1000,
      waiting: 0,
    },
  ]);
});

Deno.test("Scheduler lets a client whose connect failed wait for another backend, and serves later clients before it", () => {
  const { scheduler, settled, queue } = queueOf({ retries: 3 });
  const failing = connecting(acquire(scheduler, "a", 0));
  const lasting = open(scheduler);
  const failed = failing.backend;
  failing.connectFailed("refused", 1);
  waiting(failing).onSettled = () => settled.push(`a: ${placeOf(failing)}`);
  // The backend that failed has room now, but not for the client that has just tried it.
  const next = connecting(acquire(scheduler, "b", 2));
  assert.equal(next.backend, failed);
  queue("c", 3);
  next.leave(4);
  assert.deepEqual(settled, [`c: ${failed.id}`]);
  lasting.close("closed", 5);
  assert.deepEqual(settled[1], `a: ${lasting.backend.id}`);
});

Deno.test("Scheduler serves clients that wait when a backend comes up or is enabled", () => {
  const makeRoom: Record<string, (scheduler: ReturnType<typeof queueOf>["scheduler"]) => void> = {
    up: (scheduler) => bringUp(scheduler, "B3", 1),
    enabled: (scheduler) => scheduler.setMode("B4", "ready", 1),
  };
  for (const [how, make] of Object.entries(makeRoom)) {
    const { scheduler, settled, queue } = queueOf({ backends: [...FULL, "B3", "B4"] });
    takeDown(scheduler, "B3");
    scheduler.setMode("B4", "maintenance", 0);
    open(scheduler);
    open(scheduler);
    queue("c");
    make(scheduler);
    assert.deepEqual(settled, [`c: ${how === "up" ? "B3" : "B4"}`]);
  }
});

Deno.test("Scheduler.reconfigure() with more room serves clients that wait", () => {
  const options = {
    algorithm: { name: "round-robin" },
    healthCheck: { type: "none", interval: 1, jitter: 0, rise: 1, fall: 1 },
    retries: 0,
    limits: { connections: 100 },
    queue: QUEUE,
  } as const;
  const { scheduler, settled, queue } = queueOf({ ...options, backends: FULL });
  open(scheduler);
  open(scheduler);
  queue("c");
  const backends = [{ id: "B1", weight: 1, backup: false, maxConnections: 2 }];
  scheduler.reconfigure({ ...options, backends }, 1);
  assert.deepEqual(settled, ["c: B1"]);
});

Deno.test("Scheduler.stop() refuses the clients that wait", () => {
  const { scheduler, settled, queue } = queueOf();
  open(scheduler);
  open(scheduler);
  queue("c");
  queue("d");
  scheduler.stop(1);
  assert.deepEqual(settled, ["c: stopping", "d: stopping"]);
  assert.equal(scheduler.waiting, 0);
});

Deno.test("Scheduler counts clients that wait for limits.connections and for limits.per_client", () => {
  const limits = { connections: 3, perClient: { connections: 2 } };
  const { scheduler, queue } = queueOf({ limits });
  open(scheduler, "10.0.0.1");
  open(scheduler, "10.0.0.2");
  const place = queue("10.0.0.1");
  const refusal = (client: string) => {
    return acquire(scheduler, client, 0).refusal;
  };
  assert.equal(refusal("10.0.0.1"), "client_connection_limit");
  assert.equal(refusal("10.0.0.9"), "connection_limit");
  place.leave(0);
  queue("10.0.0.1");
  scheduler.passTime(QUEUE.timeout);
  assert.equal(scheduler.waiting, 0);
});

Deno.test("Scheduler refuses the clients that wait as soon as no backend can get room for them any more", () => {
  for (const how of ["drain", "down", "gone"]) {
    const { scheduler, settled, queue } = queueOf();
    const lasting = open(scheduler);
    open(scheduler);
    queue("c");
    const end = (id: string) => {
      if (how === "drain") scheduler.setMode(id, "drain", 1);
      else if (how === "down") takeDown(scheduler, id, 1);
      else scheduler.removeBackend(id, 1);
    };
    const [first, second] = ["B1", "B2"];
    end(first!);
    assert.deepEqual(settled, [], "the other may have room yet");
    end(second!);
    assert.deepEqual(settled, ["c: no_backend_available"], how);
    lasting.close("closed", 2);
  }
});

Deno.test("Scheduler explains a client that waits twice: that no backend is available, and later the pick of its backend", () => {
  const { scheduler, emitted, queue } = queueOf({ explained: true });
  const one = open(scheduler);
  open(scheduler);
  queue("c");
  queue("d");
  scheduler.setMode("B2", "drain", 1);
  one.close("closed", 2);
  const told = emitted.filter(({ type }) => type === "pick_explained") as PickExplained[];
  assert.deepEqual(told.slice(2).map(({ client, backend }) => [client, backend]), [
    ["c", null],
    ["d", null],
    ["c", one.backend.id],
  ]);
});

Deno.test("Scheduler gives a place at a draining backend to its own client that waits, before a client that waits longer", () => {
  const { scheduler, settled, queue } = queueOf({ sticky: { ...STICKY, drain: "allow" } });
  const own = open(scheduler, "sticky");
  const other = open(scheduler, "x");
  scheduler.setMode(own.backend.id, "drain", 1);
  queue("new", 2);
  queue("sticky", 3);
  own.close("closed", 4);
  assert.deepEqual(settled, [`sticky: ${own.backend.id}`]);
  queue("sticky", 5);
  other.close("closed", 6);
  assert.deepEqual(settled.slice(1), [`new: ${other.backend.id}`]);
});

Deno.test("Scheduler refuses a client that waits without hope, although a client before it waits for its own backend", () => {
  const { scheduler, settled, queue } = queueOf({ sticky: { ...STICKY, drain: "allow" } });
  const own = open(scheduler, "sticky");
  open(scheduler, "x");
  scheduler.setMode(own.backend.id, "drain", 1);
  queue("sticky", 2);
  queue("new", 3);
  takeDown(scheduler, own.backend.id === "B1" ? "B2" : "B1", 4);
  assert.deepEqual(settled, ["new: no_backend_available"]);
  own.close("closed", 5);
  assert.deepEqual(settled.slice(1), [`sticky: ${own.backend.id}`]);
});

Deno.test("Scheduler refuses a client that waits and has tried the only backend left, although others wait before it", () => {
  const { scheduler, settled, queue } = queueOf({ retries: 3 });
  const failing = connecting(acquire(scheduler, "a", 0));
  open(scheduler, "b");
  queue("c", 1);
  queue("d", 1);
  const failed = failing.backend;
  failing.connectFailed("refused", 2);
  waiting(failing).onSettled = () => settled.push(`a: ${placeOf(failing)}`);
  assert.deepEqual(settled, [`c: ${failed.id}`]);
  takeDown(scheduler, failed.id === "B1" ? "B2" : "B1", 4);
  assert.deepEqual(settled.slice(1), ["a: connects_failed"]);
  assert.equal(scheduler.waiting, 1);
});

Deno.test("Scheduler.adopt() serves a client that waits, if its own backend has room for it", () => {
  const { scheduler, settled, queue } = queueOf({
    sticky: { ...STICKY, drain: "allow" },
    backends: [...FULL, "B3"],
  });
  scheduler.setMode("B3", "drain", 0);
  open(scheduler, "x");
  open(scheduler, "y");
  queue("c", 1);
  scheduler.adopt({ key: "c", backend: "B3", home: "B3", changedAt: 1, usedAt: 1 }, 2);
  assert.deepEqual(settled, ["c: B3"]);
});
