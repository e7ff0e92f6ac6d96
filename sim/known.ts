import { power } from "../lib/base/mod.ts";
import { NS_PER_MS, NS_PER_S, takesClients } from "../lib/core/mod.ts";
import type { MetricName } from "../lib/scenario/metrics.ts";
import type { Scenario, ServerOptions } from "../lib/scenario/types.ts";
import { type Distribution, meanOf, scvOf } from "../lib/stats/variates.ts";
import { offeredLoad } from "./load.ts";
import {
  closedLoop,
  mg1Wait,
  mmc,
  mmckLoss,
  roundRobin,
  sharedSojourn,
  shortestOf,
  type Sojourn,
} from "./theory.ts";

/** What theory says that a metric is. */
export interface Known {
  readonly metric: MetricName;
  readonly model: string;
  readonly value: number;
}

/** More backends than this, and the chain of all queue lengths is too large to solve. */
const CHAIN_BACKENDS_MAX = 5;
/** Longest queue in the chain, by number of backends; what lies beyond must not matter. */
const CHAIN_LONGEST = [0, 200, 70, 40, 25, 16];
const CHAIN_TAIL_MAX = 1e-6;

/**
 * What is known exactly of a scenario: nothing, unless it is one of the textbook's models. Equal
 * backends, no latency, no faults, clients that come once, send one request and wait for ever.
 */
export function knownTheory(scenario: Scenario): Known[] {
  const { servers, balancer, service } = scenario;
  const [server] = servers;
  if (server === undefined || !isPlain(scenario, server)) return [];
  const mean = meanOf(service);
  const { arrivals } = scenario.workload;
  if (arrivals.kind === "closed") return closed(scenario, server, arrivals);
  if (arrivals.kind !== "poisson") return [];
  const load = offeredLoad(scenario);
  const n = servers.length;
  const meanMs = mean / server.speed / NS_PER_MS;
  const exponential = service.kind === "exponential";
  if (n === 1 && server.queue !== Infinity) {
    if (!exponential || server.discipline !== "fifo" || server.slots === Infinity) return [];
    const { slots, queue } = server;
    const places = slots + queue;
    const loss = mmckLoss(slots, places, load * slots, 1);
    return [{ metric: "errors", model: `M/M/${slots}/${places}`, value: loss }];
  }
  if (load >= 1 || server.queue !== Infinity) return [];
  const { name } = balancer.algorithm;
  const split = name === "random" || n === 1;
  if (server.discipline === "processor-sharing") {
    if (!split || server.slots !== 1) return [];
    return [{ metric: "mean_ms", model: "M/G/1-PS", value: sharedSojourn(load, 1) * meanMs }];
  }
  if (split && exponential && server.slots !== Infinity) {
    const { slots } = server;
    return ofSojourn(`M/M/${slots}`, mmc(slots, load * slots, 1), meanMs);
  }
  if (server.slots !== 1) return [];
  if (split) {
    const scv = scvOf(service);
    const wait = mg1Wait(load, 1, scv) * meanMs;
    const model = scv === 0 ? "M/D/1" : `M/G/1, c² = ${scv.toPrecision(3)}`;
    return [
      { metric: "mean_ms", model, value: wait + meanMs },
      { metric: "wait_mean_ms", model, value: wait },
    ];
  }
  if (!exponential) return [];
  if (name === "round-robin") return ofSojourn(`E${n}/M/1`, roundRobin(n, load), meanMs);
  const choices = choicesOf(balancer.algorithm, n);
  if (choices === undefined || !isSolvable(n, load)) return [];
  const model = choices === n ? `JSQ(${n})` : `JSQ(${choices} of ${n})`;
  return ofSojourn(model, shortestOf(n, choices, load), meanMs);
}

/** How many queues a pick looks at; undefined for an algorithm that does not go by them. */
function choicesOf(algorithm: Scenario["balancer"]["algorithm"], n: number): number | undefined {
  if (algorithm.name === "least-connections") return n;
  if (algorithm.name === "power-of-two") return Math.min(algorithm.choices ?? 2, n);
  return undefined;
}

function isSolvable(n: number, load: number): boolean {
  return n <= CHAIN_BACKENDS_MAX && power(load, n * CHAIN_LONGEST[n]!) < CHAIN_TAIL_MAX;
}

function ofSojourn(model: string, { mean, quantile }: Sojourn, meanMs: number): Known[] {
  return [
    { metric: "mean_ms", model, value: mean * meanMs },
    { metric: "p99_ms", model, value: quantile(0.99) * meanMs },
  ];
}

function closed(
  { service, servers }: Scenario,
  server: ServerOptions,
  { clients, think }: { readonly clients: number; readonly think: Distribution },
): Known[] {
  const plain = servers.length === 1 && server.slots === 1 && server.queue >= clients &&
    service.kind === "exponential" && think.kind === "exponential";
  if (!plain) return [];
  const mean = meanOf(service) / server.speed;
  const { throughput, response } = closedLoop(clients, meanOf(think), mean);
  const model = `M/M/1//${clients}`;
  return [
    { metric: "throughput_per_s", model, value: throughput * NS_PER_S },
    { metric: "mean_ms", model, value: response / NS_PER_MS },
  ];
}

function isPlain(scenario: Scenario, server: ServerOptions): boolean {
  const { workload, network, balancer, servers, faults } = scenario;
  const { clientLatency, backendLatency } = network;
  const alike = servers.every((other) => JSON.stringify(other) === JSON.stringify(server)) &&
    balancer.backends.every((backend) =>
      takesClients(backend) && backend.weight === 1 && backend.maxConnections === undefined
    );
  const { allow, deny, limits } = balancer;
  const openToAll = (allow ?? deny ?? limits.perClient) === undefined;
  return alike && openToAll && faults.length === 0 && scenario.loadBalancers === 1 &&
    balancer.sticky === undefined && ["none", "tcp"].includes(balancer.healthCheck.type) &&
    workload.timeout === Infinity && workload.retries.max === 0 &&
    isConstant(workload.requestsPerConnection, 1) &&
    isConstant(clientLatency, 0) && isConstant(backendLatency, 0);
}

function isConstant(distribution: Distribution, value: number): boolean {
  return distribution.kind === "deterministic" && distribution.value === value;
}
