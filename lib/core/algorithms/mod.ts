/** The algorithms: one file each, one table that names them. */
import { type Nanoseconds, NS_PER_MS, NS_PER_S, type Random } from "../../base/mod.ts";
import type { Algorithm } from "./algorithm.ts";
import { FirstAvailable } from "./first_available.ts";
import { JoinIdleQueue } from "./join_idle_queue.ts";
import { LeastConnections } from "./least_connections.ts";
import { Maglev } from "./maglev.ts";
import { PeakEwma } from "./peak_ewma.ts";
import { PowerOfTwo } from "./power_of_two.ts";
import { Prequal } from "./prequal.ts";
import { RandomChoice } from "./random.ts";
import { RingHash } from "./ring_hash.ts";
import { RoundRobin } from "./round_robin.ts";
import { SourceHash } from "./source_hash.ts";

export type { Algorithm, Candidate, PickTrace } from "./algorithm.ts";
export { isPrime } from "./maglev.ts";
export { RING_POINTS_MAX } from "./ring_hash.ts";

/** What is assumed of parameters that are left out. */
export const ALGORITHM_DEFAULTS = {
  choices: 2,
  decay: 10 * NS_PER_S,
  initial: 30 * NS_PER_MS,
  points: 160,
  tableSize: 65537,
  pool: 16,
  age: NS_PER_S,
  probes: 3,
} as const;

/** What the hashes share. */
interface Bounded {
  /** At least 1: no backend has more than this many times its share in flight. No bound if left out. */
  readonly boundedLoad?: number | undefined;
  /** Another salt is another hash: the simulator places clients anew with it. 0 if left out. */
  readonly salt?: number | undefined;
}

/** An algorithm's name and its parameters. */
export type AlgorithmOptions =
  | { readonly name: "round-robin" }
  | { readonly name: "least-connections" }
  | { readonly name: "random" }
  | {
    readonly name: "power-of-two";
    /** How many distinct backends a pick looks at; 2 if left out. */
    readonly choices?: number;
  }
  | {
    readonly name: "peak-ewma";
    /** How fast a latency is forgotten: τ; 10 s if left out. */
    readonly decay?: Nanoseconds;
    /** What is assumed of a backend that has not answered yet; 30 ms if left out. */
    readonly initial?: Nanoseconds;
  }
  | {
    readonly name: "join-idle-queue";
    /** Backends report when they are idle, to one balancer each: `Scheduler.reportIdle`. */
    readonly backendsReport?: boolean;
  }
  | {
    readonly name: "prequal";
    /** Probe results kept; 16 if left out. */
    readonly pool?: number;
    /** How old they may be; 1 s if left out. */
    readonly age?: Nanoseconds;
    /** Probes with each pick; 3 if left out. */
    readonly probes?: number;
  }
  | { readonly name: "source-hash" } & Bounded
  | {
    readonly name: "ring-hash";
    /** Points on the ring per unit of weight; 160 if left out. */
    readonly points?: number;
  } & Bounded
  | {
    readonly name: "maglev";
    /** Slots in the table, a prime; 65537 if left out. */
    readonly tableSize?: number;
  } & Bounded
  | { readonly name: "first-available" };

/** Options of an algorithm that places clients by a hash. */
export type HashOptions = Extract<
  AlgorithmOptions,
  { name: "source-hash" | "ring-hash" | "maglev" }
>;

/** Whether an algorithm places clients by a hash. */
export function isHash(options: AlgorithmOptions): options is HashOptions {
  return ["source-hash", "ring-hash", "maglev"].includes(options.name);
}

/** The name of an algorithm, as in config.yaml. */
export type AlgorithmName = AlgorithmOptions["name"];

type Create<Name extends AlgorithmName> = (
  options: Extract<AlgorithmOptions, { name: Name }>,
  random: Random,
) => Algorithm;

const creators: { readonly [Name in AlgorithmName]: Create<Name> } = {
  "round-robin": () => new RoundRobin(),
  "least-connections": () => new LeastConnections(),
  "random": (_options, random) => new RandomChoice(random),
  "power-of-two": ({ choices = ALGORITHM_DEFAULTS.choices }, random) =>
    new PowerOfTwo(choices, random),
  "peak-ewma": (options, random) => {
    const { decay, initial } = { ...ALGORITHM_DEFAULTS, ...options };
    return new PeakEwma(decay, initial, random);
  },
  "join-idle-queue": ({ backendsReport = false }, random) =>
    new JoinIdleQueue(random, backendsReport),
  "prequal": (options, random) => new Prequal({ ...ALGORITHM_DEFAULTS, ...options }, random),
  "source-hash": ({ boundedLoad = Infinity, salt }) => new SourceHash(boundedLoad, salt),
  "ring-hash": ({ points = ALGORITHM_DEFAULTS.points, boundedLoad = Infinity, salt }) =>
    new RingHash(points, boundedLoad, salt),
  "maglev": ({ tableSize = ALGORITHM_DEFAULTS.tableSize, boundedLoad = Infinity, salt }) =>
    new Maglev(tableSize, boundedLoad, salt),
  "first-available": () => new FirstAvailable(),
};

/** Every algorithm there is, in the order in which they are best learnt. */
export const ALGORITHM_NAMES = Object.keys(creators) as readonly AlgorithmName[];

/** Makes an algorithm that knows of no backend yet. */
export function createAlgorithm(options: AlgorithmOptions, random: Random): Algorithm {
  const create = creators[options.name] as Create<AlgorithmName>;
  return create(options as never, random);
}
