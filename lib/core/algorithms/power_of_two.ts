import type { Random } from "../random.ts";
import { Lottery } from "./_lottery.ts";
import type { Algorithm, Candidate, PickTrace } from "./algorithm.ts";

/**
 * `power-of-two`: look at a few backends, take the least loaded of them.
 *
 * Rule: draw `choices` *distinct* available backends, each draw in proportion to weight among those
 * left; the least `in_flight / weight` wins, and of equals the one drawn first, so that idle backends
 * share in proportion to weight. Drawing with replacement would be another algorithm, 4 % slower at
 * ten backends and a load of 0.7.
 *
 * Source: M. Mitzenmacher, "The power of two choices in randomized load balancing", 2001; HAProxy,
 * `balance random(2)`.
 */
export class PowerOfTwo implements Algorithm {
  readonly #choices: number;
  readonly #lottery: Lottery;
  /** Those drawn so far in the current pick, who go back when it is over. */
  readonly #drawn: Candidate[] = [];

  /** @param choices How many backends each pick looks at; at least 1. */
  constructor(choices: number, random: Random) {
    if (!Number.isInteger(choices) || choices < 1) {
      throw new RangeError(
        `Cannot use "choices": must be an integer of at least 1: current value is ${choices}`,
      );
    }
    this.#choices = choices;
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

  pick(_client: string, _now: number, trace?: PickTrace): Candidate | undefined {
    const lottery = this.#lottery;
    const drawn = this.#drawn;
    let best: Candidate | undefined;
    let bestLoad = Infinity;
    let beside: Candidate | undefined;
    for (let left = this.#choices; left > 0; left--) {
      const candidate = beside === undefined ? lottery.draw() : lottery.drawBeside(beside);
      if (candidate === undefined) break;
      const load = candidate.inFlight / candidate.weight;
      if (load < bestLoad) {
        best = candidate;
        bestLoad = load;
      }
      trace?.considered(candidate, load);
      if (left === 2) {
        beside = candidate;
      } else if (left > 2) {
        lottery.takeOut(candidate);
        drawn.push(candidate);
      }
    }
    for (const candidate of drawn) lottery.update(candidate);
    drawn.length = 0;
    if (best !== undefined) {
      trace?.decided(
        "least in flight for its weight among those drawn; of equals, the first drawn",
      );
    }
    return best;
  }
}
