/** A connection from its arrival: for which limits it counts, and when it is admitted. */
import assert from "node:assert/strict";
import type { Connection, Scheduler } from "../../../lib/core/mod.ts";
import { type Nanoseconds, parsePrefix } from "../../../lib/base/mod.ts";
import { acquire, connecting, open } from "../../support/phases.ts";
import { schedulerOf } from "../../support/scheduling.ts";

const CLIENT = "10.0.0.1";

function accept(scheduler: Scheduler, client: string, now: Nanoseconds = 0): Connection {
  const connection = scheduler.accept(client, now);
  assert.equal(connection.phase, "arriving");
  return connection;
}

function acceptProxy(scheduler: Scheduler, proxy = CLIENT, now: Nanoseconds = 0): Connection {
  const connection = scheduler.acceptProxy(proxy, now);
  assert.equal(connection.phase, "arriving");
  return connection;
}

/** Asks for a backend, and returns the connection, which has got one. */
function assigned(connection: Connection, now: Nanoseconds = 0): Connection {
  connection.assign(now);
  return connecting(connection);
}

/** Why a client is refused as soon as it connects; undefined if it is not. */
function refusal(scheduler: Scheduler, client: string) {
  return scheduler.accept(client, 0).refusal;
}

/** Why a proxy is refused as soon as it connects; undefined if it is not. */
function proxyRefusal(scheduler: Scheduler, proxy: string) {
  return scheduler.acceptProxy(proxy, 0).refusal;
}

/** Why the client of an accepted proxy is refused; undefined if it is not. */
function admissionRefusal(connection: Connection, client: string) {
  assert.equal(connection.admit(client, 0), connection.refusal === undefined);
  return connection.refusal;
}

Deno.test("Scheduler.acceptProxy() counts the connection for limits.connections until it ends", () => {
  const { scheduler } = schedulerOf({ limits: { connections: 2 } });
  open(scheduler, CLIENT);
  const silent = acceptProxy(scheduler);
  assert.equal(proxyRefusal(scheduler, "10.0.0.2"), "connection_limit");
  assert.equal(refusal(scheduler, "10.0.0.2"), "connection_limit");
  assert.equal(silent.refuse("bad_tls_handshake", 0).reason, "bad_tls_handshake");
  const served = acceptProxy(scheduler);
  assert.ok(served.admit(CLIENT, 0));
  assigned(served).connected(0);
  assert.equal(proxyRefusal(scheduler, "10.0.0.2"), "connection_limit");
  served.close("closed", 0);
  acceptProxy(scheduler, "10.0.0.2").leave(0);
  acceptProxy(scheduler, "10.0.0.2");
});

Deno.test("Connection.admit() applies the lists to the client, not to its proxy", () => {
  const { scheduler } = schedulerOf({
    limits: { connections: 1 },
    deny: [parsePrefix("10.6.6.0/24")],
  });
  const connection = acceptProxy(scheduler, "10.6.6.6");
  assert.ok(connection.admit(CLIENT, 0));
  assert.throws(() => connection.admit(CLIENT, 0), /admitted at most once/);
  assert.equal(connection.client, CLIENT);
  connection.leave(0);
  for (let i = 0; i < 2; i++) {
    const denied = admissionRefusal(acceptProxy(scheduler, CLIENT), "10.6.6.6");
    assert.equal(denied, "denied", "and it takes no place from then on");
  }
});

Deno.test("Connection.assign() asserts that the client was admitted", () => {
  const { scheduler } = schedulerOf();
  assert.throws(() => acceptProxy(scheduler).assign(0), /that was admitted/);
  const connection = acquire(scheduler);
  assert.throws(() => connection.assign(0), /given a backend once/);
});

Deno.test("Connection.admit() counts the connection for the client's limits, and assign() does not count it again", () => {
  const limits = { connections: 100, perClient: { connections: 2, rate: 3 } };
  const { scheduler } = schedulerOf({ limits });
  const [one, two, three] = [
    acceptProxy(scheduler),
    acceptProxy(scheduler),
    acceptProxy(scheduler),
  ];
  assert.ok(one.admit(CLIENT, 0));
  assert.ok(two.admit(CLIENT, 0));
  assert.equal(admissionRefusal(three, CLIENT), "client_connection_limit");
  assigned(one);
  assert.equal(refusal(scheduler, CLIENT), "client_connection_limit");
  two.refuse("bad_tls_handshake", 0);
  open(scheduler, CLIENT).close("closed", 0);
  one.leave(0);
  assert.equal(refusal(scheduler, CLIENT), "client_rate_limit", "three have come");
});

Deno.test("Connection.leave() ends the connection in all counts that contain it, even if a reload has changed the limits", () => {
  const { scheduler } = schedulerOf({ limits: { connections: 100 } });
  const options = {
    algorithm: { name: "round-robin" as const },
    backends: ["B1", "B2", "B3"].map((id) => ({ id, weight: 1, backup: false })),
    healthCheck: { type: "tcp", interval: 2e9, jitter: 0, rise: 2, fall: 3 },
    retries: 3,
  };
  const before = acceptProxy(scheduler);
  assert.ok(before.admit(CLIENT, 0));
  const limits = { connections: 100, perClient: { connections: 1 } };
  scheduler.reconfigure({ ...options, limits }, 0);
  assigned(before);
  assert.equal(admissionRefusal(acceptProxy(scheduler), CLIENT), "client_connection_limit");
  before.leave(0);
  const after = acceptProxy(scheduler);
  assert.ok(after.admit(CLIENT, 0));
  scheduler.reconfigure({ ...options, limits: { connections: 100 } }, 0);
  assigned(after).leave(0);
});

Deno.test("Connection.assign() is refused once the scheduler has stopped", () => {
  const { scheduler } = schedulerOf({});
  const connection = acceptProxy(scheduler);
  connection.admit(CLIENT, 0);
  scheduler.stop(0);
  assert.deepEqual(connection.assign(0), { kind: "refused", reason: "stopping" });
  assert.equal(proxyRefusal(scheduler, CLIENT), "stopping");
});

Deno.test("Scheduler.accept() counts a client for all limits until its connection ends", () => {
  const limits = { connections: 3, perClient: { connections: 1 } };
  const { scheduler } = schedulerOf({ limits });
  const connections = [
    accept(scheduler, CLIENT),
    accept(scheduler, "10.0.0.2"),
    accept(scheduler, "10.0.0.3"),
  ];
  assert.equal(refusal(scheduler, "10.0.0.4"), "connection_limit");
  assert.equal(proxyRefusal(scheduler, "10.0.0.4"), "connection_limit");
  assert.equal(refusal(scheduler, CLIENT), "client_connection_limit");
  for (const connection of connections) assigned(connection).connected(0);
  assert.equal(refusal(scheduler, "10.0.0.4"), "connection_limit");
  assert.equal(refusal(scheduler, CLIENT), "client_connection_limit");
  for (const connection of connections) connection.close("closed", 1);
  accept(scheduler, CLIENT).refuse("bad_tls_handshake", 1);
  accept(scheduler, CLIENT);
});

Deno.test("Scheduler checks in this order: stopping, lists, the client's connections, all connections, its rate", () => {
  const { scheduler } = schedulerOf({
    limits: { connections: 1, perClient: { connections: 1, rate: 1 } },
    deny: [parsePrefix("10.6.6.0/24")],
  });
  const connection = open(scheduler, CLIENT);
  assert.equal(refusal(scheduler, "10.6.6.6"), "denied");
  assert.equal(refusal(scheduler, CLIENT), "client_connection_limit");
  assert.equal(refusal(scheduler, "10.0.0.2"), "connection_limit");
  connection.close("closed", 0);
  assert.equal(refusal(scheduler, CLIENT), "client_rate_limit");
  scheduler.stop(0);
  assert.equal(refusal(scheduler, "10.6.6.6"), "stopping");
});

Deno.test("Scheduler spends a token of a client's rate only on a connection that is accepted", () => {
  const { scheduler } = schedulerOf({ limits: { connections: 1, perClient: { rate: 2 } } });
  const other = open(scheduler, "10.0.0.9");
  for (let i = 0; i < 20; i++) assert.equal(refusal(scheduler, CLIENT), "connection_limit");
  other.close("closed", 0);
  for (let i = 0; i < 2; i++) open(scheduler, CLIENT).close("closed", 0);
  assert.equal(refusal(scheduler, CLIENT), "client_rate_limit");
});
