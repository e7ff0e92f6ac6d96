/** Each power of two is divided into 2⁸ buckets. */
const SUB_BITS = 8;
/** The number of buckets from 0 to 2⁵³, and one more edge. */
const BUCKETS = (53 - SUB_BITS + 2) << SUB_BITS;
/** The difference between the leading bits of a number from 2⁸ on and the index of its bucket. */
const OFFSET = (1023 + SUB_BITS - 1) << SUB_BITS;

const double = new Float64Array(1);
const words = new Int32Array(double.buffer);
double[0] = 1;
/** The position of the word with the exponent, which depends on the byte order of the machine. */
const HIGH = words[1] === 0x3ff00000 ? 1 : 0;

/** A histogram as plain data, which can be written as JSON or sent to another thread. */
export interface HistogramData {
  readonly count: number;
  readonly sum: number;
  /** Absent if nothing was recorded. */
  readonly min?: number;
  readonly max: number;
  /** For every bucket that is not empty: the index of the bucket, then its count. */
  readonly buckets: readonly number[];
}

/**
 * Counts of non-negative values in log-linear buckets: whole numbers up to 2⁹ have a bucket each, and above that each
 * power of two is divided into 256 buckets. Recording takes a few nanoseconds, memory does not grow with the number of
 * values, and the error of a quantile is at most 0.4 % over the whole range up to 2⁵³. Counts of several histograms
 * add up, exactly and in any order.
 *
 * Source: the layout of HdrHistogram (Tene), computed from the bits of a double.
 */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;

  /** The histogram for data that `toData` returned. */
  static fromData(data: HistogramData): Histogram {
    const histogram = new Histogram();
    histogram.#count = data.count;
    histogram.#sum = data.sum;
    histogram.#min = data.min ?? Infinity;
    histogram.#max = data.max;
    for (let i = 0; i + 1 < data.buckets.length; i += 2) {
      histogram.#counts[data.buckets[i]!] = data.buckets[i + 1]!;
    }
    return histogram;
  }

  /** How many values were recorded. */
  get count(): number {
    return this.#count;
  }

  /** The sum of the values, exact while it is below 2⁵³ and the values are whole numbers. */
  get sum(): number {
    return this.#sum;
  }

  /** The mean of the values; NaN if there are none. */
  get mean(): number {
    return this.#sum / this.#count;
  }

  /** The smallest value; Infinity if there are none. */
  get min(): number {
    return this.#min;
  }

  /** The largest value; 0 if there are none. */
  get max(): number {
    return this.#max;
  }

  /** Adds a value from 0 to 2⁵³. */
  record(value: number): void {
    const bucket = bucketOf(value);
    this.#counts[bucket] = this.#counts[bucket]! + 1;
    this.#count++;
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  /** Adds all values of another histogram. */
  add(other: Histogram): void {
    const counts = this.#counts;
    other.#counts.forEach((count, bucket) => {
      if (count > 0) counts[bucket] = counts[bucket]! + count;
    });
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /**
   * The value that a share of the values does not exceed, interpolated within its bucket; NaN if there are no
   * values.
   *
   * @param share From 0 to 1.
   */
  quantile(share: number): number {
    if (this.#count === 0) return NaN;
    const rank = share * this.#count;
    let below = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.#counts[bucket]!;
      if (count === 0) continue;
      if (below + count >= rank) {
        const from = lowerEdge(bucket);
        const value = from + (lowerEdge(bucket + 1) - from) * ((rank - below) / count);
        return Math.min(Math.max(value, this.#min), this.#max);
      }
      below += count;
    }
    return this.#max;
  }

  /** How many values are above a limit, interpolated within its bucket. */
  countAbove(limit: number): number {
    if (limit >= this.#max) return 0;
    if (limit < this.#min) return this.#count;
    const bucket = bucketOf(limit);
    const from = lowerEdge(bucket);
    const share = (limit - from) / (lowerEdge(bucket + 1) - from);
    let above = this.#counts[bucket]! * (1 - share);
    for (let i = bucket + 1; i < BUCKETS; i++) above += this.#counts[i]!;
    return above;
  }

  /** Every bucket that is not empty: values from `from` to `to` (exclusive). */
  *buckets(): Generator<{ readonly from: number; readonly to: number; readonly count: number }> {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.#counts[bucket]!;
      if (count > 0) yield { from: lowerEdge(bucket), to: lowerEdge(bucket + 1), count };
    }
  }

  /** The histogram as plain data. */
  toData(): HistogramData {
    const buckets: number[] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) buckets.push(bucket, count);
    });
    const min = this.#count === 0 ? {} : { min: this.#min };
    return { count: this.#count, sum: this.#sum, ...min, max: this.#max, buckets };
  }
}

/** The exponent and the leading bits of the double, read as one number, give the index of its bucket. */
function bucketOf(value: number): number {
  if (value < 1 << SUB_BITS) return value | 0;
  double[0] = value;
  return (words[HIGH]! >> (20 - SUB_BITS)) - OFFSET;
}

/** The smallest value that belongs to a bucket. */
export function lowerEdge(bucket: number): number {
  if (bucket < 1 << SUB_BITS) return bucket;
  double[0] = 0;
  words[HIGH] = (bucket + OFFSET) << (20 - SUB_BITS);
  return double[0]!;
}
