/**
 * Draws an index in proportion to its weight: a Fenwick tree of weights. Setting a weight and drawing are O(log n),
 * and neither allocates.
 *
 * Weights are multiples of 2⁻¹⁶, so their sums are exact, also after weights were removed.
 *
 * Source: P. M. Fenwick, "A new data structure for cumulative frequency tables", 1994.
 */
export class WeightTree {
  #weights = new Float64Array(0);
  /** `#sums[i]` holds the weights of the indices (i − lowbit(i), i], counted from 1. */
  #sums = new Float64Array(1);
  #total = 0;
  /** The greatest weight that was ever set, and the highest index plus one. */
  #greatest = 0;
  #size = 0;
  #evenSize = 0;
  #rest = 0;

  /** Sum of all weights. */
  get total(): number {
    return this.#total;
  }

  /** The number of indices if they are 0, 1, 2, … and all have the same weight; otherwise 0. */
  get evenSize(): number {
    return this.#evenSize;
  }

  /** Whether all weights are 0. */
  get isEmpty(): boolean {
    return this.#evenSize === 0 && this.#total === 0;
  }

  /** The weight of an index; 0 if it was never set. */
  get(index: number): number {
    return this.#weights[index] ?? 0;
  }

  /** Sets the weight of an index, rounded to a multiple of 2⁻¹⁶. */
  set(index: number, weight: number): void {
    if (index >= this.#weights.length) this.#grow(index + 1);
    const exact = Math.round(weight * 65536) / 65536;
    const change = exact - this.#weights[index]!;
    if (change === 0) return;
    this.#greatest = Math.max(this.#greatest, exact);
    this.#size = Math.max(this.#size, index + 1);
    this.#weights[index] = exact;
    this.#total += change;
    // The total has this value only if each index has the greatest weight.
    this.#evenSize = this.#total === this.#greatest * this.#size ? this.#size : 0;
    const sums = this.#sums;
    for (let node = index + 1; node < sums.length; node += node & -node) {
      sums[node] = sums[node]! + change;
    }
  }

  /** Sum of the weights of all lower indices. */
  below(index: number): number {
    const sums = this.#sums;
    let sum = 0;
    for (let node = index; node > 0; node &= node - 1) sum += sums[node]!;
    return sum;
  }

  /**
   * The index at which the running sum of weights passes `point`.
   *
   * @param point In [0, `total`). An index of weight 0 is never found.
   */
  find(point: number): number {
    const sums = this.#sums;
    let node = 0;
    let rest = point;
    for (let step = this.#weights.length >> 1; step > 0; step >>= 1) {
      const sum = sums[node + step]!;
      // Arithmetic instead of a branch: a processor cannot predict a branch that depends on a random draw.
      const passed = Number(sum <= rest);
      node += step * passed;
      rest -= sum * passed;
    }
    this.#rest = rest;
    return node;
  }

  /** The distance of the point of the last `find` from the sum of the weights of all lower indices. */
  get rest(): number {
    return this.#rest;
  }

  /** Makes room for a power of two of indices, which the binary search of `find` needs. */
  #grow(size: number): void {
    let capacity = 8;
    while (capacity < size) capacity *= 2;
    const weights = this.#weights;
    this.#weights = new Float64Array(capacity);
    this.#sums = new Float64Array(capacity + 1);
    this.#total = 0;
    weights.forEach((weight, index) => this.set(index, weight));
  }
}
