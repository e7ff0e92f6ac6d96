/** The numbers of queueing theory, at loads where a run of seconds can show them. */
import { NS_PER_S } from "../../lib/core/mod.ts";
import { meanSojourn, meanWait, type Oracle, p99, refusedShare, testOracles } from "./oracle.ts";

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
    connections: 150_000,
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

const SEVERAL_SLOTS: readonly Oracle[] = [
  {
    name: "M/M/2 at ρ = 0.8",
    options: { load: 0.8, server: { slots: 2 } },
    connections: 400_000,
    expected: [[meanSojourn, 2.777778], [p99, 11.937370]],
  },
  {
    name: "M/M/5 at ρ = 0.8",
    options: { load: 0.8, server: { slots: 5 } },
    connections: 150_000,
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
    connections: 250_000,
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

testOracles([...SINGLE_SERVER, ...SEVERAL_SLOTS, ...SHARING, ...ALGORITHMS, ...CLOSED]);
