/** Another configuration while the scheduler runs: what stays and what changes. */
import assert from "node:assert/strict";
import { createRandom, NS_PER_S } from "../../../lib/base/mod.ts";
import { type LbEvent, Scheduler, type SchedulerOptions } from "../../../lib/core/mod.ts";
import { acquire, connecting, open, retried } from "../../support/phases.ts";
import { STICKY, takeDown } from "../../support/scheduling.ts";
import { strictEventStream } from "../../support/events.ts";

function optionsOf(overrides: Partial<SchedulerOptions> = {}): SchedulerOptions {
  return {
    algorithm: { name: "round-robin" },
    backends: ["B1", "B2", "B3"].map((id) => ({ id, weight: 1, backup: false })),
    healthCheck: { type: "tcp", interval: NS_PER_S, jitter: 0, rise: 2, fall: 3 },
    retries: 3,
    limits: { connections: 1000 },
    ...overrides,
  };
}

function schedulerOf(options: SchedulerOptions): Scheduler {
  const scheduler = new Scheduler(options, strictEventStream(), createRandom(1));
  for (const { id } of scheduler.backends) scheduler.probed(id, true, 0, 0);
  return scheduler;
}

function named(...ids: string[]) {
  return ids.map((id) => ({ id, weight: 1, backup: false }));
}

Deno.test("Scheduler.reconfigure() drops no connection, no count and no state of health", () => {
  const scheduler = schedulerOf(optionsOf());
  const leases = Array.from({ length: 6 }, () => open(scheduler));
  takeDown(scheduler, "B2");
  scheduler.setMode("B3", "drain", 0);
  scheduler.reconfigure(
    optionsOf({
      algorithm: { name: "least-connections" },
      backends: named("B3", "B2", "B1", "B4"),
    }),
    0,
  );
  assert.deepEqual([...scheduler.connectionCount], [["B3", 2], ["B2", 2], ["B1", 2], ["B4", 0]]);
  assert.deepEqual(scheduler.activeServers, ["B1"]);
  scheduler.probed("B4", true, 0, 0);
  assert.deepEqual(scheduler.activeServers, ["B1", "B4"]);
  for (const lease of leases) lease.close("closed", 1);
  assert.equal(scheduler.connections, 0);
});

Deno.test("Scheduler.reconfigure() removes a backend, and its open connections stay until they end", () => {
  const scheduler = schedulerOf(optionsOf());
  const leases = Array.from({ length: 3 }, () => open(scheduler));
  scheduler.reconfigure(optionsOf({ backends: named("B1", "B3") }), 0);
  assert.equal(scheduler.connections, 3);
  assert.deepEqual([...scheduler.connectionCount.keys()], ["B1", "B3"]);
  for (let i = 0; i < 10; i++) assert.notEqual(open(scheduler).backend.id, "B2");
  leases.find(({ backend }) => backend.id === "B2")!.close("closed", 1);
  assert.equal(scheduler.connections, 12);
});

Deno.test("Scheduler.reconfigure() keeps sessions whose backend and prefix length have not changed", () => {
  const backends = named("B1", "B2");
  const scheduler = schedulerOf(optionsOf({ sticky: STICKY, backends }));
  for (let i = 0; i < 4; i++) open(scheduler, `10.0.0.${i}`);
  const before = scheduler.sessionMap;
  scheduler.reconfigure(optionsOf({ sticky: { ...STICKY, ttl: NS_PER_S }, backends }), 0);
  assert.deepEqual(scheduler.sessionMap, before);
  scheduler.reconfigure(optionsOf({ sticky: STICKY, backends: named("B2") }), 0);
  assert.deepEqual(new Set(scheduler.sessionMap.values()), new Set(["B2"]));
  scheduler.reconfigure(
    optionsOf({ sticky: { ...STICKY, ipv4Prefix: 24 }, backends: named("B2") }),
    0,
  );
  assert.equal(scheduler.sessionCount, 0);
});

Deno.test("Scheduler.reconfigure() applies smaller limits of sessions and of connections", () => {
  const backends = named("B1");
  const scheduler = schedulerOf(optionsOf({ sticky: STICKY, backends }));
  for (let i = 0; i < 9; i++) open(scheduler, `10.0.0.${i}`).close("closed", 0);
  scheduler.reconfigure(
    optionsOf({
      sticky: { ...STICKY, maxEntries: 3 },
      backends: [{ ...backends[0]!, maxConnections: 2 }],
    }),
    0,
  );
  open(scheduler, "10.0.1.1");
  assert.equal(scheduler.sessionCount, 3);
  open(scheduler, "10.0.1.2");
  assert.equal(acquire(scheduler, "c", 0).refusal, "all_backends_full");
});

Deno.test("Scheduler.reconfigure() to the same configuration does not change whose turn is next", () => {
  const scheduler = schedulerOf(optionsOf());
  const next = () => open(scheduler).backend.id;
  assert.equal(next(), "B1");
  scheduler.reconfigure(optionsOf(), 0);
  assert.deepEqual([next(), next()], ["B2", "B3"]);
});

Deno.test("Scheduler.reconfigure() throws at a wrong configuration, and then nothing has changed", () => {
  const scheduler = schedulerOf(optionsOf());
  assert.throws(
    () => scheduler.reconfigure(optionsOf({ backends: named("B9", "B9") }), 0),
    RangeError,
  );
  assert.throws(
    () => scheduler.reconfigure(optionsOf({ algorithm: { name: "maglev", tableSize: 10 } }), 0),
    RangeError,
  );
  assert.deepEqual(scheduler.backends.map(({ id }) => id), ["B1", "B2", "B3"]);
});

Deno.test("Scheduler.reconfigure() changes a primary into a backup", () => {
  const scheduler = schedulerOf(optionsOf());
  const [one, two, three] = named("B1", "B2", "B3");
  scheduler.reconfigure(optionsOf({ backends: [{ ...one!, backup: true }, two!, three!] }), 0);
  for (let i = 0; i < 6; i++) assert.notEqual(open(scheduler).backend.id, "B1");
  takeDown(scheduler, "B2");
  takeDown(scheduler, "B3");
  assert.equal(open(scheduler).backend.id, "B1");
});

Deno.test("Scheduler.reconfigure() lets a connection whose backend was removed try another backend", () => {
  const scheduler = schedulerOf(optionsOf({ backends: named("B1") }));
  const lease = connecting(acquire(scheduler, "c", 0));
  scheduler.reconfigure(optionsOf({ backends: named("B2") }), 0);
  scheduler.probed("B2", true, 0, 0);
  assert.equal(retried(lease, 0).backend.id, "B2");
});

Deno.test("Scheduler.reconfigure() sets modes that the file has changed, and keeps the others", () => {
  const scheduler = schedulerOf(optionsOf());
  scheduler.setMode("B2", "maintenance", 0);
  const [one, two, three] = named("B1", "B2", "B3");
  const draining = [{ ...one!, mode: "drain" as const }, two!, three!];
  scheduler.reconfigure(optionsOf({ backends: draining }), 0);
  const modes = () => scheduler.backends.map(({ mode }) => mode);
  assert.deepEqual(modes(), ["drain", "maintenance", "ready"]);
  scheduler.reconfigure(optionsOf({ backends: draining, retries: 1 }), 0);
  assert.deepEqual(modes(), ["drain", "maintenance", "ready"]);
  scheduler.reconfigure(optionsOf({ backends: [one!, two!, three!] }), 0);
  assert.deepEqual(modes(), ["ready", "maintenance", "ready"]);
});

Deno.test("Scheduler.reconfigure() to no probes marks all backends as up, and emits backend_up", () => {
  const events = strictEventStream();
  const told: LbEvent[] = [];
  const options = optionsOf();
  const scheduler = new Scheduler(options, events, createRandom(1));
  for (const id of ["B1", "B2"]) scheduler.probed(id, true, 0, 0);
  takeDown(scheduler, "B2");
  events.subscribe("test", ["backend_up"], (event) => told.push(event));
  const healthCheck = { ...options.healthCheck, type: "none" };
  scheduler.reconfigure(optionsOf({ healthCheck }), 7e6);
  assert.deepEqual(scheduler.activeServers, ["B1", "B2", "B3"]);
  assert.deepEqual(told, [
    ...[["B2", ["B1", "B2"]], ["B3", ["B1", "B2", "B3"]]].map(([backend, active_servers]) => ({
      type: "backend_up",
      at_ms: 7,
      backend,
      probes: 0,
      active_servers,
    })),
  ]);
});

Deno.test("Scheduler.reconfigure() without ejection ends all ejections, and emits backend_readmitted", () => {
  const events = strictEventStream();
  const ejection = { failures: 1, base: NS_PER_S, max: NS_PER_S, maxShare: 1 };
  const scheduler = new Scheduler(optionsOf({ ejection }), events, createRandom(1));
  for (const { id } of scheduler.backends) scheduler.probed(id, true, 0, 0);
  const connection = connecting(acquire(scheduler, "c", 0));
  const failed = connection.backend;
  connection.connectFailed("refused", 0);
  const told: LbEvent[] = [];
  events.subscribe("test", ["backend_readmitted"], (event) => told.push(event));
  scheduler.reconfigure(optionsOf(), 5e6);
  assert.deepEqual(told, [{
    type: "backend_readmitted",
    at_ms: 5,
    backend: failed.id,
    active_servers: ["B1", "B2", "B3"],
  }]);
});

/** The backends of clients that come one after the other; each leaves before the next one comes. */
function visits(scheduler: Scheduler, count: number): string[] {
  return Array.from({ length: count }, () => {
    const lease = open(scheduler, "c");
    lease.close("closed", 0);
    return lease.backend.id;
  });
}

const REORDERED: readonly (readonly string[])[] = [
  ["B3", "B2", "B1"],
  ["B2", "B3", "B9"],
  ["B0", "B3", "B1"],
  ["B9", "B1", "B8", "B3", "B2"],
  ["B3"],
];

Deno.test("Scheduler.reconfigure() makes first-available follow the new order of the file", () => {
  const none = { ...optionsOf().healthCheck, type: "none" };
  const optionsWith = (ids: readonly string[]) =>
    optionsOf({
      algorithm: { name: "first-available" },
      healthCheck: none,
      backends: named(...ids).map((backend) => ({ ...backend, maxConnections: 1 })),
    });
  for (const ids of REORDERED) {
    const scheduler = schedulerOf(optionsWith(["B1", "B2", "B3"]));
    scheduler.reconfigure(optionsWith(ids), 0);
    assert.deepEqual(ids.map(() => open(scheduler).backend.id), ids);
  }
  // Forty backends do not fit into one word of bits.
  const many = Array.from({ length: 40 }, (_, i) => `B${i + 1}`);
  const scheduler = schedulerOf(optionsWith(many));
  scheduler.reconfigure(optionsWith(many.toReversed()), 0);
  assert.deepEqual(many.map(() => open(scheduler).backend.id), many.toReversed());
});

for (const name of ["round-robin", "least-connections"] as const) {
  Deno.test(`Scheduler.reconfigure() makes ties of ${name} follow the new order of the file`, () => {
    const none = { ...optionsOf().healthCheck, type: "none" };
    const optionsWith = (ids: readonly string[]) =>
      optionsOf({ algorithm: { name }, healthCheck: none, backends: named(...ids) });
    for (const ids of REORDERED) {
      const scheduler = schedulerOf(optionsWith(["B1", "B2", "B3"]));
      scheduler.reconfigure(optionsWith(ids), 0);
      assert.deepEqual(visits(scheduler, ids.length), ids);
    }
  });
}

Deno.test("Scheduler.reconfigure() to another order of backends keeps their turns: the order only decides ties", () => {
  const scheduler = schedulerOf(optionsOf());
  assert.deepEqual(visits(scheduler, 1), ["B1"]);
  scheduler.reconfigure(optionsOf({ backends: named("B3", "B2", "B1") }), 0);
  // B1 has had its turn in this round.
  assert.deepEqual(visits(scheduler, 5), ["B3", "B2", "B3", "B2", "B1"]);
});

Deno.test("Scheduler.addBackend() adds a backend after the others, also when some were removed", () => {
  const scheduler = schedulerOf(optionsOf({ algorithm: { name: "first-available" } }));
  scheduler.removeBackend("B1", 0);
  scheduler.addBackend({ id: "B0", weight: 1, backup: false }, 0);
  scheduler.probed("B0", true, 0, 0);
  assert.deepEqual(visits(scheduler, 1), ["B2"]);
  takeDown(scheduler, "B2");
  takeDown(scheduler, "B3");
  assert.deepEqual(visits(scheduler, 1), ["B0"]);
});

const UNPROBED = { ...optionsOf().healthCheck, type: "none" };

function limited(...ids: string[]) {
  return named(...ids).map((backend) => ({ ...backend, maxConnections: 2 }));
}

Deno.test("Scheduler.reconfigure() counts the live connections of a backend that comes back", () => {
  const optionsWith = (...ids: string[]) =>
    optionsOf({ healthCheck: UNPROBED, backends: limited(...ids) });
  const scheduler = schedulerOf(optionsWith("B1"));
  const leases = [open(scheduler), connecting(acquire(scheduler, "c", 0))];
  scheduler.reconfigure(optionsWith("B2"), 1);
  scheduler.reconfigure(optionsWith("B3"), 2);
  scheduler.reconfigure(optionsWith("B1"), 3);
  assert.deepEqual(scheduler.connectionCount, new Map([["B1", 2]]));
  assert.equal(acquire(scheduler, "c", 3).refusal, "all_backends_full");
  leases[0]!.close("closed", 4);
  const third = open(scheduler, "c", 4);
  assert.equal(acquire(scheduler, "c", 4).refusal, "all_backends_full");
  assert.ok(leases[1]!.connectFailed("refused", 5).kind === "refused");
  third.close("closed", 6);
  assert.deepEqual(scheduler.connectionCount, new Map([["B1", 0]]));
  assert.equal(scheduler.connections, 0);
});

Deno.test("Scheduler.reconfigure() knows only the open connections of a backend that comes back, and it waits for its first probe", () => {
  const ejection = { failures: 1, base: 100 * NS_PER_S, max: 100 * NS_PER_S, maxShare: 1 };
  const scheduler = schedulerOf(optionsOf({ ejection, retries: 0 }));
  open(scheduler);
  scheduler.setMode("B1", "drain", 0);
  takeDown(scheduler, "B1");
  scheduler.reconfigure(optionsOf({ ejection, backends: named("B2", "B3") }), 1);
  scheduler.reconfigure(optionsOf({ ejection }), 2);
  const backend = scheduler.backend("B1")!;
  assert.deepEqual([backend.mode, backend.health.state, backend.inFlight], ["ready", "unknown", 1]);
  scheduler.probed("B1", true, 3, 0);
  assert.deepEqual(scheduler.activeServers, ["B1", "B2", "B3"]);
});

Deno.test("Scheduler.reconfigure() treats a backend with another address as another backend", () => {
  const at = (port: number) =>
    limited("B1").map((one) => ({ ...one, address: { host: "10.0.0.1", port } }));
  const optionsAt = (port: number) => optionsOf({ healthCheck: UNPROBED, backends: at(port) });
  const scheduler = schedulerOf(optionsAt(1));
  const former = [open(scheduler), open(scheduler)];
  scheduler.reconfigure(optionsAt(2), 1);
  assert.deepEqual(scheduler.connectionCount, new Map([["B1", 0]]));
  const now = open(scheduler);
  assert.notEqual(now.backend, former[0]!.backend);
  assert.equal(scheduler.connections, 3);
  scheduler.reconfigure(optionsAt(1), 2);
  assert.deepEqual(scheduler.connectionCount, new Map([["B1", 2]]), "it is the first one again");
  [...former, now].forEach((lease) => lease.close("closed", 3));
  assert.deepEqual(scheduler.connectionCount, new Map([["B1", 0]]));
});

for (const how of ["moves to another address", "leaves and comes back"]) {
  Deno.test(`Scheduler.adopt() ignores a session that is older than the time when its backend ${how}`, () => {
    const backends = named("B1", "B2");
    const options = optionsOf({ sticky: STICKY, healthCheck: UNPROBED, backends });
    const scheduler = schedulerOf(options);
    open(scheduler, "10.0.0.9", 5).close("closed", 6);
    const [session] = scheduler.sessions;
    const { key, changedAt, usedAt } = session!;
    const stored = { key, backend: "B1", home: "B1", changedAt, usedAt };
    if (how === "leaves and comes back") {
      scheduler.reconfigure({ ...options, backends: named("B2") }, 7);
      scheduler.reconfigure(options, 8);
    } else {
      const moved = { ...backends[0]!, address: { host: "10.0.0.1", port: 1 } };
      scheduler.reconfigure({ ...options, backends: [moved, backends[1]!] }, 7);
    }
    assert.equal(scheduler.sessionCount, 0);
    scheduler.adopt(stored, 9);
    assert.equal(scheduler.restore([stored], 9), 0);
    assert.deepEqual([...scheduler.sessionMap], []);
    const home = { ...stored, backend: "B2" };
    scheduler.adopt(home, 9);
    assert.equal([...scheduler.sessions][0]!.home.id, "B2", "nor a wish to return there");
    scheduler.adopt({ ...stored, changedAt: 8.5 }, 9);
    assert.deepEqual([...scheduler.sessionMap], [[key, "B1"]], "a later pin is to the new one");
  });
}
