/**
 * The small scenarios of `deno task parity`, in both worlds with the same seed. A machine that runs tests is noisy, so
 * the bounds of times are wide here; decisions and errors must be the same. docs/parity.md has the narrow bounds.
 */
import assert from "node:assert/strict";
import { compareWorlds, shareGap } from "../parity/worlds/parity.ts";
import { PARITY_SCENARIOS } from "../parity/worlds/scenarios.ts";

/** Wide bounds, because other processes may delay each of several hundred requests. */
const NOISY = { meanShare: 2, meanMs: 100, p99Share: 10, p99Ms: 2000, share: 0.01 };

for (const scenario of PARITY_SCENARIOS.filter(({ small }) => small)) {
  Deno.test(`both worlds agree, within bounds for a noisy machine: ${scenario.name}`, async () => {
    const set = ["duration=5s", "warmup=500ms"];
    const hasFault = scenario.text.includes("faults:");
    const gap = await compareWorlds(scenario, undefined, NOISY, {
      set: hasFault ? [...set, "faults=[{at: 1s, for: 1500ms, backend: B2, kind: crash}]"] : set,
    });
    const { simulated, live } = gap;
    // After a fault, the picks depend on the exact times of probes, which differ between the two worlds.
    if (!hasFault) {
      assert.ok(shareGap(simulated, live) < 0.01, "the same requests went to the same backends");
      assert.equal(live.errors, simulated.errors);
    }
    const outside = gap.outside.filter((what) => ["mean", "p99", "decisions"].includes(what));
    assert.deepEqual(outside, []);
    assert.ok(gap.repeated > 100, "every pick was repeated from the recording");
    assert.equal(Number.isFinite(live.detection), hasFault, "a crash is detected");
    assert.equal(Number.isFinite(live.failback), hasFault, "and its end");
    assert.ok(live.mean >= simulated.mean - 1, "no request is faster than its work");
  });
}
