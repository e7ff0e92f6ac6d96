/** The algorithms: one file each, and one table that names them. */
import type { Random } from "../../base/mod.ts";
import type { Definition, Parameters, Values } from "./_definition.ts";
import type { Algorithm } from "./algorithm.ts";
import { firstAvailable } from "./first_available.ts";
import { joinIdleQueue } from "./join_idle_queue.ts";
import { leastConnections } from "./least_connections.ts";
import { maglev } from "./maglev.ts";
import { peakEwma } from "./peak_ewma.ts";
import { powerOfTwo } from "./power_of_two.ts";
import { prequal } from "./prequal.ts";
import { randomChoice } from "./random.ts";
import { ringHash } from "./ring_hash.ts";
import { roundRobin } from "./round_robin.ts";
import { sourceHash } from "./source_hash.ts";

export type { Parameter, Parameters } from "./_definition.ts";
export type { Algorithm, Candidate, PickDetails, PickTrace } from "./algorithm.ts";
export { isPrime } from "./maglev.ts";
export { RING_POINTS_MAX } from "./ring_hash.ts";

/** All algorithms, by their names in config.yaml, in a good order for learning them. */
const ALGORITHMS = {
  "round-robin": roundRobin,
  "least-connections": leastConnections,
  "random": randomChoice,
  "power-of-two": powerOfTwo,
  "peak-ewma": peakEwma,
  "join-idle-queue": joinIdleQueue,
  "prequal": prequal,
  "source-hash": sourceHash,
  "ring-hash": ringHash,
  "maglev": maglev,
  "first-available": firstAvailable,
};

/** The name of an algorithm, as in config.yaml. */
export type AlgorithmName = keyof typeof ALGORITHMS;

/** An algorithm's name, and the parameters that differ from their defaults. */
export type AlgorithmOptions = { [Name in AlgorithmName]: OptionsOf<Name> }[AlgorithmName];

type ParametersOf<Name extends AlgorithmName> = (typeof ALGORITHMS)[Name]["parameters"];

type OptionsOf<Name extends AlgorithmName> =
  & { readonly name: Name }
  & {
    readonly [Key in keyof ParametersOf<Name>]?: Values<ParametersOf<Name>>[Key] | undefined;
  };

/** Options of an algorithm that places clients by a hash. */
export type HashOptions = OptionsOf<"source-hash" | "ring-hash" | "maglev">;

/** The names of all algorithms, in a good order for learning them. */
export const ALGORITHM_NAMES = Object.keys(ALGORITHMS) as readonly AlgorithmName[];

/** The parameters of an algorithm, by name. */
export function algorithmParameters(name: AlgorithmName): Parameters {
  return ALGORITHMS[name].parameters;
}

/** Whether an algorithm places clients by a hash. */
export function isHash(options: AlgorithmOptions): options is HashOptions {
  return "salt" in algorithmParameters(options.name);
}

/** The rule of an algorithm in a few words. */
export function algorithmSummary(options: AlgorithmOptions): string {
  return definitionOf(options).summary(valuesOf(options));
}

/** Creates an algorithm without backends. */
export function createAlgorithm(options: AlgorithmOptions, random: Random): Algorithm {
  return definitionOf(options).create(valuesOf(options), random);
}

function definitionOf({ name }: AlgorithmOptions): Definition<Parameters> {
  return ALGORITHMS[name] as Definition<Parameters>;
}

/** The values of all parameters: the given ones, and the defaults of the others. */
function valuesOf(options: AlgorithmOptions): Values<Parameters> {
  const given: Readonly<Record<string, unknown>> = { ...options };
  const values = Object.entries(algorithmParameters(options.name)).map(([name, parameter]) =>
    [name, given[name] ?? parameter.default] as const
  );
  return Object.fromEntries(values) as Values<Parameters>;
}
