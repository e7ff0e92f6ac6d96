import type { Random as RandomSource } from "../../base/mod.ts";
import { Lottery } from "./_lottery.ts";
import { define } from "./_definition.ts";
import type { Algorithm, Candidate, PickTrace, Tried } from "./algorithm.ts";

/**
 * `random`: each available backend with probability `weight_i / Σ weight`.
 *
 * Source: HAProxy, `balance random(1)`.
 */
export class RandomChoice implements Algorithm {
  readonly #lottery: Lottery;

  constructor(random: RandomSource) {
    this.#lottery = new Lottery(random);
  }

  add(candidate: Candidate): void {
    this.#lottery.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#lottery.takeOut(candidate);
  }

  update(candidate: Candidate): void {
    this.#lottery.update(candidate);
  }

  pick(_client: string, _now: number, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    return this.#lottery.pick("drawn at random, in proportion to weight", trace, tried);
  }
}

/** The parameters of `random`, and the function that creates it. */
export const randomChoice = define({
  parameters: {},
  summary: () => "a backend drawn at random, in proportion to weight",
  create: (_, random) => new RandomChoice(random),
});
