/**
 * Runs of a single queue, made by Lindley's recursion instead of the simulator: they are cheap enough for thousands of
 * studies, and their true values are known.
 */
import { createRandom } from "../../lib/base/mod.ts";
import { exponential } from "../../lib/stats/exponential.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import type { ReplicationResult } from "../../sim/mod.ts";

/** Mean service time, in nanoseconds: 10 ms. */
const SERVICE = 1e7;

/** One run of M/M/1. */
export interface QueueOptions {
  readonly load: number;
  /** How long clients come, in mean service times; the first tenth is the warm-up. */
  readonly length: number;
  /** The seed of the arrivals and the services: the same for variants that are compared. */
  readonly seed: number;
  /** The speed of the server, 1 if left out: variants with other speeds get the same jobs. */
  readonly speed?: number;
}

/** M/M/1 from an empty queue: each sojourn follows from the one before. */
export function queueRun({ load, length, seed, speed = 1 }: QueueOptions): ReplicationResult {
  const random = createRandom(seed);
  const sojourns = new Histogram();
  let [time, sojourn] = [0, 0];
  while (true) {
    const gap = exponential(random) / load;
    time += gap;
    if (time > length) break;
    sojourn = Math.max(0, sojourn - gap) + exponential(random) / speed;
    if (time >= length / 10) sojourns.record(sojourn * SERVICE);
  }
  return resultOf(sojourns, { from: length / 10 * SERVICE, to: length * SERVICE }, load / speed);
}

/** Mean and p99 of the sojourn, in milliseconds. */
export function queueTruth({ load, speed = 1 }: Pick<QueueOptions, "load" | "speed">) {
  const mean = 10 / speed / (1 - load / speed);
  return { mean, p99: -Math.log(0.01) * mean };
}

function resultOf(
  sojourns: Histogram,
  window: ReplicationResult["window"],
  utilisation: number,
): ReplicationResult {
  const { count } = sojourns;
  const none = new Histogram().toData();
  return {
    seed: 0,
    events: 0,
    window,
    endedAt: window.to,
    connections: count,
    requests: {
      offered: count,
      done: count,
      failed: 0,
      refused: 0,
      timedOut: 0,
      retried: 0,
      inTime: count,
      unfinished: 0,
    },
    turnedAway: {},
    idleCuts: 0,
    throughput: 0,
    sojourn: sojourns.toData(),
    wait: none,
    backends: [{
      id: "B1",
      connections: count,
      share: 1,
      done: count,
      failed: 0,
      meanBusy: utilisation,
      utilisation,
      meanQueue: 0,
      meanInFlight: 0,
      downShare: 0,
      downs: 0,
    }],
    imbalance: { maxOverMean: 1, coefficientOfVariation: 0 },
    faults: [],
    falseDowns: 0,
    failover: none,
    sessionsMoved: { failover: 0, failback: 0 },
  };
}
