import assert from "node:assert/strict";
import { NS_PER_S } from "../../../../lib/base/mod.ts";
import { acquire, connecting, open, retried } from "../../../support/phases.ts";
import { bringUp, schedulerOf, STICKY, takeDown } from "../../../support/scheduling.ts";

/** Opens a connection of a client and closes it at once. Returns its backend. */
function visit(lab: ReturnType<typeof schedulerOf>, client = "10.0.0.1", now = 0): string {
  const lease = open(lab.scheduler, client, now);
  lease.close("closed", now);
  return lease.backend.id;
}

Deno.test("sessionMap keeps each client on its own backend", () => {
  const lab = schedulerOf({ sticky: STICKY });
  assert.equal(visit(lab, "10.0.0.1"), "B1");
  assert.equal(visit(lab, "10.0.0.2"), "B2");
  for (let i = 0; i < 5; i++) {
    assert.equal(visit(lab, "10.0.0.1"), "B1");
    assert.equal(visit(lab, "10.0.0.2"), "B2");
  }
  assert.deepEqual([...lab.scheduler.sessionMap], [["10.0.0.1", "B1"], ["10.0.0.2", "B2"]]);
});

Deno.test("sessionMap counts clients with the same prefix as one client", () => {
  const lab = schedulerOf({ sticky: { ...STICKY, ipv4Prefix: 24 } });
  assert.equal(visit(lab, "10.0.0.1"), "B1");
  assert.equal(visit(lab, "10.0.0.200"), "B1");
  assert.equal(visit(lab, "10.0.1.1"), "B2");
  assert.deepEqual([...lab.scheduler.sessionMap.keys()], ["10.0.0.0/24", "10.0.1.0/24"]);
});

Deno.test("a session expires when its client has been away for longer than the ttl", () => {
  const lab = schedulerOf({ sticky: { ...STICKY, ttl: 10 } });
  assert.equal(visit(lab, "c", 0), "B1");
  assert.equal(visit(lab, "c", 10), "B1");
  assert.equal(visit(lab, "c", 20), "B1", "each use starts the ttl anew");
  assert.equal(visit(lab, "c", 31), "B2");
});

Deno.test("a session does not expire while its client has a connection open", () => {
  const lab = schedulerOf({ sticky: { ...STICKY, ttl: 10 } });
  const long = open(lab.scheduler, "c", 0);
  visit(lab, "other", 500); // Removes expired sessions.
  assert.equal(visit(lab, "c", 1000), long.backend.id);
  long.close("closed", 2000);
  assert.equal(visit(lab, "c", 2010), long.backend.id, "the ttl begins when the connection ends");
});

Deno.test("sessionMap drops the least recently used session when it is full, and emits session_evicted", () => {
  const lab = schedulerOf({ sticky: { ...STICKY, maxEntries: 2 } });
  visit(lab, "a", 1);
  visit(lab, "b", 2);
  visit(lab, "a", 3);
  visit(lab, "c", 4);
  assert.deepEqual([...lab.scheduler.sessionMap.keys()], ["a", "c"]);
  assert.deepEqual(lab.emitted.filter(({ type }) => type === "session_evicted"), [
    { type: "session_evicted", at_ms: 4e-6, client: "b", backend: "B2" },
  ]);
});

Deno.test("a client whose backend is down is moved once, to another backend", () => {
  const lab = schedulerOf({ sticky: STICKY });
  assert.equal(visit(lab), "B1");
  takeDown(lab.scheduler, "B1", 5);
  const moved = visit(lab, "10.0.0.1", 6);
  assert.notEqual(moved, "B1");
  for (let i = 0; i < 4; i++) assert.equal(visit(lab, "10.0.0.1", 7), moved);
  const moves = lab.emitted.filter(({ type }) => type === "session_moved");
  assert.deepEqual(moves, [{
    type: "session_moved",
    at_ms: 6e-6,
    client: "10.0.0.1",
    from: "B1",
    to: moved,
    why: "failover",
  }]);
});

Deno.test("a moved client returns when its backend has recovered, with on_failback: return", () => {
  const lab = schedulerOf({ sticky: STICKY });
  visit(lab);
  takeDown(lab.scheduler, "B1", 5);
  assert.notEqual(visit(lab, "10.0.0.1", 6), "B1");
  bringUp(lab.scheduler, "B1", 10);
  assert.equal(visit(lab, "10.0.0.1", 11), "B1");
});

Deno.test("a moved client stays where it is, with on_failback: stay", () => {
  const lab = schedulerOf({ sticky: { ...STICKY, onFailback: "stay" } });
  visit(lab);
  takeDown(lab.scheduler, "B1", 5);
  const moved = visit(lab, "10.0.0.1", 6);
  bringUp(lab.scheduler, "B1", 10);
  assert.equal(visit(lab, "10.0.0.1", 11), moved);
});

Deno.test("a client whose connect has failed returns to this backend only after a probe has succeeded", () => {
  const lab = schedulerOf({ sticky: STICKY });
  visit(lab);
  const failed = connecting(acquire(lab.scheduler, "10.0.0.1", 5));
  assert.equal(failed.backend.id, "B1");
  const next = retried(failed, 6);
  next.connected(6);
  next.close("closed", 6);
  assert.notEqual(next.backend.id, "B1");
  // B1 is still marked as up: without this rule, each connection would first try B1 again.
  assert.equal(visit(lab, "10.0.0.1", 7), next.backend.id);
  lab.scheduler.probed("B1", true, 8, 0);
  assert.equal(visit(lab, "10.0.0.1", 9), "B1");
});

Deno.test("a client does not return because of a probe that succeeded before the failure", () => {
  const lab = schedulerOf({ sticky: STICKY });
  visit(lab, "c", 1);
  lab.scheduler.probed("B1", true, 2, 0);
  const failed = connecting(acquire(lab.scheduler, "c", 3));
  const next = retried(failed, 4);
  next.leave(4);
  assert.equal(visit(lab, "c", 5), next.backend.id);
});

Deno.test("while a backend is full, a connection of its client goes to another backend, and the session stays pinned", () => {
  const lab = schedulerOf({
    sticky: STICKY,
    backends: [{ id: "B1", maxConnections: 1 }, { id: "B2" }],
  });
  const held = open(lab.scheduler);
  assert.equal(visit(lab), "B2");
  assert.equal(lab.scheduler.sessionMap.get("10.0.0.1"), "B1");
  held.close("closed", 0);
  assert.equal(visit(lab), "B1");
});

Deno.test("removeBackend() ends the sessions of the backend, and no client returns to it", () => {
  const lab = schedulerOf({ sticky: STICKY });
  visit(lab, "a");
  visit(lab, "b");
  takeDown(lab.scheduler, "B2", 1);
  const moved = visit(lab, "b", 2);
  lab.scheduler.removeBackend("B2", 0);
  lab.scheduler.addBackend({ id: "B2", weight: 1, backup: false }, 2);
  lab.scheduler.probed("B2", true, 3, 0);
  assert.equal(visit(lab, "b", 4), moved, "the new B2 is not the one that it waited for");
  lab.scheduler.removeBackend(moved, 0);
  assert.equal(lab.scheduler.sessionMap.has("b"), false);
});

const UNPROBED = { type: "none", interval: 1, jitter: 0, rise: 1, fall: 1 };
const PAIR_AND_BACKUP = ["B1", "B2", { id: "B3", backup: true }];

Deno.test("a client that was pinned to a backup moves to a primary when one works", () => {
  const lab = schedulerOf({ sticky: STICKY, backends: PAIR_AND_BACKUP });
  takeDown(lab.scheduler, "B1", 1);
  takeDown(lab.scheduler, "B2", 1);
  assert.equal(visit(lab, "c", 2), "B3");
  bringUp(lab.scheduler, "B2", 3);
  assert.equal(visit(lab, "c", 4), "B2");
  assert.deepEqual(lab.emitted.findLast(({ type }) => type === "session_moved"), {
    type: "session_moved",
    at_ms: 4e-6,
    client: "c",
    from: "B3",
    to: "B2",
    why: "failback",
  });
  bringUp(lab.scheduler, "B1", 5);
  assert.equal(visit(lab, "c", 6), "B2", "a primary is as good as another");
});

Deno.test("a client leaves a backup for another primary while its own primary is still down", () => {
  const lab = schedulerOf({ sticky: STICKY, backends: PAIR_AND_BACKUP });
  assert.equal(visit(lab, "c", 0), "B1");
  takeDown(lab.scheduler, "B1", 1);
  takeDown(lab.scheduler, "B2", 1);
  assert.equal(visit(lab, "c", 2), "B3");
  bringUp(lab.scheduler, "B2", 3);
  assert.equal(visit(lab, "c", 4), "B2");
  bringUp(lab.scheduler, "B1", 5);
  assert.equal(visit(lab, "c", 6), "B1", "it still has a home to return to");
});

Deno.test("a client does not leave a backup for a primary to which its connect has just failed", () => {
  const lab = schedulerOf({ sticky: STICKY, backends: ["B1", { id: "B3", backup: true }] });
  const failed = connecting(acquire(lab.scheduler, "c", 1));
  retried(failed, 2).leave(2);
  assert.equal(visit(lab, "c", 3), "B3");
  lab.scheduler.probed("B1", true, 4, 0);
  assert.equal(visit(lab, "c", 5), "B1");
});

Deno.test("a client that has left a failed backup for a primary stays there when the backup works again", () => {
  const lab = schedulerOf({ sticky: STICKY, backends: ["B1", { id: "B3", backup: true }] });
  takeDown(lab.scheduler, "B1", 1);
  assert.equal(visit(lab, "c", 2), "B3");
  takeDown(lab.scheduler, "B3", 3);
  bringUp(lab.scheduler, "B1", 3);
  assert.equal(visit(lab, "c", 4), "B1");
  bringUp(lab.scheduler, "B3", 5);
  assert.equal(visit(lab, "c", 6), "B1");
});

Deno.test("a client leaves a backup although the primary that it would get first never proves that it works", () => {
  for (const algorithm of ["first-available", "source-hash", "round-robin"] as const) {
    const lab = schedulerOf({
      algorithm,
      sticky: STICKY,
      healthCheck: UNPROBED,
      backends: PAIR_AND_BACKUP,
    });
    const connection = connecting(acquire(lab.scheduler, "c", 1));
    const first = connection.backend;
    const second = retried(connection, 2).backend;
    retried(connection, 2).leave(3);
    assert.equal(visit(lab, "c", 4), "B3");
    // Another client's connect proves one primary, but not the one that this client would get.
    let lease = connecting(acquire(lab.scheduler, "other", 5));
    if (lease.backend === first) lease = retried(lease, 5);
    assert.equal(lease.backend, second);
    lease.connected(6);
    assert.equal(visit(lab, "c", 7), second.id, algorithm);
  }
});

Deno.test("a client stays on a backup, with on_failback: stay", () => {
  const sticky = { ...STICKY, onFailback: "stay" } as const;
  const lab = schedulerOf({ sticky, backends: PAIR_AND_BACKUP });
  takeDown(lab.scheduler, "B1", 1);
  takeDown(lab.scheduler, "B2", 1);
  assert.equal(visit(lab, "c", 2), "B3");
  bringUp(lab.scheduler, "B2", 3);
  assert.equal(visit(lab, "c", 4), "B3");
});

Deno.test("a drained backend gets its clients back when it is ready again and answers probes", () => {
  const lab = schedulerOf({ sticky: STICKY });
  assert.equal(visit(lab, "c", 0), "B1");
  lab.scheduler.setMode("B1", "drain", 1);
  const moved = visit(lab, "c", 2);
  assert.notEqual(moved, "B1");
  lab.scheduler.setMode("B1", "ready", 3);
  assert.equal(visit(lab, "c", 4), moved);
  lab.scheduler.probed("B1", true, 5, 0);
  assert.equal(visit(lab, "c", 6), "B1");
});

Deno.test("a session keeps its home over several failovers", () => {
  const lab = schedulerOf({ sticky: STICKY });
  assert.equal(visit(lab, "c", 0), "B1");
  takeDown(lab.scheduler, "B1", 1);
  const second = visit(lab, "c", 2);
  takeDown(lab.scheduler, second, 3);
  const third = visit(lab, "c", 4);
  assert.deepEqual(["B1", second, third].toSorted(), ["B1", "B2", "B3"]);
  bringUp(lab.scheduler, second, 5);
  assert.equal(visit(lab, "c", 6), third, "the second was never its home");
  bringUp(lab.scheduler, "B1", 7);
  assert.equal(visit(lab, "c", 8), "B1");
});

Deno.test("without health checks a client returns to a backend that failed only after another client's connect has succeeded", () => {
  const lab = schedulerOf({ sticky: STICKY, healthCheck: UNPROBED });
  const next = connecting(acquire(lab.scheduler, "c", 1));
  const failed = next.backend;
  retried(next, 2).connected(2);
  next.close("closed", 3);
  for (let i = 4; i < 20; i++) assert.equal(visit(lab, "c", i), next.backend.id);
  for (let i = 0; i < 6; i++) visit(lab, `new ${i}`, 20);
  assert.equal(visit(lab, "c", 21), failed.id);
});

Deno.test("a client returns only if no connect has failed since the last success", () => {
  const lab = schedulerOf({ sticky: STICKY });
  assert.equal(visit(lab, "c", 1), "B1");
  takeDown(lab.scheduler, "B1", 2);
  const moved = visit(lab, "c", 3);
  bringUp(lab.scheduler, "B1", 4);
  let lease = connecting(acquire(lab.scheduler, "other", 5));
  for (let i = 0; lease.backend.id !== "B1"; i++) {
    lease = connecting(acquire(lab.scheduler, `${i}`, 5));
  }
  lease.connectFailed("timeout", 6);
  assert.equal(visit(lab, "c", 7), moved);
  lab.scheduler.probed("B1", true, 8, 0);
  assert.equal(visit(lab, "c", 9), "B1");
});

Deno.test("a client whose connect failed without a retry left goes to another backend at its next connection", () => {
  for (const healthCheck of [UNPROBED, { ...UNPROBED, type: "tcp" }]) {
    const lab = schedulerOf({ sticky: STICKY, retries: 0, healthCheck });
    assert.equal(visit(lab, "c", 1), "B1");
    const failed = connecting(acquire(lab.scheduler, "c", 2));
    assert.equal(failed.connectFailed("refused", 3).kind, "refused");
    const next = visit(lab, "c", 4);
    assert.notEqual(next, "B1");
    assert.equal(lab.scheduler.sessionMap.get("c"), next);
  }
});

Deno.test("a client whose connect failed tries the same backend again if there is no other", () => {
  const lab = schedulerOf({ sticky: STICKY, retries: 0, backends: ["B1", "B2"] });
  assert.equal(visit(lab, "c", 1), "B1");
  takeDown(lab.scheduler, "B2", 1);
  connecting(acquire(lab.scheduler, "c", 2)).connectFailed("refused", 3);
  assert.equal(visit(lab, "c", 4), "B1");
  assert.deepEqual(lab.emitted.filter(({ type }) => type === "session_moved"), []);
});

Deno.test("without health checks a client returns to a backend that was only drained", () => {
  const lab = schedulerOf({ sticky: STICKY, healthCheck: UNPROBED });
  assert.equal(visit(lab, "c", 1), "B1");
  lab.scheduler.setMode("B1", "drain", 2);
  assert.notEqual(visit(lab, "c", 3), "B1");
  lab.scheduler.setMode("B1", "ready", 4);
  assert.equal(visit(lab, "c", 5), "B1");
});

Deno.test("IPv4 clients have the same session on a dual-stack listener as on an IPv4 listener", () => {
  const lab = schedulerOf({ sticky: { ...STICKY, ipv4Prefix: 24, ipv6Prefix: 64 } });
  assert.equal(visit(lab, "10.0.0.1"), "B1");
  assert.equal(visit(lab, "::ffff:10.0.0.2"), "B1");
  assert.equal(visit(lab, "2001:db8::1"), "B2");
  assert.equal(visit(lab, "2001:db8::2"), "B2");
});

/** A session of 10.0.0.1 that another balancer pinned. */
const ELSEWHERE = { key: "10.0.0.1", backend: "B3", home: "B3", changedAt: 0, usedAt: 0 };

Deno.test("Scheduler.adopt() sends a client to the backend to which another balancer pinned it, and emits session_adopted", () => {
  const lab = schedulerOf({ sticky: STICKY });
  lab.scheduler.adopt(ELSEWHERE, 1e6);
  lab.scheduler.adopt(ELSEWHERE, 2e6);
  assert.deepEqual(lab.emitted, [
    { type: "session_adopted", at_ms: 1, client: "10.0.0.1", backend: "B3" },
  ]);
  assert.equal(visit(lab, "10.0.0.1", 3e6), "B3");
});

Deno.test("Scheduler.adopt() lets a client that another balancer moved return to its home", () => {
  const lab = schedulerOf({ sticky: STICKY });
  lab.scheduler.adopt({ ...ELSEWHERE, backend: "B2", changedAt: 1e6 }, 2e6);
  assert.equal(visit(lab, "10.0.0.1", 2e6), "B2", "B3 has not been probed since");
  lab.scheduler.probed("B3", true, 3e6, 0);
  assert.equal(visit(lab, "10.0.0.1", 4e6), "B3");
});

Deno.test("Scheduler.adopt() ignores unknown backends, and all sessions if clients do not stick", () => {
  const lab = schedulerOf({ sticky: STICKY });
  lab.scheduler.adopt({ ...ELSEWHERE, backend: "B9" }, 0);
  assert.equal(lab.scheduler.sessionCount, 0);
  lab.scheduler.adopt({ ...ELSEWHERE, home: "B9" }, 0);
  assert.deepEqual([...lab.scheduler.sessions].map(({ home }) => home.id), ["B3"]);
  const loose = schedulerOf();
  loose.scheduler.adopt(ELSEWHERE, 0);
  assert.equal(loose.scheduler.sessionCount, 0);
  assert.deepEqual([...loose.scheduler.sessions, ...loose.scheduler.sessionsInUse], []);
  assert.equal(loose.scheduler.sessionToAskFor("10.0.0.1", 0), undefined);
});

Deno.test("a move of a session counts as later than the change before it, even if the other balancer's clock is ahead", () => {
  const lab = schedulerOf({ sticky: STICKY });
  const ahead = 3600 * NS_PER_S;
  lab.scheduler.adopt({ ...ELSEWHERE, changedAt: ahead }, 0);
  takeDown(lab.scheduler, "B3", 0);
  assert.notEqual(visit(lab, "10.0.0.1", 0), "B3");
  assert.ok([...lab.scheduler.sessions][0]!.changedAt > ahead);
});

Deno.test("Scheduler.restore() adopts the sessions of an earlier run without an event", () => {
  const lab = schedulerOf({ sticky: STICKY });
  const records = ["a", "b", "c"].map((key) => ({ ...ELSEWHERE, key }));
  assert.equal(lab.scheduler.restore([...records, { ...ELSEWHERE, backend: "B9" }], 0), 3);
  assert.deepEqual([...lab.scheduler.sessionMap.keys()], ["a", "b", "c"]);
  assert.deepEqual(lab.emitted, []);
});

Deno.test("Scheduler.onSessionUse is called for each connection that a session gains or loses", () => {
  const { scheduler } = schedulerOf({ sticky: { ...STICKY, ipv4Prefix: 24 } });
  const used: unknown[] = [];
  scheduler.onSessionUse = ({ key, backend, open }, change, now) =>
    used.push([key, backend.id, open, change, now]);
  const lease = open(scheduler, "10.0.0.1", 5);
  assert.deepEqual([...scheduler.sessionsInUse].map(({ key }) => key), ["10.0.0.0/24"]);
  lease.close("closed", 7);
  assert.deepEqual(used, [["10.0.0.0/24", "B1", 1, 1, 5], ["10.0.0.0/24", "B1", 0, -1, 7]]);
  assert.deepEqual([...scheduler.sessionsInUse], []);
});

Deno.test("Scheduler.sessionToAskFor() returns the key of a client only if it has no connection here", () => {
  const { scheduler } = schedulerOf({ sticky: { ...STICKY, ipv4Prefix: 24 } });
  assert.equal(scheduler.sessionToAskFor("10.0.0.9", 0), "10.0.0.0/24");
  const lease = open(scheduler, "10.0.0.1", 5);
  assert.equal(scheduler.sessionToAskFor("10.0.0.9", 6), undefined);
  lease.close("closed", 7);
  assert.equal(scheduler.sessionToAskFor("10.0.0.9", 8), "10.0.0.0/24");
});
