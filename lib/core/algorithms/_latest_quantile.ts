/**
 * Compares numbers with a quantile of the latest values of a sequence.
 *
 * Rule: a number is above the quantile if fewer than `rank` of the values are no less than it. Two bounds are kept
 * with their counts, which cost little to keep up to date: the last number that was found to be above the quantile,
 * and the last that was not. So the values are counted only for a number between both.
 */
export class LatestQuantile {
  readonly #share: number;
  /** A ring. NaN where there is no value yet: it compares with nothing. */
  readonly #values: Float64Array<ArrayBuffer>;
  #added = 0;
  #rank = 0;
  /** Not above the quantile. Doubles from the start, as the values are. */
  #low = -Infinity;
  /** Above the quantile. */
  #high = Infinity;
  /** How many values are no less than each bound. */
  #fromLow = 0;
  #fromHigh = 0;

  /**
   * @param share From 0 to 1.
   * @param latest Of how many values; a power of two.
   */
  constructor(share: number, latest: number) {
    this.#share = share;
    this.#values = new Float64Array(latest).fill(NaN);
  }

  /** The quantile: of the sorted values, the one at `share` of the way, rounded down; NaN if there are none. */
  get quantile(): number {
    const sorted = this.#values.filter((value) => value === value).sort();
    return sorted[sorted.length - this.#rank] ?? NaN;
  }

  /** No number up to this one is above the quantile. It costs nothing to know; there may be greater ones. */
  get low(): number {
    return this.#low;
  }

  /** All numbers from this one on are above the quantile. It costs nothing to know; there may be smaller ones. */
  get high(): number {
    return this.#high;
  }

  /** Adds a value, in place of the oldest one if there are enough. */
  add(value: number): void {
    const values = this.#values;
    const place = this.#added & (values.length - 1);
    const oldest = values[place]!;
    const low = this.#low;
    const high = this.#high;
    values[place] = value;
    this.#added++;
    if (this.#added <= values.length) {
      this.#rank = this.#added - Math.floor(this.#share * (this.#added - 1));
    }
    // Arithmetic, not branches: a processor cannot foretell how values compare.
    this.#fromLow += Number(value >= low) - Number(oldest >= low);
    this.#fromHigh += Number(value >= high) - Number(oldest >= high);
    if (this.#fromLow < this.#rank) {
      this.#setHigh(low, this.#fromLow);
      this.#setLow(-Infinity, Math.min(this.#added, values.length));
    } else if (this.#fromHigh >= this.#rank) {
      this.#setLow(high, this.#fromHigh);
      this.#setHigh(Infinity, 0);
    }
  }

  /** Whether a number is above the quantile. */
  isBelow(value: number): boolean {
    if (value <= this.#low) return false;
    if (value >= this.#high) return true;
    const values = this.#values;
    let count = 0;
    for (let i = 0; i < values.length; i++) count += Number(values[i]! >= value);
    if (count < this.#rank) {
      this.#setHigh(value, count);
      return true;
    }
    this.#setLow(value, count);
    return false;
  }

  #setLow(bound: number, count: number): void {
    this.#low = bound;
    this.#fromLow = count;
  }

  #setHigh(bound: number, count: number): void {
    this.#high = bound;
    this.#fromHigh = count;
  }
}
