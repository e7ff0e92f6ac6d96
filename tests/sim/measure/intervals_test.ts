/**
 * Whether intervals contain the true value as often as they should: studies of many runs whose true values are known.
 */
import assert from "node:assert/strict";
import { childSeed } from "../../../lib/base/mod.ts";
import { differenceOf, type Estimate } from "../../../lib/stats/estimate.ts";
import { comparisonsOf } from "../../../sim/study/comparisons.ts";
import { Measured } from "../../../sim/measure/measured.ts";
import { checkpointsOf, confidenceOf, relativeHalf } from "../../../sim/study/precision.ts";
import { type QueueOptions, queueRun, queueTruth } from "../queue_runs.ts";

function covers({ low, high }: Estimate, truth: number): boolean {
  return low <= truth && truth <= high;
}

/**
 * Asserts that the intervals contain the true value in at least 95 % of studies. The bound is lower by as much as
 * chance explains in one of 30,000 cases.
 */
function assertCovers(what: string, covered: number, studies: number): void {
  const least = 0.95 - 4 * Math.sqrt(0.95 * 0.05 / studies);
  assert.ok(covered >= least * studies, `${what}: ${covered} of ${studies} intervals cover`);
}

function study(options: Omit<QueueOptions, "seed">, seed: number, runs: number): Measured {
  return new Measured(
    Array.from(
      { length: runs },
      (_, run) => queueRun({ ...options, seed: childSeed(seed, "run", run) }),
    ),
  );
}

Deno.test("Measured.estimate() and differenceOf(): the intervals of mean, p99 and their differences contain the true values in 95 % of studies", () => {
  const studies = 250;
  // Ten runs, together about 550 relaxation times of the slower queue.
  const [slow, fast] = [{ load: 0.6, length: 3200 }, { load: 0.6, length: 3200, speed: 1.25 }];
  const covered: Record<string, number> = { mean: 0, p99: 0, meanDifference: 0, p99Difference: 0 };
  for (let seed = 0; seed < studies; seed++) {
    const [a, b] = [study(slow, seed, 10), study(fast, seed, 10)];
    for (const what of ["mean", "p99"] as const) {
      const [ofA, ofB] = [a.estimate(`${what}_ms`), b.estimate(`${what}_ms`)];
      const [truthA, truthB] = [queueTruth(slow)[what], queueTruth(fast)[what]];
      if (covers(ofA, truthA)) covered[what]!++;
      if (covers(differenceOf(ofA, ofB), truthA - truthB)) covered[`${what}Difference`]!++;
    }
  }
  for (const [what, count] of Object.entries(covered)) assertCovers(what, count, studies);
});

Deno.test("checkpointsOf() and confidenceOf(): with `precision`, the interval contains the true value in 95 % of studies, also of those that stop early", () => {
  const studies = 120;
  const options = { load: 0.5, length: 300 };
  const repetition = { metric: "mean_ms", relative: 0.15, maxReplications: 60 } as const;
  const truth = queueTruth(options).mean;
  const confidence = confidenceOf(repetition);
  let [covered, early] = [0, 0];
  for (let seed = 0; seed < studies; seed++) {
    const { results } = study(options, seed, 60);
    for (const runs of checkpointsOf(repetition)) {
      const measured = new Measured(results.slice(0, runs));
      const mean = measured.estimate("mean_ms", undefined, confidence);
      if (relativeHalf(mean) > repetition.relative && runs < 60) continue;
      if (runs < 60) early++;
      if (covers(mean, truth)) covered++;
      break;
    }
  }
  assert.ok(early > studies / 2, `${early} of ${studies} stopped early`);
  assertCovers("mean", covered, studies);
});

Deno.test("comparisonsOf() finds a winner among eleven equal variants in at most 5 % of studies", () => {
  const studies = 60;
  let wrong = 0;
  for (let seed = 0; seed < studies; seed++) {
    const contenders = Array.from({ length: 11 }, (_, i) => ({
      name: `variant ${i}`,
      measured: study({ load: 0.5, length: 400 }, childSeed(seed, "variant", i), 10),
    }));
    if (comparisonsOf(contenders, 0.95).some(({ verdict }) => verdict === "beats")) wrong++;
  }
  assert.ok(
    wrong <= 0.05 * studies + 4 * Math.sqrt(0.05 * 0.95 * studies),
    `${wrong} of ${studies}`,
  );
});

Deno.test('comparisonsOf() does not compare an unknown p99, and its verdict on a much higher p99 is not "no practical difference"', () => {
  const contender = (name: string, speed: number, errors: readonly number[]) => ({
    name,
    measured: new Measured(
      study({ load: 0.3, length: 2000, speed }, 1, errors.length).results.map((result, run) => {
        const timedOut = Math.round(result.requests.offered * errors[run]!);
        const offered = result.requests.offered + timedOut;
        return { ...result, requests: { ...result.requests, offered, timedOut } };
      }),
    ),
  });
  const none = new Array<number>(8).fill(0);
  const some = [0.003, 0, 0.003, 0, 0.002, 0, 0, 0.002];
  const [unknown] = comparisonsOf([
    contender("complete", 1, none),
    contender("uneven", 1, [0.12, 0.12, ...none.slice(2)]),
  ], 0.95);
  assert.deepEqual([unknown!.verdict, unknown!.other_value], ["unknown", null]);
  assert.deepEqual(unknown!.lower, { value: null, low: null, high: null });
  const [slower] = comparisonsOf([contender("slow", 1, none), contender("fast", 3, some)], 0.95);
  assert.deepEqual([slower!.best, slower!.verdict], ["slow", "cannot be told apart"]);
  assert.ok(slower!.lower.high! < 0, "its p99 is significantly higher");
});
