/** The exact rules of the algorithms that use answers or idle backends. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { PeakAverages } from "../../../../lib/core/algorithms/_latency.ts";
import { LatencyByLoad } from "../../../../lib/core/algorithms/_latency_by_load.ts";
import { Prequal } from "../../../../lib/core/algorithms/prequal.ts";
import { PeakEwma } from "../../../../lib/core/algorithms/peak_ewma.ts";
import {
  type Algorithm,
  type AlgorithmOptions,
  type Connection,
  type ConnectionEnd,
  createAlgorithm,
} from "../../../../lib/core/mod.ts";
import { createRandom, type Nanoseconds, NS_PER_MS, NS_PER_S } from "../../../../lib/base/mod.ts";
import { acquire, connecting } from "../../../support/phases.ts";
import { candidatesOf, schedulerOf, type TestCandidate } from "../../../support/scheduling.ts";

function algorithmOf(options: AlgorithmOptions, candidates: readonly TestCandidate[]): Algorithm {
  const algorithm = createAlgorithm(options, createRandom(1));
  for (const candidate of candidates) algorithm.add(candidate);
  return algorithm;
}

/** An algorithm with two backends of equal weight. */
function pairOf(options: AlgorithmOptions) {
  const candidates = candidatesOf([1, 1]);
  const [first, second] = candidates as [TestCandidate, TestCandidate];
  return { algorithm: algorithmOf(options, candidates), first, second };
}

function close(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-6 * expected, `${actual}, not ${expected}`);
}

/** A single average. */
class SingleAverage {
  readonly #averages: PeakAverages;

  constructor(decay: number) {
    this.#averages = new PeakAverages(decay);
    this.#averages.reset(0);
  }

  get known(): boolean {
    return this.#averages.isKnown(0);
  }

  observe(latency: number, now: number): void {
    this.#averages.observe(0, latency, now);
  }

  at(now: number): number {
    this.#averages.advance(now);
    return this.#averages.current(0);
  }
}

Deno.test("PeakAverages rise at once, and fall by e^(−Δt/τ)", () => {
  const average = new SingleAverage(10);
  assert.equal(average.known, false);
  assert.equal(average.at(0), 0);
  average.observe(100, 0);
  assert.equal(average.at(0), 100);
  average.observe(300, 0);
  assert.equal(average.at(0), 300);
  close(average.at(10), 300 / Math.E);
  average.observe(50, 10);
  close(average.at(10), 300 / Math.E + 50 * (1 - 1 / Math.E));
});

Deno.test("PeakAverages are never below the latest latency, and never above the highest one", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ after: fc.nat(50), latency: fc.nat(1000) }), { minLength: 1 }),
      (observations) => {
        const average = new SingleAverage(20);
        let now = 0;
        let highest = 0;
        for (const { after, latency } of observations) {
          now += after;
          highest = Math.max(highest, latency);
          average.observe(latency, now);
          assert.ok(average.at(now) >= latency);
          assert.ok(average.at(now) <= highest + 1e-9);
        }
      },
    ),
    { endOnFailure: true },
  );
});

/** The rule as it is documented: each average is computed alone, with an exponential for each reading. */
class WrittenRule {
  #average = 0;
  #at = -Infinity;

  constructor(readonly decay: number) {}

  at(now: number): number {
    return this.#average * Math.exp(-(now - this.#at) / this.decay);
  }

  observe(latency: number, now: number): void {
    const w = Math.exp(-(now - this.#at) / this.decay);
    this.#average = Math.max(latency, this.#average * w + latency * (1 - w));
    this.#at = now;
  }
}

const TAU = 10 * NS_PER_S;
/** Mostly short, and sometimes so long that an average falls to nearly 0. */
const gap = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: TAU }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 90 * TAU }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 5000 * TAU }) },
);

Deno.test("PeakAverages follow the documented rule, over gaps of any length", () => {
  const step = fc.record({ gap, who: fc.nat(4), latency: fc.nat(60 * NS_PER_S) });
  const begin = fc.nat(1e6 * NS_PER_S);
  fc.assert(
    fc.property(begin, fc.array(step, { maxLength: 100, size: "max" }), (begin, steps) => {
      const averages = new PeakAverages(TAU);
      const rules = Array.from({ length: 5 }, () => new WrittenRule(TAU));
      const known = new Set<number>();
      rules.forEach((_, who) => averages.reset(who));
      let now = begin;
      for (const { gap, who, latency } of steps) {
        now += gap;
        averages.observe(who, latency, now);
        rules[who]!.observe(latency, now);
        known.add(who);
        rules.forEach((rule, who) => {
          assert.equal(averages.isKnown(who), known.has(who));
          const expected = known.has(who) ? rule.at(now) : 0;
          const actual = averages.current(who);
          // After 600 τ an average may be 0, because it has fallen to e^−600 of its value.
          const tolerance = 1e-9 * expected + 60 * NS_PER_S * Math.exp(-600);
          assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, not ${expected}`);
        });
      }
    }),
    { endOnFailure: true },
  );
});

Deno.test("PeakAverages treat an earlier time as the latest time so far", () => {
  const average = new SingleAverage(10);
  average.observe(100, 20);
  assert.equal(average.at(10), 100);
  const faded = average.at(30);
  average.observe(1, 25);
  close(average.at(20), faded + 1 - 1 / Math.E);
});

Deno.test("PeakAverages begin again when an index is given to another backend", () => {
  const averages = new PeakAverages(10);
  averages.reset(3);
  averages.observe(3, 100, 0);
  averages.reset(3);
  assert.equal(averages.isKnown(3), false);
  averages.observe(3, 1, 0);
  assert.equal(averages.current(3), 1);
});

Deno.test("peak-ewma compares latencies multiplied by the numbers in flight", () => {
  const { algorithm, first: slow, second: fast } = pairOf({ name: "peak-ewma" });
  algorithm.answered!(slow, 40 * NS_PER_MS, 0, 0);
  algorithm.answered!(fast, 10 * NS_PER_MS, 0, 0);
  // 40 · (0 + 1) against 10 · (k + 1): equal at k = 3, where the first one drawn is picked.
  for (fast.inFlight = 0; fast.inFlight < 3; fast.inFlight++) {
    assert.equal(algorithm.pick("c", 0), fast);
  }
  fast.inFlight = 4;
  assert.equal(algorithm.pick("c", 0), slow);
});

Deno.test("peak-ewma gives a backend that has not answered yet a first connection, and no second", () => {
  const { algorithm, first: known, second: fresh } = pairOf({
    name: "peak-ewma",
    initial: 30 * NS_PER_MS,
  });
  algorithm.answered!(known, 31 * NS_PER_MS, 0, 0);
  assert.equal(algorithm.pick("c", 0), fresh);
  fresh.inFlight = 1;
  known.inFlight = 1000;
  assert.equal(algorithm.pick("c", 0), known);
});

Deno.test("peak-ewma tries a slow backend again when its average has fallen", () => {
  const { algorithm, first: slow, second: fast } = pairOf({ name: "peak-ewma", decay: NS_PER_S });
  algorithm.answered!(slow, 10 * NS_PER_S, 0, 0);
  algorithm.answered!(fast, 10 * NS_PER_MS, 0, 0);
  assert.equal(algorithm.pick("c", 0), fast);
  algorithm.answered!(fast, 10 * NS_PER_MS, 0, 8 * NS_PER_S);
  assert.equal(algorithm.pick("c", 8 * NS_PER_S), slow);
});

Deno.test("peak-ewma counts a wait without an answer as a latency, if it is longer than the average", () => {
  const { algorithm, first: silent, second: works } = pairOf({ name: "peak-ewma" });
  algorithm.answered!(silent, 10 * NS_PER_MS, 0, 0);
  algorithm.answered!(works, 20 * NS_PER_MS, 0, 0);
  // The wait is shorter than answers take: the client has left early, or the backend has reset. This is not fast.
  algorithm.unanswered!(silent, NS_PER_MS, 0, 0);
  works.inFlight = 1;
  assert.equal(algorithm.pick("c", 0), silent);
  algorithm.unanswered!(silent, NS_PER_S, 0, 0);
  works.inFlight = 48; // 20 ms · 49 is less than 1 s.
  assert.equal(algorithm.pick("c", 0), works);
  works.inFlight = 50;
  assert.equal(algorithm.pick("c", 0), silent);
});

Deno.test("peak-ewma: if a backend has never answered, only a wait longer than the assumed latency counts", () => {
  const { algorithm, first: silent, second: works } = pairOf({
    name: "peak-ewma",
    initial: 30 * NS_PER_MS,
  });
  algorithm.answered!(works, 40 * NS_PER_MS, 0, 0);
  algorithm.unanswered!(silent, 20 * NS_PER_MS, 0, 0);
  assert.equal(algorithm.pick("c", 0), silent);
  algorithm.unanswered!(silent, 50 * NS_PER_MS, 0, 0);
  assert.equal(algorithm.pick("c", 0), works);
});

/** The reports that an algorithm gets about one connection that follows a script. */
function heard(
  script: (lease: Connection) => void,
  algorithm: "peak-ewma" | "prequal" = "peak-ewma",
) {
  const { scheduler } = schedulerOf({ algorithm, backends: ["B1"] });
  const said: [what: string, latencyMs: number, others: number][] = [];
  const { prototype } = algorithm === "peak-ewma" ? PeakEwma : Prequal;
  const { answered, unanswered } = prototype;
  prototype.answered = (_, latency, others) => said.push(["answered", latency / NS_PER_MS, others]);
  prototype.unanswered = (_, latency, others) => said.push(["silent", latency / NS_PER_MS, others]);
  try {
    script(connecting(acquire(scheduler, "c", 0)));
  } finally {
    Object.assign(prototype, { answered, unanswered });
  }
  return said;
}

const MS = NS_PER_MS;

/** The steps of a connection, each with its time in milliseconds. The last step may be the end. */
function played(steps: string): (lease: Connection) => void {
  return (lease) => {
    for (const step of steps.split(", ")) {
      const [what, ms] = step.split(" ");
      const now = Number(ms) * MS;
      if (what === "connected" || what === "asked" || what === "answered") lease[what](now);
      else if (what === "clientFinished") lease.clientFinished(now);
      else lease.close(what as ConnectionEnd, now);
    }
  };
}

Deno.test("Connection.close() reports the wait of a client that asked and got no answer", () => {
  assert.deepEqual(
    heard(played("connected 2, asked 2, client_aborted 1000")),
    [["silent", 1000, 0]],
  );
});

Deno.test("Connection.close() reports no latency for the time after an answer", () => {
  assert.deepEqual(
    heard(played("connected 2, asked 2, answered 5, closed 3600000")),
    [["answered", 5, 0]],
  );
});

Deno.test("Connection.answered() and close() leave out the time in which a client has sent no request", () => {
  assert.deepEqual(
    heard(played("connected 2, asked 60002, answered 60012, closed 70000")),
    [["answered", 12, 0]],
  );
  assert.deepEqual(
    heard(played("connected 2, asked 60002, client_aborted 61002")),
    [["silent", 1002, 0]],
  );
});

Deno.test("Connection.clientFinished() reports the wait so far, and an answer may still come", () => {
  assert.deepEqual(
    heard(
      played(
        "connected 2, asked 2, clientFinished 100, answered 150, clientFinished 160, closed 200",
      ),
    ),
    [["silent", 100, 0], ["answered", 150, 0]],
  );
});

Deno.test("Connection.close() reports no wait of a client that has sent nothing", () => {
  assert.deepEqual(
    heard(played("connected 2, closed 60000")),
    [],
  );
});

Deno.test("Connection.close() reports the wait for a greeting, if other backends greet without a request", () => {
  const { scheduler } = schedulerOf({ algorithm: "peak-ewma", backends: ["B1", "B2"] });
  const open = () => {
    const scores = new Map<string, number>();
    const trace = { considered: ({ id }: { id: string }, cost: number) => scores.set(id, cost) };
    const lease = connecting(acquire(scheduler, "c", 0, { ...trace, decided() {} }));
    lease.connected(0);
    return { lease, scores };
  };
  const [greeted, silent] = [open().lease, open().lease];
  assert.notEqual(greeted.backend, silent.backend);
  greeted.answered(10 * MS);
  silent.close("client_aborted", 1000 * MS);
  close(open().scores.get(silent.backend.id)!, 1000 * MS);
});

Deno.test("Connection.connectFailed() reports how long the failed connect took", () => {
  assert.deepEqual(heard((lease) => void lease.connectFailed("timeout", 2000 * MS)), [
    ["silent", 2000, 0],
  ]);
});

Deno.test("Connection.refuse() reports nothing about a backend that was not tried", () => {
  assert.deepEqual(heard((lease) => void lease.refuse("stopping", 2000 * MS)), []);
});

Deno.test("Connection.answered() tells prequal how many other connections were in flight at the pick", () => {
  const { scheduler } = schedulerOf({ algorithm: "prequal", backends: ["B1"] });
  const others: number[] = [];
  const { answered } = Prequal.prototype;
  Prequal.prototype.answered = (_candidate, _latency, load) => others.push(load);
  try {
    const leases = Array.from({ length: 3 }, () => connecting(acquire(scheduler, "c", 0)));
    for (const lease of leases.toReversed()) lease.answered(MS);
  } finally {
    Prequal.prototype.answered = answered;
  }
  assert.deepEqual(others, [2, 1, 0]);
});

Deno.test("Connection.answered() tells the algorithm how long the first answer took, once", () => {
  const { scheduler } = schedulerOf({ algorithm: "peak-ewma", backends: ["B1", "B2"] });
  const costs = (now: number) => {
    const scores = new Map<string, number>();
    const lease = connecting(
      acquire(scheduler, "c", now, {
        considered: ({ id }, score) => scores.set(id, score),
        decided() {},
      }),
    );
    return { lease, scores };
  };
  const { lease } = costs(0);
  lease.connected(NS_PER_MS);
  lease.answered(20 * NS_PER_MS);
  lease.answered(900 * NS_PER_MS);
  lease.close("closed", 900 * NS_PER_MS);
  close(costs(20 * NS_PER_MS).scores.get(lease.backend.id)!, 20 * NS_PER_MS);
});

Deno.test("join-idle-queue picks the backend that has been idle for the longest time", () => {
  const candidates = candidatesOf([1, 1, 1]);
  const algorithm = algorithmOf({ name: "join-idle-queue" }, candidates);
  const pick = () => {
    const picked = algorithm.pick("c", 0) as TestCandidate;
    picked.inFlight++;
    algorithm.loadChanged!(picked);
    return picked.id;
  };
  const ends = (id: string) => {
    const candidate = candidates.find((candidate) => candidate.id === id)!;
    candidate.inFlight--;
    algorithm.loadChanged!(candidate);
  };
  assert.equal(pick() + pick() + pick(), "abc");
  ends("c");
  ends("a");
  assert.equal(pick() + pick(), "ca");
});

Deno.test("join-idle-queue with reports uses the reports of backends, not its own connections", () => {
  const candidates = candidatesOf([1, 1, 1]);
  const [a, b, c] = candidates as [TestCandidate, TestCandidate, TestCandidate];
  const algorithm = algorithmOf({ name: "join-idle-queue", backendsReport: true }, candidates);
  const change = (candidate: TestCandidate, by: 1 | -1) => {
    candidate.inFlight += by;
    algorithm.loadChanged!(candidate);
  };
  let rule = "";
  const pick = () => algorithm.pick("c", 0, { considered() {}, decided: (words) => rule = words });
  pick();
  assert.match(rule, /^none is idle/); // None has reported.
  change(b, 1);
  algorithm.reportedIdle!(b); // A backend may be idle although a connection is open.
  algorithm.reportedIdle!(a);
  assert.equal(pick(), b);
  change(b, 1);
  assert.equal(pick(), a);
  change(b, -1); // The report of b has been used.
  assert.equal(pick(), a);
  a.available = false;
  algorithm.update(a);
  pick();
  assert.match(rule, /^none is idle/);
  a.available = true; // The report of a is still valid.
  algorithm.update(a);
  algorithm.reportedIdle!(c);
  assert.equal(pick(), a);
  change(a, 1);
  assert.equal(pick(), c);
  algorithm.remove(c);
  pick();
  assert.match(rule, /^none is idle/);
});

Deno.test("Scheduler.reportIdle() notifies the algorithm of the backend's tier, and none after the backend was removed", () => {
  const { scheduler } = schedulerOf({
    algorithm: { name: "join-idle-queue", backendsReport: true },
    backends: ["B1", "B2", "B3"],
  });
  scheduler.reportIdle("B3", 0);
  assert.equal(connecting(acquire(scheduler, "c", 0)).backend.id, "B3");
  scheduler.removeBackend("B2", 0);
  scheduler.reportIdle("B2", 0);
  assert.notEqual(connecting(acquire(scheduler, "c", 0)).backend.id, "B2");
});

Deno.test("join-idle-queue never picks a busy backend while another one is idle", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ who: fc.nat(7), what: fc.nat(3) }), { maxLength: 200 }),
      (steps) => {
        const candidates = candidatesOf([1, 2, 1, 5, 1, 1, 1, 1]);
        const algorithm = algorithmOf({ name: "join-idle-queue" }, candidates);
        for (const { who, what } of steps) {
          const candidate = candidates[who]!;
          if (what === 0) {
            candidate.available = !candidate.available;
            algorithm.update(candidate);
          } else if (what === 1 && candidate.inFlight > 0) {
            candidate.inFlight--;
            algorithm.loadChanged!(candidate);
          } else {
            const picked = algorithm.pick("c", 0) as TestCandidate | undefined;
            const available = candidates.filter(({ available }) => available);
            assert.equal(picked === undefined, available.length === 0);
            if (picked === undefined) continue;
            const idle = available.filter(({ inFlight }) => inFlight === 0);
            assert.ok(idle.length === 0 || idle.includes(picked));
            picked.inFlight++;
            algorithm.loadChanged!(picked);
          }
        }
      },
    ),
    { endOnFailure: true },
  );
});

function estimateOf(
  latencies: LatencyByLoad,
  index: number,
  load: number,
  now: Nanoseconds,
): Nanoseconds {
  latencies.advance(now);
  return latencies.estimate(index, load);
}

Deno.test("LatencyByLoad estimates the latency at one load, not the mean over all loads", () => {
  const latencies = new LatencyByLoad(10 * NS_PER_S);
  latencies.reset(0);
  // A server works on one job after the other, 10 ms each: with k other jobs, the latency is 10 · (k + 1).
  for (let i = 0; i < 50; i++) {
    for (const load of [0, 1, 2, 5, 20]) latencies.observe(0, 10 * MS * (load + 1), load, i * MS);
  }
  for (const load of [0, 1, 2, 5, 20]) {
    close(estimateOf(latencies, 0, load, 50 * MS), 10 * MS * (load + 1));
  }
  // At a load without an observation, the nearest load is used; of two equally near, the lower one.
  close(estimateOf(latencies, 0, 3, 50 * MS), 30 * MS);
  close(estimateOf(latencies, 0, 4, 50 * MS), 60 * MS);
});

Deno.test("LatencyByLoad approaches the median, whatever outliers there are", () => {
  const random = createRandom(3);
  const latencies = new LatencyByLoad(10 * NS_PER_S);
  latencies.reset(0);
  let sum = 0;
  for (let i = 0; i < 20_000; i++) {
    // Uniform in 5..15 ms, and one in twenty a hundred times that.
    const latency = (5 + 10 * random.next()) * MS * (random.next() < 0.05 ? 100 : 1);
    latencies.observe(0, latency, 0, i * MS);
    if (i >= 10_000) sum += estimateOf(latencies, 0, 0, i * MS);
  }
  const median = 5 + 10 * (0.5 / 0.95); // The median of all latencies: every outlier is above it.
  const mean = sum / 10_000 / MS;
  assert.ok(Math.abs(mean / median - 1) < 0.05, `${mean}, not ${median}`);
});

Deno.test("LatencyByLoad uses the curve of all backends for the loads that are unknown of one", () => {
  const latencies = new LatencyByLoad(10 * NS_PER_S);
  for (const index of [0, 1, 2]) latencies.reset(index);
  assert.equal(estimateOf(latencies, 0, 3, 0), 0);
  for (let i = 0; i < 50; i++) {
    for (const load of [0, 1, 2, 3]) latencies.observe(0, 10 * MS * (load + 1), load, 0);
  }
  close(estimateOf(latencies, 1, 2, 0), 30 * MS);
  // Backend 1 is three times as slow at one load, so it is expected to be as slow at other loads.
  for (let i = 0; i < 60; i++) latencies.observe(1, 60 * MS, 1, 0);
  const ratio = estimateOf(latencies, 1, 3, 0) / estimateOf(latencies, 0, 3, 0);
  close(estimateOf(latencies, 1, 1, 0), 60 * MS);
  // At the observed load, the curve of all backends has changed, too.
  close(ratio, 60 / estimateOf(latencies, 2, 1, 0) * MS);
});

Deno.test("LatencyByLoad forgets old observations, so that a slow backend is tried again", () => {
  const latencies = new LatencyByLoad(10 * NS_PER_S);
  for (const index of [0, 1]) latencies.reset(index);
  latencies.observe(0, 10 * MS, 0, 0);
  latencies.observeSilence(1, NS_PER_S, 0);
  for (const load of [0, 5, 30]) close(estimateOf(latencies, 1, load, 0), NS_PER_S);
  close(estimateOf(latencies, 0, 0, 0), 10 * MS);
  close(estimateOf(latencies, 1, 0, 11 * NS_PER_S), 10 * MS);
});

Deno.test("LatencyByLoad uses its earlier observations again when a silent backend answers", () => {
  const latencies = new LatencyByLoad(10 * NS_PER_S);
  latencies.reset(0);
  for (let i = 0; i < 50; i++) {
    for (const load of [0, 1]) latencies.observe(0, 10 * MS * (load + 1), load, i);
  }
  latencies.observeSilence(0, NS_PER_S, 60);
  close(estimateOf(latencies, 0, 1, 70), NS_PER_S);
  latencies.observe(0, 10 * MS, 0, 80);
  close(estimateOf(latencies, 0, 1, 80), 20 * MS);
});

Deno.test("LatencyByLoad expects a higher latency if more connections are in flight than ever before", () => {
  const latencies = new LatencyByLoad(10 * NS_PER_S);
  latencies.reset(0);
  for (let i = 0; i < 50; i++) latencies.observe(0, 10 * MS, 3, 0);
  close(estimateOf(latencies, 0, 7, 0), 10 * MS * 8 / 4);
  close(estimateOf(latencies, 0, 64, 0), 10 * MS * 65 / 4);
  close(estimateOf(latencies, 0, 1, 0), 10 * MS); // No lower load was observed, so the estimate is not lower.
});

Deno.test("prequal counts a long wait without an answer as the latency at every load", () => {
  const candidates = candidatesOf([1, 1]);
  const [silent, works] = candidates as [TestCandidate, TestCandidate];
  const algorithm = algorithmOf({ name: "prequal" }, candidates);
  for (let i = 0; i < 50; i++) {
    for (const candidate of candidates) algorithm.answered!(candidate, 10 * MS, i % 4, i);
  }
  algorithm.unanswered!(silent, NS_PER_MS, 2, 50); // Too short to count.
  works.inFlight = 1;
  warmUp(algorithm);
  assert.equal(algorithm.pick("c", 60), silent);
  algorithm.unanswered!(silent, NS_PER_S, 2, 60);
  works.inFlight = 0;
  warmUp(algorithm);
  for (let i = 0; i < 50; i++) assert.equal(algorithm.pick("c", 60 + i), works);
});

Deno.test("prequal probes distinct backends, and keeps one result of each", () => {
  for (const weights of [[1, 1], [1, 1, 1], [9, 1, 1, 1], Array<number>(30).fill(1)]) {
    const candidates = candidatesOf(weights);
    const algorithm = algorithmOf({ name: "prequal", probes: 3, pool: 30 }, candidates);
    for (let i = 0; i < 300; i++) {
      const results: string[] = [];
      algorithm.pick("c", i, { considered: ({ id }) => results.push(id), decided() {} });
      assert.equal(new Set(results).size, results.length, results.join());
    }
  }
});

Deno.test("prequal drops the most loaded result if it is hot, else the slowest", () => {
  const result = fc.record({ inFlight: fc.nat(3), latency: fc.integer({ min: 1, max: 9 }) });
  const seen = { hot: 0, cold: 0 };
  fc.assert(
    fc.property(fc.array(result, { minLength: 8, maxLength: 12 }), fc.nat(), (results, seed) => {
      const n = results.length;
      const options = { pool: n, age: NS_PER_S, probes: n };
      const algorithm = new Prequal(options, createRandom(seed));
      // Half of the backends are down, so that the pool has room for all that are up.
      const candidates = candidatesOf(Array<number>(2 * n).fill(1));
      candidates.forEach((candidate, i) => {
        candidate.available = i < n;
        candidate.inFlight = results[i]?.inFlight ?? 0;
        algorithm.add(candidate);
        if (i < n) algorithm.unanswered(candidate, results[i]!.latency, candidate.inFlight, 0);
      });
      algorithm.pick("c", 0);
      options.probes = 0; // No more probes from now on.
      const pooled: number[][] = [];
      // The first of these picks drops the oldest result, the second one the worst.
      const picked = [0, 1, 2].map(() => {
        const indices: number[] = [];
        pooled.push(indices);
        const trace = { considered: ({ index }: { index: number }) => indices.push(index) };
        return algorithm.pick("c", 0, { ...trace, decided() {} })!.index;
      });
      if (pooled[1]!.length < 4) return; // With fewer results, the next pick is random.
      // The picked result is used up: it has left the pool before the worst result is dropped.
      const before = pooled[1]!.filter((index) => index !== picked[1]);
      const [dropped, ...more] = before.filter((index) => !pooled[2]!.includes(index));
      assert.ok(dropped !== undefined && more.length === 0);
      const usual = pooled[0]!.map((index) => results[index]!.inFlight).toSorted((a, b) => a - b);
      const quantile = usual[Math.floor((usual.length - 1) / 2 ** 0.25)]!;
      const greatest = Math.max(...before.map((index) => results[index]!.inFlight));
      if (greatest > quantile) {
        seen.hot++;
        assert.equal(results[dropped]!.inFlight, greatest);
      } else {
        seen.cold++;
        const slowest = Math.max(...before.map((index) => results[index]!.latency));
        assert.equal(results[dropped]!.latency, slowest);
      }
    }),
    { endOnFailure: true },
  );
  assert.ok(seen.hot > 5 && seen.cold > 5, JSON.stringify(seen));
});

/** Lets Prequal fill its pool, by picks that are not counted. */
function warmUp(algorithm: Algorithm, picks = 50): void {
  for (let i = 0; i < picks; i++) algorithm.pick("c", i);
}

Deno.test("prequal avoids hot backends, and picks the fastest of the cold ones", () => {
  const candidates = candidatesOf(Array<number>(20).fill(1));
  const algorithm = algorithmOf({ name: "prequal" }, candidates);
  candidates.forEach((candidate, i) => {
    // The fastest backend is overloaded. A backend above the 84 % quantile of the loads is hot.
    candidate.inFlight = i === 0 ? 100 : 1;
    algorithm.loadChanged?.(candidate);
    algorithm.answered!(candidate, (i + 1) * NS_PER_MS, candidate.inFlight, 0);
  });
  warmUp(algorithm);
  const picked = Array.from({ length: 500 }, (_, i) => algorithm.pick("c", 50 + i)!.index);
  const swamped = picked.filter((index) => index === 0).length;
  const fast = picked.filter((index) => index > 0 && index < 11).length;
  assert.ok(swamped < 10, `${swamped} of 500 went to the swamped`);
  assert.ok(fast > 400, `${fast} of 500 went to the faster half of the others`);
});

Deno.test("prequal uses no probe result that is too old", () => {
  const candidates = candidatesOf(Array<number>(20).fill(1));
  const algorithm = algorithmOf({ name: "prequal", age: NS_PER_S }, candidates);
  warmUp(algorithm);
  let rule = "";
  algorithm.pick("c", 10 * NS_PER_S, { considered() {}, decided: (words) => rule = words });
  assert.match(rule, /fewer than two probe results: drawn at random/);
});

Deno.test("prequal picks the fastest of the results at or below the quantile; without one, the least loaded", () => {
  const backend = fc.record({
    inFlight: fc.nat(6),
    weights: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    latency: fc.nat(8),
  });
  fc.assert(
    fc.property(
      fc.array(backend, { minLength: 12, maxLength: 60, size: "max" }),
      fc.nat(),
      (backends, seed) => {
        const candidates = candidatesOf(backends.map(({ weights }) => weights[0]));
        // With this many probes each result is used once, so none is corrected for one more connection in flight.
        const algorithm = createAlgorithm({ name: "prequal", probes: 6 }, createRandom(seed));
        candidates.forEach((candidate, i) => {
          candidate.inFlight = backends[i]!.inFlight;
          algorithm.add(candidate);
          const { inFlight, latency } = backends[i]!;
          algorithm.unanswered!(candidate, latency, inFlight, 0); // Only this call sets the latency at once.
        });
        for (let i = 0; i < 10; i++) algorithm.pick("c", 0);
        for (let i = 0; i < 20; i++) {
          if (i === 10) {
            candidates.forEach((candidate, i) => {
              candidate.weight = backends[i]!.weights[1];
              algorithm.update(candidate);
            });
          }
          const looks: { load: number; latency: number; score: number; index: number }[] = [];
          let decided = "";
          const picked = algorithm.pick("c", 0, {
            considered: ({ index, inFlight, weight }, score) => {
              const { latency } = backends[index]!;
              looks.push({ load: inFlight / weight, latency, score, index });
            },
            decided: (rule) => decided = rule,
          });
          const quantile = Number(/(\d[\d.e-]*)( in flight)?$/.exec(decided)![1]);
          for (const { load, latency, score } of looks) {
            assert.equal(score, load <= quantile ? latency : load);
          }
          const cold = looks.filter(({ load }) => load <= quantile)
            .toSorted((a, b) => a.latency - b.latency || a.load - b.load);
          const least = Math.min(...looks.map(({ load }) => load));
          const [best] = cold.length > 0 ? cold : looks.filter(({ load }) => load === least);
          assert.match(decided, cold.length > 0 ? /^least latency among/ : /^least in flight/);
          if (cold.length > 0) assert.equal(picked!.index, best!.index);
          else assert.equal(looks.find(({ index }) => index === picked!.index)!.load, least);
        }
      },
    ),
    { endOnFailure: true },
  );
});

Deno.test("prequal: a backend is hot if its load exceeds 84 % of the latest probes", () => {
  const candidates = candidatesOf(Array<number>(20).fill(1));
  candidates.forEach((candidate, i) => candidate.inFlight = i);
  const algorithm = algorithmOf({ name: "prequal" }, candidates);
  const quantiles: number[] = [];
  const decided = (rule: string) => quantiles.push(Number(/(\d+) in flight$/.exec(rule)?.[1]));
  warmUp(algorithm);
  for (let i = 0; i < 500; i++) algorithm.pick("c", 50, { considered() {}, decided });
  const mean = quantiles.reduce((sum, value) => sum + value, 0) / quantiles.length;
  // All loads from 0 to 19 are probed equally often, so 84 % of the probes find at most 16.
  assert.ok(mean > 14.5 && mean < 16.5, `${mean}`);
});

Deno.test("prequal picks the least loaded backend if all results in the pool are hot", () => {
  const candidates = candidatesOf(Array<number>(20).fill(1));
  const algorithm = algorithmOf({ name: "prequal", age: NS_PER_S }, candidates);
  warmUp(algorithm);
  candidates.forEach((candidate, i) => {
    candidate.inFlight = 5 + i;
    algorithm.unanswered!(candidate, (100 - i) * MS, candidate.inFlight, NS_PER_S);
  });
  const now = 3 * NS_PER_S; // The results in the pool are too old now.
  algorithm.pick("c", now);
  const pooled: number[] = [];
  let rule = "";
  const picked = algorithm.pick("c", now, {
    considered: ({ inFlight }) => pooled.push(inFlight),
    decided: (words) => rule = words,
  });
  assert.equal(rule, "least in flight, as all have more than 0");
  assert.equal(picked!.inFlight, Math.min(...pooled));
});

Deno.test("prequal never picks a backend that has become unavailable", () => {
  const change = fc.record({ who: fc.nat(39), picks: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 20, maxLength: 200 }), fc.nat(), (changes, seed) => {
      const candidates = candidatesOf(Array<number>(40).fill(1));
      const algorithm = createAlgorithm({ name: "prequal" }, createRandom(seed));
      for (const candidate of candidates) algorithm.add(candidate);
      warmUp(algorithm);
      for (const { who, picks } of changes) {
        const candidate = candidates[who]!;
        candidate.available = !candidate.available;
        algorithm.update(candidate);
        for (let i = 0; i < picks; i++) {
          const picked = algorithm.pick("c", 50, {
            considered: (candidate) => assert.ok(candidate.available),
            decided() {},
          });
          assert.ok(picked?.available ?? !candidates.some(({ available }) => available));
        }
      }
    }),
    { endOnFailure: true },
  );
});

Deno.test("prequal keeps the probe results of backends that were unavailable only between two picks", () => {
  const candidates = candidatesOf(Array<number>(20).fill(1));
  const algorithm = algorithmOf({ name: "prequal" }, candidates);
  warmUp(algorithm);
  for (const available of [false, true]) {
    for (const candidate of candidates) {
      candidate.available = available;
      algorithm.update(candidate);
    }
  }
  let rule = "";
  algorithm.pick("c", 50, { considered() {}, decided: (words) => rule = words });
  assert.match(rule, /least latency/);
});

Deno.test("prequal picks every backend, however few there are", () => {
  for (let n = 1; n <= 40; n++) {
    const candidates = candidatesOf(Array<number>(n).fill(1));
    const algorithm = algorithmOf({ name: "prequal" }, candidates);
    const reached = new Set(
      Array.from({ length: 200 * n }, (_, i) => {
        const picked = algorithm.pick("c", i) as TestCandidate;
        picked.inFlight++;
        return picked.id;
      }),
    );
    assert.equal(reached.size, n, `${n} backends`);
  }
});

Deno.test("first-available fills one backend after the other", () => {
  const { scheduler } = schedulerOf({
    algorithm: "first-available",
    backends: [{ id: "B1", maxConnections: 2 }, { id: "B2", maxConnections: 1 }, "B3"],
  });
  const leases = Array.from({ length: 5 }, () => connecting(acquire(scheduler, "c", 0)));
  assert.deepEqual(leases.map(({ backend }) => backend.id), ["B1", "B1", "B2", "B3", "B3"]);
  leases[1]!.leave(0);
  assert.equal(connecting(acquire(scheduler, "c", 0)).backend.id, "B1");
});

Deno.test("first-available picks the first of any set of available backends", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 200 }), (available) => {
      const candidates = candidatesOf(available.map(() => 1));
      candidates.forEach((candidate, i) => candidate.available = available[i]!);
      const algorithm = algorithmOf({ name: "first-available" }, candidates);
      assert.equal(algorithm.pick("c", 0), candidates[available.indexOf(true)]);
    }),
    { endOnFailure: true },
  );
});
