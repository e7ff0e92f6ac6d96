import assert from "node:assert/strict";
import { createRandom, NS_PER_MS } from "../../../lib/base/mod.ts";
import { durationSampler, parseDistribution } from "../../../lib/scenario/distribution.ts";
import { type Distribution, meanOf } from "../../../lib/stats/variates.ts";
import { studyFrom } from "../../sim/study.ts";

/** A distribution as on the command line and as in a scenario, and its mean in milliseconds by formula. */
const LAWS: readonly (readonly [string, string, number])[] = [
  ["20ms", "20ms", 20],
  ["deterministic(20ms)", "{deterministic: 20ms}", 20],
  ["exponential(20ms)", "{exponential: {mean: 20ms}}", 20],
  ["uniform(5ms,20ms)", "{uniform: {min: 5ms, max: 20ms}}", 12.5],
  ["erlang(4, 20ms)", "{erlang: {stages: 4, mean: 20ms}}", 20],
  ["hyperexponential(20ms,4)", "{hyperexponential: {mean: 20ms, scv: 4}}", 20],
  ["lognormal(20ms, 0.5)", "{lognormal: {mean: 20ms, sigma: 0.5}}", 20],
  ["lognormal(20ms,1)", "{lognormal: {mean: 20ms, sigma: 1}}", 20],
  [
    "pareto(10ms,1s,3)",
    "{pareto: {min: 10ms, max: 1s, alpha: 3}}",
    15 * (1 - 0.01 ** 2) / (1 - 0.01 ** 3),
  ],
  ["empirical(1ms,2ms,6ms)", "{empirical: {values: [1ms, 2ms, 6ms]}}", 3],
  [
    "{empirical: {values: [1ms, 50ms], weights: [9, 1]}}",
    "{empirical: {values: [1ms, 50ms], weights: [9, 1]}}",
    5.9,
  ],
  [
    "{hyperexponential: {phases: [{probability: 0.9, mean: 1ms}, {probability: 0.1, mean: 50ms}]}}",
    "{hyperexponential: {phases: [{probability: 0.9, mean: 1ms}, {probability: 0.1, mean: 50ms}]}}",
    5.9,
  ],
];

/** The distribution of service times in a scenario with this value of `service`. */
function serviceOf(yaml: string): Distribution {
  return studyFrom(`balancer: {backends: 1}\nservice: ${yaml}\n`).variants[0]!.scenario.service;
}

for (const [text, yaml, mean] of LAWS) {
  Deno.test(`parseDistribution() reads ${text} as a scenario reads ${yaml}`, () => {
    const law = parseDistribution(text);
    assert.deepEqual(law, serviceOf(yaml));
    assert.ok(Math.abs(meanOf(law) / NS_PER_MS - mean) < 1e-9, `${meanOf(law)}`);
  });

  Deno.test(`durationSampler() draws ${text} in whole nanoseconds, around its mean`, () => {
    const draw = durationSampler(parseDistribution(text), createRandom(1));
    const runs = 50_000;
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < runs; i++) {
      const value = draw();
      assert.ok(Number.isSafeInteger(value) && value >= 0, `${value}`);
      sum += value / NS_PER_MS;
      squares += (value / NS_PER_MS) ** 2;
    }
    const measured = sum / runs;
    const error = Math.sqrt(Math.max(squares / runs - measured ** 2, 0) / runs);
    assert.ok(Math.abs(measured - mean) <= 5 * error + 1e-6, `${measured} ± ${error}, not ${mean}`);
  });
}

const BAD: readonly (readonly [string, RegExp])[] = [
  ["20", /no unit/],
  ["exponential(20)", /^exponential\.mean: 20 has no unit/],
  ["uniform(20ms,5ms)", /^uniform: min is larger than max/],
  ["uniform(5ms)", /must have the form uniform\(min,max\)$/],
  ["uniform(5ms,)", /must have the form uniform\(min,max\)$/],
  ["pareto(10ms,2)", /must have the form pareto\(min,max,alpha\)$/],
  ["pareto(0s,1s,2)", /^pareto: min must be more than 0/],
  ["gaussian(5ms,1)", /is not a latency: write a duration like 20ms, or deterministic\(value\)/],
  ["toString(1)", /is not a latency/],
  ["exponential", /is not a latency/],
  ["-5ms", /is not a latency/],
  ["", /is not a latency/],
  ["lognormal(5ms,x)", /^lognormal\.sigma must be a number above 0, at most 5/],
  ["lognormal(5ms,0)", /^lognormal\.sigma must be a number above 0, at most 5/],
  ["lognormal(5ms,1e400)", /^lognormal\.sigma must be a number above 0, at most 5/],
  ["erlang(1.5,5ms)", /^erlang\.stages must be a whole number from 1 to 1000/],
  ["hyperexponential(5ms,1)", /^hyperexponential\.scv must be a number above 1/],
  ["empirical()", /^empirical\.values\[1\]: "" is not a duration/],
  ["{lognormal: {median: 5ms, sigma: 1}}", /unknown key "median"/],
  ["{lognormal: ", /is not valid YAML/],
];

for (const [text, message] of BAD) {
  Deno.test(`parseDistribution() says what is wrong with ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseDistribution(text),
      (error) => error instanceof SyntaxError && message.test(error.message),
    );
  });
}
