import type { Random } from "../../base/mod.ts";
import { without } from "./_without.ts";
import { WeightTree } from "./_weight_tree.ts";
import type { Candidate, PickTrace, Tried } from "./algorithm.ts";

/**
 * The available candidates, drawn at random in proportion to weight: O(log n) for a draw or a change,
 * O(1) for a draw while all weights are equal.
 */
export class Lottery {
  readonly #random: Random;
  readonly #weights = new WeightTree();
  readonly #candidates: Candidate[] = [];
  /**
   * The rest of the last draw's random number: its position within the weight of the drawn candidate, which is
   * uniform again.
   */
  #left = NaN;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Sum of the weights of its candidates. */
  get total(): number {
    return this.#weights.total;
  }

  /** Adds a candidate with its weight if it is available, and removes it otherwise. */
  update(candidate: Candidate): void {
    this.#candidates[candidate.index] = candidate;
    this.#weights.set(candidate.index, candidate.available ? candidate.weight : 0);
  }

  /** Removes a candidate until its next update. */
  takeOut(candidate: Candidate): void {
    this.#weights.set(candidate.index, 0);
  }

  /** Draws a candidate; undefined if there is none. The candidate stays in the lottery. */
  draw(): Candidate | undefined {
    const index = this.drawIndex();
    return index < 0 ? undefined : this.#candidates[index];
  }

  /** As `draw`, but returns only the index; −1 if there is no candidate. */
  drawIndex(): number {
    return this.#weights.isEmpty ? -1 : this.#indexBy(this.#random.next());
  }

  /**
   * As `draw`, for a pick that can be explained.
   *
   * @param rule The rule that decides, in words.
   * @param tried Candidates that this draw must exclude; undefined if there are none.
   */
  pick(rule: string, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    if (tried !== undefined) return without(this, tried, () => this.pick(rule, trace));
    const drawn = this.draw();
    if (trace !== undefined && drawn !== undefined) {
      this.forEach((candidate, chance) => trace.considered(candidate, chance));
      trace.decided(rule);
    }
    return drawn;
  }

  /**
   * Draws again, possibly the same candidate, with the rest of the last random number. Only for a few
   * draws in a row, since each uses some of its bits.
   */
  drawIndexAgain(): number {
    return this.#weights.isEmpty ? -1 : this.#indexBy(this.#left);
  }

  /**
   * Draws a candidate other than `other`, the one drawn last; undefined if there is none. The result is
   * that of removing `other`, drawing and adding it again, but without these changes, and with the same
   * random number.
   */
  drawBeside(other: Candidate): Candidate | undefined {
    const weights = this.#weights;
    const weight = weights.get(other.index);
    const total = weights.total - weight;
    if (total === 0) return undefined;
    if (weights.evenSize > 0) {
      const place = Math.floor(this.#left * (weights.evenSize - 1));
      return this.#candidates[place < other.index ? place : place + 1];
    }
    const point = this.#left * total;
    const index = weights.find(point < weights.below(other.index) ? point : point + weight);
    return this.#candidates[index];
  }

  #indexBy(uniform: number): number {
    const weights = this.#weights;
    const { evenSize } = weights;
    if (evenSize > 0) {
      const scaled = uniform * evenSize;
      const index = scaled | 0;
      this.#left = scaled - index;
      return index;
    }
    const index = weights.find(uniform * weights.total);
    this.#left = weights.rest / weights.get(index);
    return index;
  }

  /** Visits each candidate, with the probability that it is drawn. */
  forEach(visit: (candidate: Candidate, chance: number) => void): void {
    // `forEach` passes over the places of those that are in another lottery.
    this.#candidates.forEach((candidate, index) => {
      const weight = this.#weights.get(index);
      if (weight > 0) visit(candidate, weight / this.total);
    });
  }
}
