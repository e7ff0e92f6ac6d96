import assert from "node:assert/strict";
import { createRandom } from "../../../lib/base/mod.ts";
import { countOf, meanCount } from "../../../lib/stats/rounded.ts";
import { createSampler, type Distribution } from "../../../lib/stats/variates.ts";

Deno.test("meanCount() of an exponential law is the sum of a geometric series", () => {
  for (const mean of [1, 1.3, 2, 10, 400, 1e5]) {
    const exact = 1 + Math.exp(-1.5 / mean) / -Math.expm1(-1 / mean);
    assert.ok(Math.abs(meanCount({ kind: "exponential", mean }) / exact - 1) < 1e-7, `${mean}`);
  }
});

Deno.test("meanCount() of a law without variation is countOf() of its value", () => {
  for (const value of [1, 1.4, 1.5, 3]) {
    assert.equal(meanCount({ kind: "deterministic", value }), countOf(value));
    assert.equal(meanCount({ kind: "uniform", min: value, max: value }), countOf(value));
    assert.equal(
      meanCount({ kind: "pareto", min: value, max: value, alpha: 1 }),
      countOf(value),
    );
  }
  assert.equal(meanCount({ kind: "empirical", values: [1, 2.6], weights: [3, 1] }), 1.5);
  assert.equal(meanCount({ kind: "uniform", min: 1, max: 2 }), 1.5);
  assert.equal(meanCount({ kind: "uniform", min: 1, max: 1.75 }), 1 + 0.25 / 0.75);
});

const LAWS: readonly Distribution[] = [
  { kind: "exponential", mean: 1 },
  { kind: "uniform", min: 1, max: 7.3 },
  { kind: "erlang", stages: 3, mean: 1.2 },
  { kind: "erlang", stages: 800, mean: 5.3 },
  {
    kind: "hyperexponential",
    phases: [{ probability: 9, mean: 1 }, { probability: 1, mean: 20 }],
  },
  { kind: "lognormal", mean: 1, sigma: 1 },
  { kind: "lognormal", mean: 3, sigma: 0.3 },
  { kind: "lognormal", mean: 1, sigma: 2 },
  { kind: "pareto", min: 1, max: 100, alpha: 1.5 },
  { kind: "empirical", values: [1, 1.2, 1.7, 9] },
];

for (const law of LAWS) {
  Deno.test(`meanCount() is the mean of the counts that are drawn from ${JSON.stringify(law)}`, () => {
    const sampler = createSampler(law, createRandom(5));
    const draws = 200_000;
    let [sum, squares] = [0, 0];
    for (let i = 0; i < draws; i++) {
      const count = countOf(sampler.next());
      sum += count;
      squares += count * count;
    }
    const mean = sum / draws;
    const error = Math.sqrt((squares / draws - mean * mean) / draws);
    assert.ok(Math.abs(mean - meanCount(law)) < 4 * error, `${mean} ± ${error}: ${meanCount(law)}`);
  });
}
