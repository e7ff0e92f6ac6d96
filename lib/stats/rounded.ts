/** Means of counts. A count is a draw from a distribution that is rounded, and at least 1. */
import { exp, ln, power } from "../base/mod.ts";
import { lnGamma } from "./student_t.ts";
import { type Distribution, meanOf } from "./variates.ts";

/** The count for a draw. */
export function countOf(draw: number): number {
  return Math.max(1, Math.round(draw));
}

/**
 * The mean of `countOf` of a draw. For a distribution without jumps it is computed from the probability
 * `S(x)` of a draw above `x`: the mean of the count is `1 + Σ S(k + ½)`, the mean of the draw is `∫ S(x) dx`,
 * and the terms of `Σ (S(k + ½) − ∫ S(x) dx over [k, k + 1])` soon vanish.
 */
export function meanCount(distribution: Distribution): number {
  switch (distribution.kind) {
    case "deterministic":
      return countOf(distribution.value);
    case "empirical": {
      const { values, ...rest } = distribution;
      return meanOf({ ...rest, kind: "empirical", values: values.map(countOf) });
    }
    case "uniform": {
      const { min, max } = distribution;
      if (min === max) return countOf(min);
      return (integralOfCount(max) - integralOfCount(min)) / (max - min);
    }
    case "pareto":
      if (distribution.min === distribution.max) return countOf(distribution.min);
  }
  const above = survival(distribution);
  const mean = meanOf(distribution);
  let correction = 1 - integral(above, 0, 1);
  // Far beyond its mean, a distribution is so smooth within an interval of 1 that the midpoint equals the integral.
  const last = Math.min(TERMS_MAX, Math.ceil(50 * mean));
  for (let k = 1; k <= last && above(k) > NEVER; k++) {
    correction += above(k + 0.5) - integral(above, k, k + 1);
  }
  return mean + correction;
}

const TERMS_MAX = 2000;
/** A probability that is small enough to be ignored. */
const NEVER = 1e-12;
/** The number of pieces of an interval of length 1. Simpson's rule needs an even number. */
const PIECES = 32;

/** ∫ countOf(x) dx over [0, to]. */
function integralOfCount(to: number): number {
  if (to <= 1.5) return to;
  const last = Math.round(to);
  return 1.5 + (last - 2) * (last + 1) / 2 + last * (to - (last - 0.5));
}

/** Simpson's rule. */
function integral(f: (x: number) => number, from: number, to: number): number {
  const step = (to - from) / PIECES;
  let sum = f(from) + f(to);
  for (let i = 1; i < PIECES; i++) sum += (i % 2 === 0 ? 2 : 4) * f(from + i * step);
  return sum * step / 3;
}

type Continuous = Exclude<
  Distribution,
  { readonly kind: "deterministic" | "empirical" | "uniform" }
>;

/** The probability that a draw is above `x`. */
function survival(distribution: Continuous): (x: number) => number {
  switch (distribution.kind) {
    case "exponential":
      return (x) => exp(-x / distribution.mean);
    case "hyperexponential": {
      const { phases } = distribution;
      const total = phases.reduce((sum, { probability }) => sum + probability, 0);
      return (x) =>
        phases.reduce((sum, { probability, mean }) => sum + probability * exp(-x / mean), 0) /
        total;
    }
    case "erlang": {
      const { stages, mean } = distribution;
      return (x) => poissonBelow(stages, x * stages / mean);
    }
    case "lognormal": {
      const { mean, sigma } = distribution;
      const mu = ln(mean) - sigma * sigma / 2;
      return (x) => x <= 0 ? 1 : normalAbove((ln(x) - mu) / sigma);
    }
    case "pareto": {
      const { min, max, alpha } = distribution;
      const least = power(min / max, alpha);
      return (x) => x <= min ? 1 : x >= max ? 0 : (power(min / x, alpha) - least) / (1 - least);
    }
  }
}

/** The probability that a Poisson variable of this mean is below `count`. */
function poissonBelow(count: number, mean: number): number {
  if (mean === 0) return 1;
  // Values this far below the mean add nothing.
  const first = Math.max(0, Math.floor(mean - 10 * Math.sqrt(mean) - 10));
  let term = exp(first * ln(mean) - mean - lnGamma(first + 1));
  let sum = 0;
  for (let i = first; i < count; i++) {
    sum += term;
    term *= mean / (i + 1);
  }
  return first >= count ? 0 : Math.min(1, sum);
}

/**
 * The probability that a standard normal variable is above `z`, to seven digits.
 *
 * Source: M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions", 26.2.17.
 */
function normalAbove(z: number): number {
  if (z < 0) return 1 - normalAbove(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const polynomial = t *
    (0.319381530 +
      t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return polynomial * exp(-z * z / 2) / Math.sqrt(2 * Math.PI);
}
