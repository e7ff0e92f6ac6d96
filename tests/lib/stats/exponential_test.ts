import assert from "node:assert/strict";
import { createRandom, type Random } from "../../../lib/base/mod.ts";
import { exponential } from "../../../lib/stats/exponential.ts";
import { assertMean, assertProportional } from "../../support/statistics.ts";

Deno.test("exponential() draws equally often from each of 500 intervals of equal probability", () => {
  const random = createRandom(11);
  const counts = new Array<number>(500).fill(0);
  for (let i = 0; i < 2_000_000; i++) {
    counts[Math.floor(counts.length * Math.exp(-exponential(random)))]!++;
  }
  assertProportional(counts, counts.map(() => 1));
});

Deno.test("exponential() has no memory where its tail begins", () => {
  const random = createRandom(12);
  const beyond: number[] = [];
  const draws = 30_000_000;
  for (let i = 0; i < draws; i++) {
    const x = exponential(random);
    if (x > 7.69711747013105) beyond.push(x - 7.69711747013105);
  }
  const share = Math.exp(-7.69711747013105);
  assertProportional([beyond.length, draws - beyond.length], [share, 1 - share]);
  assertMean(beyond, 1);
});

Deno.test("exponential() takes one uniform number for a draw, and rarely more", () => {
  const random = createRandom(13);
  let uniforms = 0;
  const counting: Random = { next: () => (uniforms++, random.next()) };
  for (let i = 0; i < 100_000; i++) exponential(counting);
  assert.ok(uniforms >= 100_000 && uniforms < 104_000, `${uniforms}`);
});

Deno.test("exponential() gives the same bits on every platform", () => {
  const random = createRandom(1);
  assert.deepEqual(
    Array.from({ length: 4 }, () => exponential(random)),
    [2.943249969884082, 0.6761699027089675, 4.485895019533798, 0.6794581299096333],
  );
});
