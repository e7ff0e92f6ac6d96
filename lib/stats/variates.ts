/**
 * Random variates that are the same numbers on every platform: they depend only on a seeded source and on the
 * logarithm and exponential of `lib/base`.
 */
import { exp, ln, power, type Random, square } from "../base/mod.ts";
import { exponential } from "./exponential.ts";
import { normalQuantile } from "./normal.ts";

/** A distribution of non-negative numbers: durations in nanoseconds, or counts. */
export type Distribution =
  | { readonly kind: "deterministic"; readonly value: number }
  | { readonly kind: "uniform"; readonly min: number; readonly max: number }
  | { readonly kind: "exponential"; readonly mean: number }
  /** The sum of `stages` exponential stages. */
  | { readonly kind: "erlang"; readonly stages: number; readonly mean: number }
  /**
   * One of several exponential distributions, by probability. The probabilities may sum to anything above 0.
   */
  | {
    readonly kind: "hyperexponential";
    readonly phases: readonly { readonly probability: number; readonly mean: number }[];
  }
  /** The logarithm of a draw is normally distributed with standard deviation `sigma`. */
  | { readonly kind: "lognormal"; readonly mean: number; readonly sigma: number }
  /** Bounded Pareto: density proportional to x^(−alpha − 1) between `min` and `max`. */
  | {
    readonly kind: "pareto";
    readonly min: number;
    readonly max: number;
    readonly alpha: number;
  }
  /** One of these values, each with the same probability unless weights are given. */
  | {
    readonly kind: "empirical";
    readonly values: readonly number[];
    readonly weights?: readonly number[];
  };

/**
 * Below this value, the rounding error of 1 − e^(−x) is larger than the error of its series, which has only a few
 * terms.
 */
const SMALL = 1e-4;

/** A product of uniforms is replaced by its logarithm before it underflows to 0. */
const PRODUCT_MIN = 2 ** -600;

/** Draws from one distribution. A draw depends only on the random numbers that it uses. */
export interface Sampler {
  /** The next draw. */
  next(): number;
}

/** Makes a sampler that draws its random numbers from `random`. */
export function createSampler(distribution: Distribution, random: Random): Sampler {
  switch (distribution.kind) {
    case "deterministic":
      return new Constant(distribution.value);
    case "uniform":
      return new Uniform(distribution.min, distribution.max, random);
    case "exponential":
      return new Exponential(distribution.mean, random);
    case "erlang":
      return new Erlang(distribution.stages, distribution.mean, random);
    case "hyperexponential":
      return new Hyperexponential(distribution.phases, random);
    case "lognormal":
      return new Lognormal(distribution.mean, distribution.sigma, random);
    case "pareto":
      return new BoundedPareto(distribution.min, distribution.max, distribution.alpha, random);
    case "empirical":
      return new Empirical(distribution.values, distribution.weights, random);
  }
}

/** The mean of a distribution. */
export function meanOf(distribution: Distribution): number {
  return momentOf(distribution, 1);
}

/**
 * The squared coefficient of variation: the variance divided by the squared mean. It is 1 for the exponential
 * distribution.
 */
export function scvOf(distribution: Distribution): number {
  const mean = momentOf(distribution, 1);
  return mean === 0 ? 0 : momentOf(distribution, 2) / (mean * mean) - 1;
}

/** The mean of the `order`-th power of a draw, for order 1 or 2. */
function momentOf(distribution: Distribution, order: 1 | 2): number {
  switch (distribution.kind) {
    case "deterministic":
      return raised(distribution.value, order);
    case "uniform": {
      const { min, max } = distribution;
      return order === 1 ? (min + max) / 2 : (min * min + min * max + max * max) / 3;
    }
    case "exponential":
      return order * raised(distribution.mean, order);
    case "erlang": {
      const { mean, stages } = distribution;
      return order === 1 ? mean : mean * mean * (1 + 1 / stages);
    }
    case "hyperexponential": {
      const { phases } = distribution;
      const weights = phases.map((phase) => phase.probability);
      return weightedMean(phases.map((phase) => order * raised(phase.mean, order)), weights);
    }
    case "lognormal": {
      const { mean, sigma } = distribution;
      return order === 1 ? mean : mean * mean * exp(sigma * sigma);
    }
    case "pareto":
      return boundedParetoMoment(distribution.min, distribution.max, distribution.alpha, order);
    case "empirical": {
      const { values, weights } = distribution;
      return weightedMean(
        values.map((value) => raised(value, order)),
        weights ?? values.map(() => 1),
      );
    }
  }
}

/** ∫ x^(order − α − 1) dx over [min, max], divided by ∫ x^(−α − 1) dx over [min, max]. */
function boundedParetoMoment(min: number, max: number, alpha: number, order: 1 | 2): number {
  if (max === min) return raised(min, order);
  const width = ln(max / min);
  return raised(min, order) * decayed(alpha - order, width) / decayed(alpha, width);
}

/**
 * ∫ e^(−rate·t) dt over [0, width], also for a `rate` that is so small that 1 − e^(−rate·width) would be only
 * rounding error.
 */
function decayed(rate: number, width: number): number {
  const decay = rate * width;
  if (Math.abs(decay) < SMALL) return width * (1 - decay / 2 + decay * decay / 6);
  return (1 - exp(-decay)) / rate;
}

function raised(value: number, order: 1 | 2): number {
  return order === 1 ? value : square(value);
}

function weightedMean(values: readonly number[], weights: readonly number[]): number {
  let sum = 0;
  let total = 0;
  values.forEach((value, i) => {
    sum += value * weights[i]!;
    total += weights[i]!;
  });
  return sum / total;
}

class Constant implements Sampler {
  readonly #value: number;

  constructor(value: number) {
    this.#value = value;
  }

  next(): number {
    return this.#value;
  }
}

class Uniform implements Sampler {
  readonly #min: number;
  readonly #width: number;
  readonly #random: Random;

  constructor(min: number, max: number, random: Random) {
    this.#min = min;
    this.#width = max - min;
    this.#random = random;
  }

  next(): number {
    return this.#min + this.#width * this.#random.next();
  }
}

class Exponential implements Sampler {
  readonly #mean: number;
  readonly #random: Random;

  constructor(mean: number, random: Random) {
    this.#mean = mean;
    this.#random = random;
  }

  next(): number {
    return this.#mean * exponential(this.#random);
  }
}

class Erlang implements Sampler {
  readonly #stages: number;
  readonly #stageMean: number;
  readonly #random: Random;

  constructor(stages: number, mean: number, random: Random) {
    this.#stages = stages;
    this.#stageMean = mean / stages;
    this.#random = random;
  }

  next(): number {
    let product = 1;
    let logarithm = 0;
    for (let stage = 0; stage < this.#stages; stage++) {
      product *= 1 - this.#random.next();
      if (product < PRODUCT_MIN) {
        logarithm += ln(product);
        product = 1;
      }
    }
    return -this.#stageMean * (logarithm + ln(product));
  }
}

class Hyperexponential implements Sampler {
  readonly #means: readonly number[];
  readonly #choice: Alias;
  readonly #random: Random;

  constructor(phases: readonly { probability: number; mean: number }[], random: Random) {
    this.#means = phases.map((phase) => phase.mean);
    this.#choice = new Alias(phases.map((phase) => phase.probability), random);
    this.#random = random;
  }

  next(): number {
    return this.#means[this.#choice.next()]! * exponential(this.#random);
  }
}

/** Draws by inversion: each draw uses one random number, and no state is kept between draws. */
class Lognormal implements Sampler {
  readonly #mu: number;
  readonly #sigma: number;
  readonly #random: Random;

  constructor(mean: number, sigma: number, random: Random) {
    this.#mu = ln(mean) - sigma * sigma / 2;
    this.#sigma = sigma;
    this.#random = random;
  }

  next(): number {
    return exp(this.#mu + this.#sigma * normalQuantile(this.#random.next()));
  }
}

/** Inversion of F(x) = (1 − (min/x)^α) / (1 − (min/max)^α). */
class BoundedPareto implements Sampler {
  readonly #min: number;
  readonly #max: number;
  readonly #width: number;
  /** α·ln(max/min). As it goes to 0, the logarithm of the variable becomes uniform. */
  readonly #decay: number;
  readonly #norm: number;
  readonly #exponent: number;
  readonly #random: Random;

  constructor(min: number, max: number, alpha: number, random: Random) {
    this.#min = min;
    this.#max = max;
    this.#width = ln(max / min);
    this.#decay = alpha * this.#width;
    this.#norm = 1 - power(min / max, alpha);
    this.#exponent = -1 / alpha;
    this.#random = random;
  }

  next(): number {
    const u = this.#random.next();
    const draw = this.#min *
      (this.#decay < SMALL
        ? exp(this.#width * this.#logarithm(u))
        : power(1 - u * this.#norm, this.#exponent));
    return Math.min(draw, this.#max);
  }

  /** −ln(1 − u·(1 − e^(−decay))) / decay, by its series around 0. */
  #logarithm(u: number): number {
    const rest = 1 - u;
    return u * (1 - this.#decay * rest / 2 + this.#decay * this.#decay * rest * (rest - u) / 6);
  }
}

class Empirical implements Sampler {
  readonly #values: Float64Array;
  readonly #choice: Sampler;

  constructor(
    values: readonly number[],
    weights: readonly number[] | undefined,
    random: Random,
  ) {
    this.#values = Float64Array.from(values);
    this.#choice = weights === undefined
      ? new Equal(values.length, random)
      : new Alias(weights, random);
  }

  next(): number {
    return this.#values[this.#choice.next()]!;
  }
}

/** Draws an index below `size`; all have the same probability. */
class Equal implements Sampler {
  readonly #size: number;
  readonly #random: Random;

  constructor(size: number, random: Random) {
    this.#size = size;
    this.#random = random;
  }

  next(): number {
    return Math.floor(this.#random.next() * this.#size);
  }
}

/**
 * Draws an index with probability proportional to its weight, in constant time and with one uniform number.
 *
 * Source: M. D. Vose, "A linear algorithm for generating random numbers with a given distribution", 1991 (Walker's
 * alias method).
 */
class Alias implements Sampler {
  readonly #keep: Float64Array;
  readonly #alias: Int32Array;
  readonly #random: Random;

  constructor(weights: readonly number[], random: Random) {
    const size = weights.length;
    this.#random = random;
    this.#keep = new Float64Array(size).fill(1);
    this.#alias = Int32Array.from(weights.keys());
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const scaled = Float64Array.from(weights, (weight) => weight * size / total);
    const small: number[] = [];
    const large: number[] = [];
    scaled.forEach((weight, index) => (weight < 1 ? small : large).push(index));
    while (small.length > 0 && large.length > 0) {
      const less = small.pop()!;
      const more = large.at(-1)!;
      this.#keep[less] = scaled[less]!;
      this.#alias[less] = more;
      scaled[more] = scaled[more]! - (1 - scaled[less]!);
      if (scaled[more]! < 1) small.push(large.pop()!);
    }
  }

  next(): number {
    const point = this.#random.next() * this.#keep.length;
    const index = Math.floor(point);
    return point - index < this.#keep[index]! ? index : this.#alias[index]!;
  }
}

/**
 * Draws ranks from 0 to `count` (exclusive). Rank k has a probability proportional to (k + 1)^(−exponent): Zipf's
 * law. An exponent of 0 makes all ranks equally likely.
 */
export function createZipf(count: number, exponent: number, random: Random): Sampler {
  if (exponent === 0) return new Equal(count, random);
  return new Alias(Array.from({ length: count }, (_, rank) => power(rank + 1, -exponent)), random);
}
