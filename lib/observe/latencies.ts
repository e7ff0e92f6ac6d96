import { type Nanoseconds, NS_PER_MS, NS_PER_S, NS_PER_US } from "../base/mod.ts";

/** Each power of two is divided into 2⁴ buckets, so the error of a quantile is a few per cent. */
const SUB_BITS = 4;
const SUBS = 1 << SUB_BITS;
/** The number of buckets for microseconds up to 2³², which are 71 minutes. */
const BUCKETS = (32 - SUB_BITS + 1) << SUB_BITS;

/** A cumulative histogram in the form that Prometheus uses. */
export interface CumulativeHistogram {
  /** Upper bounds, in seconds. */
  readonly bounds: readonly number[];
  /** For each bound, how many values do not exceed it. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum_s: number;
}

/**
 * Durations of one kind: counts since the start in a few buckets with exact bounds, and quantiles of the last
 * seconds. To record a duration takes a few nanoseconds, and memory does not grow with the number of durations.
 */
export class Latencies {
  readonly #bounds: readonly number[];
  readonly #boundsNs: readonly Nanoseconds[];
  /** Counts since the start, one for each bound; the last one counts values above all bounds. */
  readonly #byBound: Float64Array;
  #sum: Nanoseconds = 0;
  #count = 0;
  /** The present part of the window, and the part before it. */
  #recent = new Part();
  #before = new Part();

  /** @param bounds Upper bounds of the buckets since the start, in seconds, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#boundsNs = bounds.map((bound) => bound * NS_PER_S);
    this.#byBound = new Float64Array(bounds.length + 1);
  }

  record(duration: Nanoseconds): void {
    const bounds = this.#boundsNs;
    let bound = 0;
    while (bound < bounds.length && duration > bounds[bound]!) bound++;
    this.#byBound[bound]!++;
    this.#sum += duration;
    this.#count++;
    const recent = this.#recent;
    const bucket = bucketOf(duration);
    recent.counts[bucket]!++;
    if (bucket < recent.lowest) recent.lowest = bucket;
    if (bucket > recent.highest) recent.highest = bucket;
  }

  /** Begins the next part of the window. Durations that are older than two parts are dropped. */
  rotate(): void {
    [this.#recent, this.#before] = [this.#before, this.#recent];
    this.#recent.clear(this.#count);
  }

  /** The number of durations in the window. */
  get recentCount(): number {
    return this.#count - this.#before.countBefore;
  }

  /**
   * A quantile of the durations in the window, in milliseconds; NaN if there are none.
   *
   * @param share From 0 to 1.
   */
  recentQuantileMs(share: number): number {
    const rank = share * this.recentCount;
    if (rank === 0) return NaN;
    const { counts: recent } = this.#recent;
    const { counts: before } = this.#before;
    const highest = Math.max(this.#recent.highest, this.#before.highest);
    let below = 0;
    for (let i = Math.min(this.#recent.lowest, this.#before.lowest); i <= highest; i++) {
      const count = recent[i]! + before[i]!;
      if (count > 0 && below + count >= rank) {
        const from = lowerEdge(i);
        const us = from + (lowerEdge(i + 1) - from) * ((rank - below) / count);
        return us * NS_PER_US / NS_PER_MS;
      }
      below += count;
    }
    return NaN;
  }

  /** The counts and the sum of all durations since the start. */
  get cumulative(): CumulativeHistogram {
    let below = 0;
    const counts = this.#bounds.map((_, bound) => below += this.#byBound[bound]!);
    return { bounds: this.#bounds, counts, count: this.#count, sum_s: this.#sum / NS_PER_S };
  }
}

/**
 * A part of the window. It has the bounds of the buckets that are in use: a frame reads quantiles of every backend,
 * and looks only at these buckets.
 */
class Part {
  readonly counts = new Uint32Array(BUCKETS);
  lowest = BUCKETS;
  highest = -1;
  /** The number of all durations that were recorded before this part began. */
  countBefore = 0;

  clear(countBefore: number): void {
    this.counts.fill(0);
    this.lowest = BUCKETS;
    this.highest = -1;
    this.countBefore = countBefore;
  }
}

function bucketOf(duration: Nanoseconds): number {
  const us = duration / NS_PER_US;
  if (us < SUBS) return us > 0 ? us | 0 : 0;
  const whole = us < 0xffff_ffff ? us >>> 0 : 0xffff_ffff;
  const exponent = 31 - Math.clz32(whole);
  return ((exponent - SUB_BITS + 1) << SUB_BITS) + ((whole >>> (exponent - SUB_BITS)) & (SUBS - 1));
}

/** The smallest number of microseconds that belongs to a bucket. */
function lowerEdge(bucket: number): number {
  if (bucket < SUBS) return bucket;
  const octave = bucket >>> SUB_BITS;
  return (SUBS + (bucket & (SUBS - 1))) * (1 << (octave - 1));
}
