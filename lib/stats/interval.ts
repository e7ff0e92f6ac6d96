/** Confidence intervals over replications. */

/** A mean and the interval that covers the true one at the stated rate. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The mean of independent values with its t-interval: `mean ± t · s / √n`.
 *
 * @param values At least two; with one, the interval is everything.
 * @param level How often the interval is to cover the truth; 0.95 if left out.
 */
export function interval(values: readonly number[], level = 0.95): Interval {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { value: mean, low: -Infinity, high: Infinity };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = studentT(n - 1, level) * Math.sqrt(squares / (n - 1) / n);
  return { value: mean, low: mean - half, high: mean + half };
}

/**
 * The number that Student's t with so many degrees of freedom exceeds in size with probability
 * `1 − level`.
 *
 * Source: G. W. Hill, "Algorithm 396: Student's t-quantiles", CACM 13(10), 1970; right to six digits
 * from three degrees of freedom.
 */
export function studentT(freedom: number, level: number): number {
  const tail = 1 - level;
  if (freedom === 1) return 1 / Math.tan(tail * Math.PI / 2);
  if (freedom === 2) return Math.sqrt(2 / (tail * (2 - tail)) - 2);
  const a = 1 / (freedom - 0.5);
  const b = 48 / a ** 2;
  let c = ((20700 * a / b - 98) * a - 16) * a + 96.36;
  const d = ((94.5 / (b + c) - 3) / b + 1) * Math.sqrt(a * Math.PI / 2) * freedom;
  let x = d * tail;
  let y = x ** (2 / freedom);
  if (y > 0.05 + a) {
    x = -normalQuantile(1 - tail / 2);
    y = x ** 2;
    if (freedom < 5) c += 0.3 * (freedom - 4.5) * (x + 0.6);
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c;
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x;
    y = Math.expm1(a * y ** 2);
  } else {
    y = ((1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3) +
              0.5 / (freedom + 4)) * y - 1) * (freedom + 1) / (freedom + 2) + 1 / y;
  }
  return Math.sqrt(freedom * y);
}

/** Quantile of the standard normal law, by Newton's method on its distribution function. */
function normalQuantile(share: number): number {
  let x = 0;
  for (let i = 0; i < 60; i++) {
    const step = (normalShare(x) - share) / (Math.exp(-(x ** 2) / 2) / Math.sqrt(2 * Math.PI));
    x -= Math.max(-1, Math.min(1, step));
    if (Math.abs(step) < 1e-14) break;
  }
  return x;
}

/** The standard normal distribution function, by its series around 0. */
function normalShare(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 1; k < 400 && Math.abs(term) > 1e-17 * Math.abs(sum); k++) {
    term *= x ** 2 / (2 * k + 1);
    sum += term;
  }
  return 0.5 + sum * Math.exp(-(x ** 2) / 2) / Math.sqrt(2 * Math.PI);
}
