import assert from "node:assert/strict";
import { createRandom } from "../../../lib/base/mod.ts";
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

Deno.test("createSampler() gives the same draws for the same seed, and other draws for another seed", () => {
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

Deno.test("createZipf() draws rank k in proportion to (k + 1)^(−exponent)", () => {
  for (const exponent of [0, 0.8, 1.1, 2]) {
    const zipf = createZipf(50, exponent, createRandom(10));
    const counts = new Array<number>(50).fill(0);
    for (let i = 0; i < 200_000; i++) counts[zipf.next()]!++;
    assertProportional(counts, counts.map((_, rank) => (rank + 1) ** -exponent));
  }
});

for (const stages of [650, 700, 745, 800, 1000, 5000]) {
  Deno.test(`createSampler() draws an erlang of ${stages} stages with its mean and spread`, () => {
    const sampler = createSampler({ kind: "erlang", stages, mean: 10e6 }, createRandom(1));
    const draws = Array.from({ length: 3000 }, () => sampler.next());
    assert.ok(draws.every(Number.isFinite));
    assertMean(draws, 10e6);
    // Nearly normal: the relative error of a variance from n draws is √(2/n).
    const variance = draws.reduce((sum, draw) => sum + (draw - 10e6) ** 2, 0) / draws.length;
    const ratio = variance * stages / 10e6 ** 2;
    assert.ok(Math.abs(ratio - 1) < 5 * Math.sqrt(2 / draws.length), `${ratio}`);
  });
}

/** The longest duration that can be written, in nanoseconds. */
const LONGEST = Number.MAX_SAFE_INTEGER;
const TINY = 5e-324;

/** The smallest and largest values that a scenario allows for the parameters of each law. */
const EXTREMES: readonly Distribution[] = [0, 1, LONGEST].flatMap((mean): Distribution[] => [
  { kind: "deterministic", value: mean },
  { kind: "uniform", min: 0, max: mean },
  { kind: "exponential", mean },
  ...[1, 744, 746, 1000].map((stages): Distribution => ({ kind: "erlang", stages, mean })),
  ...[TINY, 1e-9, 5].map((sigma): Distribution => ({ kind: "lognormal", mean, sigma })),
  { kind: "hyperexponential", phases: [{ probability: TINY, mean }] },
  {
    kind: "hyperexponential",
    phases: [{ probability: TINY, mean }, { probability: 1, mean: LONGEST }],
  },
  { kind: "empirical", values: [mean, LONGEST], weights: [1e9, 1e-9] },
  { kind: "empirical", values: [0, mean], weights: [TINY, TINY] },
  ...[TINY, 1e-300, 1e-20, 1e-9, 1e-3, 1, 2, 100].flatMap((alpha): Distribution[] => [
    { kind: "pareto", min: 1, max: Math.max(1, mean), alpha },
    { kind: "pareto", min: Math.max(1, mean), max: LONGEST, alpha },
    { kind: "pareto", min: LONGEST - 1, max: LONGEST, alpha },
  ]),
]);

/** Sources that always draw the same end of [0, 1), and a usual one. */
const SOURCES: readonly (() => { next(): number })[] = [
  () => ({ next: () => 0 }),
  () => ({ next: () => 1 - 2 ** -53 }),
  () => createRandom(3),
];

Deno.test("createSampler(), meanOf() and scvOf() stay finite at the ends of every parameter", () => {
  for (const law of EXTREMES) {
    const what = JSON.stringify(law);
    assert.ok(Number.isFinite(meanOf(law)) && meanOf(law) >= 0, `mean of ${what}: ${meanOf(law)}`);
    assert.ok(Number.isFinite(scvOf(law)), `scv of ${what}: ${scvOf(law)}`);
    for (const [i, source] of SOURCES.entries()) {
      // With a constant source, the ziggurat method may never end.
      const rejects = ["exponential", "hyperexponential"].includes(law.kind);
      if (i < 2 && rejects) continue;
      const sampler = createSampler(law, source());
      for (let draw = 0; draw < 200; draw++) {
        const value = sampler.next();
        assert.ok(Number.isFinite(value) && value >= 0, `${what} drew ${value}`);
        if (law.kind === "pareto") assert.ok(value >= law.min && value <= law.max, what);
      }
    }
  }
});

Deno.test("createSampler() draws a Pareto law with a very small alpha as its limit: the logarithm is uniform", () => {
  for (const alpha of [TINY, 1e-20, 1e-12, 1e-6]) {
    const law: Distribution = { kind: "pareto", min: 1, max: 1e6, alpha };
    const exact = (1e6 - 1) / Math.log(1e6);
    assert.ok(Math.abs(meanOf(law) / exact - 1) < 1e-5, `${meanOf(law)}, not ${exact}`);
    const sampler = createSampler(law, createRandom(11));
    const logarithms = Array.from({ length: 100_000 }, () => Math.log(sampler.next()));
    assertMean(logarithms, Math.log(1e6) / 2);
  }
});

Deno.test("createSampler() and meanOf() do not jump at an alpha where they change the formula of a Pareto law", () => {
  // The formula changes where alpha, or its distance from the order 1 or 2, times ln(max/min) is 10⁻⁴.
  const step = 1e-4 / Math.log(1000);
  for (const alpha of [step, 1 - step, 1, 1 + step, 2 - step, 2, 2 + step]) {
    const [below, above] = [alpha * (1 - 1e-12), alpha * (1 + 1e-12)].map((
      alpha,
    ): Distribution => ({
      kind: "pareto",
      min: 2,
      max: 2000,
      alpha,
    }));
    const near = (a: number, b: number) => assert.ok(Math.abs(a / b - 1) < 1e-10, `${a}, ${b}`);
    near(meanOf(below!), meanOf(above!));
    near(scvOf(below!), scvOf(above!));
    const samplers = [below!, above!].map((law) => createSampler(law, createRandom(12)));
    for (let i = 0; i < 1000; i++) near(samplers[0]!.next(), samplers[1]!.next());
  }
});
