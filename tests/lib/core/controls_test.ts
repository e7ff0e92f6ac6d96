/** Slow start, ejection, weight 0, drain, `when_none_available` and explanations. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Ejection } from "../../../lib/core/backend/ejection.ts";
import {
  ALGORITHM_NAMES,
  type EventOf,
  type LbEvent,
  type Scheduler,
  type SchedulerOptions,
} from "../../../lib/core/mod.ts";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { acquire, connecting, open, placeOf } from "../../support/phases.ts";
import { bringUp, schedulerOf, STICKY, takeDown } from "../../support/scheduling.ts";

const SLOW = { duration: 20 * NS_PER_S, floor: 0.1 };
const EJECTION = { failures: 3, base: 10 * NS_PER_S, max: 25 * NS_PER_S, maxShare: 0.5 };
function only<Type extends LbEvent["type"]>(
  emitted: readonly LbEvent[],
  type: Type,
): EventOf<Type>[] {
  return emitted.filter((event) => event.type === type) as EventOf<Type>[];
}

/** A connect to this backend fails; connects to other backends succeed. */
function fails(scheduler: Scheduler, id: string, now: number): void {
  let lease = connecting(acquire(scheduler, "c", now));
  while (lease.backend.id !== id) {
    lease.connected(now);
    lease.close("closed", now);
    lease = connecting(acquire(scheduler, "c", now));
  }
  if (lease.connectFailed("refused", now).kind === "connect") lease.leave(now);
}

Deno.test("Scheduler raises the weight of a recovered backend linearly, from the floor", () => {
  const { scheduler } = schedulerOf({
    slowStart: SLOW,
    backends: [{ id: "B1", weight: 40 }, "B2"],
  });
  const weightAt = (seconds: number) => {
    open(scheduler, "c", seconds * NS_PER_S).close("closed", seconds * NS_PER_S);
    return scheduler.backend("B1")!.weight;
  };
  assert.equal(weightAt(1), 40, "not at boot");
  takeDown(scheduler, "B1", 2 * NS_PER_S);
  bringUp(scheduler, "B1", 100 * NS_PER_S);
  const times = [100, 101, 105, 109.999, 110, 119, 120, 500];
  const weights = times.map(weightAt).map((weight) => Number(weight.toFixed(9)));
  // 40 · (0.1 + 0.9 · t / 20), in steps of one second.
  assert.deepEqual(weights, [4, 5.8, 13, 20.2, 22, 38.2, 40, 40]);
});

Deno.test("Scheduler does not flood a backend that has just come back", () => {
  for (const algorithm of ["least-connections", "power-of-two", "random", "round-robin"] as const) {
    const { scheduler } = schedulerOf({ algorithm, slowStart: SLOW });
    takeDown(scheduler, "B1");
    for (let i = 0; i < 300; i++) open(scheduler, `10.0.0.${i}`, NS_PER_S);
    bringUp(scheduler, "B1", 2 * NS_PER_S);
    for (let i = 0; i < 100; i++) open(scheduler, `10.0.0.${i}`, 2 * NS_PER_S);
    const flooded = scheduler.connectionCount.get("B1")!;
    // Without slow start, least-connections would send all hundred clients there, the other algorithms a third.
    assert.ok(flooded <= 25, `${algorithm}: ${flooded}`);
  }
});

/** The shares of its weight that a backend has at these times, in seconds. */
function sharesOf(scheduler: Scheduler, id: string, seconds: readonly number[]): number[] {
  return seconds.map((second) => {
    scheduler.passTime(second * NS_PER_S);
    const { weight, fullWeight } = scheduler.backend(id)!;
    return Number((weight / fullWeight).toFixed(9));
  });
}

Deno.test("slow start: floor + (1 − floor) · t / duration, in twenty equal steps, for any floor and duration", () => {
  for (
    const [duration, floor] of [[20, 0.1], [30, 0.5], [7, 0.01], [60, 1], [0.001, 0.25]] as const
  ) {
    const { scheduler } = schedulerOf({
      slowStart: { duration: duration * NS_PER_S, floor },
      backends: [{ id: "B1", weight: 3 }, "B2"],
    });
    takeDown(scheduler, "B1", 0);
    bringUp(scheduler, "B1", 0);
    const halfSteps = Array.from({ length: 44 }, (_, i) => i);
    const shares = halfSteps.flatMap((halves) => {
      const at = Math.round(halves * duration * NS_PER_S / 40);
      return sharesOf(scheduler, "B1", [at / NS_PER_S]);
    });
    const expected = halfSteps.map((halves) => {
      const steps = Math.min(20, Math.floor(halves / 2));
      return Number((floor + (1 - floor) * steps / 20).toFixed(9));
    });
    assert.deepEqual(shares, expected, `${duration} s from ${floor}`);
    assert.equal(scheduler.backend("B1")!.weight, 3);
    assert.equal(scheduler.nextWake, undefined);
  }
});

Deno.test("slow start: a backend gets clients in proportion to its present weight", () => {
  const { scheduler } = schedulerOf({
    algorithm: "round-robin",
    slowStart: SLOW,
    backends: [{ id: "B1", weight: 20 }, { id: "B2", weight: 20 }],
  });
  takeDown(scheduler, "B1", 0);
  bringUp(scheduler, "B1", 0);
  // From 10 s on B1 has 0.55 of its weight: 11 of 31.
  let atB1 = 0;
  for (let i = 0; i < 310; i++) {
    if (open(scheduler, "c", 10 * NS_PER_S).backend.id === "B1") atB1++;
  }
  assert.equal(atB1, 110);
});

/** The ways in which backend B3 begins to take clients at 10 s. */
const RETURNS: Readonly<Record<string, (scheduler: Scheduler, options: SchedulerOptions) => void>> =
  {
    "it comes up again": (scheduler) => {
      takeDown(scheduler, "B3", 0);
      bringUp(scheduler, "B3", 10 * NS_PER_S);
    },
    "maintenance ends": (scheduler) => {
      scheduler.setMode("B3", "maintenance", 0);
      scheduler.setMode("B3", "ready", 10 * NS_PER_S);
    },
    "its maintenance ends in the file": (scheduler, options) => {
      const [one, two, three] = options.backends;
      const inMaintenance = { ...three!, mode: "maintenance" as const };
      scheduler.reconfigure({ ...options, backends: [one!, two!, inMaintenance] }, 0);
      scheduler.reconfigure(options, 10 * NS_PER_S);
    },
    "its ejection ends": (scheduler) => {
      fails(scheduler, "B3", 0);
      fails(scheduler, "B3", 0);
      fails(scheduler, "B3", 0);
      assert.equal(scheduler.backend("B3")!.ejection?.ejected, true);
    },
    "a reload ends its ejection": (scheduler, options) => {
      for (let i = 0; i < 3; i++) fails(scheduler, "B3", 5 * NS_PER_S);
      scheduler.reconfigure({ ...options, ejection: undefined }, 10 * NS_PER_S);
    },
    "a reload adds it": (scheduler, options) => {
      const [one, two] = options.backends;
      scheduler.reconfigure({ ...options, backends: [one!, two!] }, 0);
      scheduler.reconfigure(options, 8 * NS_PER_S);
      scheduler.probed("B3", true, 10 * NS_PER_S, 0);
    },
    "a reload adds it, and its first probe fails": (scheduler, options) => {
      const [one, two] = options.backends;
      scheduler.reconfigure({ ...options, backends: [one!, two!] }, 0);
      scheduler.reconfigure(options, 8 * NS_PER_S);
      scheduler.probed("B3", false, 8 * NS_PER_S, 0);
      bringUp(scheduler, "B3", 10 * NS_PER_S);
    },
    "a reload gives it another address": (scheduler, options) => {
      const [one, two, three] = options.backends;
      const moved = { ...three!, address: { host: "10.0.0.9", port: 1 } };
      scheduler.reconfigure({ ...options, backends: [one!, two!, moved] }, 8 * NS_PER_S);
      scheduler.probed("B3", true, 10 * NS_PER_S, 0);
    },
    "maintenance, drain, ready: no time runs while it drains": (scheduler) => {
      scheduler.setMode("B3", "maintenance", 0);
      scheduler.setMode("B3", "drain", NS_PER_S);
      scheduler.setMode("B3", "ready", 10 * NS_PER_S);
    },
    "it comes up while it drains": (scheduler) => {
      takeDown(scheduler, "B3", 0);
      scheduler.setMode("B3", "drain", 0);
      bringUp(scheduler, "B3", NS_PER_S);
      scheduler.setMode("B3", "ready", 10 * NS_PER_S);
    },
    "it comes up while its weight is 0": (scheduler, options) => {
      const [one, two, three] = options.backends;
      scheduler.reconfigure({ ...options, backends: [one!, two!, { ...three!, weight: 0 }] }, 0);
      takeDown(scheduler, "B3", 0);
      bringUp(scheduler, "B3", NS_PER_S);
      scheduler.reconfigure(options, 10 * NS_PER_S);
    },
  };

for (const [how, lets] of Object.entries(RETURNS)) {
  Deno.test(`slow start: a backend begins with the floor when ${how}`, () => {
    const options: SchedulerOptions = {
      algorithm: { name: "least-connections" },
      backends: ["B1", "B2", "B3"].map((id) => ({ id, weight: 1, backup: false })),
      healthCheck: { type: "tcp", interval: NS_PER_S, jitter: 0, rise: 2, fall: 3 },
      retries: 3,
      limits: { connections: 1000 },
      slowStart: SLOW,
      ejection: EJECTION,
    };
    const { scheduler } = schedulerOf(options);
    lets(scheduler, options);
    for (let i = 0; i < 200; i++) acquire(scheduler, "c", 10 * NS_PER_S);
    const { inFlight, weight } = scheduler.backend("B3")!;
    assert.equal(weight, 0.1);
    // 200 at weights 1, 1 and 0.1, of which some may have come before B3 was there.
    assert.ok(inFlight >= 5 && inFlight <= 12, `${inFlight} of 200`);
    const shares = sharesOf(scheduler, "B3", [10.9, 11, 15, 20, 29.9, 30]);
    assert.deepEqual(shares, [0.1, 0.145, 0.325, 0.55, 0.955, 1]);
  });
}

Deno.test("slow start: no backend starts slowly when the balancer starts, with or without probes", () => {
  const { scheduler } = schedulerOf({ slowStart: SLOW });
  assert.deepEqual(scheduler.backends.map(({ weight }) => weight), [1, 1, 1]);
  const none = { type: "none", interval: 1, jitter: 0, rise: 1, fall: 1 };
  const unprobed = schedulerOf({ slowStart: SLOW, healthCheck: none }).scheduler;
  assert.deepEqual(unprobed.backends.map(({ weight }) => weight), [1, 1, 1]);
});

Deno.test("slow start: without probes a backend that a reload adds starts slowly at once", () => {
  const healthCheck = { type: "none", interval: 1, jitter: 0, rise: 1, fall: 1 };
  const { scheduler } = schedulerOf({ slowStart: SLOW, healthCheck, backends: ["B1"] });
  scheduler.addBackend({ id: "B2", weight: 4, backup: false }, 10 * NS_PER_S);
  assert.deepEqual(sharesOf(scheduler, "B2", [10, 20, 30]), [0.1, 0.55, 1]);
  assert.deepEqual(sharesOf(scheduler, "B1", [30]), [1]);
});

Deno.test("slow start: a drain pauses it, and the backend keeps the weight that it has reached", () => {
  const { scheduler } = schedulerOf({ slowStart: SLOW });
  takeDown(scheduler, "B1", 0);
  bringUp(scheduler, "B1", 0);
  assert.deepEqual(sharesOf(scheduler, "B1", [10]), [0.55]);
  scheduler.setMode("B1", "drain", 10.5 * NS_PER_S);
  assert.deepEqual(sharesOf(scheduler, "B1", [500]), [0.55]);
  scheduler.setMode("B1", "ready", 500 * NS_PER_S);
  assert.deepEqual(sharesOf(scheduler, "B1", [500.4, 500.5, 509.5]), [0.55, 0.595, 1]);
});

Deno.test("slow start: a reload that changes its rules or the weight keeps the share that was reached", () => {
  const options = {
    algorithm: { name: "round-robin" } as const,
    backends: ["B1", "B2"].map((id) => ({ id, weight: 1, backup: false })),
    healthCheck: { type: "tcp", interval: NS_PER_S, jitter: 0, rise: 2, fall: 3 },
    retries: 3,
    limits: { connections: 1000 },
    slowStart: SLOW,
  };
  const { scheduler } = schedulerOf(options);
  takeDown(scheduler, "B1", 0);
  bringUp(scheduler, "B1", 0);
  const heavier = options.backends.map((backend) => ({ ...backend, weight: 5 }));
  scheduler.reconfigure({ ...options, backends: heavier }, 10 * NS_PER_S);
  assert.equal(scheduler.backend("B1")!.weight, 2.75);
  const slower = { duration: 40 * NS_PER_S, floor: 0.1 };
  scheduler.reconfigure({ ...options, backends: heavier, slowStart: slower }, 10 * NS_PER_S);
  assert.deepEqual(sharesOf(scheduler, "B1", [10, 21.9, 22, 40]), [0.55, 0.55, 0.595, 1]);
  scheduler.reconfigure(options, 50 * NS_PER_S);
  takeDown(scheduler, "B1", 50 * NS_PER_S);
  bringUp(scheduler, "B1", 50 * NS_PER_S);
  scheduler.reconfigure({ ...options, slowStart: undefined }, 51 * NS_PER_S);
  assert.deepEqual(sharesOf(scheduler, "B1", [51]), [1]);
});

Deno.test("Scheduler starts a backend slowly after maintenance, too", () => {
  const { scheduler } = schedulerOf({ slowStart: SLOW });
  scheduler.setMode("B1", "maintenance", 0);
  scheduler.setMode("B1", "ready", NS_PER_S);
  assert.equal(scheduler.backend("B1")!.weight, 0.1);
});

Deno.test("Scheduler ejects a backend for a while after the configured number of failed connects in a row", () => {
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

Deno.test("Scheduler counts failed connects in a row: a successful one resets the count", () => {
  const { scheduler } = schedulerOf({ ejection: EJECTION, backends: ["B1", "B2"] });
  for (let i = 0; i < 10; i++) {
    fails(scheduler, "B1", i);
    fails(scheduler, "B1", i);
    for (let j = 0; j < 2; j++) open(scheduler, "c", i).close("closed", i);
  }
  assert.deepEqual(scheduler.activeServers, ["B1", "B2"]);
});

Deno.test("Scheduler never ejects more than the allowed share of the backends", () => {
  const { scheduler } = schedulerOf({ ejection: EJECTION, backends: ["B1", "B2", "B3"] });
  for (const id of ["B1", "B2", "B3"]) {
    for (let i = 0; i < 5; i++) {
      if (scheduler.activeServers.includes(id)) fails(scheduler, id, 0);
    }
  }
  assert.deepEqual(scheduler.activeServers, ["B2", "B3"]);
});

Deno.test("Ejection lasts longer each time, up to the cap, and is forgotten when the backend has worked for as long as it lasted", () => {
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
    assert.equal(acquire(scheduler, "c", 0).phase, "ended");
  });
}

Deno.test("sticky clients leave a draining backend at their next connection, unless they may stay", () => {
  for (const drain of ["move", "allow"] as const) {
    const { scheduler } = schedulerOf({ sticky: { ...STICKY, drain } });
    const home = open(scheduler, "10.0.0.7").backend.id;
    scheduler.setMode(home, "drain", 0);
    const next = open(scheduler, "10.0.0.7").backend.id;
    assert.equal(next === home, drain === "allow");
    // Other clients do not come, whatever the rule.
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

Deno.test("Scheduler with try-anyway uses a backend that is down when no backend is available", () => {
  for (const whenNoneAvailable of ["refuse", "try-anyway"] as const) {
    const { scheduler } = schedulerOf({ whenNoneAvailable });
    for (const id of ["B1", "B2", "B3"]) takeDown(scheduler, id);
    scheduler.setMode("B3", "maintenance", 0);
    const held = Array.from({ length: 4 }, () => acquire(scheduler, "c", 0));
    const went = held.map(placeOf);
    if (whenNoneAvailable === "refuse") {
      assert.deepEqual(new Set(went), new Set(["no_backend_available"]));
    } else assert.deepEqual(went.toSorted(), ["B1", "B1", "B2", "B2"]);
  }
});

Deno.test("Scheduler with try-anyway uses no backend that is down while a healthy one is only full", () => {
  const { scheduler } = schedulerOf({
    whenNoneAvailable: "try-anyway",
    backends: [{ id: "B1", maxConnections: 1 }, "B2"],
  });
  takeDown(scheduler, "B2");
  open(scheduler);
  assert.equal(acquire(scheduler, "c", 0).refusal, "all_backends_full");
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
  acquire(scheduler, "10.0.0.9", 0);
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

Deno.test("pick_explained comes for every n-th client, and for no client without a reader", () => {
  const { scheduler, emitted } = schedulerOf({ explained: true, explainEvery: 3 });
  for (let i = 0; i < 9; i++) open(scheduler);
  assert.deepEqual(only(emitted, "pick_explained").map(({ connection }) => connection), [1, 4, 7]);
});

Deno.test("Ejection never lasts longer than its cap, in any sequence of failures", () => {
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

Deno.test("Scheduler: a backend of weight 0 does not count as full, and try-anyway does not use it", () => {
  const backends = [{ id: "B1", weight: 0 }, "B2"];
  const { scheduler } = schedulerOf({ backends });
  takeDown(scheduler, "B2");
  assert.equal(acquire(scheduler, "c", 0).refusal, "no_backend_available");
  const anyway = schedulerOf({ backends, whenNoneAvailable: "try-anyway" }).scheduler;
  takeDown(anyway, "B2");
  for (let i = 0; i < 3; i++) assert.equal(open(anyway).backend.id, "B2");
});
