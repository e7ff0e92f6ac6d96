import { childSeed } from "../base/mod.ts";

/**
 * The seed of a replication, numbered from 0. It depends only on the scenario's seed and the replication's
 * number, so a replication is the same in every variant, thread or shard: all variants get the same arrivals
 * and the same jobs. The load generator plays the first replication.
 */
export function replicationSeed(seed: number, replication: number): number {
  return childSeed(seed, "replication", replication);
}
