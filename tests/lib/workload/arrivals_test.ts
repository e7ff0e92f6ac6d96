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
    ["rises", RAMP, 10, 2000],
    ["has half of its time behind it", RAMP, 5, 750],
    ["falls", { ...RAMP, from: 300, to: 100 }, 5, 1250],
    ["is flat", { ...RAMP, to: 100 }, 10, 1000],
    ["begins with nothing", { ...RAMP, from: 0 }, 10, 1500],
    ["is over", RAMP, 12, 2600],
  ] as const
) {
  Deno.test(`a ramp that ${name} brings as many arrivals as its rate`, () => {
    assert.equal(countBefore({ ...ramp, spacing: "deterministic" }, seconds), expected);
    const random = countBefore({ ...ramp, spacing: "poisson" }, seconds);
    assert.ok(Math.abs(random - expected) < 4 * Math.sqrt(expected), `${random}`);
  });
}

Deno.test("a ramp to nothing ends", () => {
  const ramp: Ramp = { ...RAMP, to: 0, spacing: "deterministic" };
  const arrivals = createArrivals(ramp, createRandom(1));
  const times = Array.from({ length: 600 }, () => arrivals.next());
  assert.equal(times.filter((at) => at !== Infinity).length, 501);
  assert.ok(times.slice(0, 501).every((at, i) => i === 0 || at >= times[i - 1]!));
});
