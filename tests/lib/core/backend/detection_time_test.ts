import assert from "node:assert/strict";
import { createRandom, NS_PER_S } from "../../../../lib/base/mod.ts";
import {
  detectionTime,
  failbackTime,
  Health,
  type HealthRules,
  type NoticeTime,
  ProbeSchedule,
} from "../../../../lib/core/mod.ts";
import { assertMean } from "../../../support/statistics.ts";

Deno.test("detectionTime() counts the intervals until the last necessary probe", () => {
  const rules = { interval: 2, fall: 3, jitter: 0 };
  assert.deepEqual(detectionTime(rules), { least: 4, mean: 5, most: 6 });
  assert.deepEqual(detectionTime(rules, 1), { least: 5, mean: 6, most: 7 });
  const { least, most } = detectionTime({ ...rules, jitter: 0.1 });
  assert.deepEqual([least, most], [2 * 2 * 0.9, 3 * 2 * 1.1]);
});

Deno.test("failbackTime() counts the probes that must succeed", () => {
  assert.deepEqual(failbackTime({ interval: 2, rise: 1, jitter: 0 }), {
    least: 0,
    mean: 1,
    most: 2,
  });
});

const RULES: HealthRules = { interval: 2 * NS_PER_S, jitter: 0.5, rise: 2, fall: 3 };
const CHANGE = 60 * NS_PER_S;
const RUNS = 20_000;

for (
  const [name, ok, expected] of [
    ["detectionTime", false, detectionTime(RULES)],
    ["failbackTime", true, failbackTime(RULES)],
  ] as const
) {
  Deno.test(`${name}() is the time that ProbeSchedule and Health take, with jitter`, () => {
    const { least, mean, most }: NoticeTime = expected;
    const times = Array.from({ length: RUNS }, (_, seed) => noticed(ok, seed));
    for (const time of times) assert.ok(time >= least && time <= most, `${time}`);
    assertMean(times, mean);
  });
}

/** The time from a change until the state shows it. Probes take no time. */
function noticed(ok: boolean, seed: number): number {
  const schedule = new ProbeSchedule(RULES, createRandom(seed), 0);
  const health = new Health(RULES);
  for (;;) {
    const now = schedule.dueAt!;
    schedule.begin(now);
    schedule.end(now);
    const { flipped } = health.record(now < CHANGE ? !ok : ok);
    if (flipped && now >= CHANGE) return now - CHANGE;
  }
}
