import assert from "node:assert/strict";
import { createRandom, exp, NS_PER_MS, NS_PER_S } from "../../../lib/base/mod.ts";
import { Latencies } from "../../../lib/observe/mod.ts";

Deno.test("recentQuantileMs() is wrong by at most a few per cent, over the whole range", () => {
  const random = createRandom(1);
  for (const scale of [20e3, 1e6, 50e6, 2e9, 600e9]) {
    const latencies = new Latencies([1]);
    const values = Array.from({ length: 2000 }, () => Math.round(scale * exp(random.next())));
    values.forEach((value) => latencies.record(value));
    values.sort((a, b) => a - b);
    for (const share of [0.5, 0.99]) {
      const exact = values[Math.ceil(share * values.length) - 1]! / NS_PER_MS;
      const found = latencies.recentQuantileMs(share);
      assert.ok(Math.abs(found / exact - 1) < 0.07, `${scale} ${share}: ${found} for ${exact}`);
    }
  }
});

Deno.test("rotate() drops durations that are two parts old; the count since the start stays", () => {
  const latencies = new Latencies([0.01, 0.1]);
  latencies.record(5 * NS_PER_MS);
  latencies.rotate();
  latencies.record(50 * NS_PER_MS);
  assert.equal(latencies.recentCount, 2);
  latencies.rotate();
  assert.equal(latencies.recentCount, 1);
  latencies.rotate();
  assert.equal(latencies.recentCount, 0);
  assert.ok(Number.isNaN(latencies.recentQuantileMs(0.5)));
  assert.equal(latencies.cumulative.count, 2);
});

Deno.test("cumulative has exact counts up to each bound, the bound included", () => {
  const latencies = new Latencies([0.01, 0.1]);
  for (const ms of [0, 10, 10.000001, 100, 5000]) latencies.record(ms * NS_PER_MS);
  latencies.record(2 * 24 * 3600 * NS_PER_S);
  const { bounds, counts, count, sum_s } = latencies.cumulative;
  assert.deepEqual(bounds, [0.01, 0.1]);
  assert.deepEqual(counts, [2, 4]);
  assert.equal(count, 6);
  assert.ok(Math.abs(sum_s - (5.120000001 + 172800)) < 1e-6);
});
