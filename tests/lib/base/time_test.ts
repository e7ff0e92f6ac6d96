/** Every call of the scheduler first does everything that is due by the time of the call. */
import assert from "node:assert/strict";
import type { Connection, Outcome, Scheduler, SchedulerOptions } from "../../../lib/core/mod.ts";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { acquire, connecting, open, placeOf, retried, waiting } from "../../support/phases.ts";
import { schedulerOf, STICKY, takeDown } from "../../support/scheduling.ts";

const S = NS_PER_S;

const OPTIONS: SchedulerOptions = {
  algorithm: { name: "round-robin" },
  backends: ["B1", "B2", "B3"].map((id) => ({ id, weight: 1, backup: false, maxConnections: 2 })),
  healthCheck: { type: "tcp", interval: 2 * S, jitter: 0, rise: 2, fall: 3 },
  retries: 3,
  limits: { connections: 100 },
  sticky: { ...STICKY, ttl: 5 * S },
  ejection: { failures: 1, base: 10 * S, max: 300 * S, maxShare: 0.5 },
  slowStart: { duration: 20 * S, floor: 0.1 },
  queue: { length: 10, timeout: 4 * S },
};

/**
 * B1 is ejected until 10 s, and B2 has a slow start from 0 s on. A session has expired by 6 s; two clients wait until
 * 4 s. The result has everything that a call at 10 s needs.
 */
function situation() {
  const { scheduler, emitted } = schedulerOf(OPTIONS);
  const failing = connecting(acquire(scheduler, "10.0.0.1", 0));
  assert.equal(failing.backend.id, "B1");
  const opening = retried(failing, 0);
  takeDown(scheduler, "B2", 0);
  for (let i = 0; i < 2; i++) scheduler.probed("B2", true, 0, 0);
  const gone = open(scheduler, "10.0.0.2", 0);
  gone.close("closed", 0);
  const leases: Connection[] = [opening];
  while (leases.length < 4) leases.push(open(scheduler, `10.0.1.${leases.length}`, 0));
  const place = waiting(acquire(scheduler, "10.0.0.9", 0));
  const outcomes: Outcome[] = [];
  place.onSettled = (outcome) => outcomes.push(outcome);
  const other = waiting(acquire(scheduler, "10.0.0.8", 0));
  const proxied = scheduler.acceptProxy("10.0.0.7", 0);
  const accepted = scheduler.accept("10.0.0.6", 0);
  emitted.length = 0;
  return { scheduler, emitted, opening, held: leases[1]!, outcomes, other, proxied, accepted };
}

type Situation = ReturnType<typeof situation>;

const AT = 10 * S;
const RECORD = { key: "10.9.9.9", backend: "B3", home: "B3", changedAt: 1, usedAt: 1 };

/** All calls of the scheduler and of its connections, at 10 s. */
const CALLS: Readonly<Record<string, (on: Situation) => unknown>> = {
  passTime: ({ scheduler }) => scheduler.passTime(AT),
  accept: ({ scheduler }) => scheduler.accept("10.0.2.1", AT),
  acceptProxy: ({ scheduler }) => scheduler.acceptProxy("10.0.2.1", AT),
  probed: ({ scheduler }) => scheduler.probed("B3", true, AT, 0),
  setMode: ({ scheduler }) => scheduler.setMode("B3", "drain", AT),
  reconfigure: ({ scheduler }) => scheduler.reconfigure(OPTIONS, AT),
  addBackend: ({ scheduler }) => scheduler.addBackend({ id: "B9", weight: 1, backup: false }, AT),
  removeBackend: ({ scheduler }) => scheduler.removeBackend("B3", AT),
  sessionToAskFor: ({ scheduler }) => scheduler.sessionToAskFor("10.0.0.2", AT),
  adopt: ({ scheduler }) => scheduler.adopt(RECORD, AT),
  restore: ({ scheduler }) => scheduler.restore([RECORD], AT),
  stop: ({ scheduler }) => scheduler.stop(AT),
  "Connection.connected": ({ opening }) => opening.connected(AT),
  "Connection.answered": ({ held }) => held.answered(AT),
  "Connection.connectFailed": ({ opening }) => opening.connectFailed("refused", AT),
  "Connection.refuse": ({ opening }) => opening.refuse("local_shortage", AT),
  "Connection.leave": ({ opening }) => opening.leave(AT),
  "Connection.close": ({ held }) => held.close("closed", AT),
  "Connection.admit": ({ proxied }) => proxied.admit("10.0.0.7", AT),
  "Connection.assign": ({ accepted }) => accepted.assign(AT),
  "Connection.refuse of a client that has just arrived": ({ accepted }) =>
    accepted.refuse("bad_tls_handshake", AT),
};

for (const [name, call] of Object.entries(CALLS)) {
  Deno.test(`Scheduler first does everything that is due: ${name}`, () => {
    const on = situation();
    const { scheduler, emitted, outcomes } = on;
    call(on);
    const told = emitted.map((event) =>
      `${event.at_ms / 1000}: ${event.type}${"reason" in event ? ` ${event.reason}` : ""}`
    );
    assert.deepEqual(told.slice(0, 3), [
      "4: connection_refused queue_timeout",
      "4: connection_refused queue_timeout",
      "10: backend_readmitted",
    ]);
    assert.deepEqual(outcomes, [{ kind: "refused", reason: "queue_timeout" }]);
    assert.equal(scheduler.backend("B1")!.ejection!.ejected, false);
    // Half of the slow start of 20 s has passed.
    assert.equal(scheduler.backend("B2")!.weight, 0.55);
    assert.equal(scheduler.sessionMap.has("10.0.0.2"), false);
  });
}

Deno.test("Connection.leave() while it waits does everything that is due, but does not refuse this connection as overdue", () => {
  const { scheduler, other, outcomes } = situation();
  other.leave(AT);
  assert.equal(outcomes.length, 1);
  assert.equal(scheduler.waiting, 0);
  assert.deepEqual(scheduler.activeServers, ["B1", "B2", "B3"]);
});

/** Calls the scheduler only at the times of `nextWake`, and returns these times in seconds. */
function driven(scheduler: Scheduler, until: number): number[] {
  const wakes: number[] = [];
  for (let at = scheduler.nextWake; at !== undefined && at <= until; at = scheduler.nextWake) {
    scheduler.passTime(at);
    wakes.push(at / S);
  }
  return wakes;
}

Deno.test("Scheduler.nextWake is the time at which something next happens by itself, so nothing is late", () => {
  const { scheduler, emitted } = situation();
  const wakes = driven(scheduler, 100 * S);
  // Each second B2 gains weight. From 10 s on, when the ejection of B1 has ended, B1 does, too.
  assert.deepEqual(wakes, Array.from({ length: 30 }, (_, i) => i + 1));
  assert.deepEqual(emitted.map(({ type, at_ms }) => [type, at_ms]), [
    ["connection_refused", 4000],
    ["connection_refused", 4000],
    ["backend_readmitted", 10_000],
  ]);
  assert.deepEqual(scheduler.backends.map(({ weight }) => weight), [1, 1, 1]);
  assert.equal(scheduler.nextWake, undefined);
});

Deno.test("Scheduler.onWake() is called whenever the next wake becomes earlier, and only then", () => {
  const { scheduler } = schedulerOf({ ...OPTIONS, backends: OPTIONS.backends });
  const calls: number[] = [];
  scheduler.onWake = (at) => {
    assert.equal(at, scheduler.nextWake);
    calls.push(at / S);
  };
  connecting(acquire(scheduler, "10.0.0.1", 0)).connectFailed("refused", 0);
  assert.deepEqual(calls, [10]);
  while (acquire(scheduler, "10.0.0.2", S).phase === "connecting");
  assert.deepEqual(calls, [10, 5]);
  acquire(scheduler, "10.0.0.2", 2 * S);
  scheduler.setMode("B3", "maintenance", 2 * S);
  assert.deepEqual(calls, [10, 5], "a later wake is not reported");
  scheduler.setMode("B3", "ready", 2 * S);
  assert.deepEqual(calls, [10, 5, 3], "the first step of its slow start");
  takeDown(scheduler, "B3", 2 * S);
  assert.deepEqual(driven(scheduler, 100 * S).slice(0, 3), [3, 5, 6]);
  assert.deepEqual(calls, [10, 5, 3], "a driver that was called reads nextWake by itself");
});

Deno.test("When an ejection ends, Scheduler serves a waiting client, although no other client comes", () => {
  const { scheduler } = schedulerOf({
    backends: [{ id: "B1", maxConnections: 1 }, { id: "B2", maxConnections: 1 }],
    ejection: { failures: 1, base: S, max: 300 * S, maxShare: 0.5 },
    queue: { length: 10, timeout: 60 * S },
    retries: 0,
  });
  connecting(acquire(scheduler, "a", 0)).connectFailed("refused", 0);
  open(scheduler, "b", 0);
  const settled: [string, number][] = [];
  const place = waiting(acquire(scheduler, "c", 0));
  place.onSettled = (_, now) => settled.push([placeOf(place), now]);
  assert.deepEqual(driven(scheduler, 100 * S), [1]);
  assert.deepEqual(settled, [["B1", S]]);
});

Deno.test("Scheduler does everything in the order in which it was due, however late the call comes", () => {
  // The ejection ends at 1 s. A client that waits for 2 s is served; one that waits for 0.5 s is refused earlier.
  for (const [timeout, outcome] of [[2, "B1"], [0.5, "queue_timeout"]] as const) {
    const { scheduler } = schedulerOf({
      backends: [{ id: "B1", maxConnections: 1 }, { id: "B2", maxConnections: 1 }],
      ejection: { failures: 1, base: S, max: 300 * S, maxShare: 0.5 },
      queue: { length: 10, timeout: timeout * S },
      retries: 0,
    });
    connecting(acquire(scheduler, "a", 0)).connectFailed("refused", 0);
    open(scheduler, "b", 0);
    let settled: string | undefined;
    const place = waiting(acquire(scheduler, "c", 0));
    place.onSettled = () => settled = placeOf(place);
    scheduler.probed("B2", true, 9 * S, 0);
    assert.equal(settled, outcome);
  }
});

Deno.test("Scheduler does not count ejections that have ended towards max_share", () => {
  const { scheduler, emitted } = schedulerOf({
    backends: ["B1", "B2"],
    ejection: { failures: 1, base: 10 * S, max: 300 * S, maxShare: 0.5 },
    retries: 0,
  });
  const [one, other] = [
    connecting(acquire(scheduler, "a", 0)),
    connecting(acquire(scheduler, "a", 0)),
  ];
  one.connectFailed("refused", 0);
  other.connectFailed("refused", 11 * S);
  const told = emitted.filter(({ type }) => type.startsWith("backend_"));
  assert.deepEqual(told.map((event) => [event.at_ms / 1000, event.type]), [
    [0, "backend_ejected"],
    [10, "backend_readmitted"],
    [11, "backend_ejected"],
  ]);
});
