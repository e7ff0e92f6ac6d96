/**
 * Whether intervals, comparisons and `precision` are right in 95 % of studies, with the real
 * simulator: `deno task test:nightly`. Each test runs at least 100 studies, whose true values are
 * known.
 */
import assert from "node:assert/strict";
import type { StudyReport } from "../../lib/report/types.ts";
import { byVariant, runStudy } from "../../sim/study/run_study.ts";
import { summarise, type Summary } from "../../sim/study/summary.ts";
import { mmc, roundRobin } from "../../sim/theory/theory.ts";
import { LocalExecutor, studyFrom } from "../sim/study.ts";

const STUDIES = 100;
/** Mean service time, in milliseconds. */
const SERVICE = 10;

async function studies(text: string, set: readonly string[] = []): Promise<Summary[]> {
  const summaries: Summary[] = [];
  for (let seed = 1; seed <= STUDIES; seed++) {
    const study = studyFrom(text, [...set, `seed=${seed}`]);
    const results = await runStudy(study, new LocalExecutor(study));
    summaries.push(summarise(study, byVariant(study, results)));
  }
  return summaries;
}

/**
 * Asserts that the intervals contain the true value in at least 95 % of studies. The bound is lower by as much as
 * chance explains in one of 30,000 cases.
 */
function assertCovers(
  what: string,
  intervals: readonly StudyReport["paired"][number]["difference"][],
  truth: number,
): void {
  const covered = intervals.filter(({ low, high }) => low! <= truth && truth <= high!).length;
  const least = 0.95 - 4 * Math.sqrt(0.95 * 0.05 / intervals.length);
  console.log(`${what}: ${covered} of ${intervals.length} intervals cover`);
  assert.ok(covered >= least * intervals.length, `${what}: ${covered} cover ${truth}`);
}

const TWO = `
balancer: {backends: 2, health_check: {type: none}}
workload: {arrivals: {poisson: {load: 70%}}}
service: {exponential: {mean: ${SERVICE}ms}}
`;
const RANDOM = mmc(1, 0.7, 1);
const TURNS = roundRobin(2, 0.7);

Deno.test("summarise(): the intervals of mean, p99 and their differences contain the true values in 95 % of studies", async () => {
  const summaries = await studies(`${TWO}
duration: 32s
compare: {balancer.algorithm: [random, round-robin]}
`);
  for (const { variants } of summaries) {
    for (const { warnings } of variants) assert.deepEqual(warnings, []);
  }
  const of = (name: string) =>
    summaries.map(({ variants }) => variants.find((variant) => variant.name === name)!.sojourn_ms);
  const differences = (metric: string) =>
    summaries.map(({ paired }) => paired.find((pair) => pair.metric === metric)!.difference);
  const truths = [["random", RANDOM], ["round-robin", TURNS]] as const;
  for (const [name, { mean, quantile }] of truths) {
    assertCovers(`mean of ${name}`, of(name).map(({ mean }) => mean), SERVICE * mean);
    assertCovers(`p99 of ${name}`, of(name).map(({ p99 }) => p99), SERVICE * quantile(0.99));
  }
  const difference = (of: (sojourn: typeof RANDOM) => number) => SERVICE * (of(RANDOM) - of(TURNS));
  assertCovers("difference of means", differences("mean_ms"), difference(({ mean }) => mean));
  assertCovers(
    "difference of p99",
    differences("p99_ms"),
    difference(({ quantile }) => quantile(0.99)),
  );
});

for (
  const [metric, relative, truth] of [
    ["mean_ms", "6%", SERVICE * RANDOM.mean],
    ["p99_ms", "15%", SERVICE * RANDOM.quantile(0.99)],
  ] as const
) {
  Deno.test(`summarise(): the interval of ${metric} contains the true value in 95 % of studies with a precision`, async () => {
    const summaries = await studies(TWO, [
      ...["balancer.algorithm=random", "duration=20s"],
      `precision={metric: ${metric}, relative: ${relative}, max_replications: 200}`,
    ]);
    const sojourns = summaries.map(({ variants: [variant] }) => variant!.sojourn_ms);
    const runs = summaries.map(({ variants: [variant] }) => variant!.replications);
    assert.ok(runs.some((count) => count < 200) && runs.some((count) => count > 20), runs.join());
    const intervals = sojourns.map(({ mean, p99 }) => metric === "mean_ms" ? mean : p99);
    assertCovers(`${metric} with precision`, intervals, truth);
  });
}

Deno.test("summarise() of M/M/1 at 90 % load warns with the default duration; with a longer one, it does not warn, and its intervals contain the true values", async () => {
  const text = `
balancer: {backends: 1, health_check: {type: none}}
workload: {arrivals: {poisson: {load: 90%}}}
service: {exponential: {mean: ${SERVICE}ms}}
`;
  const short = await studies(text);
  const durations = short.map(({ variants: [variant] }) =>
    /too short .* duration: (\w+)/.exec(variant!.warnings[0] ?? "")?.[1]
  );
  assert.ok(durations.every((duration) => duration !== undefined), durations.join());
  const long = await studies(text, [`duration=${durations.toSorted().at(-1)}`]);
  for (const { variants: [variant] } of long) assert.deepEqual(variant!.warnings, []);
  const sojourns = long.map(({ variants: [variant] }) => variant!.sojourn_ms);
  const truth = mmc(1, 0.9, 1);
  assertCovers("mean at 90 % load", sojourns.map(({ mean }) => mean), SERVICE * truth.mean);
  assertCovers("p99 at 90 % load", sojourns.map(({ p99 }) => p99), SERVICE * truth.quantile(0.99));
});

Deno.test("summarise() finds a winner among eleven identical variants in at most 5 % of studies", async () => {
  const summaries = await studies(`
balancer: {backends: 6, algorithm: random, health_check: {type: none}}
duration: 15s
workload: {arrivals: {poisson: {load: 70%}}}
service: {exponential: {mean: ${SERVICE}ms}}
compare: {load_balancers: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}
`);
  const wrong =
    summaries.filter(({ comparisons }) => comparisons.some(({ verdict }) => verdict === "beats"))
      .length;
  console.log(`${wrong} of ${STUDIES} studies have a false winner`);
  assert.ok(wrong <= 0.05 * STUDIES + 4 * Math.sqrt(0.05 * 0.95 * STUDIES), `${wrong}`);
});
