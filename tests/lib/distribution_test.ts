import assert from "node:assert/strict";
import { createRandom, NS_PER_MS } from "../../lib/core/mod.ts";
import { parseDistribution } from "../../lib/distribution.ts";

/** Means in milliseconds, by formula. */
const MEANS: readonly (readonly [string, number])[] = [
  ["20ms", 20],
  ["exponential(20ms)", 20],
  ["uniform(5ms,20ms)", 12.5],
  ["lognormal(20ms, 0.5)", 20 * Math.exp(0.5 ** 2 / 2)],
  ["pareto(10ms,3)", 10 * 3 / 2],
];

for (const [text, mean] of MEANS) {
  Deno.test(`parseDistribution() draws ${text} around its mean`, () => {
    const draw = parseDistribution(text).sampler(createRandom(1));
    const runs = 50_000;
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < runs; i++) {
      const value = draw() / NS_PER_MS;
      assert.ok(value >= 0);
      sum += value;
      squares += value ** 2;
    }
    const measured = sum / runs;
    const error = Math.sqrt(Math.max(squares / runs - measured ** 2, 0) / runs);
    assert.ok(Math.abs(measured - mean) <= 5 * error + 1e-6, `${measured} ± ${error}, not ${mean}`);
  });
}

const BAD: readonly (readonly [string, RegExp])[] = [
  ["20", /no unit/],
  ["exponential(20)", /no unit/],
  ["exponential(0s)", /longer than nothing/],
  ["uniform(20ms,5ms)", /is more than/],
  ["uniform(5ms)", /is not a latency: write 20ms/],
  ["gaussian(5ms,1)", /is not a latency/],
  ["lognormal(5ms,x)", /not a number above 0/],
  ["exponential", /not a duration/],
];

for (const [text, message] of BAD) {
  Deno.test(`parseDistribution() says what is wrong with ${text}`, () => {
    assert.throws(
      () => parseDistribution(text),
      (error) => error instanceof SyntaxError && message.test(error.message),
    );
  });
}
