import { NS_PER_S } from "../../lib/base/mod.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import { type ReplicationResult, simulate } from "../../sim/mod.ts";
import { replicationSeed } from "../../lib/workload/mod.ts";
import type { Sojourn } from "../../sim/theory/theory.ts";
import { assertMean } from "../support/statistics.ts";
import { queueing, type QueueingOptions } from "./scenarios.ts";

/** Numbers that theory gives, and the functions that read them from a run. */
export interface Oracle {
  readonly name: string;
  readonly options: QueueingOptions;
  /** Connections of each replication. */
  readonly connections: number;
  readonly replications?: number;
  readonly expected: readonly (readonly [(result: ReplicationResult) => number, number])[];
}

/** Mean sojourn in service times. */
export function meanSojourn(result: ReplicationResult): number {
  return Histogram.fromData(result.sojourn).mean / NS_PER_S;
}

/** 99th percentile of the sojourn in service times. */
export function p99(result: ReplicationResult): number {
  return Histogram.fromData(result.sojourn).quantile(0.99) / NS_PER_S;
}

/** Expects the sojourn that theory gives, in service times. */
export function sojournAs(theory: Sojourn): Oracle["expected"] {
  return [[meanSojourn, theory.mean], [p99, theory.quantile(0.99)]];
}

/** Mean wait in service times. */
export function meanWait(result: ReplicationResult): number {
  return Histogram.fromData(result.wait).mean / NS_PER_S;
}

/** Share of requests that were refused. */
export function refusedShare({ requests }: ReplicationResult): number {
  return requests.refused / requests.offered;
}

/** Replications of a scenario of plain queueing. */
export function replicate(
  options: QueueingOptions,
  replications: number,
  seed = 1,
): ReplicationResult[] {
  const scenario = queueing(options);
  return Array.from(
    { length: replications },
    (_, r) => simulate(scenario, replicationSeed(seed, r)),
  );
}

/**
 * Registers a test for each oracle: the measured values are within four standard errors, which are
 * below 1 %.
 */
export function testOracles(oracles: readonly Oracle[]): void {
  for (const { name, options, connections, replications = 10, expected } of oracles) {
    Deno.test(`simulate() gives ${name}`, () => {
      const results = replicate({ ...options, end: { connections } }, replications);
      for (const [read, value] of expected) assertMean(results.map(read), value);
    });
  }
}
