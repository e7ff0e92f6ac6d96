/** The table of metrics: a new metric needs only an entry there. */
import assert from "node:assert/strict";
import { GENERATED_PARTS } from "../../../docs/generate.ts";
import {
  backendMetrics,
  definitionOf,
  type Metric,
  metricInfo,
  metricNames,
  METRICS,
  scopeOf,
} from "../../../lib/metrics/mod.ts";
import { csv, reportLines, reportPage, type StudyReport } from "../../../lib/report/mod.ts";
import { plotsOf } from "../../../sim/study/plots.ts";
import { byVariant, runStudy } from "../../../sim/study/run_study.ts";
import { summarise } from "../../../sim/study/summary.ts";
import { LocalExecutor, studyFrom } from "../../sim/study.ts";

/** A metric that the program does not have. */
const SATISFIED: Metric = {
  unit: "share",
  better: "higher",
  meaning: "requests answered in time, as a share of all",
  run: {
    kind: "ratio",
    count: ({ requests }) => requests.inTime,
    per: ({ requests }) => requests.offered,
  },
  path: "satisfaction.in_time",
  column: { title: "in time", place: 10, rank: 9 },
  paired: true,
};

Deno.test({
  name:
    "METRICS: expectations, the summary, text, JSON, CSV, the page and the documents show a new entry",
  // The plotting library leaves a timer of 16 ms behind, which does nothing.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const table = METRICS as unknown as Record<string, Metric>;
    table.satisfied = SATISFIED;
    try {
      const study = studyFrom(`
balancer: {backends: 2}
workload: {arrivals: {poisson: {load: 80%}}, timeout: 60ms}
duration: 10s
replications: 3
compare: {balancer.algorithm: [random, least-connections]}
expect: ["satisfied > 50%", "satisfied[random] < satisfied[least-connections]"]
`);
      const results = byVariant(study, await runStudy(study, new LocalExecutor(study)));
      const report: StudyReport = {
        ...{ lbsim: "1.2.3", scenario: "s.yaml", title: null, seed: 1, digest: "0123456789abcdef" },
        ...summarise(study, results),
      };
      const [variant] = JSON.parse(JSON.stringify(report)).variants;
      const { value } = variant.satisfaction.in_time;
      assert.ok(value > 0.5 && value < 1, `${value}`);
      assert.deepEqual(report.expectations.map(({ holds }) => holds), [true, true, true]);
      assert.ok(report.paired.some(({ metric }) => String(metric) === "satisfied"));
      const shown = `${Math.round(100 * value)} %`;
      const lines = reportLines(report, { color: false, columns: 150 });
      assert.match(lines.find((line) => line.startsWith("variant"))!, / in time$/);
      assert.ok(lines.find((line) => line.startsWith("random"))!.endsWith(shown));
      assert.match(csv(report), /,satisfied,satisfied_low,satisfied_high,/);
      const page = await reportPage(report, {
        ...{ plots: plotsOf(study, results), scenario: "", command: "", source: [] },
      });
      assert.ok(page.includes(`<td data-head="in time">${shown}</td>`));
      const { text } = GENERATED_PARTS.find(({ name }) => name === "metrics")!;
      assert.ok(text().includes(`| \`satisfied\` | % | higher | ${SATISFIED.meaning} |`));
    } finally {
      delete table.satisfied;
    }
  },
});

Deno.test("METRICS: each metric can be read from a run, a backend or a fault, as its scope says", () => {
  for (const name of metricNames()) {
    const scope = scopeOf(name);
    if (scope === "backend") assert.throws(() => definitionOf(name), RangeError, name);
    else assert.ok(definitionOf(name));
    if (scope === "run") assert.throws(() => definitionOf(name, "B1"), RangeError, name);
    else assert.ok(definitionOf(name, "B1"));
  }
  for (const name of backendMetrics()) {
    const { path, backend } = metricInfo(name);
    assert.ok(backend !== undefined && (scopeOf(name) === "either" || path === undefined), name);
  }
});
