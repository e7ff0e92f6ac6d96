import type { Random } from "../random.ts";
import { WeightTree } from "./_weight_tree.ts";
import type { Candidate } from "./algorithm.ts";

/** The available candidates, drawn by lot in proportion to weight: O(log n) for a draw or a change. */
export class Lottery {
  readonly #random: Random;
  readonly #weights = new WeightTree();
  readonly #candidates: Candidate[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Sum of the weights of those in it. */
  get total(): number {
    return this.#weights.total;
  }

  /** Takes a candidate in with its weight if it is available, and out if it is not. */
  update(candidate: Candidate): void {
    this.#candidates[candidate.index] = candidate;
    this.#weights.set(candidate.index, candidate.available ? candidate.weight : 0);
  }

  /** Takes a candidate out until its next update. */
  takeOut(candidate: Candidate): void {
    this.#weights.set(candidate.index, 0);
  }

  /** Somebody, or undefined if there is nobody. Whoever is drawn stays in. */
  draw(): Candidate | undefined {
    const { total } = this.#weights;
    if (total === 0) return undefined;
    return this.#candidates[this.#weights.find(this.#random.next() * total)];
  }

  /**
   * Somebody else than `other`, who is in it; undefined if there is nobody else. The same as to take
   * `other` out, draw, and let it in again, but nothing is written.
   */
  drawBeside(other: Candidate): Candidate | undefined {
    const weights = this.#weights;
    const weight = weights.get(other.index);
    const total = weights.total - weight;
    if (total === 0) return undefined;
    const point = this.#random.next() * total;
    const index = weights.find(point < weights.below(other.index) ? point : point + weight);
    return this.#candidates[index];
  }

  /** Everybody in it, with the chance of being drawn. */
  forEach(visit: (candidate: Candidate, chance: number) => void): void {
    // `forEach` passes over the places of those that are in another lottery.
    this.#candidates.forEach((candidate, index) => {
      const weight = this.#weights.get(index);
      if (weight > 0) visit(candidate, weight / this.total);
    });
  }
}
