/**
 * Compares the simulator with queueing theory, at loads at which runs of a few seconds are precise
 * enough.
 */
import { NS_PER_S } from "../../lib/base/mod.ts";
import { shortestOf } from "../../sim/theory/shortest_queue.ts";
import { gm1, mg1Wait, mmc, mmckLoss } from "../../sim/theory/theory.ts";
import { estimateMean } from "../../lib/stats/estimate.ts";
import assert from "node:assert/strict";
import {
  meanSojourn,
  meanWait,
  type Oracle,
  p99,
  refusedShare,
  replicate,
  sojournAs,
  testOracles,
} from "./oracle.ts";

const EXPONENTIAL = { kind: "exponential", mean: NS_PER_S } as const;
const SHARED = { discipline: "processor-sharing" } as const;

const SINGLE_SERVER: readonly Oracle[] = [
  {
    name: "M/M/1 at ρ = 0.5",
    options: { load: 0.5 },
    connections: 60_000,
    expected: [[meanSojourn, 2], [p99, 9.210340]],
  },
  {
    name: "M/M/1 at ρ = 0.7",
    options: { load: 0.7 },
    connections: 300_000,
    expected: [[meanSojourn, 3.333333], [p99, 15.350567]],
  },
  {
    name: "M/M/1 at ρ = 0.8",
    options: { load: 0.8 },
    connections: 600_000,
    expected: [[meanSojourn, 5], [p99, 23.025851]],
  },
  {
    name: "M/D/1 at ρ = 0.7",
    options: { load: 0.7, service: { kind: "deterministic", value: NS_PER_S } },
    connections: 80_000,
    expected: [[meanWait, 1.166667], [meanSojourn, 2.166667]],
  },
  {
    name: "M/G/1 with lognormal service at ρ = 0.7",
    options: { load: 0.7, service: { kind: "lognormal", mean: NS_PER_S, sigma: 1 } },
    connections: 300_000,
    expected: [[meanWait, 3.171329]],
  },
  {
    name: "D/M/1 at ρ = 0.5",
    options: { arrivals: { kind: "deterministic", rate: 0.5 } },
    connections: 30_000,
    expected: [[meanSojourn, 1 / (1 - 0.20318787)]],
  },
];

/** Backends that take one connection each, and one queue in front of all of them. */
function centralQueue(n: number, length: number, load: number): Oracle["options"] {
  const backends = Array.from({ length: n }, (_, i) => ({
    id: `B${i + 1}`,
    weight: 1,
    backup: false,
    maxConnections: 1,
  }));
  return { n, load, balancer: { backends, queue: { length, timeout: 1e6 * NS_PER_S } } };
}

const CENTRAL_QUEUE: readonly Oracle[] = [
  {
    name: "M/M/3 by a queue at the balancer, at ρ = 0.8",
    options: centralQueue(3, 1e6, 0.8),
    connections: 420_000,
    expected: [
      [meanSojourn, mmc(3, 2.4, 1).mean],
      [meanWait, mmc(3, 2.4, 1).mean - 1],
      [p99, mmc(3, 2.4, 1).quantile(0.99)],
    ],
  },
  {
    name: "M/M/4/10 by a queue at the balancer, at ρ = 0.9",
    options: centralQueue(4, 6, 0.9),
    connections: 200_000,
    expected: [[refusedShare, mmckLoss(4, 10, 3.6, 1)]],
  },
];

const SEVERAL_SLOTS: readonly Oracle[] = [
  {
    name: "M/M/2 at ρ = 0.8",
    options: { load: 0.8, server: { slots: 2 } },
    connections: 560_000,
    expected: [[meanSojourn, 2.777778], [p99, 11.937370]],
  },
  {
    name: "M/M/5 at ρ = 0.8",
    options: { load: 0.8, server: { slots: 5 } },
    connections: 220_000,
    expected: [[meanSojourn, 1.554113], [p99, 6.079663]],
  },
  {
    name: "M/M/10/20 with an offered load of 8",
    options: { load: 0.8, server: { slots: 10, queue: 10 } },
    connections: 1_200_000,
    expected: [[refusedShare, 0.00910718]],
  },
];

const SHARING: readonly Oracle[] = ([
  EXPONENTIAL,
  { kind: "deterministic", value: NS_PER_S },
  { kind: "lognormal", mean: NS_PER_S, sigma: 1 },
] as const).map((service) => ({
  name: `M/G/1 processor sharing at ρ = 0.7 with ${service.kind} service`,
  options: { load: 0.7, service, server: SHARED },
  connections: 120_000,
  expected: [[meanSojourn, 3.333333]],
}));

const ALGORITHMS: readonly Oracle[] = [
  {
    name: "M/M/1 for random over three servers",
    options: { n: 3, load: 0.7 },
    connections: 200_000,
    expected: [[meanSojourn, 3.333333], [p99, 15.350567]],
  },
  {
    name: "E₂/M/1 for round-robin over two at ρ = 0.8",
    options: { n: 2, load: 0.8, algorithm: { name: "round-robin" } },
    connections: 500_000,
    expected: [[meanSojourn, 3.843980], [p99, 17.702181]],
  },
  {
    name: "E₅/M/1 for round-robin over five at ρ = 0.8",
    options: { n: 5, load: 0.8, algorithm: { name: "round-robin" } },
    connections: 400_000,
    expected: [[meanSojourn, 3.152257], [p99, 14.516679]],
  },
  {
    name: "join-the-shortest-queue for least-connections over two at ρ = 0.5",
    options: { n: 2, load: 0.5, algorithm: { name: "least-connections" } },
    connections: 60_000,
    expected: [[meanSojourn, 1.426321], [p99, 6.427937]],
  },
  {
    name: "join-the-shortest-queue for least-connections over two at ρ = 0.8",
    options: { n: 2, load: 0.8, algorithm: { name: "least-connections" } },
    connections: 400_000,
    expected: [[meanSojourn, 2.955737], [p99, 13.084398]],
  },
  {
    name: "join-the-shortest-queue for least-connections over five at ρ = 0.8",
    options: { n: 5, load: 0.8, algorithm: { name: "least-connections" } },
    connections: 150_000,
    expected: [[meanSojourn, 1.754384], [p99, 7.507229]],
  },
  {
    name: "two distinct choices for power-of-two over five at ρ = 0.7",
    options: { n: 5, load: 0.7, algorithm: { name: "power-of-two" } },
    connections: 150_000,
    expected: [[meanSojourn, 1.753336], [p99, 7.247121]],
  },
  {
    name: "two distinct choices for power-of-two over five at ρ = 0.8",
    options: { n: 5, load: 0.8, algorithm: { name: "power-of-two" } },
    connections: 200_000,
    expected: [[meanSojourn, 2.235519], [p99, 8.805964]],
  },
  {
    name: "three distinct choices for power-of-two over five at ρ = 0.7",
    options: { n: 5, load: 0.7, algorithm: { name: "power-of-two", choices: 3 } },
    connections: 120_000,
    expected: [[meanSojourn, 1.529644], [p99, 6.538089]],
  },
];

const CLOSED: readonly Oracle[] = [
  {
    name: "the machine repair model for a closed loop of 20 clients",
    options: {
      arrivals: {
        kind: "closed",
        clients: 20,
        think: { kind: "exponential", mean: 10 * NS_PER_S },
      },
    },
    connections: 100_000,
    expected: [
      [(result) => result.throughput, 0.998131],
      [meanSojourn, 10.037451],
      [(result) => 20 / result.throughput - 10, 10.037451],
    ],
  },
];

/** Models of the same families with parameters that are in no tables. */
const RELATIVES: readonly Oracle[] = [
  {
    name: "M/G/1 with hyperexponential service, c² = 4, at ρ = 0.6",
    options: {
      load: 0.6,
      service: {
        kind: "hyperexponential",
        phases: [
          { probability: 0.887298, mean: NS_PER_S / (2 * 0.887298) },
          { probability: 0.112702, mean: NS_PER_S / (2 * 0.112702) },
        ],
      },
    },
    connections: 250_000,
    expected: [[meanWait, mg1Wait(0.6, 1, 4)]],
  },
  {
    name: "M/G/1 with Erlang service of four stages at ρ = 0.8",
    options: { load: 0.8, service: { kind: "erlang", stages: 4, mean: NS_PER_S } },
    connections: 400_000,
    expected: [[meanWait, mg1Wait(0.8, 1, 0.25)]],
  },
  {
    name: "E₄/M/1 for gaps of Erlang's law at ρ = 0.7",
    options: {
      arrivals: { kind: "renewal", gap: { kind: "erlang", stages: 4, mean: NS_PER_S / 0.7 } },
    },
    connections: 150_000,
    expected: [[meanSojourn, gm1((s) => (2.8 / (2.8 + s)) ** 4, 1).mean]],
  },
  {
    name: "GI/M/1 for a Poisson stream with exponential pauses",
    options: {
      arrivals: {
        kind: "on_off",
        rate: 1,
        on: { kind: "exponential", mean: 10 * NS_PER_S },
        off: { kind: "exponential", mean: 10 * NS_PER_S },
      },
    },
    connections: 400_000,
    expected: [[meanSojourn, gm1(interruptedPoisson(1, 0.1, 0.1), 1).mean]],
  },
  {
    name: "M/M/3 at ρ = 0.6",
    options: { load: 0.6, server: { slots: 3 } },
    connections: 100_000,
    expected: sojournAs(mmc(3, 1.8, 1)),
  },
  {
    name: "M/M/2/3 with an offered load of 2.4: it cannot be overloaded",
    options: { load: 1.2, server: { slots: 2, queue: 1 } },
    connections: 40_000,
    expected: [[refusedShare, mmckLoss(2, 3, 2.4, 1)]],
  },
  {
    name: "power of two over four at ρ = 0.6",
    options: { n: 4, load: 0.6, algorithm: { name: "power-of-two" } },
    connections: 120_000,
    expected: sojournAs(shortestOf(4, 2, 0.6)),
  },
  {
    name: "join-the-shortest-queue over three at ρ = 0.7",
    options: { n: 3, load: 0.7, algorithm: { name: "least-connections" } },
    connections: 150_000,
    expected: sojournAs(shortestOf(3, 3, 0.7)),
  },
  {
    name:
      "M/M/1 at each of three backends of unequal speeds for random, with weights in proportion to the speeds",
    options: {
      arrivals: { kind: "poisson", rate: 0.6 * 7 },
      servers: [{ speed: 4 }, { speed: 2 }, { speed: 1 }],
      weights: [4, 2, 1],
    },
    connections: 200_000,
    // Each backend is an M/M/1 of load 0.6, and gets its share of the clients.
    expected: [[meanSojourn, (4 / 4 + 2 / 2 + 1 / 1) / 7 / (1 - 0.6)]],
  },
  {
    name: "R = N/X − Z for a closed loop of any law",
    options: {
      n: 3,
      algorithm: { name: "least-connections" },
      service: { kind: "lognormal", mean: NS_PER_S, sigma: 1 },
      arrivals: {
        kind: "closed",
        clients: 9,
        think: { kind: "uniform", min: 0, max: 4 * NS_PER_S },
      },
    },
    connections: 60_000,
    expected: [[(result) => (meanSojourn(result) + 2) * result.throughput, 9]],
  },
];

/** The Laplace transform of the gaps of a Poisson stream that is switched on and off by chance. */
function interruptedPoisson(rate: number, leaveOn: number, leaveOff: number) {
  return (s: number) =>
    rate * (s + leaveOff) / (s * s + (rate + leaveOn + leaveOff) * s + rate * leaveOff);
}

testOracles(RELATIVES);

Deno.test("simulate() of power-of-two draws distinct backends: if it drew a backend twice, it would be slower", () => {
  const sojourns = replicate({
    n: 5,
    load: 0.7,
    algorithm: { name: "power-of-two" },
    end: { connections: 60_000 },
  }, 10).map(meanSojourn);
  const { value, standardError } = estimateMean(sojourns);
  assert.ok(Math.abs(value - 1.880492) > 10 * standardError, `${value} ± ${standardError}`);
});
testOracles([
  ...SINGLE_SERVER,
  ...SEVERAL_SLOTS,
  ...CENTRAL_QUEUE,
  ...SHARING,
  ...ALGORITHMS,
  ...CLOSED,
]);
