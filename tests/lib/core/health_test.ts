import assert from "node:assert/strict";
import { createRandom, Health, NS_PER_S, ProbeSchedule } from "../../../lib/core/mod.ts";

/** The states that a sequence of results leads through: ✓ good, ✗ bad. */
function states(results: string, rules = { rise: 2, fall: 3 }): string {
  const health = new Health(rules);
  return [...results].map((result) => {
    health.record(result === "✓");
    return { up: "U", down: "D", unknown: "?" }[health.state];
  }).join("");
}

const SEQUENCES: readonly (readonly [string, string, string])[] = [
  ["lets the very first result decide", "✓", "U"],
  ["lets the very first result decide against", "✗", "D"],
  ["takes `fall` bad results in a row to go down", "✓✗✗✗", "UUUD"],
  ["takes `rise` good results in a row to come up", "✗✓✓", "DDU"],
  ["starts anew when a result agrees: up, down, up, down, up", "✓✗✗✓✗✗✓✗✗✓", "UUUUUUUUUU"],
  ["starts anew on the way up, too", "✗✓✗✓✗✓✓", "DDDDDDU"],
  ["goes down and up again", "✓✗✗✗✗✓✓✗✗✗", "UUUDDDUUUD"],
];

for (const [what, results, expected] of SEQUENCES) {
  Deno.test(`Health.record() ${what}`, () => assert.equal(states(results), expected));
}

Deno.test("Health.record() with rise and fall 1 follows every result", () => {
  assert.equal(states("✓✗✓✗", { rise: 1, fall: 1 }), "UDUD");
});

Deno.test("Health.record() says when it flipped, and after how many results", () => {
  const health = new Health({ rise: 2, fall: 3 });
  assert.deepEqual(health.record(true), { flipped: true, streak: 1 });
  assert.deepEqual(health.record(true), { flipped: false, streak: 0 });
  assert.deepEqual(health.record(false), { flipped: false, streak: 1 });
  assert.deepEqual(health.record(false), { flipped: false, streak: 2 });
  assert.deepEqual(health.record(false), { flipped: true, streak: 3 });
});

const INTERVAL = 2 * NS_PER_S;

/** From a failure at a random moment to being marked down, in seconds. */
function detectionTimes(
  { runs, timeout, fall }: { runs: number; timeout: number; fall: number },
): number[] {
  const random = createRandom(11);
  return Array.from({ length: runs }, () => {
    const schedule = new ProbeSchedule({ interval: INTERVAL, jitter: 0 }, random, 0);
    const health = new Health({ rise: 2, fall });
    const failsAt = 20 * NS_PER_S;
    let down: number | undefined;
    while (down === undefined) {
      const begun = schedule.dueAt!;
      schedule.begin(begun);
      const ok = begun < failsAt;
      const ended = begun + (ok ? 0 : timeout);
      schedule.end(ended);
      if (health.record(ok).flipped && health.state === "down") down = ended;
    }
    return (down - failsAt) / NS_PER_S;
  });
}

/** Mean, and the standard error of it. */
function meanOf(values: readonly number[]): { mean: number; error: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (values.length - 1) / values.length) };
}

for (
  const [what, timeout] of [["a refusing backend", 0], ["a silent one", 1 * NS_PER_S]] as const
) {
  Deno.test(`detection of ${what} takes (F−1)·I … F·I, (F−½)·I on average, and the timeout`, () => {
    const fall = 3;
    const extra = timeout / NS_PER_S;
    const times = detectionTimes({ runs: 20_000, timeout, fall });
    const interval = INTERVAL / NS_PER_S;
    assert.ok(Math.min(...times) >= (fall - 1) * interval + extra);
    assert.ok(Math.max(...times) <= fall * interval + extra + 1e-9);
    const { mean, error } = meanOf(times);
    const expected = (fall - 0.5) * interval + extra;
    assert.ok(error < 0.01 * mean && Math.abs(mean - expected) < 4 * error, `${mean} ± ${error}`);
  });
}

Deno.test("a probe that fails one time in ten leaves 1110 probes between downs", () => {
  // The chain 0, 1, 2 bad in a row → down: (1 − p³) / (p³ (1 − p)) = 1110; back after two good in a row.
  const random = createRandom(3);
  const p = 0.1;
  const upSpans: number[] = [];
  const downSpans: number[] = [];
  for (let cycle = 0; cycle < 20_000; cycle++) {
    const health = new Health({ rise: 2, fall: 3 });
    health.record(true);
    let probes = 0;
    while (health.state === "up") {
      health.record(random.next() >= p);
      probes++;
    }
    upSpans.push(probes);
    probes = 0;
    while (health.state === "down") {
      health.record(random.next() >= p);
      probes++;
    }
    downSpans.push(probes);
  }
  const up = meanOf(upSpans);
  assert.ok(up.error < 0.01 * up.mean && Math.abs(up.mean - 1110) < 4 * up.error, `${up.mean}`);
  const down = meanOf(downSpans);
  const share = down.mean / (up.mean + down.mean);
  const error = share * Math.hypot(up.error / up.mean, down.error / down.mean);
  assert.ok(Math.abs(share - 0.00210877) < 4 * error, `${share} ± ${error}`);
});

Deno.test("ProbeSchedule has none due while one is under way", () => {
  const schedule = new ProbeSchedule({ interval: INTERVAL, jitter: 0 }, createRandom(1), 5);
  assert.equal(schedule.dueAt, 5);
  schedule.begin(5);
  assert.equal(schedule.dueAt, undefined);
  schedule.end(10 * NS_PER_S);
  assert.equal(schedule.dueAt, 10 * NS_PER_S, "overdue: at once");
});

Deno.test("ProbeSchedule keeps its rate when the driver comes round late", () => {
  const schedule = new ProbeSchedule({ interval: INTERVAL, jitter: 0 }, createRandom(1), 0);
  schedule.begin(0);
  schedule.end(0);
  const first = schedule.dueAt!;
  for (let i = 0; i < 100; i++) {
    const late = schedule.dueAt! + NS_PER_S / 10;
    schedule.begin(late);
    schedule.end(late);
  }
  assert.ok(Math.abs(schedule.dueAt! - first - 100 * INTERVAL) < 100, `${schedule.dueAt! - first}`);
});

Deno.test("ProbeSchedule does not make up for probes that a sleeping machine missed", () => {
  const schedule = new ProbeSchedule({ interval: INTERVAL, jitter: 0 }, createRandom(1), 0);
  schedule.begin(0);
  schedule.end(0);
  const woke = 3600 * NS_PER_S;
  schedule.begin(woke);
  schedule.end(woke);
  assert.equal(schedule.dueAt, woke + INTERVAL);
});
