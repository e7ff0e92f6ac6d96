import assert from "node:assert/strict";
import {
  createRandom,
  decimalExponent,
  exp,
  ln,
  power,
  sinTurns,
  square,
} from "../../../lib/base/mod.ts";

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

Deno.test("ln() is right at the edges of its domain, and outside", () => {
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

Deno.test("exp() is right at the edges of its range", () => {
  assert.equal(exp(710), Infinity);
  assert.equal(exp(-746), 0);
  assert.ok(exp(-740) > 0);
  assert.equal(exp(NaN), NaN);
});

Deno.test("power() agrees with ** within its error bound", () => {
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

Deno.test("elementary functions give exactly these bits on every platform", () => {
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

/** Computed by mpmath with 400 bits, and rounded to the nearest double. */
const KNOWN: Readonly<Record<string, readonly (readonly number[])[]>> = {
  ln: [
    [0.1, -2.3025850929940455],
    [0.5, -0.6931471805599453],
    [0.7071067811865475, -0.34657359027997275],
    [0.7071067811865476, -0.3465735902799726],
    [0.9999999999999999, -1.1102230246251565e-16],
    [1.0000000000000002, 2.2204460492503128e-16],
    [1.4142135623730951, 0.3465735902799727],
    [2.0, 0.6931471805599453],
    [2.718281828459045, 1.0],
    [3.0, 1.0986122886681098],
    [10.0, 2.302585092994046],
    [1e-300, -690.7755278982137],
    [5e-324, -744.4400719213812],
    [1e+300, 690.7755278982137],
    [1.7976931348623157e+308, 709.782712893384],
    [4.7457067868854805, 1.557240375002108],
    [6.574725026572553, 1.8832327561356994],
    [6.664104711248381, 1.8967356177135402],
    [1.4260035292536777, 0.35487579692149435],
    [0.1086044309006795, -2.220043072124188],
    [3.7475449206336444, 1.3211009377496308],
  ],
  exp: [
    [-745.0, 5e-324],
    [-708.3, 2.450295530965988e-308],
    [-100.5, 2.256340135917036e-44],
    [-1.0, 0.36787944117144233],
    [-0.34657359027997264, 0.7071067811865476],
    [-0.3, 0.7408182206817179],
    [-1e-09, 0.999999999],
    [1e-10, 1.0000000001],
    [0.3, 1.3498588075760032],
    [0.5, 1.6487212707001282],
    [1.0, 2.718281828459045],
    [10.0, 22026.465794806718],
    [88.7, 3.325986980250579e+38],
    [700.1, 1.120899771073261e+304],
    [709.782712893384, 1.7976931348622732e+308],
    [-2.259518605216686, 0.10440073062684226],
    [3.1034805223508375, 22.2753463565333],
    [1.9059265303868456, 6.725636248041006],
    [1.014570387277331, 2.758178194361678],
    [0.5819004775334804, 1.7894359841259653],
    [1.6132108587200102, 5.018900364037953],
  ],
  power: [
    [2.0, -0.25, 0.8408964152537145],
    [0.9, 20.0, 0.12157665459056935],
    [10.0, 0.3, 1.9952623149688795],
    [0.001, 1.5, 3.1622776601683795e-05],
    [7.0, -3.3, 0.0016262094032164613],
    [123.456, 2.5, 169348.16848325965],
  ],
  sinTurns: [
    [0.01, 0.06279051952931337],
    [0.1, 0.5877852522924731],
    [0.125, 0.7071067811865476],
    [0.2, 0.9510565162951536],
    [0.3, 0.9510565162951536],
    [0.49, 0.06279051952931343],
    [0.6, -0.587785252292473],
    [0.75, -1.0],
    [0.9, -0.587785252292473],
    [12.34, 0.8443279255020155],
    [-0.07, -0.42577929156507266],
  ],
};

/** How far apart two doubles are, in units in the last place of the second. */
function ulpsBetween(actual: number, expected: number): number {
  const above = new Float64Array([Math.abs(expected)]);
  new BigInt64Array(above.buffer)[0]! += 1n;
  return Math.abs(actual - expected) / (above[0]! - Math.abs(expected));
}

for (const [name, rows] of Object.entries(KNOWN)) {
  Deno.test(`${name}() differs from known values by at most its error bound`, () => {
    // The bound of power(), |exponent · ln(base)| · 10⁻¹⁶, is a few units for these values. sinTurns() also rounds the
    // angle.
    const bound = { ln: 1, exp: 1, power: 8, sinTurns: 2 }[name]!;
    const compute = { ln, exp, power, sinTurns }[name] as (...given: number[]) => number;
    for (const row of rows) {
      const expected = row.at(-1)!;
      const actual = compute(...row.slice(0, -1));
      const ulps = ulpsBetween(actual, expected);
      assert.ok(ulps <= bound, `${name}(${row.slice(0, -1)}) is off by ${ulps} ulps: ${actual}`);
    }
  });
}

Deno.test("square() and decimalExponent() are exact", () => {
  assert.equal(square(-3), 9);
  for (let exponent = -300; exponent <= 300; exponent++) {
    assert.equal(decimalExponent(Number(`1e${exponent}`)), exponent);
    assert.equal(decimalExponent(Number(`9.99e${exponent}`)), exponent);
  }
});
