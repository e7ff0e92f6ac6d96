/** Slow start, ejection, weight 0, drain, when nobody is available, explanations. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Ejection } from "../../../lib/core/ejection.ts";
import {
  ALGORITHM_NAMES,
  type EventOf,
  type LbEvent,
  NS_PER_S,
  type Scheduler,
} from "../../../lib/core/mod.ts";
import { bringUp, granted, open, schedulerOf, STICKY, takeDown } from "../../support/scheduling.ts";

const SLOW = { duration: 20 * NS_PER_S, floor: 0.1 };
const EJECTION = { failures: 3, base: 10 * NS_PER_S, max: 25 * NS_PER_S, maxShare: 0.5 };
function only<Type extends LbEvent["type"]>(
  emitted: readonly LbEvent[],
  type: Type,
): EventOf<Type>[] {
  return emitted.filter((event) => event.type === type) as EventOf<Type>[];
}

/** A connect to whoever is picked fails, for all those named. */
function fails(scheduler: Scheduler, id: string, now: number): void {
  const held = scheduler.acquire("c", now);
  let lease = granted(held);
  while (lease.backend.id !== id) {
    lease.connected(now);
    lease.release("closed", now);
    lease = granted(scheduler.acquire("c", now));
  }
  const next = lease.connectFailed("refused", now);
  if (next.granted) next.release("closed", now);
}

Deno.test("Scheduler lets a backend that has recovered gain weight linearly, from the floor", () => {
  const { scheduler } = schedulerOf({
    slowStart: SLOW,
    backends: [{ id: "B1", weight: 40 }, "B2"],
  });
  const weightAt = (seconds: number) => {
    open(scheduler, "c", seconds * NS_PER_S).release("closed", seconds * NS_PER_S);
    return scheduler.backend("B1")!.weight;
  };
  assert.equal(weightAt(1), 40, "not at boot");
  takeDown(scheduler, "B1", 2 * NS_PER_S);
  bringUp(scheduler, "B1", 100 * NS_PER_S);
  assert.deepEqual([100, 101, 105, 110, 119, 120, 500].map(weightAt), [4, 4, 10, 20, 38, 40, 40]);
});

Deno.test("Scheduler does not flood a backend that has just come back", () => {
  for (const algorithm of ["least-connections", "power-of-two", "random", "round-robin"] as const) {
    const { scheduler } = schedulerOf({ algorithm, slowStart: SLOW });
    takeDown(scheduler, "B1");
    for (let i = 0; i < 300; i++) open(scheduler, `10.0.0.${i}`, NS_PER_S);
    bringUp(scheduler, "B1", 2 * NS_PER_S);
    for (let i = 0; i < 100; i++) open(scheduler, `10.0.0.${i}`, 2 * NS_PER_S);
    const flooded = scheduler.connectionCount.get("B1")!;
    // Without it least-connections would send all hundred there, the others a third.
    assert.ok(flooded <= 25, `${algorithm}: ${flooded}`);
  }
});

Deno.test("Scheduler starts a backend slowly after maintenance, too", () => {
  const { scheduler } = schedulerOf({ slowStart: SLOW });
  scheduler.setMode("B1", "maintenance", 0);
  scheduler.setMode("B1", "ready", NS_PER_S);
  assert.equal(scheduler.backend("B1")!.weight, 0.1);
});

Deno.test("Scheduler ejects a backend after so many failed connects in a row, for a while", () => {
  const { scheduler, emitted } = schedulerOf({ ejection: EJECTION });
  fails(scheduler, "B2", 0);
  fails(scheduler, "B2", 0);
  assert.deepEqual(scheduler.activeServers, ["B1", "B2", "B3"]);
  fails(scheduler, "B2", NS_PER_S);
  assert.deepEqual(scheduler.activeServers, ["B1", "B3"]);
  assert.deepEqual(only(emitted, "backend_ejected"), [{
    type: "backend_ejected",
    at_ms: 1000,
    backend: "B2",
    failures: 3,
    ejected_for_ms: 10_000,
    active_servers: ["B1", "B3"],
  }]);
  for (let i = 0; i < 20; i++) {
    assert.notEqual(open(scheduler, "c", 10.9 * NS_PER_S).backend.id, "B2");
  }
  open(scheduler, "c", 11 * NS_PER_S);
  assert.deepEqual(scheduler.activeServers, ["B1", "B2", "B3"]);
  assert.equal(only(emitted, "backend_readmitted").length, 1);
});

Deno.test("Scheduler counts failed connects in a row: one that succeeds starts anew", () => {
  const { scheduler } = schedulerOf({ ejection: EJECTION, backends: ["B1", "B2"] });
  for (let i = 0; i < 10; i++) {
    fails(scheduler, "B1", i);
    fails(scheduler, "B1", i);
    for (let j = 0; j < 2; j++) open(scheduler, "c", i).release("closed", i);
  }
  assert.deepEqual(scheduler.activeServers, ["B1", "B2"]);
});

Deno.test("Scheduler never ejects more than the share allowed", () => {
  const { scheduler } = schedulerOf({ ejection: EJECTION, backends: ["B1", "B2", "B3"] });
  for (const id of ["B1", "B2", "B3"]) {
    for (let i = 0; i < 5; i++) {
      if (scheduler.activeServers.includes(id)) fails(scheduler, id, 0);
    }
  }
  assert.deepEqual(scheduler.activeServers, ["B2", "B3"]);
});

Deno.test("Ejection grows with each ejection up to the cap, and is forgotten after as long a time of work", () => {
  const ejection = new Ejection(EJECTION);
  const durations = [];
  let now = 0;
  for (let i = 0; i < 4; i++) {
    durations.push(ejection.eject(now) / NS_PER_S);
    now = ejection.until;
    ejection.readmit();
  }
  assert.deepEqual(durations, [10, 20, 25, 25]);
  ejection.succeeded(now + 24 * NS_PER_S);
  assert.equal(ejection.eject(now + 24 * NS_PER_S) / NS_PER_S, 25);
  ejection.readmit();
  ejection.succeeded(ejection.until + 25 * NS_PER_S);
  assert.equal(ejection.eject(ejection.until + 25 * NS_PER_S) / NS_PER_S, 10);
});

for (const algorithm of ALGORITHM_NAMES) {
  Deno.test(`${algorithm} gives a backend of weight 0 no new client`, () => {
    const { scheduler } = schedulerOf({ algorithm, backends: [{ id: "B1", weight: 0 }, "B2"] });
    for (let i = 0; i < 50; i++) assert.equal(open(scheduler, `10.0.0.${i}`).backend.id, "B2");
    takeDown(scheduler, "B2");
    assert.equal(scheduler.acquire("c", 0).granted, false);
  });
}

Deno.test("a drain ends: chatty sticky clients leave, unless they are allowed to stay", () => {
  for (const drain of ["move", "allow"] as const) {
    const { scheduler } = schedulerOf({ sticky: { ...STICKY, drain } });
    const home = open(scheduler, "10.0.0.7").backend.id;
    scheduler.setMode(home, "drain", 0);
    const next = open(scheduler, "10.0.0.7").backend.id;
    assert.equal(next === home, drain === "allow");
    // Somebody else does not come, whatever the rule.
    for (let i = 0; i < 10; i++) {
      assert.notEqual(open(scheduler, `10.0.1.${i}`).backend.id, home);
    }
  }
});

Deno.test("a client that may stay on a draining backend still leaves one that is down or in maintenance", () => {
  const { scheduler } = schedulerOf({ sticky: { ...STICKY, drain: "allow" } });
  const home = open(scheduler, "10.0.0.7").backend.id;
  scheduler.setMode(home, "drain", 0);
  takeDown(scheduler, home);
  assert.notEqual(open(scheduler, "10.0.0.7").backend.id, home);
  bringUp(scheduler, home);
  scheduler.setMode(home, "maintenance", 0);
  assert.notEqual(open(scheduler, "10.0.0.7").backend.id, home);
});

Deno.test("Scheduler tries anyway when nobody is available, if it is told to", () => {
  for (const whenNoneAvailable of ["refuse", "try-anyway"] as const) {
    const { scheduler } = schedulerOf({ whenNoneAvailable });
    for (const id of ["B1", "B2", "B3"]) takeDown(scheduler, id);
    scheduler.setMode("B3", "maintenance", 0);
    const held = Array.from({ length: 4 }, () => scheduler.acquire("c", 0));
    const went = held.map((one) =>
      one.granted ? one.backend.id : "reason" in one ? one.reason : "waits"
    );
    if (whenNoneAvailable === "refuse") {
      assert.deepEqual(new Set(went), new Set(["no_backend_available"]));
    } else assert.deepEqual(went.toSorted(), ["B1", "B1", "B2", "B2"]);
  }
});

Deno.test("Scheduler does not try anyway while somebody is merely full", () => {
  const { scheduler } = schedulerOf({
    whenNoneAvailable: "try-anyway",
    backends: [{ id: "B1", maxConnections: 1 }, "B2"],
  });
  takeDown(scheduler, "B2");
  open(scheduler);
  assert.deepEqual(scheduler.acquire("c", 0), { granted: false, reason: "all_backends_full" });
});

Deno.test("pick_explained names every backend, its score or why it could not be picked, and the rule", () => {
  const { scheduler, emitted } = schedulerOf({
    explained: true,
    algorithm: "least-connections",
    backends: ["B1", { id: "B2", weight: 2 }, { id: "B3", maxConnections: 1 }, "B4", "B5", {
      id: "B6",
      weight: 0,
    }],
  });
  takeDown(scheduler, "B4");
  scheduler.setMode("B5", "drain", 0);
  for (let i = 0; i < 4; i++) open(scheduler);
  emitted.length = 0;
  scheduler.acquire("10.0.0.9", 0);
  const [event] = only(emitted, "pick_explained");
  assert.deepEqual(event, {
    type: "pick_explained",
    at_ms: 0,
    connection: 5,
    client: "10.0.0.9",
    backend: "B2",
    rule: "lowest score",
    candidates: [
      { backend: "B1", weight: 1, in_flight: 1, score: 2 },
      { backend: "B2", weight: 2, in_flight: 2, score: 1.5 },
      { backend: "B3", weight: 1, in_flight: 1, unavailable: "full: 1 of 1" },
      { backend: "B4", weight: 1, in_flight: 0, unavailable: "down" },
      { backend: "B5", weight: 1, in_flight: 0, unavailable: "drain" },
      { backend: "B6", weight: 0, in_flight: 0, unavailable: "weight 0" },
    ],
  });
});

Deno.test("pick_explained comes for every n-th client, and for nobody when nobody reads it", () => {
  const { scheduler, emitted } = schedulerOf({ explained: true, explainEvery: 3 });
  for (let i = 0; i < 9; i++) open(scheduler);
  assert.deepEqual(only(emitted, "pick_explained").map(({ connection }) => connection), [1, 4, 7]);
});

Deno.test("Ejection never lasts longer than its cap, whatever happens", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ fail: fc.boolean(), after: fc.nat(40) })), (steps) => {
      const ejection = new Ejection(EJECTION);
      let now = 0;
      for (const { fail, after } of steps) {
        now += after * NS_PER_S;
        if (ejection.ejected && now >= ejection.until) ejection.readmit();
        if (!fail) ejection.succeeded(now);
        else if (ejection.failed()) ejection.eject(now);
        assert.ok(!ejection.ejected || ejection.until - now <= EJECTION.max);
      }
    }),
    { endOnFailure: true },
  );
});

Deno.test("Scheduler: a backend of weight 0 neither makes others full nor is tried anyway", () => {
  const backends = [{ id: "B1", weight: 0 }, "B2"];
  const { scheduler } = schedulerOf({ backends });
  takeDown(scheduler, "B2");
  assert.deepEqual(scheduler.acquire("c", 0), { granted: false, reason: "no_backend_available" });
  const anyway = schedulerOf({ backends, whenNoneAvailable: "try-anyway" }).scheduler;
  takeDown(anyway, "B2");
  for (let i = 0; i < 3; i++) assert.equal(open(anyway).backend.id, "B2");
});
