import assert from "node:assert/strict";
import { createRandom } from "../../../lib/core/mod.ts";
import { exp, ln, power, sinTurns } from "../../../lib/stats/elementary.ts";

const ULP = 2 ** -52;

function close(actual: number, expected: number, ulps: number, of: string): void {
  const error = Math.abs(actual - expected);
  assert.ok(error <= ulps * ULP * Math.abs(expected), `${of}: ${actual} against ${expected}`);
}

Deno.test("ln() agrees with Math.log to the last place", () => {
  const random = createRandom(1);
  for (let i = 0; i < 200_000; i++) {
    const x = random.next() * 10 ** (40 * random.next() - 20);
    close(ln(x), Math.log(x), 1, `ln(${x})`);
  }
  for (const x of [1, 1 + ULP, 1 - ULP / 2, 0.5, 2, Math.E, Number.MAX_VALUE, 2 ** -1022, 5e-324]) {
    close(ln(x), Math.log(x), 1, `ln(${x})`);
  }
});

Deno.test("ln() knows the edges of its domain", () => {
  assert.equal(ln(0), -Infinity);
  assert.equal(ln(-1), NaN);
  assert.equal(ln(Infinity), Infinity);
  assert.equal(ln(NaN), NaN);
  assert.equal(ln(1), 0);
});

Deno.test("exp() agrees with Math.exp to the last place", () => {
  const random = createRandom(2);
  for (let i = 0; i < 200_000; i++) {
    const x = (random.next() - 0.5) * 1400;
    close(exp(x), Math.exp(x), 1, `exp(${x})`);
    close(exp(x / 1000), Math.exp(x / 1000), 1, `exp(${x / 1000})`);
  }
  for (const x of [0, 1, -1, 709.7, -708.3, 1e-10]) close(exp(x), Math.exp(x), 1, `exp(${x})`);
});

Deno.test("exp() knows the edges of its range", () => {
  assert.equal(exp(710), Infinity);
  assert.equal(exp(-746), 0);
  assert.ok(exp(-740) > 0);
  assert.equal(exp(NaN), NaN);
});

Deno.test("power() agrees with ** as far as it promises", () => {
  const random = createRandom(3);
  for (let i = 0; i < 50_000; i++) {
    const base = random.next() * 1000;
    const exponent = (random.next() - 0.5) * 10;
    close(power(base, exponent), base ** exponent, 100, `${base} ** ${exponent}`);
  }
  assert.equal(power(0, 2), 0);
  assert.equal(power(7, 0), 1);
});

Deno.test("sinTurns() agrees with Math.sin", () => {
  for (let i = -3000; i <= 3000; i++) {
    const error = Math.abs(sinTurns(i / 997) - Math.sin(i / 997 * 2 * Math.PI));
    assert.ok(error < 1e-14, `sinTurns(${i / 997}) is off by ${error}`);
  }
  assert.equal(sinTurns(0.25), 1);
  assert.equal(sinTurns(0), 0);
});

Deno.test("elementary functions give these very bits on every platform", () => {
  const bits = (x: number) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, x);
    return view.getBigUint64(0).toString(16);
  };
  assert.deepEqual([ln(10), exp(1), exp(-0.3), power(3, 1.1), sinTurns(0.1)].map(bits), [
    "40026bb1bbb55516",
    "4005bf0a8b14576a",
    "3fe7b4c869c37c05",
    "400ac975f5c2ccd0",
    "3fe2cf2304755a5e",
  ]);
});
