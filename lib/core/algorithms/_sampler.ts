import type { Random } from "../../base/mod.ts";
import { Lottery } from "./_lottery.ts";
import { without } from "./_without.ts";
import type { Candidate, PickTrace, Tried } from "./algorithm.ts";

/**
 * Draws a few *distinct* available candidates, each in proportion to weight among the remaining ones, and returns the
 * one with the least cost; of equal ones, the one drawn first.
 */
export class Sampler {
  readonly #choices: number;
  readonly #lottery: Lottery;
  readonly #cost: (candidate: Candidate) => number;
  /** The candidates drawn in the current pick. They are added again when the pick has ended. */
  readonly #drawn: Candidate[] = [];

  constructor(choices: number, random: Random, cost: (candidate: Candidate) => number) {
    this.#choices = choices;
    this.#lottery = new Lottery(random);
    this.#cost = cost;
  }

  /** Adds a candidate if it is available, and removes it otherwise. */
  update(candidate: Candidate): void {
    this.#lottery.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#lottery.takeOut(candidate);
  }

  pick(rule: string, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    if (tried === undefined) return this.#pick(rule, trace);
    return without(this.#lottery, tried, () => this.#pick(rule, trace));
  }

  #pick(rule: string, trace?: PickTrace): Candidate | undefined {
    const lottery = this.#lottery;
    let last = lottery.draw();
    if (last === undefined) return undefined;
    let best = last;
    let bestCost = this.#cost(last);
    trace?.considered(last, bestCost);
    for (let left = this.#choices - 1; left > 0; left--) {
      if (left > 1) {
        lottery.takeOut(last);
        this.#drawn.push(last);
        last = lottery.draw();
      } else {
        last = lottery.drawBeside(last);
      }
      if (last === undefined) break;
      const cost = this.#cost(last);
      trace?.considered(last, cost);
      if (cost >= bestCost) continue;
      best = last;
      bestCost = cost;
    }
    while (this.#drawn.length > 0) lottery.update(this.#drawn.pop()!);
    trace?.decided(rule);
    return best;
  }
}
