import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createRandom,
  type Nanoseconds,
  NS_PER_MS,
  NS_PER_S,
  type Random,
} from "../../../../lib/base/mod.ts";
import { Health, type HealthRules, ProbeSchedule } from "../../../../lib/core/mod.ts";
import { assertMean, assertProportional } from "../../../support/statistics.ts";

const RULES: HealthRules = { interval: 2 * NS_PER_S, jitter: 0, rise: 2, fall: 3 };

function statesAfter(rules: Pick<HealthRules, "rise" | "fall">, results: string): string[] {
  const health = new Health(rules);
  return [...results].map((result) => {
    health.record(result === "+");
    return health.state;
  });
}

Deno.test("Health.state is unknown until the first result, which decides alone", () => {
  assert.equal(new Health(RULES).state, "unknown");
  assert.deepEqual(statesAfter(RULES, "+"), ["up"]);
  assert.deepEqual(statesAfter(RULES, "-"), ["down"]);
});

Deno.test("Health.record() resets the count on a result that agrees", () => {
  assert.ok(statesAfter(RULES, "+-+-+-+-+-").every((state) => state === "up"));
  assert.ok(statesAfter(RULES, "+--+--+--+").every((state) => state === "up"));
  assert.ok(statesAfter(RULES, "-+-+-+-+-+").every((state) => state === "down"));
});

Deno.test("Health.record() flips after fall failures and rise successes in a row", () => {
  assert.deepEqual(statesAfter(RULES, "+---++"), ["up", "up", "up", "down", "down", "up"]);
});

Deno.test("Health.record() reports whether the state changed, and after how many results", () => {
  const health = new Health(RULES);
  const told = [true, false, false, false, false, true, true, true].map((ok) => health.record(ok));
  assert.deepEqual(told, [
    { flipped: true, streak: 1 },
    { flipped: false, streak: 1 },
    { flipped: false, streak: 2 },
    { flipped: true, streak: 3 },
    { flipped: false, streak: 0 },
    { flipped: false, streak: 1 },
    { flipped: true, streak: 2 },
    { flipped: false, streak: 0 },
  ]);
});

Deno.test("Health.record() follows its definition for every sequence of twelve results", () => {
  for (const rise of [1, 2, 3]) {
    for (const fall of [1, 2, 3, 4]) {
      for (let sequence = 0; sequence < 2 ** 12; sequence++) {
        const results = Array.from({ length: 12 }, (_, i) => (sequence >> i & 1) === 1);
        const health = new Health({ rise, fall });
        let up: boolean | undefined;
        results.forEach((ok, i) => {
          health.record(ok);
          // Down if the last `fall` results were all bad, up if the last `rise` results were all good.
          const needed = up === undefined ? 1 : up ? fall : rise;
          const last = results.slice(Math.max(i + 1 - needed, 0), i + 1);
          if (last.length === needed && last.every((result) => result !== up)) up = ok;
          assert.equal(health.state, up ? "up" : "down");
        });
      }
    }
  }
});

Deno.test("Health: if probes fail at random, a backend is up and down for as long as theory says", () => {
  // Failures come with p = 0.1. A run of n in a row that each have probability p takes
  // (1 − pⁿ) / (pⁿ (1 − p)) tries on average: 1110 for three failures, 190/81 for two successes.
  const random = createRandom(9);
  const health = new Health(RULES);
  health.record(true);
  const periods: Record<"up" | "down", number[]> = { up: [], down: [] };
  let probes = 0;
  while (periods.down.length < 20_000) {
    const before = health.state as "up" | "down";
    probes++;
    if (!health.record(random.next() >= 0.1).flipped) continue;
    periods[before].push(probes);
    probes = 0;
  }
  assertMean(periods.up, 1110);
  assertMean(periods.down, 190 / 81);
  const sum = (sample: number[]) => sample.reduce((total, value) => total + value, 0);
  const share = sum(periods.down) / (sum(periods.down) + sum(periods.up));
  // Relative standard error: √(1 + 0.35) / √20,000 = 0.8 %.
  assert.ok(Math.abs(share / 0.00210877 - 1) < 4 * 0.0082, `${share}`);
});

/** The starts of probes that take no time, by a driver that is never late. */
function starts(rules: HealthRules, random: Random, count: number): Nanoseconds[] {
  const schedule = new ProbeSchedule(rules, random, 0);
  return Array.from({ length: count }, () => {
    const now = schedule.dueAt!;
    schedule.begin(now);
    schedule.end(now);
    return now;
  });
}

Deno.test("ProbeSchedule probes at once, then after a random part of the interval, then regularly", () => {
  const phases: number[] = [];
  for (let seed = 0; seed < 2000; seed++) {
    const [first, second, ...rest] = starts(RULES, createRandom(seed), 6);
    assert.equal(first, 0);
    phases.push(second! / RULES.interval);
    rest.forEach((at, i) => assert.equal(at, second! + (i + 1) * RULES.interval));
  }
  const counts = Array<number>(20).fill(0);
  for (const phase of phases) counts[Math.floor(phase * 20)]!++;
  assertProportional(counts, counts.map(() => 1));
});

for (const jitter of [0.1, 0.5]) {
  Deno.test(`ProbeSchedule makes intervals longer or shorter by up to ${100 * jitter} %, evenly distributed`, () => {
    const at = starts({ ...RULES, jitter }, createRandom(3), 50_000).slice(1);
    assert.ok(at.every(Number.isInteger), "whole nanoseconds");
    const gaps = at.slice(1).map((time, i) => time - at[i]!);
    const low = RULES.interval * (1 - jitter);
    const counts = Array<number>(20).fill(0);
    for (const gap of gaps) {
      assert.ok(gap >= low - 1 && gap <= RULES.interval * (1 + jitter) + 1, `${gap}`);
      counts[Math.min(Math.floor((gap - low) / (2 * jitter * RULES.interval) * 20), 19)]!++;
    }
    assertProportional(counts, counts.map(() => 1));
    assertMean(gaps, RULES.interval);
  });
}

Deno.test("ProbeSchedule never has two probes of one backend at once", () => {
  const times = fc.record({ late: fc.nat({ max: 5000 }), took: fc.nat({ max: 5000 }) });
  fc.assert(
    fc.property(fc.integer(), fc.array(times, { maxLength: 100, size: "max" }), (seed, probes) => {
      const schedule = new ProbeSchedule({ interval: 1000, jitter: 0.5 }, createRandom(seed), 0);
      let now = 0;
      for (const { late, took } of probes) {
        const due = schedule.dueAt;
        assert.ok(due !== undefined && due >= now, "due, and not before the last one ended");
        now = due + late;
        schedule.begin(now);
        assert.equal(schedule.dueAt, undefined);
        now += took;
        schedule.end(now);
      }
    }),
  );
});

Deno.test("ProbeSchedule.begin() and end() assert that they are called alternately", () => {
  const schedule = new ProbeSchedule(RULES, createRandom(1), 0);
  assert.throws(() => schedule.end(0), /Assertion failed/);
  schedule.begin(0);
  assert.throws(() => schedule.begin(1), /Assertion failed/);
  schedule.end(1);
  assert.throws(() => schedule.end(2), /Assertion failed/);
});

Deno.test("ProbeSchedule: after a probe that took longer than the interval, the next one is due at once", () => {
  const schedule = new ProbeSchedule(RULES, createRandom(1), 0);
  schedule.begin(0);
  schedule.end(7 * NS_PER_S);
  assert.equal(schedule.dueAt, 7 * NS_PER_S);
  schedule.begin(7 * NS_PER_S);
  schedule.end(7 * NS_PER_S + 1);
  assert.equal(schedule.dueAt, 9 * NS_PER_S);
});

Deno.test("ProbeSchedule keeps its rate although each timer fires late", () => {
  const schedule = new ProbeSchedule(RULES, createRandom(1), 0);
  schedule.begin(0);
  schedule.end(0);
  const second = schedule.dueAt!;
  for (let i = 0; i < 1000; i++) {
    const now = schedule.dueAt! + 15 * NS_PER_MS;
    schedule.begin(now);
    schedule.end(now + NS_PER_MS);
  }
  assert.equal(schedule.dueAt, second + 1000 * RULES.interval);
});

Deno.test("ProbeSchedule does not make up for the probes that a sleeping machine missed", () => {
  const schedule = new ProbeSchedule(RULES, createRandom(1), 0);
  schedule.begin(0);
  schedule.end(0);
  const woken = 8 * 3600 * NS_PER_S;
  schedule.begin(woken);
  schedule.end(woken);
  assert.equal(schedule.dueAt, woken + RULES.interval);
});

/** The result of a probe that began at this time, and how long it took. */
type Probe = (begun: Nanoseconds) => { ok: boolean; took: Nanoseconds };

/** Probes a backend in virtual time. Returns when it was first in this state after `from`. */
function whenIs(
  state: "up" | "down",
  { rules, seed, from, probe }: {
    rules: HealthRules;
    seed: number;
    from: Nanoseconds;
    probe: Probe;
  },
): Nanoseconds {
  const schedule = new ProbeSchedule(rules, createRandom(seed), 0);
  const health = new Health(rules);
  while (true) {
    const begun = schedule.dueAt!;
    schedule.begin(begun);
    const { ok, took } = probe(begun);
    health.record(ok);
    const ended = begun + took;
    schedule.end(ended);
    if (ended > from && health.state === state) return ended;
  }
}

const BREAKS = 60 * NS_PER_S;
const TIMEOUT = 1 * NS_PER_S;
const RUNS = 20_000;

const DETECTIONS: readonly {
  readonly what: string;
  readonly rules: HealthRules;
  /** How long a probe of a broken backend takes. */
  readonly took: Nanoseconds;
}[] = [
  { what: "a crash that refuses", rules: RULES, took: 0 },
  { what: "a crash that refuses, fall 1", rules: { ...RULES, fall: 1 }, took: 0 },
  { what: "a hang", rules: RULES, took: TIMEOUT },
  {
    what: "a hang, interval 5 s, fall 2",
    rules: { ...RULES, interval: 5e9, fall: 2 },
    took: TIMEOUT,
  },
];

for (const { what, rules, took } of DETECTIONS) {
  Deno.test(`ProbeSchedule and Health detect ${what} in (fall − 1) to fall intervals, evenly spread`, () => {
    const { interval, fall } = rules;
    const waits = Array.from({ length: RUNS }, (_, seed) => {
      const probe: Probe = (begun) => begun < BREAKS ? { ok: true, took: 0 } : { ok: false, took };
      return whenIs("down", { rules, seed, from: BREAKS, probe }) - BREAKS - took;
    });
    const counts = Array<number>(20).fill(0);
    for (const wait of waits) {
      assert.ok(wait >= (fall - 1) * interval && wait <= fall * interval, `${wait}`);
      counts[Math.min(Math.floor((wait / interval - (fall - 1)) * 20), 19)]!++;
    }
    assertProportional(counts, counts.map(() => 1));
    assertMean(waits, (fall - 1 / 2) * interval);
  });
}

Deno.test("ProbeSchedule and Health detect a crash in (fall − 1) to fall intervals, which jitter makes longer or shorter", () => {
  const rules = { ...RULES, jitter: 0.1 };
  const waits = Array.from({ length: RUNS }, (_, seed) => {
    const probe: Probe = (begun) => ({ ok: begun < BREAKS, took: 0 });
    return whenIs("down", { rules, seed, from: BREAKS, probe }) - BREAKS;
  });
  for (const wait of waits) {
    assert.ok(wait >= 2 * 0.9 * rules.interval && wait <= 3 * 1.1 * rules.interval, `${wait}`);
  }
  // The crash is more often in a long interval, so the mean time to the next probe is E[I²] / 2E[I], where
  // E[I²] = I² (1 + jitter²/3). Then two whole intervals follow.
  assertMean(waits, rules.interval * (2 + (1 + 0.1 ** 2 / 3) / 2));
});

Deno.test("ProbeSchedule and Health detect that a backend is back in (rise − 1) to rise intervals", () => {
  const back = BREAKS + 60 * NS_PER_S;
  const waits = Array.from({ length: RUNS }, (_, seed) => {
    const probe: Probe = (begun) => ({ ok: begun < BREAKS || begun >= back, took: 0 });
    return whenIs("up", { rules: RULES, seed, from: back, probe }) - back;
  });
  assert.ok(waits.every((wait) => wait >= RULES.interval && wait <= 2 * RULES.interval));
  assertMean(waits, 1.5 * RULES.interval);
});

Deno.test("ProbeSchedule and Health do not detect an outage that is shorter than fall − 1 intervals", () => {
  for (let seed = 0; seed < 500; seed++) {
    const back = BREAKS + 2 * RULES.interval;
    const schedule = new ProbeSchedule(RULES, createRandom(seed), 0);
    const health = new Health(RULES);
    while (schedule.dueAt! < 2 * BREAKS) {
      const now = schedule.dueAt!;
      schedule.begin(now);
      health.record(now < BREAKS || now >= back);
      schedule.end(now);
      assert.equal(health.state, "up");
    }
  }
});
