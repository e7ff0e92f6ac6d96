import assert from "node:assert/strict";
import {
  type Interval,
  sideBySide,
  sideBySideLines,
  sideBySidePage,
  type StudyReport,
} from "../../../lib/report/mod.ts";
import { byVariant, runStudy, summarise } from "../../../sim/study/mod.ts";
import { LocalExecutor, studyFrom } from "../../sim/study.ts";

async function reportOf(algorithms: string, load: number, more = ""): Promise<StudyReport> {
  const study = studyFrom(`
balancer: {backends: 2}
duration: 10s
replications: 3
workload: {arrivals: {poisson: {load: ${load}%}}}
faults: [{at: 3s, for: 3s, backend: B1, kind: crash}]
compare: {balancer.algorithm: [${algorithms}]}
${more}`);
  const results = byVariant(study, await runStudy(study, new LocalExecutor(study)));
  return {
    lbsim: "1.2.3",
    scenario: `<${load}>.yaml`,
    title: null,
    seed: study.seed,
    digest: "0123456789abcdef",
    ...summarise(study, results),
  };
}

const LOW = await reportOf("random, round-robin", 30);
const HIGH = await reportOf("random, maglev", 60);

Deno.test("sideBySide() has the difference of each metric, with its interval", () => {
  const { variants, only_a, only_b } = sideBySide(LOW, HIGH);
  assert.deepEqual([only_a, only_b], [["round-robin"], ["maglev"]]);
  assert.deepEqual(variants.map(({ variant }) => variant), ["random"]);
  const mean = variants[0]!.metrics.find(({ metric }) => metric === "mean_ms")!;
  const [a, b] = [LOW, HIGH].map((report) => report.variants[0]!.sojourn_ms.mean as Interval);
  const half = ({ low, high }: Interval) => (high! - low!) / 2;
  assert.equal(mean.difference.value, b!.value! - a!.value!);
  assert.equal(
    mean.difference.high! - mean.difference.value!,
    mean.difference.value! + Math.hypot(half(a!), half(b!)) - mean.difference.value!,
  );
  assert.equal(mean.relative, mean.difference.value! / a!.value!);
  const of = variants[0]!.metrics.map(({ metric, backend, fault }) => [metric, backend ?? fault]);
  assert.ok(of.some(([metric, id]) => metric === "share" && id === "B2"));
  assert.ok(of.some(([metric, id]) => metric === "detection_ms" && id === "crash of B1"));
});

Deno.test("sideBySide() of a result with itself has no difference", () => {
  for (const { metrics } of sideBySide(LOW, LOW).variants) {
    for (const { metric, a, difference } of metrics) {
      assert.equal(difference.value, a === null ? null : 0, metric);
    }
  }
});

Deno.test("sideBySide() compares two single variants with different names, and warns if the seeds differ", async () => {
  const one = await reportOf("random", 30);
  const other = await reportOf("maglev", 30, "seed: 2");
  const { variants, only_a, warnings } = sideBySide(one, other);
  assert.deepEqual(variants.map(({ variant }) => variant), ["random | maglev"]);
  assert.deepEqual(only_a, []);
  assert.match(warnings.join(), /seeds differ \(1 and 2\)/);
});

Deno.test("sideBySideLines() and sideBySidePage() show values, differences and variants without a partner", () => {
  const compared = sideBySide(LOW, HIGH);
  const lines = sideBySideLines(compared).join("\n");
  assert.match(lines, /^mean ms +[\d.]+ +[\d.]+ +\+[\d.]+ ± [\d.]+ +\+\d+ %$/m);
  assert.match(lines, /^share \(B1\) +\d+ % +\d+ % +[+−][\d.]+ .*pp/m);
  assert.match(lines, /^only in a: round-robin$/m);
  const page = sideBySidePage(compared);
  assert.match(page, /&lt;30&gt;\.yaml/);
  assert.match(page, /only in b: maglev/);
});
