import assert from "node:assert/strict";
import { Arrival, type Refusal, type Scheduler } from "../../../lib/core/mod.ts";
import { type Nanoseconds, parsePrefix } from "../../../lib/base/mod.ts";
import { granted, open, schedulerOf } from "../../support/scheduling.ts";

const CLIENT = "10.0.0.1";
const refusal = (reason: Refusal["reason"]) => ({ granted: false, reason });

function arrive(scheduler: Scheduler, client = CLIENT, now: Nanoseconds = 0): Arrival {
  const arrival = scheduler.arrive(client, now);
  assert.ok(arrival instanceof Arrival);
  return arrival;
}

Deno.test("Scheduler.arrive() counts among the connections, until the arrival ends", () => {
  const { scheduler } = schedulerOf({ limits: { connections: 2 } });
  open(scheduler, CLIENT);
  const silent = arrive(scheduler);
  assert.deepEqual(scheduler.arrive("10.0.0.2", 0), refusal("connection_limit"));
  assert.deepEqual(scheduler.acquire("10.0.0.2", 0), refusal("connection_limit"));
  assert.deepEqual(silent.turnAway("bad_tls_handshake", 0), refusal("bad_tls_handshake"));
  const served = arrive(scheduler);
  assert.equal(served.letIn(CLIENT, 0), undefined);
  const lease = granted(served.acquire(0));
  assert.equal(lease.connection, served.connection);
  assert.equal(scheduler.arrive("10.0.0.2", 0) instanceof Arrival, false);
  lease.release("closed", 0);
  arrive(scheduler, "10.0.0.2");
});

Deno.test("Arrival.letIn() looks at lists, and at who the client is, not at its proxy", () => {
  const { scheduler, emitted } = schedulerOf({
    limits: { connections: 1 },
    deny: [parsePrefix("10.6.6.0/24")],
  });
  assert.equal(arrive(scheduler, "10.6.6.6").letIn(CLIENT, 0), undefined);
  assert.deepEqual(emitted, []);
  const other = schedulerOf({ limits: { connections: 1 }, deny: [parsePrefix("10.6.6.0/24")] });
  for (let i = 0; i < 2; i++) {
    const denied = arrive(other.scheduler, CLIENT).letIn("10.6.6.6", 0);
    assert.deepEqual(denied, refusal("denied"), "and it takes no place from then on");
  }
});

Deno.test("Arrival.letIn() counts for the client's limits, and acquiring does not count again", () => {
  const limits = { connections: 100, perClient: { connections: 2, rate: 3 } };
  const { scheduler } = schedulerOf({ limits });
  const [one, two, three] = [arrive(scheduler), arrive(scheduler), arrive(scheduler)];
  assert.equal(one.letIn(CLIENT, 0), undefined);
  assert.equal(two.letIn(CLIENT, 0), undefined);
  assert.deepEqual(three.letIn(CLIENT, 0), refusal("client_connection_limit"));
  const lease = granted(one.acquire(0));
  assert.deepEqual(scheduler.acquire(CLIENT, 0), refusal("client_connection_limit"));
  two.turnAway("bad_tls_handshake", 0);
  const third = open(scheduler, CLIENT);
  third.release("closed", 0);
  lease.release("closed", 0);
  assert.deepEqual(scheduler.acquire(CLIENT, 0), refusal("client_rate_limit"), "three have come");
});

Deno.test("Arrival ends where it was counted, whatever a reload has changed meanwhile", () => {
  const { scheduler } = schedulerOf({ limits: { connections: 100 } });
  const options = {
    algorithm: { name: "round-robin" as const },
    backends: ["B1", "B2", "B3"].map((id) => ({ id, weight: 1, backup: false })),
    healthCheck: { type: "tcp", interval: 2e9, jitter: 0, rise: 2, fall: 3 },
    retries: 3,
  };
  const before = arrive(scheduler);
  assert.equal(before.letIn(CLIENT, 0), undefined);
  const limits = { connections: 100, perClient: { connections: 1 } };
  scheduler.reconfigure({ ...options, limits }, 0);
  const lease = granted(before.acquire(0));
  assert.deepEqual(arrive(scheduler).letIn(CLIENT, 0), refusal("client_connection_limit"));
  lease.release("closed", 0);
  const after = arrive(scheduler);
  assert.equal(after.letIn(CLIENT, 0), undefined);
  scheduler.reconfigure({ ...options, limits: { connections: 100 } }, 0);
  granted(after.acquire(0)).release("closed", 0);
});

Deno.test("Arrival.acquire() is refused once the scheduler has stopped", () => {
  const { scheduler } = schedulerOf({});
  const arrival = arrive(scheduler);
  arrival.letIn(CLIENT, 0);
  scheduler.stop(0);
  assert.deepEqual(arrival.acquire(0), refusal("stopping"));
  assert.deepEqual(scheduler.arrive(CLIENT, 0), refusal("stopping"));
});

function admit(scheduler: Scheduler, client: string, now: Nanoseconds = 0): Arrival {
  const arrival = scheduler.admit(client, now);
  assert.ok(arrival instanceof Arrival);
  return arrival;
}

Deno.test("Scheduler.admit() counts a client for all limits until it acquires, and then its lease does", () => {
  const limits = { connections: 3, perClient: { connections: 1 } };
  const { scheduler } = schedulerOf({ limits });
  const asking = [
    admit(scheduler, CLIENT),
    admit(scheduler, "10.0.0.2"),
    admit(scheduler, "10.0.0.3"),
  ];
  assert.deepEqual(scheduler.admit("10.0.0.4", 0), refusal("connection_limit"));
  assert.deepEqual(scheduler.acquire("10.0.0.4", 0), refusal("connection_limit"));
  assert.deepEqual(scheduler.arrive("10.0.0.4", 0), refusal("connection_limit"));
  assert.deepEqual(scheduler.admit(CLIENT, 0), refusal("client_connection_limit"));
  const leases = asking.map((arrival) => granted(arrival.acquire(0)));
  assert.deepEqual(scheduler.admit("10.0.0.4", 0), refusal("connection_limit"));
  leases.forEach((lease) => lease.release("closed", 1));
  admit(scheduler, CLIENT).turnAway("bad_tls_handshake", 1);
  admit(scheduler, CLIENT);
});

Deno.test("Scheduler decides in one order: stopping, lists, the client's connections, all connections, its rate", () => {
  const { scheduler } = schedulerOf({
    limits: { connections: 1, perClient: { connections: 1, rate: 1 } },
    deny: [parsePrefix("10.6.6.0/24")],
  });
  const lease = open(scheduler, CLIENT);
  for (const ask of ["acquire", "admit"] as const) {
    assert.deepEqual(scheduler[ask]("10.6.6.6", 0), refusal("denied"));
    assert.deepEqual(scheduler[ask](CLIENT, 0), refusal("client_connection_limit"));
    assert.deepEqual(scheduler[ask]("10.0.0.2", 0), refusal("connection_limit"));
  }
  lease.release("closed", 0);
  assert.deepEqual(scheduler.acquire(CLIENT, 0), refusal("client_rate_limit"));
  scheduler.stop(0);
  assert.deepEqual(scheduler.admit("10.6.6.6", 0), refusal("stopping"));
});

Deno.test("Scheduler spends a token of a client's rate only on a connection that is let in", () => {
  for (const ask of ["acquire", "admit"] as const) {
    const { scheduler } = schedulerOf({ limits: { connections: 1, perClient: { rate: 2 } } });
    const other = open(scheduler, "10.0.0.9");
    for (let i = 0; i < 20; i++) {
      assert.deepEqual(scheduler[ask](CLIENT, 0), refusal("connection_limit"));
    }
    other.release("closed", 0);
    for (let i = 0; i < 2; i++) open(scheduler, CLIENT).release("closed", 0);
    assert.deepEqual(scheduler[ask](CLIENT, 0), refusal("client_rate_limit"));
  }
});
