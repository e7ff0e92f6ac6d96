import type { Random } from "../../base/mod.ts";
import { Sampler } from "./_sampler.ts";
import { define } from "./_definition.ts";
import type { Algorithm, Candidate, PickTrace, Tried } from "./algorithm.ts";

const RULE =
  "of the backends drawn, the one with the least in flight / weight; of equal ones, the first drawn";

/**
 * `power-of-two`: draws a few backends, and picks the least loaded of them.
 *
 * Rule: draw `choices` *distinct* available backends, each in proportion to weight among the remaining ones; pick the
 * one with the least `in_flight / weight`, and of equal ones the one drawn first. So idle backends get connections in
 * proportion to weight. If a backend could be drawn twice, the mean latency would be 4 % longer with ten backends and
 * a load of 0.7.
 *
 * Source: M. Mitzenmacher, "The power of two choices in randomized load balancing", 2001; HAProxy, `balance
 * random(2)`.
 */
export class PowerOfTwo implements Algorithm {
  readonly #sampler: Sampler;

  /** @param choices The number of backends that each pick compares; at least 1. */
  constructor(choices: number, random: Random) {
    if (!Number.isInteger(choices) || choices < 1) {
      throw new RangeError(
        `Cannot use "choices": must be an integer of at least 1: current value is ${choices}`,
      );
    }
    // Most weights are 1, and a division costs more than the rest of the comparison.
    const cost = ({ inFlight, weight }: Candidate) => weight === 1 ? inFlight : inFlight / weight;
    this.#sampler = new Sampler(choices, random, cost);
  }

  add(candidate: Candidate): void {
    this.#sampler.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#sampler.remove(candidate);
  }

  update(candidate: Candidate): void {
    this.#sampler.update(candidate);
  }

  pick(_client: string, _now: number, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    return this.#sampler.pick(RULE, trace, tried);
  }
}

/** The parameters of `power-of-two`, and the function that creates it. */
export const powerOfTwo = define({
  parameters: {
    choices: {
      kind: "integer",
      min: 1,
      max: 1000,
      default: 2,
      means: "how many distinct backends a pick looks at",
    },
  },
  summary: ({ choices }) =>
    `of ${choices} backend${
      choices === 1 ? "" : "s"
    } drawn at random, the one with the fewest connections in flight`,
  create: ({ choices }, random) => new PowerOfTwo(choices, random),
});
