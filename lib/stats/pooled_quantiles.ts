import { exp, ln, square } from "../base/mod.ts";
import { CONFIDENCE, type Estimate, standardErrorOf, studentT } from "./estimate.ts";
import { type HistogramData, lowerEdge } from "./histogram.ts";
import { normalQuantile } from "./normal.ts";

/** The observations of one run. */
export interface Observations {
  readonly histogram: HistogramData;
  /** The number of missing observations. It is only known that they are larger than all others. */
  readonly missing: number;
}

/**
 * Quantiles of the observations of several runs together. Their confidence intervals follow from the differences
 * between the runs.
 *
 * The value is that of all observations together: the mean of the runs' own quantiles would be too low,
 * because the rare long queues occur in only a few of the runs.
 *
 * `x` may be the true value if `1 − q` is within the interval of the share of observations above `x`. This share
 * is a mean over the runs, with relative standard error `e`. A share of rare events is skewed to the right like
 * a lognormal variable, so the interval is `share · exp(e²/2 ± t(n − 1) · √(e² + e⁴/2))`.
 *
 * A few runs may be similar by chance. So the interval is at least as wide as that of the same number of
 * independent observations, whose standard error is known: `e = √((1 − share) / (share · N))`, with the normal
 * quantile in place of Student's. If none of N observations is above `x`, the share may still be up to `ln(2 / (1 −
 * confidence)) / N`: if there are so few observations that this exceeds `1 − q`, the interval has no upper
 * end.
 *
 * Source: S. Asmussen and P. W. Glynn, "Stochastic Simulation", 2007, III.4 (quantiles) and III.5
 * (sectioning); X.-H. Zhou and S. Gao, "Confidence intervals for the log-normal mean", 1997 (Cox's method).
 */
export class PooledQuantiles {
  readonly #runs: readonly Observations[];
  readonly #sizes: readonly number[];
  /** The number of all observations, missing ones included. */
  readonly #total: number;
  /** Buckets that are not empty in some run, in ascending order. */
  readonly #buckets: readonly number[];
  /**
   * Entry `j` is the share of observations in bucket `j` or above; the last entry is the share of the missing ones.
   */
  readonly #shares: readonly number[];
  /** The relative standard error of each share. */
  readonly #errors: readonly number[];
  readonly #min: number;
  readonly #max: number;

  constructor(runs: readonly Observations[]) {
    const histograms = runs.map(({ histogram }) => histogram);
    this.#runs = runs;
    this.#sizes = runs.map(({ histogram, missing }) => histogram.count + missing);
    this.#total = this.#sizes.reduce((sum, size) => sum + size, 0);
    this.#min = Math.min(...histograms.map(({ min }) => min ?? Infinity));
    this.#max = Math.max(...histograms.map(({ max }) => max));
    const present = new Set<number>();
    for (const { buckets } of histograms) {
      for (let i = 0; i < buckets.length; i += 2) present.add(buckets[i]!);
    }
    this.#buckets = Int32Array.from(present).sort() as unknown as readonly number[];
    const size = this.#buckets.length;
    const shares = new Array<number>(size + 1);
    const errors = new Array<number>(size + 1);
    const above = new Tail(runs);
    for (let j = size; j >= 0; j--) {
      if (j < size) above.include(this.#buckets[j]!);
      const count = above.counts.reduce((sum, value) => sum + value, 0);
      shares[j] = count / this.#total;
      errors[j] = count === 0 ? 0 : standardErrorOf(this.#residuals(above.counts, shares[j]!)) /
        shares[j]!;
    }
    this.#shares = shares;
    this.#errors = errors;
  }

  /**
   * The quantile of a share `q` of all observations. It is Infinity if it is among the missing observations. The same
   * applies to the upper end of its interval.
   *
   * @param q Strictly between 0 and 1.
   */
  estimate(q: number, confidence = CONFIDENCE): Estimate {
    const count = this.#runs.length;
    const rest = 1 - q;
    const at = this.#bucketAt(rest);
    const t = studentT(confidence, count);
    const value = this.#crossing(at, rest, (j) => this.#shares[j]!);
    const { least, most } = this.#bounds(confidence, t);
    let [low, high] = [at, at];
    while (low > 0 && !(least(low) > rest)) low--;
    while (high < this.#buckets.length && !(most(high + 1) < rest)) high++;
    const ends = count < 2
      ? { low: NaN, high: NaN }
      : { low: this.#crossing(low, rest, least), high: this.#crossing(high, rest, most) };
    return {
      value,
      ...ends,
      standardError: (ends.high - ends.low) / (2 * t),
      count,
      scores: this.#scores(at, rest),
    };
  }

  /** How many observations are larger than the quantile of a share. */
  beyond(q: number): number {
    return (1 - q) * this.#total;
  }

  /** The bucket in which the share of larger observations falls to `rest`; the number of buckets if it never does. */
  #bucketAt(rest: number): number {
    let low = 0;
    let high = this.#buckets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#shares[middle + 1]! <= rest) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The ends of the interval of the share of observations in a bucket or above it. */
  #bounds(confidence: number, t: number): { readonly least: ShareOf; readonly most: ShareOf } {
    const z = normalQuantile((1 + confidence) / 2);
    const ofNone = ln(2 / (1 - confidence)) / this.#total;
    const spread = (variance: number, width: number) =>
      width * Math.sqrt(variance + square(variance) / 2);
    const end = (sign: number): ShareOf => (j) => {
      const share = this.#shares[j]!;
      if (share === 0) return sign < 0 ? 0 : ofNone;
      const variance = square(this.#errors[j]!);
      const independent = (1 - share) / (share * this.#total);
      const ofRuns = variance / 2 + sign * spread(variance, t);
      const ofAll = independent / 2 + sign * spread(independent, z);
      return share * exp(sign * Math.max(sign * ofRuns, sign * ofAll));
    };
    return { least: end(-1), most: end(1) };
  }

  /**
   * The value within bucket `j` above which the share of observations is `rest`.
   *
   * @param shareOf The share of the observations in a bucket or above it, or an end of the interval of this share.
   */
  #crossing(j: number, rest: number, shareOf: ShareOf): number {
    const bucket = this.#buckets[j];
    if (bucket === undefined) return this.#total > 0 ? Infinity : NaN;
    const [before, after] = [shareOf(j), shareOf(j + 1)];
    const part = before > after ? Math.min(1, Math.max(0, (before - rest) / (before - after))) : 0;
    const value = lowerEdge(bucket) + part * (lowerEdge(bucket + 1) - lowerEdge(bucket));
    return Math.min(Math.max(value, this.#min), this.#max);
  }

  /** For each run: how many more observations it has above the quantile than expected. */
  #scores(at: number, rest: number): number[] {
    const above = new Tail(this.#runs);
    for (let j = this.#buckets.length - 1; j > at; j--) above.include(this.#buckets[j]!);
    const after = [...above.counts];
    if (at < this.#buckets.length) above.include(this.#buckets[at]!);
    const [most, least] = [this.#shares[at]!, this.#shares[at + 1] ?? this.#shares[at]!];
    const part = most > least ? (most - rest) / (most - least) : 0;
    const counts = above.counts.map((count, i) => count + part * (after[i]! - count));
    return this.#residuals(counts, rest);
  }

  /** For each run: how many more observations it has than expected, in units of a run's mean size. */
  #residuals(counts: readonly number[], share: number): number[] {
    const mean = this.#total / this.#runs.length;
    return counts.map((count, i) => (count - share * this.#sizes[i]!) / mean);
  }
}

/** The share of all observations that are in a bucket or above it. */
type ShareOf = (bucket: number) => number;

/** For each run: how many observations it has in a bucket or above, for buckets in descending order. */
class Tail {
  readonly counts: number[];
  readonly #buckets: readonly (readonly number[])[];
  /** For each run: the position of the next lower bucket in its list. */
  readonly #next: number[];

  constructor(runs: readonly Observations[]) {
    this.counts = runs.map(({ missing }) => missing);
    this.#buckets = runs.map(({ histogram }) => histogram.buckets);
    this.#next = this.#buckets.map(({ length }) => length - 2);
  }

  /** Adds the next lower bucket. It may be empty in some of the runs. */
  include(bucket: number): void {
    this.#buckets.forEach((list, run) => {
      const at = this.#next[run]!;
      if (at < 0 || list[at] !== bucket) return;
      this.counts[run]! += list[at + 1]!;
      this.#next[run] = at - 2;
    });
  }
}
