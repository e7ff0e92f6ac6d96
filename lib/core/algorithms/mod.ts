/** The algorithms: one file each, one table that names them. */
import type { Random } from "../random.ts";
import type { Algorithm } from "./algorithm.ts";
import { LeastConnections } from "./least_connections.ts";
import { PowerOfTwo } from "./power_of_two.ts";
import { RandomChoice } from "./random.ts";
import { RoundRobin } from "./round_robin.ts";

export type { Algorithm, Candidate, PickTrace } from "./algorithm.ts";

/** An algorithm's name and its parameters. */
export type AlgorithmOptions =
  | { readonly name: "round-robin" }
  | { readonly name: "least-connections" }
  | { readonly name: "random" }
  | {
    readonly name: "power-of-two";
    /** How many distinct backends a pick looks at; 2 if left out. */
    readonly choices?: number;
  };

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
  "power-of-two": (options, random) => new PowerOfTwo(options.choices ?? 2, random),
};

/** Every algorithm there is, in the order in which they are best learnt. */
export const ALGORITHM_NAMES = Object.keys(creators) as readonly AlgorithmName[];

/** Makes an algorithm that knows of no backend yet. */
export function createAlgorithm(options: AlgorithmOptions, random: Random): Algorithm {
  const create = creators[options.name] as Create<AlgorithmName>;
  return create(options as never, random);
}
