import assert from "node:assert/strict";
import { createRandom } from "../../../lib/core/mod.ts";
import {
  createSampler,
  createZipf,
  type Distribution,
  meanOf,
  scvOf,
} from "../../../lib/stats/variates.ts";
import { assertMean, assertProportional } from "../../support/statistics.ts";

const LAWS: readonly { law: Distribution; mean: number; scv: number }[] = [
  { law: { kind: "deterministic", value: 5 }, mean: 5, scv: 0 },
  { law: { kind: "uniform", min: 2, max: 6 }, mean: 4, scv: 1 / 12 },
  { law: { kind: "exponential", mean: 3 }, mean: 3, scv: 1 },
  { law: { kind: "erlang", stages: 4, mean: 3 }, mean: 3, scv: 1 / 4 },
  {
    law: {
      kind: "hyperexponential",
      phases: [{ probability: 0.9, mean: 1 }, { probability: 0.1, mean: 5 }],
    },
    mean: 1.4,
    scv: 2 * (0.9 + 0.1 * 25) / 1.96 - 1,
  },
  { law: { kind: "lognormal", mean: 2, sigma: 0.5 }, mean: 2, scv: Math.exp(0.25) - 1 },
  {
    law: { kind: "pareto", min: 1, max: 20, alpha: 1.5 },
    mean: 3 * (1 - 20 ** -0.5) / (1 - 20 ** -1.5),
    scv: NaN,
  },
  {
    law: { kind: "empirical", values: [1, 2, 9], weights: [1, 2, 1] },
    mean: 3.5,
    scv: (1 + 8 + 81) / 4 / 3.5 ** 2 - 1,
  },
  { law: { kind: "empirical", values: [1, 2, 3] }, mean: 2, scv: 1 / 6 },
];

for (const { law, mean, scv } of LAWS) {
  Deno.test(`createSampler() draws ${law.kind} (mean ${mean.toFixed(2)}) with the mean and spread of its law`, () => {
    assert.ok(Math.abs(meanOf(law) - mean) < 1e-9, `${meanOf(law)}`);
    if (!Number.isNaN(scv)) assert.ok(Math.abs(scvOf(law) - scv) < 1e-9, `${scvOf(law)}`);
    const sampler = createSampler(law, createRandom(7));
    const draws = Array.from({ length: 400_000 }, () => sampler.next());
    assert.ok(draws.every((draw) => draw >= 0));
    if (law.kind === "deterministic") {
      assert.ok(draws.every((draw) => draw === 5));
      return;
    }
    assertMean(draws, mean);
    assertMean(draws.map((draw) => draw * draw), (1 + scvOf(law)) * mean * mean);
  });
}

Deno.test("createSampler() draws exponentials whose quantiles are right far into the tail", () => {
  const sampler = createSampler({ kind: "exponential", mean: 1 }, createRandom(8));
  const size = 1_000_000;
  const counts = new Array<number>(12).fill(0);
  for (let i = 0; i < size; i++) counts[Math.min(11, Math.floor(sampler.next()))]!++;
  const shares = counts.map((_, i) => i < 11 ? Math.exp(-i) - Math.exp(-i - 1) : Math.exp(-11));
  assertProportional(counts, shares);
});

Deno.test("createSampler() keeps a bounded Pareto within its bounds", () => {
  const sampler = createSampler({ kind: "pareto", min: 2, max: 50, alpha: 1.1 }, createRandom(9));
  let above = 0;
  const size = 200_000;
  for (let i = 0; i < size; i++) {
    const draw = sampler.next();
    assert.ok(draw >= 2 && draw <= 50 * (1 + 1e-12), `${draw}`);
    if (draw > 10) above++;
  }
  const exact = ((2 / 10) ** 1.1 - (2 / 50) ** 1.1) / (1 - (2 / 50) ** 1.1);
  assertProportional([above, size - above], [exact, 1 - exact]);
});

Deno.test("createSampler() gives the same draws for the same seed, others for another", () => {
  for (const { law } of LAWS) {
    if (law.kind === "deterministic") continue;
    const draws = (seed: number) => {
      const sampler = createSampler(law, createRandom(seed));
      return Array.from({ length: 20 }, () => sampler.next());
    };
    assert.deepEqual(draws(1), draws(1));
    assert.notDeepEqual(draws(1), draws(2));
  }
});

Deno.test("createZipf() draws ranks in proportion to their power", () => {
  for (const exponent of [0, 0.8, 1.1, 2]) {
    const zipf = createZipf(50, exponent, createRandom(10));
    const counts = new Array<number>(50).fill(0);
    for (let i = 0; i < 200_000; i++) counts[zipf.next()]!++;
    assertProportional(counts, counts.map((_, rank) => (rank + 1) ** -exponent));
  }
});
