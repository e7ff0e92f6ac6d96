import type { Candidate } from "./algorithm.ts";

/**
 * The common part of the hash algorithms: the candidates, which of them may take one more connection, and the bound
 * on their load if there is one.
 *
 * With a bound `c` no backend gets more than `⌈c · (in_flight_total + 1) · weight / Σ weight⌉` connections; both sums
 * are over the available backends. The sum of these bounds is larger than the number of connections, so at least one
 * backend is always below its bound.
 *
 * Source: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent hashing with bounded loads", arXiv 1608.01350;
 * HAProxy, `hash-balance-factor`.
 */
export class LoadBound {
  readonly #factor: number;
  /** By candidate index: its weight in the sums. */
  readonly #weights: number[] = [];
  readonly #loads: number[] = [];
  readonly #counted: boolean[] = [];
  #totalWeight = 0;
  #totalLoad = 0;
  #available = 0;

  /**
   * @param factor At least 1; Infinity for no bound.
   * @throws {RangeError} if it is below 1.
   */
  constructor(factor: number) {
    if (!(factor >= 1)) {
      throw new RangeError(
        `Cannot use "bounded_load": must be at least 1: current value is ${factor}`,
      );
    }
    this.#factor = factor;
  }

  /** Whether there is a bound. */
  get active(): boolean {
    return this.#factor !== Infinity;
  }

  /** How many candidates are available. */
  get available(): number {
    return this.#available;
  }

  /** A candidate was added, has changed, or has another number in flight. */
  update(candidate: Candidate): void {
    this.takeOut(candidate);
    if (!candidate.available) return;
    const { index, weight, inFlight } = candidate;
    this.#counted[index] = true;
    this.#weights[index] = weight;
    this.#loads[index] = inFlight;
    this.#available++;
    this.#totalWeight += weight;
    this.#totalLoad += inFlight;
  }

  /** A candidate was removed, or cannot be picked until its next update. */
  takeOut({ index }: Candidate): void {
    if (!this.#counted[index]) return;
    this.#counted[index] = false;
    this.#available--;
    this.#totalWeight -= this.#weights[index]!;
    this.#totalLoad -= this.#loads[index]!;
  }

  /** Whether a candidate can be picked. */
  isIn({ index }: Candidate): boolean {
    return this.#counted[index] === true;
  }

  /** Whether a candidate may take one more connection. */
  admits(candidate: Candidate): boolean {
    return this.isIn(candidate) &&
      (this.#factor === Infinity || candidate.inFlight < this.#boundOf(candidate));
  }

  /** Why a candidate was skipped, in words. */
  refusal(candidate: Candidate): string {
    return this.isIn(candidate)
      ? `${candidate.id} is at its bound of ${this.#boundOf(candidate)}`
      : `${candidate.id} is not available`;
  }

  #boundOf(candidate: Candidate): number {
    const share = candidate.weight / this.#totalWeight;
    return Math.ceil(this.#factor * (this.#totalLoad + 1) * share);
  }
}
