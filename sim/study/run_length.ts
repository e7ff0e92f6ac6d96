/** Whether runs are long enough for their load. */
import { type Nanoseconds, NS_PER_S, sinTurns } from "../../lib/base/mod.ts";
import type { MetricName } from "../../lib/metrics/mod.ts";
import { meanServiceTime, serverCapacity } from "../../lib/scenario/load.ts";
import type { Arrivals, Scenario, ServerOptions } from "../../lib/scenario/types.ts";
import { meanOf, scvOf } from "../../lib/stats/mod.ts";
import type { Measured } from "../measure/mod.ts";

/**
 * All runs together must last for this many relaxation times. In shorter studies the interval of p99
 * covers the true value too rarely: for M/M/1, in 85 % of studies with 240 relaxation times, in 93 %
 * with 500.
 */
const TOTAL_MIN = 500;
/**
 * Each single run must last for at least this many relaxation times, because it begins with empty
 * queues.
 */
const RUN_MIN = 10;
/**
 * The same number if the warm-up is too short for the queues to fill. In a shorter run the mean would be 2 % too low.
 */
const COLD_RUN_MIN = 50;
/** A percentile needs at least this many requests above it. */
const BEYOND_MIN = 5;
/** If the utilisation is this high, no length is sufficient. */
const BUSY_MAX = 0.995;
/** Algorithms that balance queues. With them all backends relax together, like one backend with all slots. */
const LEVELLING: readonly string[] = [
  ...["least-connections", "power-of-two", "peak-ewma", "prequal", "join-idle-queue"],
];

/** Runs that are too short, and the sufficient lengths. */
export interface TooShort {
  /** The relaxation time of the queues: how long their past has an effect. */
  readonly relaxation: Nanoseconds;
  /** The factor by which the runs must be longer. */
  readonly factor: number;
  /**
   * Alternatively, the sufficient number of runs of the present length; Infinity if each run is too
   * short.
   */
  readonly replications: number;
}

/** The problem if the runs of a variant are too short for correct intervals; undefined if they are long enough. */
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
 * How long the past of a queue has an effect: the relaxation time of M/M/c/K, at least a service time,
 *
 *     1 / (cμ(1 + ρ − 2√ρ cos(π / (K + 1))))
 *
 * times `(c²ₐ + c²ₛ) / 2` for other arrivals and services. If backends do not relax together, the busiest one counts.
 * Arrivals that change their rate add their own time. In a closed loop this time is shorter: the longer a queue is,
 * the fewer clients can still arrive. The rate at which one of them arrives is added to that of the queue. The
 * eigenvalues of M/M/c//N show that the result is right, or too long by up to a factor of 2.
 *
 * Undefined in overload, and for a trace, because every run plays the whole trace and cannot be longer.
 *
 * Source: J. W. Cohen, "The Single Server Queue", II.2 and III.6; W. Whitt, "Planning queueing simulations", 1989.
 */
function relaxationTime(scenario: Scenario, measured: Measured): Nanoseconds | undefined {
  const { workload: { arrivals }, servers, balancer } = scenario;
  if (arrivals.kind === "trace") return undefined;
  const indexes = [...servers.keys()];
  const isPool = servers.length > 1 && LEVELLING.includes(balancer.algorithm.name);
  const each = (isPool ? [indexes] : indexes.map((i) => [i]))
    .flatMap((pool) => relaxationOf(pool, scenario, measured) ?? []);
  return each.length === 0 ? undefined : Math.max(ownTime(arrivals), ...each);
}

/** The relaxation time of backends that relax together. */
function relaxationOf(
  pool: readonly number[],
  scenario: Scenario,
  measured: Measured,
): Nanoseconds | undefined {
  const { workload: { arrivals, timeout }, service, balancer } = scenario;
  const sum = (read: (server: ServerOptions, id: string) => number) =>
    pool.reduce((total, i) => total + read(scenario.servers[i]!, balancer.backends[i]!.id), 0);
  const of = (metric: MetricName) => (_: ServerOptions, id: string) =>
    measured.estimate(metric, id).value;
  const slots = sum((server) => server.slots);
  if (slots === Infinity) return meanServiceTime(service, scenario.servers[pool[0]!]!);
  const capacity = sum(serverCapacity);
  const mean = meanOf(service) * slots / capacity;
  const load = sum((server, id) => serverCapacity(server) * of("utilisation")(server, id)) /
    capacity;
  const clients = arrivals.kind === "closed" ? arrivals.clients : Infinity;
  const queue = sum((server) => server.queue);
  const places = Math.min(slots + Math.min(queue, timeout / mean * slots), clients);
  if (places === Infinity && load >= BUSY_MAX) return undefined;
  // The cosine of π / (K + 1), as a sine a quarter of a turn ahead.
  const cosine = sinTurns(0.25 + 0.5 / (places + 1));
  const ofQueue = slots / mean * (1 + load - 2 * Math.sqrt(load) * cosine);
  const { from, to } = measured.results[0]!.window;
  const away = clients - sum(of("in_flight"));
  const ofClients = clients === Infinity || away <= 0 ? 0 : sum(of("done")) / (to - from) / away;
  const variability = (Math.max(1, arrivalScv(arrivals)) + scvOf(service)) / 2;
  return Math.max(mean, variability / (ofQueue + ofClients));
}

/** Squared coefficient of variation of the gaps, as far as they are independent. */
function arrivalScv(arrivals: Arrivals): number {
  return arrivals.kind === "renewal" ? scvOf(arrivals.gap) : 1;
}

/** How long the present rate of arrivals has an effect: about a quarter of a cycle. */
function ownTime(arrivals: Arrivals): Nanoseconds {
  switch (arrivals.kind) {
    case "mmpp":
      return arrivals.states.length === 1
        ? 0
        : arrivals.states.reduce((sum, { stay }) => sum + stay, 0) / 4;
    case "on_off": {
      // A cycle of constant times is the same in every run, so it adds no time.
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
