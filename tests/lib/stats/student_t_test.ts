import assert from "node:assert/strict";
import { incompleteBeta, lnGamma, studentTQuantile } from "../../../lib/stats/student_t.ts";

function near(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, expected ${expected}`);
}

Deno.test("studentTQuantile() gives the values of the printed tables", () => {
  for (
    const [p, freedom, expected] of [
      [0.975, 1, 12.706],
      [0.975, 2, 4.303],
      [0.975, 4, 2.776],
      [0.975, 9, 2.262],
      [0.975, 19, 2.093],
      [0.975, 100, 1.984],
      [0.995, 5, 4.032],
      [0.95, 10, 1.812],
      [0.9, 3, 1.638],
    ] as const
  ) near(studentTQuantile(p, freedom), expected, 5e-4);
});

Deno.test("studentTQuantile() agrees with the closed forms for one and two degrees", () => {
  for (const p of [0.6, 0.75, 0.9, 0.99, 0.9999]) {
    const cauchy = Math.tan(Math.PI * (p - 0.5));
    near(studentTQuantile(p, 1) / cauchy, 1, 1e-9);
    const two = (2 * p - 1) / Math.sqrt(2 * p * (1 - p));
    near(studentTQuantile(p, 2) / two, 1, 1e-9);
  }
});

Deno.test("studentTQuantile() changes its sign from p to 1 − p, and is normal in the limit", () => {
  near(studentTQuantile(0.025, 7), -studentTQuantile(0.975, 7), 1e-12);
  assert.equal(studentTQuantile(0.5, 3), 0);
  near(studentTQuantile(0.975, Infinity), 1.959963984540054, 1e-6);
});

Deno.test("studentTQuantile() refuses arguments out of range", () => {
  for (const p of [0, 1, -1, NaN]) assert.throws(() => studentTQuantile(p, 3), RangeError);
  for (const freedom of [0, -1, NaN]) {
    assert.throws(() => studentTQuantile(0.9, freedom), RangeError);
  }
});

Deno.test("lnGamma() gives factorials and the gamma function of one half", () => {
  let factorial = 1;
  for (let n = 1; n < 20; n++) {
    near(lnGamma(n), Math.log(factorial), 1e-11);
    factorial *= n;
  }
  near(lnGamma(0.5), Math.log(Math.PI) / 2, 1e-11);
});

Deno.test("incompleteBeta() goes from 0 to 1, and I(x; a, b) = 1 − I(1 − x; b, a)", () => {
  assert.deepEqual([incompleteBeta(0, 2, 3), incompleteBeta(1, 2, 3)], [0, 1]);
  for (const x of [0.1, 0.4, 0.8]) {
    near(incompleteBeta(x, 2, 5), 1 - incompleteBeta(1 - x, 5, 2), 1e-13);
    near(incompleteBeta(x, 1, 1), x, 1e-12);
  }
});
