import type { Random as RandomSource } from "../random.ts";
import { WeightTree } from "./_weight_tree.ts";
import type { Algorithm, Candidate, PickTrace } from "./algorithm.ts";

/**
 * `random`: any available backend, with probability `weight_i / Σ weight`.
 *
 * Source: HAProxy, `balance random(1)`.
 */
export class RandomChoice implements Algorithm {
  readonly #random: RandomSource;
  readonly #weights = new WeightTree();
  readonly #candidates: Candidate[] = [];

  constructor(random: RandomSource) {
    this.#random = random;
  }

  add(candidate: Candidate): void {
    this.#candidates[candidate.index] = candidate;
    this.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#weights.set(candidate.index, 0);
  }

  update(candidate: Candidate): void {
    this.#weights.set(candidate.index, candidate.available ? candidate.weight : 0);
  }

  pick(_client: string, _now: number, trace?: PickTrace): Candidate | undefined {
    const { total } = this.#weights;
    if (total === 0) return undefined;
    const picked = this.#candidates[this.#weights.find(this.#random.next() * total)]!;
    if (trace !== undefined) {
      // `forEach` passes over the places of those that are in the other tier.
      this.#candidates.forEach((candidate, index) => {
        const weight = this.#weights.get(index);
        if (weight > 0) trace.considered(candidate, weight / total);
      });
      trace.decided("drawn at random, in proportion to weight");
    }
    return picked;
  }
}
