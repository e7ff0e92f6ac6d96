/** Compares Prequal with power-of-two: both get the same arrivals and jobs. */
import assert from "node:assert/strict";
import { childSeed, createRandom, NS_PER_S } from "../../lib/base/mod.ts";
import type { Scenario } from "../../lib/scenario/types.ts";
import { meanSojourn, p99, replicate } from "./oracle.ts";
import type { QueueingOptions } from "./scenarios.ts";

/**
 * Prequal's mean and 99th percentile, divided by those of power-of-two. Prequal is better if this
 * is below 1.
 */
export function prequalOverPowerOfTwo(
  options: QueueingOptions,
  replications: number,
): { readonly mean: number; readonly p99: number } {
  const [prequal, powerOfTwo] = (["prequal", "power-of-two"] as const).map((name) => {
    const results = replicate({ ...options, algorithm: { name } }, replications);
    const average = (read: typeof meanSojourn) =>
      results.map(read).reduce((sum, value) => sum + value, 0) / replications;
    return { mean: average(meanSojourn), p99: average(p99) };
  });
  return { mean: prequal!.mean / powerOfTwo!.mean, p99: prequal!.p99 / powerOfTwo!.p99 };
}

/**
 * Backends whose machines have other work now and then, each at its own times: for three tenths of the time
 * a backend is two to four times as slow. These are the paper's antagonists.
 */
export function antagonists(n: number, seconds: number, seed = 1): Scenario["faults"] {
  return Array.from({ length: n }, (_, backend) => {
    const random = createRandom(childSeed(seed, "antagonist", backend));
    const faults: Scenario["faults"][number][] = [];
    for (let at = 70 * random.next(); at < seconds;) {
      const length = 5 + 50 * random.next();
      faults.push({
        at: Math.round(at * NS_PER_S),
        for: Math.round(length * NS_PER_S),
        backend,
        kind: { name: "slow", factor: 2 + Math.floor(3 * random.next()) },
      });
      at += length + 20 + 100 * random.next();
    }
    return faults;
  }).flat();
}

/** Registers a test: prequal is at least as good as power-of-two. */
export function testPrequal(n: number, load: number, connections: number, replications = 3): void {
  const end = { connections };
  Deno.test(`prequal is at least as good as power-of-two over ${n} backends at ρ = ${load}`, () => {
    const { mean, p99 } = prequalOverPowerOfTwo({ n, load, end, warmup: 200e9 }, replications);
    assert.ok(mean < 1 && p99 < 1.02, `mean × ${mean}, p99 × ${p99}`);
  });
}

/**
 * Registers a test with antagonists, which take a fifth of the capacity. `load` is relative to the rest of the
 * capacity.
 */
export function testAntagonists(n: number, load: number, seconds: number, replications = 3): void {
  Deno.test(`prequal is better than power-of-two over ${n} backends with antagonists at ρ = ${load}`, () => {
    const faults = antagonists(n, seconds);
    const { mean, p99 } = prequalOverPowerOfTwo({
      n,
      load: load * 0.8,
      faults,
      end: { duration: seconds * NS_PER_S },
      warmup: 100 * NS_PER_S,
    }, replications);
    assert.ok(mean < 0.95 && p99 < 1, `mean × ${mean}, p99 × ${p99}`);
  });
}
