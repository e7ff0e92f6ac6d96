/** Whether runs are long enough for their load. */
import { sinTurns } from "../lib/base/mod.ts";
import { type Nanoseconds, NS_PER_S } from "../lib/core/mod.ts";
import type { Arrivals, Scenario } from "../lib/scenario/types.ts";
import { meanOf, scvOf } from "../lib/stats/variates.ts";
import { offeredLoad } from "./load.ts";
import type { Measured } from "./measured.ts";

/**
 * So many relaxation times all runs together must have. Below it the interval of p99 covers too rarely:
 * of M/M/1, 10 runs with 24 each (240 in all) cover in 85 % of studies, with 50 each in 93 %.
 */
const TOTAL_MIN = 500;
/** And each single run, which begins with empty queues. */
const RUN_MIN = 10;
/** The same where the warm-up is too short for the queues to fill: else the mean is 2 % too low. */
const COLD_RUN_MIN = 50;
/** A percentile needs so many requests above it. */
const BEYOND_MIN = 5;
/** A backend that is always busy has no length that would do. */
const BUSY_MAX = 0.995;
/** Algorithms that level queues out: the backends relax together, like one that has all their slots. */
const LEVELLING: readonly string[] = [
  ...["least-connections", "power-of-two", "peak-ewma", "prequal", "join-idle-queue"],
];

/** What is wrong with the length of runs, and what would do. */
export interface TooShort {
  /** How long the queues take to forget how they were. */
  readonly relaxation: Nanoseconds;
  /** By how much longer the runs have to be. */
  readonly factor: number;
  /** Or how many there must be of the present length; Infinity if each is too short by itself. */
  readonly replications: number;
}

/** Whether the runs of a variant are too short for intervals that cover; undefined if they are not. */
export function tooShort(scenario: Scenario, measured: Measured): TooShort | undefined {
  const { results } = measured;
  const { from, to } = results[0]!.window;
  const window = to - from;
  const beyond = measured.quantiles("sojourn", false).beyond(0.99);
  const relaxation = relaxationTime(scenario, measured) ?? 0;
  const ofAll = Math.max(
    TOTAL_MIN * relaxation / (window * results.length),
    beyond > 0 ? BEYOND_MIN / beyond : 1,
  );
  const isCold = from < Math.min(relaxation, window / RUN_MIN);
  const ofEach = (isCold ? COLD_RUN_MIN : RUN_MIN) * relaxation / window;
  const factor = Math.max(ofAll, ofEach);
  if (!(factor > 1)) return undefined;
  const replications = ofEach > 1 ? Infinity : Math.ceil(ofAll * results.length);
  return { relaxation, factor, replications };
}

/**
 * How long a queue takes to forget how it was: the relaxation time of M/M/c/K,
 * `1 / (cμ(1 + ρ − 2√ρ cos(π / (K + 1))))`, at least a service time; times `(c²ₐ + c²ₛ) / 2` for other
 * arrivals and services than those. Of backends that go their own ways, that of the busiest counts.
 * Arrivals that change their rate take their own time, too. Undefined where nothing of that applies: in a
 * closed loop, for a trace, and in overload.
 *
 * Source: J. W. Cohen, "The Single Server Queue", II.2 and III.6; W. Whitt, "Planning queueing
 * simulations", 1989.
 */
function relaxationTime(scenario: Scenario, measured: Measured): Nanoseconds | undefined {
  const { workload: { arrivals, timeout }, service, servers, balancer } = scenario;
  if (arrivals.kind === "closed" || arrivals.kind === "trace") return undefined;
  const variability = (Math.max(1, arrivalScv(arrivals)) + scvOf(service)) / 2;
  const work = meanOf(service);
  const relaxation = (slots: number, speed: number, queue: number, load: number) => {
    const mean = work / speed;
    if (slots === Infinity) return mean;
    const places = slots + Math.min(queue, timeout / mean * slots);
    if (places === Infinity && load >= BUSY_MAX) return undefined;
    // The cosine of π / (K + 1): half a turn's part, a quarter of a turn ahead of the sine.
    const cosine = sinTurns(0.25 + 0.5 / (places + 1));
    const rate = slots / mean * (1 + load - 2 * Math.sqrt(load) * cosine);
    return Math.max(mean, variability / rate);
  };
  const own = ownTime(arrivals);
  if (servers.length > 1 && LEVELLING.includes(balancer.algorithm.name)) {
    const slots = servers.reduce((sum, server) => sum + server.slots, 0);
    const speed = servers.reduce((sum, server) => sum + server.slots * server.speed, 0) / slots;
    const queue = servers.reduce((sum, server) => sum + server.queue, 0);
    const together = relaxation(
      slots,
      Number.isNaN(speed) ? 1 : speed,
      queue,
      offeredLoad(scenario),
    );
    return together === undefined ? undefined : Math.max(own, together);
  }
  const each = servers.flatMap(({ slots, speed, queue }, i) => {
    const { id } = balancer.backends[i]!;
    const load = slots === Infinity ? 0 : measured.estimate("utilisation", id).value;
    return relaxation(slots, speed, queue, load) ?? [];
  });
  return each.length === 0 ? undefined : Math.max(own, ...each);
}

/** Squared coefficient of variation of the gaps, as far as they are independent. */
function arrivalScv(arrivals: Arrivals): number {
  return arrivals.kind === "renewal" ? scvOf(arrivals.gap) : 1;
}

/** How long arrivals take to forget whether they were many or few: about a quarter of a cycle. */
function ownTime(arrivals: Arrivals): Nanoseconds {
  switch (arrivals.kind) {
    case "mmpp":
      return arrivals.states.length === 1
        ? 0
        : arrivals.states.reduce((sum, { stay }) => sum + stay, 0) / 4;
    case "on_off": {
      // What is the same in every run needs no time to be forgotten.
      const { on, off } = arrivals;
      return scvOf(on) + scvOf(off) === 0 ? 0 : (meanOf(on) + meanOf(off)) / 4;
    }
    default:
      return 0;
  }
}

/** A length that is easy to read and not shorter: `4m`, `90s`, `2h`. */
export function roundedUp(length: Nanoseconds): string {
  const seconds = length / NS_PER_S;
  for (const [unit, size] of [["ms", 0.001], ["s", 1], ["m", 60], ["h", 3600]] as const) {
    const count = seconds / size;
    if (count < 100 || unit === "h") {
      const step = Number("1".padEnd(String(Math.ceil(count)).length - 1, "0"));
      return `${Math.ceil(count / step) * step}${unit}`;
    }
  }
  return "";
}
