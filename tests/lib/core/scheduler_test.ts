import assert from "node:assert/strict";
import {
  ALGORITHM_NAMES,
  EVENT_TYPES,
  EventStream,
  type LbEvent,
  Scheduler,
} from "../../../lib/core/mod.ts";
import { createRandom } from "../../../lib/base/mod.ts";
import { acquire, connecting, open, retried } from "../../support/phases.ts";
import { bringUp, schedulerOf, takeDown } from "../../support/scheduling.ts";
import { strictEventStream } from "../../support/events.ts";

Deno.test("Connection.assign() counts the connection before its connect has finished", () => {
  const { scheduler } = schedulerOf({ algorithm: "least-connections" });
  const leases = Array.from({ length: 9 }, () => connecting(acquire(scheduler, "c", 0)));
  assert.deepEqual([...scheduler.connectionCount], [["B1", 3], ["B2", 3], ["B3", 3]]);
  for (const lease of leases) lease.leave(1);
  assert.deepEqual([...scheduler.connectionCount.values()], [0, 0, 0]);
});

Deno.test("Connection.close() asserts that it is called once", () => {
  const { scheduler } = schedulerOf();
  const connection = open(scheduler);
  connection.close("closed", 1);
  assert.throws(() => connection.close("closed", 2), /closed exactly once/);
  assert.throws(() => connection.leave(2), /leaves once/);
  assert.throws(() => connection.connectFailed("refused", 2), /Assertion failed/);
  assert.throws(() => connection.connected(2), /Assertion failed/);
  assert.equal(connection.phase, "ended");
  assert.equal(scheduler.connections, 0);
});

Deno.test("Connection.leave() ends a connection that is not yet open, once", () => {
  const { scheduler } = schedulerOf();
  const arriving = scheduler.accept("c", 0);
  arriving.leave(1);
  assert.throws(() => arriving.assign(1), /given a backend once/);
  const connection = connecting(acquire(scheduler, "c", 0));
  retried(connection, 1).leave(2);
  assert.throws(() => connection.leave(2), /leaves once/);
  assert.throws(() => open(scheduler).leave(3), /before its connection is open/);
  assert.equal(scheduler.connections, 1);
});

Deno.test("Connection.connected() and refuse() assert that the connection is being opened", () => {
  const { scheduler } = schedulerOf();
  const opened = open(scheduler);
  assert.throws(() => opened.connected(1), /opened at most once/);
  assert.throws(() => opened.connectFailed("refused", 1), /Assertion failed/);
  assert.throws(() => opened.refuse("stopping", 1), /Assertion failed/);
  assert.equal(scheduler.connections, 1, "nothing of that changed the books");
  const refused = connecting(acquire(scheduler, "c", 0));
  assert.deepEqual(refused.refuse("stopping", 1), { kind: "refused", reason: "stopping" });
  assert.throws(() => refused.refuse("stopping", 1), /Assertion failed/);
  assert.throws(() => refused.close("closed", 1), /closed exactly once/);
  assert.equal(scheduler.connections, 1);
});

Deno.test("Connection.connectFailed() tries every backend once, whatever the algorithm", () => {
  for (const algorithm of ["round-robin", "least-connections", "random", "power-of-two"] as const) {
    const ids = ["B1", "B2", "B3", "B4"];
    const { scheduler } = schedulerOf({ algorithm, backends: ids, retries: 9 });
    const tried: string[] = [];
    const connection = acquire(scheduler, "c", 0);
    while (connection.phase === "connecting") {
      tried.push(connection.backend.id);
      connection.connectFailed("refused", 0);
    }
    assert.deepEqual(tried.toSorted(), ids, algorithm);
    assert.equal(connection.refusal, "connects_failed");
    // The backends that one connection has tried are available to the next one.
    assert.equal(scheduler.backends.every(({ available }) => available), true);
    assert.equal(scheduler.connections, 0);
  }
});

Deno.test("Connection.connectFailed() gives up after `retries` further backends", () => {
  const { scheduler } = schedulerOf({ retries: 1 });
  const second = retried(acquire(scheduler, "c", 0), 1, "timeout");
  assert.equal(second.attempt, 2);
  assert.deepEqual(second.connectFailed("timeout", 2), {
    kind: "refused",
    reason: "connects_failed",
  });
});

Deno.test("a connection fails with the probability that all backends that it may try are dead", () => {
  // P(fail) = C(k, r + 1) / C(n, r + 1): k = 6 of n = 8 dead, r = 2 retries: 20 / 56.
  const { scheduler } = schedulerOf({
    algorithm: "random",
    backends: Array.from({ length: 8 }, (_, i) => `B${i}`),
    retries: 2,
  });
  const runs = 20_000;
  let failed = 0;
  for (let i = 0; i < runs; i++) {
    const connection = acquire(scheduler, "c", i);
    while (connection.phase === "connecting" && connection.backend.index < 6) {
      connection.connectFailed("refused", i);
    }
    if (connection.phase === "connecting") connection.leave(i);
    else failed++;
  }
  const expected = 20 / 56;
  const deviation = Math.sqrt(runs * expected * (1 - expected));
  assert.ok(Math.abs(failed - runs * expected) < 4 * deviation, `${failed / runs}`);
});

Deno.test("Connection.assign() says why there is no backend", () => {
  const { scheduler } = schedulerOf({ backends: [{ id: "B1", maxConnections: 1 }, "B2"] });
  takeDown(scheduler, "B2");
  open(scheduler);
  assert.equal(acquire(scheduler, "c", 0).refusal, "all_backends_full");
  takeDown(scheduler, "B1");
  assert.equal(acquire(scheduler, "c", 0).refusal, "no_backend_available");
  scheduler.stop(0);
  assert.equal(acquire(scheduler, "c", 0).refusal, "stopping");
});

Deno.test("Connection.assign() refuses a client at the limit of connections", () => {
  const { scheduler } = schedulerOf({ limits: { connections: 2 } });
  const first = open(scheduler);
  open(scheduler);
  assert.equal(acquire(scheduler, "c", 0).refusal, "connection_limit");
  first.close("closed", 1);
  open(scheduler);
});

Deno.test("Scheduler.probed() does not change the count of open connections when it marks a backend as down", () => {
  const { scheduler } = schedulerOf({ backends: ["B1"] });
  const lease = open(scheduler);
  takeDown(scheduler, "B1");
  assert.deepEqual(scheduler.activeServers, []);
  assert.equal(scheduler.connectionCount.get("B1"), 1);
  bringUp(scheduler, "B1");
  assert.equal(scheduler.connectionCount.get("B1"), 1);
  lease.close("closed", 1);
  assert.equal(scheduler.connectionCount.get("B1"), 0);
});

Deno.test("Connection.close() counts no failed connect, also if the backend aborted the connection", () => {
  const { scheduler } = schedulerOf({ backends: ["B1"] });
  for (let i = 0; i < 10; i++) open(scheduler).close("backend_aborted", i);
  open(scheduler).close("closed", 20);
  assert.deepEqual(scheduler.activeServers, ["B1"]);
  assert.equal(scheduler.backend("B1")!.connectFailures, 0);
});

Deno.test("Scheduler uses backups only while no primary is available", () => {
  const { scheduler } = schedulerOf({ backends: ["B1", "B2", { id: "B3", backup: true }] });
  const ids = (n: number) => Array.from({ length: n }, () => open(scheduler).backend.id);
  assert.deepEqual(ids(4), ["B1", "B2", "B1", "B2"]);
  takeDown(scheduler, "B1");
  assert.deepEqual(ids(2), ["B2", "B2"]);
  takeDown(scheduler, "B2");
  assert.deepEqual(ids(2), ["B3", "B3"]);
  bringUp(scheduler, "B1");
  assert.deepEqual(ids(2), ["B1", "B1"]);
});

Deno.test("Scheduler.setMode() to drain sends a backend no new clients, and its open connections stay", () => {
  const { scheduler, emitted } = schedulerOf({ backends: ["B1", "B2"] });
  const lease = open(scheduler);
  scheduler.setMode("B1", "drain", 5e6);
  assert.deepEqual(scheduler.activeServers, ["B2"]);
  for (let i = 0; i < 3; i++) assert.equal(open(scheduler).backend.id, "B2");
  assert.equal(lease.backend.inFlight, 1);
  assert.deepEqual(emitted.find(({ type }) => type === "backend_mode_changed"), {
    type: "backend_mode_changed",
    at_ms: 5,
    backend: "B1",
    mode: "drain",
    in_flight: 1,
  });
  assert.throws(() => scheduler.setMode("B9", "drain", 0), RangeError);
});

Deno.test("Scheduler.removeBackend() lets open connections end by themselves", () => {
  const { scheduler } = schedulerOf({ backends: ["B1", "B2"], algorithm: "least-connections" });
  const lease = open(scheduler);
  scheduler.removeBackend("B1", 0);
  scheduler.addBackend({ id: "B1", weight: 1, backup: false }, 0);
  scheduler.probed("B1", true, 0, 0);
  assert.equal(scheduler.connectionCount.get("B1"), 0);
  assert.equal(scheduler.connections, 1);
  lease.close("closed", 1);
  assert.equal(scheduler.connectionCount.get("B1"), 0, "the old one's end is not the new one's");
  assert.equal(scheduler.connections, 0);
  assert.throws(() => scheduler.addBackend({ id: "B1", weight: 1, backup: false }, 0), RangeError);
});

Deno.test("Scheduler.addBackend() adds a backend without history, also if its id or index was used before", () => {
  const { scheduler } = schedulerOf({ backends: ["B1", { id: "B2", weight: 9 }] });
  const next = () => open(scheduler).backend.id;
  const picksUntilB1 = () => {
    let picks = 1;
    while (next() !== "B1") picks++;
    return picks;
  };
  assert.equal(picksUntilB1(), 5);
  assert.equal(picksUntilB1(), 10, "once in ten from then on");
  scheduler.removeBackend("B1", 0);
  const heir = scheduler.addBackend({ id: "B1", weight: 1, backup: false }, 0);
  assert.equal(heir.available, false, "not before it has been probed");
  scheduler.probed("B1", true, 0, 0);
  assert.deepEqual([heir.index, heir.inFlight, heir.connections], [0, 0, 0]);
  assert.ok(picksUntilB1() < 10, "it does not wait for the turn of the one before it");
});

Deno.test("Scheduler emits the events of a failover", () => {
  const { scheduler, emitted } = schedulerOf({ backends: ["B1", "B2"] });
  const failed = connecting(acquire(scheduler, "10.0.0.9", 1e6));
  const lease = retried(failed, 2e6);
  lease.connected(3e6);
  takeDown(scheduler, "B1", 4e6);
  lease.close("closed", 9e6, { bytesToBackend: 10, bytesToClient: 20 });
  const story = emitted.filter(({ type }) => type !== "probe");
  const expected: LbEvent[] = [
    { type: "connection_arrived", at_ms: 1, connection: 1, client: "10.0.0.9" },
    {
      type: "connect_failed",
      at_ms: 2,
      connection: 1,
      client: "10.0.0.9",
      backend: "B1",
      attempt: 1,
      connect_ms: 1,
      reason: "refused",
    },
    {
      type: "connection_opened",
      at_ms: 3,
      connection: 1,
      client: "10.0.0.9",
      backend: "B2",
      attempt: 2,
      connect_ms: 1,
      since_arrival_ms: 2,
      in_flight: 1,
    },
    {
      type: "backend_down",
      at_ms: 4,
      backend: "B1",
      probes: 3,
      active_servers: ["B2"],
      reason: "connect: refused",
      in_flight: 0,
    },
    {
      type: "connection_closed",
      at_ms: 9,
      connection: 1,
      client: "10.0.0.9",
      backend: "B2",
      end: "closed",
      duration_ms: 7,
      since_arrival_ms: 8,
      bytes_to_backend: 10,
      bytes_to_client: 20,
      in_flight: 0,
    },
  ];
  assert.deepEqual(story, expected);
});

Deno.test("Scheduler without health checks counts every backend as up", () => {
  const scheduler = new Scheduler(
    {
      algorithm: { name: "round-robin" },
      backends: [{ id: "B1", weight: 1, backup: false }],
      healthCheck: { type: "none", interval: 1, jitter: 0, rise: 1, fall: 1 },
      retries: 0,
      limits: { connections: 10 },
    },
    strictEventStream(),
    createRandom(1),
  );
  assert.deepEqual(scheduler.activeServers, ["B1"]);
});

Deno.test("Connection.assign() explains a pick among backups, whatever the algorithm", () => {
  for (const name of ALGORITHM_NAMES) {
    const { scheduler } = schedulerOf({
      algorithm: name,
      backends: ["B1", "B2", { id: "B3", backup: true }, { id: "B4", backup: true }],
    });
    for (const id of ["B1", "B2", "B3"]) takeDown(scheduler, id);
    const considered: string[] = [];
    const rules: string[] = [];
    const lease = connecting(acquire(scheduler, "c", 0, {
      considered: ({ id }) => considered.push(id),
      decided: (rule) => rules.push(rule),
    }));
    assert.equal(lease.backend.id, "B4", name);
    assert.deepEqual(considered, ["B4"], name);
    assert.equal(rules.length, 1, `${name}: ${rules}`);
  }
});

Deno.test("Connection.assign() explains no pick if no backend is available", () => {
  for (const name of ALGORITHM_NAMES) {
    const { scheduler } = schedulerOf({ algorithm: name });
    for (const { id } of scheduler.backends) takeDown(scheduler, id);
    const held = acquire(scheduler, "c", 0, {
      considered: ({ id }) => assert.fail(`${name} considered ${id}`),
      decided: (rule) => assert.fail(`${name} decided: ${rule}`),
    });
    assert.equal(held.phase, "ended");
  }
});

Deno.test("Scheduler decides the same whether or not readers of its events throw", () => {
  const story = (read: () => void) => {
    const failures: string[] = [];
    const { scheduler, events, emitted } = schedulerOf({
      backends: ["B1", { id: "B2", maxConnections: 1 }],
      explained: true,
      ejection: { failures: 1, base: 10, max: 10, maxShare: 1 },
      queue: { length: 1, timeout: 5 },
      onReaderFailed: ({ reader }) => failures.push(reader),
    });
    for (const type of EVENT_TYPES) events.subscribe(`reader of ${type}`, [type], read);
    const first = retried(acquire(scheduler, "c", 0), 1);
    first.connected(1);
    acquire(scheduler, "d", 2);
    acquire(scheduler, "e", 3);
    scheduler.passTime(20);
    first.close("closed", 21);
    takeDown(scheduler, "B2", 22);
    for (let i = 0; i < 2; i++) open(scheduler, "f", 23);
    return { emitted, failures };
  };
  const sound = story(() => {});
  const throwing = story(() => {
    throw new TypeError("a reader's defect");
  });
  assert.deepEqual(throwing.emitted, sound.emitted);
  assert.deepEqual(sound.failures, []);
  const types = new Set(sound.emitted.map(({ type }) => type));
  assert.deepEqual(throwing.failures, [...types].map((type) => `reader of ${type}`));
  assert.ok(types.size > 8, "many kinds of events");
});

Deno.test("Scheduler creates no event of a connection without a reader", () => {
  class Listening extends EventStream {
    readonly made: string[] = [];
    override emit(event: LbEvent): void {
      this.made.push(event.type);
      super.emit(event);
    }
  }
  const events = new Listening((failure) => {
    throw failure;
  });
  const scheduler = new Scheduler(
    {
      algorithm: { name: "round-robin" },
      backends: [{ id: "B1", weight: 1, backup: false }, { id: "B2", weight: 1, backup: false }],
      healthCheck: { type: "none", interval: 1, jitter: 0, rise: 1, fall: 1 },
      sticky: {
        by: "client-address",
        ipv4Prefix: 32,
        ipv6Prefix: 128,
        ttl: 1,
        maxEntries: 1,
        onFailback: "return",
      },
      retries: 1,
      limits: { connections: 1 },
    },
    events,
    createRandom(1),
  );
  const story = () => {
    const lease = retried(acquire(scheduler, "a", 0), 0);
    lease.connected(1);
    acquire(scheduler, "b", 1);
    lease.close("closed", 2);
    scheduler.probed("B1", true, 3, 1);
    connecting(acquire(scheduler, "b", 3)).leave(4);
  };
  story();
  assert.equal(events.made.join(), "");
  events.subscribe("test", EVENT_TYPES, () => {});
  story();
  assert.ok(events.made.includes("connect_failed"));
});
