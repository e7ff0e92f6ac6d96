import { exp, ln } from "../base/mod.ts";

/**
 * The value below which a Student-t variable lies with probability `p`: half the width of a 95 % confidence interval
 * over n replications is `studentTQuantile(0.975, n − 1)` standard errors.
 *
 * @param p Strictly between 0 and 1.
 * @param degreesOfFreedom At least 1; Infinity gives the normal distribution.
 * @throws {RangeError} if an argument is out of range.
 */
export function studentTQuantile(p: number, degreesOfFreedom: number): number {
  if (p !== last.p || degreesOfFreedom !== last.degreesOfFreedom) {
    last = { p, degreesOfFreedom, quantile: computeQuantile(p, degreesOfFreedom) };
  }
  return last.quantile;
}

/** The latest result. A study needs the same quantile for each of its values: 70,000 times with 10,000 backends. */
let last = { p: NaN, degreesOfFreedom: NaN, quantile: NaN };

function computeQuantile(p: number, degreesOfFreedom: number): number {
  if (!(p > 0 && p < 1)) {
    throw new RangeError(
      `Cannot find a quantile: p must be between 0 and 1: current value is ${p}`,
    );
  }
  if (!(degreesOfFreedom >= 1)) {
    throw new RangeError(
      `Cannot find a quantile: degrees of freedom must be at least 1: current value is ${degreesOfFreedom}`,
    );
  }
  if (p === 0.5) return 0;
  if (p < 0.5) return -computeQuantile(1 - p, degreesOfFreedom);
  // With more degrees of freedom the distribution is normal to ten digits, and the continued fraction becomes slow.
  const freedom = Math.min(degreesOfFreedom, 1e10);
  let high = 1;
  while (studentTUpperTail(high, freedom) > 1 - p) high *= 2;
  let low = high === 1 ? 0 : high / 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (studentTUpperTail(middle, freedom) > 1 - p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The probability that a Student-t variable is above `t` ≥ 0. */
function studentTUpperTail(t: number, freedom: number): number {
  return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
}

/**
 * The regularised incomplete beta function I_x(a, b), by its continued fraction.
 *
 * Source: W. H. Press et al., "Numerical Recipes", 6.4 (modified Lentz's method).
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = exp(lnGamma(a + b) - lnGamma(a) - lnGamma(b) + a * ln(x) + b * ln(1 - x));
  return x < (a + 1) / (a + b + 2)
    ? front * betaFraction(x, a, b) / a
    : 1 - front * betaFraction(1 - x, b, a) / b;
}

function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const guarded = (value: number) => Math.abs(value) < tiny ? tiny : value;
  let c = 1;
  let d = 1 / guarded(1 - (a + b) * x / (a + 1));
  let result = d;
  for (let m = 1; m <= 300; m++) {
    const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / guarded(1 + even * d);
    c = guarded(1 + even / c);
    result *= d * c;
    const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / guarded(1 + odd * d);
    c = guarded(1 + odd / c);
    const step = d * c;
    result *= step;
    if (Math.abs(step - 1) < 1e-15) break;
  }
  return result;
}

/**
 * The logarithm of the gamma function, for x > 0: Stirling's series, for an x that was increased until the series is
 * exact to the last digits.
 */
export function lnGamma(x: number): number {
  let shift = 0;
  let z = x;
  while (z < 15) shift += ln(z++);
  const inverse = 1 / (z * z);
  const series = (1 / 12 -
    inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / z;
  return (z - 0.5) * ln(z) - z + 0.5 * ln(2 * Math.PI) + series - shift;
}
