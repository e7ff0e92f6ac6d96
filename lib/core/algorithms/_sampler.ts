import type { Random } from "../random.ts";
import { Lottery } from "./_lottery.ts";
import type { Candidate, PickTrace } from "./algorithm.ts";

/**
 * Draws a few *distinct* available candidates, each in proportion to weight among those left, and takes
 * the one of least cost; of equals the one drawn first.
 */
export class Sampler {
  readonly #choices: number;
  readonly #lottery: Lottery;
  readonly #cost: (candidate: Candidate) => number;
  /** Those drawn so far in the current pick, who go back when it is over. */
  readonly #drawn: Candidate[] = [];

  constructor(choices: number, random: Random, cost: (candidate: Candidate) => number) {
    this.#choices = choices;
    this.#lottery = new Lottery(random);
    this.#cost = cost;
  }

  /** Takes a candidate in if it is available, and out if it is not. */
  update(candidate: Candidate): void {
    this.#lottery.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#lottery.takeOut(candidate);
  }

  /** One of them by lot. */
  draw(): Candidate | undefined {
    return this.#lottery.draw();
  }

  pick(rule: string, trace?: PickTrace): Candidate | undefined {
    const lottery = this.#lottery;
    const drawn = this.#drawn;
    let best: Candidate | undefined;
    let bestCost = Infinity;
    let beside: Candidate | undefined;
    for (let left = this.#choices; left > 0; left--) {
      const candidate = beside === undefined ? lottery.draw() : lottery.drawBeside(beside);
      if (candidate === undefined) break;
      const cost = this.#cost(candidate);
      if (cost < bestCost) {
        best = candidate;
        bestCost = cost;
      }
      trace?.considered(candidate, cost);
      if (left === 2) {
        beside = candidate;
      } else if (left > 2) {
        lottery.takeOut(candidate);
        drawn.push(candidate);
      }
    }
    while (drawn.length > 0) lottery.update(drawn.pop()!);
    if (best !== undefined) trace?.decided(rule);
    return best;
  }
}
