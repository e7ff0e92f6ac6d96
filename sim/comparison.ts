import {
  type AlgorithmName,
  type AlgorithmOptions,
  type Nanoseconds,
  NS_PER_MS,
} from "../lib/core/mod.ts";
import type { Balancer, Scenario } from "../lib/scenario/types.ts";
import { Histogram } from "../lib/stats/histogram.ts";
import { type Estimate, estimateMean, pairedDifference } from "../lib/stats/estimate.ts";
import { replicationSeed } from "./replications.ts";
import type { ReplicationResult } from "./result.ts";
import { simulate } from "./simulate.ts";

/** What is compared, and how thoroughly. */
export interface ComparisonOptions {
  readonly algorithms: readonly AlgorithmName[];
  /** Offered work, as a share of what all backends can do. */
  readonly load: number;
  /** Mean service time; services are exponential. */
  readonly service: Nanoseconds;
  /** Simulated time of each replication. */
  readonly duration: Nanoseconds;
  readonly replications: number;
  readonly seed: number;
}

/** One algorithm's outcome over all replications. */
export interface Outcome {
  readonly algorithm: AlgorithmName;
  readonly done: number;
  readonly failed: number;
  /** From a client's wish to its answer. */
  readonly sojourn_ms: {
    readonly mean: Estimate;
    readonly p50: Estimate;
    readonly p99: Estimate;
    readonly max: number;
  };
  /** Simulated events. */
  readonly events: number;
}

/** How much better the winner is than another: of the same clients and jobs, pair by pair. */
export interface Margin {
  readonly over: AlgorithmName;
  /** The other's p99 less the winner's. */
  readonly p99_ms: Estimate;
}

/** A comparison's result. */
export interface Comparison {
  readonly outcomes: readonly Outcome[];
  /** The least p99. */
  readonly winner: AlgorithmName;
  readonly margins: readonly Margin[];
}

/**
 * Compares algorithms on one balancer's configuration. All of them meet the same clients at the same
 * moments with the same jobs, so their differences are theirs and not chance's.
 */
export function compare(balancer: Balancer, options: ComparisonOptions): Comparison {
  const { algorithms, replications, seed } = options;
  const runs = algorithms.map((name) => {
    const algorithm = parametersOf(balancer, name);
    const scenario = scenarioOf({ ...balancer, algorithm }, options);
    return Array.from(
      { length: replications },
      (_, replication) => simulate(scenario, replicationSeed(seed, replication)),
    );
  });
  const p99s = runs.map((results) => results.map((result) => quantileMs(result, 0.99)));
  const outcomes = runs.map((results, i) => outcomeOf(algorithms[i]!, results));
  const best = outcomes.reduce(
    (least, { sojourn_ms }, i) =>
      sojourn_ms.p99.value < outcomes[least]!.sojourn_ms.p99.value ? i : least,
    0,
  );
  const margins = algorithms.flatMap((over, i): Margin[] => {
    if (i === best) return [];
    return [{ over, p99_ms: pairedDifference(p99s[i]!, p99s[best]!) }];
  });
  return { outcomes, winner: algorithms[best]!, margins };
}

/** The configured parameters, if it is the configured algorithm. */
function parametersOf({ algorithm }: Balancer, name: AlgorithmName): AlgorithmOptions {
  return algorithm.name === name ? algorithm : { name } as AlgorithmOptions;
}

function scenarioOf(
  balancer: Balancer,
  { load, service, duration }: ComparisonOptions,
): Scenario & { readonly warmup: Nanoseconds } {
  const capacity = balancer.backends.filter(({ backup }) => !backup).length / service;
  const wire = { kind: "deterministic", value: 0.2 * NS_PER_MS } as const;
  return {
    balancer,
    loadBalancers: 1,
    workload: {
      arrivals: { kind: "poisson", rate: load * capacity * 1e9 },
      clients: { count: 1000, zipf: 0 },
      requestsPerConnection: { kind: "deterministic", value: 1 },
      thinkTime: { kind: "deterministic", value: 0 },
      timeout: Infinity,
      retries: { max: 0, backoff: 0, multiplier: 1, jitter: 0 },
    },
    service: { kind: "exponential", mean: service },
    servers: balancer.backends.map(() => ({
      slots: 1,
      queue: Infinity,
      speed: 1,
      discipline: "fifo" as const,
      abandoned: "serve" as const,
    })),
    network: { clientLatency: wire, backendLatency: wire },
    faults: [],
    end: { duration },
    warmup: Math.round(duration / 10),
  };
}

function outcomeOf(algorithm: AlgorithmName, results: readonly ReplicationResult[]): Outcome {
  const sum = (count: (result: ReplicationResult) => number) =>
    results.reduce((total, result) => total + count(result), 0);
  const over = (value: (result: ReplicationResult) => number) => estimateMean(results.map(value));
  return {
    algorithm,
    done: sum(({ requests }) => requests.done),
    failed: sum(({ requests }) => requests.failed),
    sojourn_ms: {
      mean: over((result) => Histogram.fromData(result.sojourn).mean / NS_PER_MS),
      p50: over((result) => quantileMs(result, 0.5)),
      p99: over((result) => quantileMs(result, 0.99)),
      max: Math.max(...results.map((result) => quantileMs(result, 1))),
    },
    events: sum(({ events }) => events),
  };
}

function quantileMs({ sojourn }: ReplicationResult, share: number): number {
  return Histogram.fromData(sojourn).quantile(share) / NS_PER_MS;
}
