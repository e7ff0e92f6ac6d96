/**
 * Compares the simulator with queueing theory where this takes minutes: `deno task test:nightly`.
 */
import assert from "node:assert/strict";
import { NS_PER_S } from "../../lib/base/mod.ts";
import { manyServersSojourn, shortestOf } from "../../sim/theory/shortest_queue.ts";
import { flapping, mmc, roundRobin } from "../../sim/theory/theory.ts";
import { assertMean } from "../support/statistics.ts";
import { meanSojourn, p99, replicate, sojournAs, testOracles } from "../sim/oracle.ts";

testOracles([
  {
    name: "M/M/1 at ρ = 0.9",
    options: { load: 0.9 },
    connections: 3_000_000,
    expected: [[meanSojourn, 10], [p99, 46.051702]],
  },
  {
    name: "E₁₀/M/1 for round-robin over ten at ρ = 0.8",
    options: { n: 10, load: 0.8, algorithm: { name: "round-robin" } },
    connections: 1_000_000,
    expected: [[meanSojourn, roundRobin(10, 0.8).mean], [p99, roundRobin(10, 0.8).quantile(0.99)]],
  },
  {
    name: "M/M/5 at ρ = 0.9",
    options: { load: 0.9, server: { slots: 5 } },
    connections: 2_000_000,
    expected: [[meanSojourn, mmc(5, 4.5, 1).mean], [p99, mmc(5, 4.5, 1).quantile(0.99)]],
  },
  {
    name: "join-the-shortest-queue for least-connections over two at ρ = 0.7",
    options: { n: 2, load: 0.7, algorithm: { name: "least-connections" } },
    connections: 500_000,
    expected: [[meanSojourn, 2.108197], [p99, 9.340165]],
  },
  {
    name: "join-the-shortest-queue for least-connections over five at ρ = 0.5",
    options: { n: 5, load: 0.5, algorithm: { name: "least-connections" } },
    connections: 300_000,
    expected: [[meanSojourn, 1.108641], [p99, 5.063879]],
  },
  {
    name: "two distinct choices for power-of-two over five at ρ = 0.5",
    options: { n: 5, load: 0.5, algorithm: { name: "power-of-two" } },
    connections: 300_000,
    expected: [[meanSojourn, 1.310208], [p99, 5.790597]],
  },
  {
    name: "power of two over three at ρ = 0.8",
    options: { n: 3, load: 0.8, algorithm: { name: "power-of-two" } },
    connections: 800_000,
    expected: sojournAs(shortestOf(3, 2, 0.8)),
  },
]);

for (const load of [0.5, 0.8]) {
  Deno.test(`simulate() of power-of-two over 1000 servers is close to the limit of infinitely many servers at ρ = ${load}`, () => {
    const limit = manyServersSojourn(2, load);
    const mean = (n: number, connections: number) => {
      const results = replicate({
        n,
        load,
        algorithm: { name: "power-of-two" },
        end: { connections },
        warmup: 50 * NS_PER_S,
      }, 4).map(meanSojourn);
      return results.reduce((sum, value) => sum + value, 0) / results.length;
    };
    assert.ok(Math.abs(mean(1000, 1_500_000) / limit - 1) < 0.005);
    assert.ok(
      Math.abs(mean(10, 500_000) / limit - 1) > 0.01,
      "ten servers are not close to the limit",
    );
  });
}

Deno.test("simulate() marks a backend as down as rarely as theory says, if one of ten probes fails by chance", () => {
  const results = replicate({
    n: 1,
    arrivals: { kind: "poisson", rate: 0.0001 },
    faults: [{ at: 0, for: Infinity, backend: 0, kind: { name: "fail-rate", rate: 0.1 } }],
    balancer: {
      healthCheck: { type: "http", interval: 1e9, timeout: 5e8, fall: 3, rise: 2, jitter: 0 },
    },
    end: { duration: 2_000_000 * NS_PER_S },
    warmup: 0,
  }, 10);
  const { probesUp, downShare } = flapping(0.1, 3, 2);
  assert.equal(Math.round(probesUp), 1110);
  assert.equal(downShare.toPrecision(6), "0.00210877");
  assertMean(results.map(({ backends }) => backends[0]!.downShare), downShare);
  assertMean(
    results.map(({ backends }) => 2_000_000 * (1 - backends[0]!.downShare) / backends[0]!.downs),
    probesUp,
  );
});
