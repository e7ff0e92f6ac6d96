import assert from "node:assert/strict";
import { createRandom, NS_PER_S } from "../../../lib/base/mod.ts";
import { createArrivals, type Ramp } from "../../../lib/workload/mod.ts";

const RAMP = { kind: "ramp", from: 100, to: 300, over: 10 * NS_PER_S } as const;

/** How many arrivals come before a time, in seconds. */
function countBefore(ramp: Ramp, seconds: number, seed = 1): number {
  const arrivals = createArrivals(ramp, createRandom(seed));
  let count = 0;
  while (arrivals.next() < seconds * NS_PER_S) count++;
  return count;
}

for (
  const [name, ramp, seconds, expected] of [
    ["a rising ramp", RAMP, 10, 2000],
    ["half of a rising ramp", RAMP, 5, 750],
    ["half of a falling ramp", { ...RAMP, from: 300, to: 100 }, 5, 1250],
    ["a flat ramp", { ...RAMP, to: 100 }, 10, 1000],
    ["a ramp from 0", { ...RAMP, from: 0 }, 10, 1500],
    ["a ramp and the time after it", RAMP, 12, 2600],
  ] as const
) {
  Deno.test(`createArrivals() draws as many arrivals as the rate gives: ${name}`, () => {
    assert.equal(countBefore({ ...ramp, spacing: "deterministic" }, seconds), expected);
    const random = countBefore({ ...ramp, spacing: "poisson" }, seconds);
    assert.ok(Math.abs(random - expected) < 4 * Math.sqrt(expected), `${random}`);
  });
}

Deno.test("createArrivals() draws no arrivals after a ramp to 0", () => {
  const ramp: Ramp = { ...RAMP, to: 0, spacing: "deterministic" };
  const arrivals = createArrivals(ramp, createRandom(1));
  const times = Array.from({ length: 600 }, () => arrivals.next());
  assert.equal(times.filter((at) => at !== Infinity).length, 501);
  assert.ok(times.slice(0, 501).every((at, i) => i === 0 || at >= times[i - 1]!));
});
