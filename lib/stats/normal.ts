import { ln } from "../base/mod.ts";

/** Coefficients of the numerator and the denominator, by descending power. */
const CENTRE = [
  [
    2509.0809287301226727,
    33430.575583588128105,
    67265.770927008700853,
    45921.953931549871457,
    13731.693765509461125,
    1971.5909503065514427,
    133.14166789178437745,
    3.387132872796366608,
  ],
  [
    5226.495278852854561,
    28729.085735721942674,
    39307.89580009271061,
    21213.794301586595867,
    5394.1960214247511077,
    687.1870074920579083,
    42.313330701600911252,
    1,
  ],
] as const;
const TAIL = [
  [
    7.7454501427834140764e-4,
    0.0227238449892691845833,
    0.24178072517745061177,
    1.27045825245236838258,
    3.64784832476320460504,
    5.7694972214606914055,
    4.6303378461565452959,
    1.42343711074968357734,
  ],
  [
    1.05075007164441684324e-9,
    5.475938084995344946e-4,
    0.0151986665636164571966,
    0.14810397642748007459,
    0.68976733498510000455,
    1.6763848301838038494,
    2.05319162663775882187,
    1,
  ],
] as const;
const FAR_TAIL = [
  [
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    0.0012426609473880784386,
    0.026532189526576123093,
    0.29656057182850489123,
    1.7848265399172913358,
    5.4637849111641143699,
    6.6579046435011037772,
  ],
  [
    2.04426310338993978564e-15,
    1.4215117583164458887e-7,
    1.8463183175100546818e-5,
    7.868691311456132591e-4,
    0.0148753612908506148525,
    0.13692988092273580531,
    0.59983220655588793769,
    1,
  ],
] as const;

/** A share that is smaller than each tail that a random number can give. */
const SHARE_MIN = 2 ** -54;

/**
 * The quantile of the standard normal distribution, exact to about 16 digits. For a share of 0 or 1, the result is
 * the quantile of 2⁻⁵⁴ or 1 − 2⁻⁵⁴, so every uniform random number gives a finite result.
 *
 * Source: M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", 1988 (PPND16).
 */
export function normalQuantile(share: number): number {
  const fromMiddle = share - 0.5;
  if (Math.abs(fromMiddle) <= 0.425) {
    return fromMiddle * ratio(CENTRE, 0.180625 - fromMiddle * fromMiddle);
  }
  const beyond = Math.max(fromMiddle < 0 ? share : 1 - share, SHARE_MIN);
  const root = Math.sqrt(-ln(beyond));
  const quantile = root <= 5 ? ratio(TAIL, root - 1.6) : ratio(FAR_TAIL, root - 5);
  return fromMiddle < 0 ? -quantile : quantile;
}

type Coefficients = readonly [number, number, number, number, number, number, number, number];

function ratio([above, below]: readonly [Coefficients, Coefficients], x: number): number {
  return polynomial(above, x) / polynomial(below, x);
}

function polynomial(by: Coefficients, x: number): number {
  const high = ((by[0] * x + by[1]) * x + by[2]) * x + by[3];
  return (((high * x + by[4]) * x + by[5]) * x + by[6]) * x + by[7];
}
