import assert from "node:assert/strict";
import { csv } from "../../../lib/report/csv.ts";
import { large, percent, plain, plusMinus, secondsTaken } from "../../../lib/report/format.ts";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { reportPage } from "../../../lib/report/html.ts";
import {
  commonScales,
  coursePlot,
  healthPlot,
  loadPlot,
  queuePlot,
  scalesOf,
} from "../../../lib/report/plots.ts";
import { NARROW } from "../../../lib/report/sheet.ts";
import { reportLines, verdicts } from "../../../lib/report/text.ts";
import type { ComparisonReport, StudyReport } from "../../../lib/report/types.ts";
import { plotsOf } from "../../../sim/study/plots.ts";
import { byVariant, runStudy } from "../../../sim/study/run_study.ts";
import { summarise } from "../../../sim/study/summary.ts";
import { LocalExecutor, studyFrom } from "../../sim/study.ts";

const STUDY = studyFrom(`
title: "Two <b>choices</b>"
balancer: {backends: 3}
duration: 20s
replications: 3
workload: {arrivals: {poisson: {load: 60%}}, timeout: 1s}
faults: [{at: 4s, for: 8s, backend: B1, kind: crash}]
compare: {balancer.algorithm: [random, {name: power-of-two, choices: 3}]}
expect: ["mean_ms < 1s", "mean_ms < 1"]
`);
const RESULTS = byVariant(STUDY, await runStudy(STUDY, new LocalExecutor(STUDY)));
const REPORT: StudyReport = {
  lbsim: "1.2.3",
  scenario: "scenario.yaml",
  title: STUDY.title!,
  seed: 1,
  digest: "0123456789abcdef",
  ...summarise(STUDY, RESULTS),
  wall_s: 2,
  events_per_s: 3_000_000,
};

function text(columns = 100): string[] {
  return reportLines(REPORT, { color: false, columns });
}

Deno.test("reportLines() has a row for each variant, faults, verdicts and expectations", () => {
  const lines = text().join("\n");
  assert.match(lines, /^variant +mean ms .*\nrandom +[\d.]+ ± [\d.]+ .*\npower-of-two choices=3 /m);
  assert.match(lines, /^random +crash of B1 at 4\.00 s +detected after [\d.]+ ± [\d.]+ s/m);
  assert.match(lines, /^power-of-two choices=3 (beats|and) random/m);
  assert.match(lines, /^✓ random: mean_ms < 1s \(/m);
  assert.match(lines, /^✗ random: mean_ms < 1 \(measured: [\d.]+; bound: 1\.00\)$/m);
  assert.match(lines, /^6 runs, [\d,]+ events in 2\.0 s \(3\.0 million a second\); seed 1/m);
});

Deno.test("reportLines() names the interval that ± means, unless it is the 95 % interval", () => {
  const variants = REPORT.variants.map((variant) => ({ ...variant, confidence: 0.99375 }));
  const [heading] = reportLines({ ...REPORT, variants }, { color: false, columns: 100 });
  assert.match(heading!, /3 replications of each variant; ± is a 99\.4 % interval$/);
  assert.match(text()[0]!, /of each variant$/);
});

Deno.test("reportLines() says what is simulated, and shows all backends of all variants on demand", () => {
  const backends = Array.from({ length: 20 }, (_, i) => ({
    ...REPORT.variants[0]!.backends[0]!,
    id: `B${i + 1}`,
  }));
  const variants = ["a", "b", "c", "d", "e"].map((name) => ({
    ...REPORT.variants[0]!,
    name,
    backends,
  }));
  const options = { color: false, columns: 100 };
  const short = reportLines({ ...REPORT, variants }, options).join("\n");
  assert.doesNotMatch(short, /^B20 /m);
  const about = ["Poisson arrivals", "Look at B1."];
  const lines = reportLines({ ...REPORT, variants }, { ...options, details: true, about });
  assert.deepEqual(lines.slice(1, 3), about);
  assert.equal(lines.filter((line) => line.startsWith("B20 ")).length, 5);
});

Deno.test("verdicts() gives a difference of shares in percentage points", () => {
  const comparison = { best: "a", other: "b", metric: "errors", confidence: 0.95 } as const;
  const lower = { value: 0.005, low: 0.004, high: 0.006 };
  assert.deepEqual(
    verdicts({
      ...REPORT,
      comparisons: [{
        ...comparison,
        best_value: 0.055,
        other_value: 0.06,
        verdict: "beats",
        lower,
      }],
    }),
    ["a beats b: errors 5.5 % instead of 6.0 %, 0.500 percentage points lower"],
  );
});

Deno.test("verdicts() says whether a p99 is higher or lower", () => {
  const comparison = { best: "a", other: "b", metric: "p99_ms", confidence: 0.95 } as const;
  const values = { best_value: 30, other_value: 20 };
  const lower = { value: -0.5, low: -0.75, high: 0.1 };
  const verdict = "cannot be told apart";
  assert.deepEqual(
    verdicts({ ...REPORT, comparisons: [{ ...comparison, ...values, verdict, lower }] }),
    ["a and b cannot be told apart: p99 30.0 and 20.0 ms, 50 % higher (−10 to 75 %)"],
  );
});

Deno.test("plusMinus() shows +∞ for an interval without an upper end", () => {
  assert.equal(plusMinus({ value: 460, low: 454, high: null }), "460 −6.00 +∞");
  assert.equal(plusMinus({ value: 460, low: null, high: null }), "460");
});

Deno.test("reportLines() leaves out columns that a narrow terminal has no room for", () => {
  const table = (columns: number) => {
    const lines = text(columns);
    const from = lines.findIndex((line) => line.startsWith("variant"));
    return lines.slice(from, from + 3);
  };
  for (const columns of [120, 100, 80, 60]) {
    for (const line of table(columns)) assert.ok(line.length <= columns, `${columns}: ${line}`);
  }
  assert.match(table(150)[0]!, /p90 ms.*p99\.9 ms.*imbalance/);
  assert.match(table(60)[0]!, /mean ms.*p99 ms/);
  assert.doesNotMatch(table(60)[0]!, /p90 ms/);
});

Deno.test("reportLines() uses colours only if its options allow it", () => {
  assert.ok(text().every((line) => !line.includes("\x1b")));
  assert.ok(
    reportLines(REPORT, { color: true, columns: 80 }).some((line) => line.includes("\x1b")),
  );
});

Deno.test("csv() has a line for each variant and a column for each number", () => {
  const [head, ...rows] = csv(REPORT).trimEnd().split("\n").map((line) =>
    [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(([, cell]) => cell!).slice(0, -1)
  );
  assert.equal(rows.length, 2);
  assert.ok(rows.every((row) => row.length === head!.length), "no line is shorter than the first");
  const cell = (row: number, column: string) => rows[row]![head!.indexOf(column)];
  assert.equal(cell(0, "variant"), "random");
  assert.equal(cell(1, "balancer.algorithm"), '"{""name"":""power-of-two"",""choices"":3}"');
  assert.equal(Number(cell(0, "p99_ms_low")), REPORT.variants[0]!.sojourn_ms.p99.low);
  assert.equal(Number(cell(1, "share(B1)")), REPORT.variants[1]!.backends[0]!.share.value);
});

Deno.test("plusMinus(), plain(), percent() and large() show only as many digits as are known", () => {
  const interval = (value: number, half: number) =>
    plusMinus({ value, low: value - half, high: value + half });
  assert.equal(interval(31.4159, 0.62), "31.42 ± 0.62");
  assert.equal(interval(1234.5, 56.7), "1235 ± 57");
  assert.equal(interval(12, 0), "12.0");
  assert.equal(plusMinus({ value: 223, low: 186, high: 414 }), "223 −37 +191");
  assert.equal(plusMinus({ value: 22, low: 20, high: 25 }), "22.0 ± 3.0");
  assert.equal(plusMinus({ value: 5, low: null, high: null }), "5.00");
  assert.equal(plusMinus({ value: null, low: null, high: null }), "–");
  assert.deepEqual([0, 0.1234, 5.678, 43.21, 1234.5].map(plain), [
    ...["0", "0.123", "5.68", "43.2", "1235"],
  ]);
  assert.deepEqual([0, 0.00001, 0.0012, 0.056, 0.5].map(percent), [
    ...["0 %", "0.0010 %", "0.12 %", "5.6 %", "50 %"],
  ]);
  assert.deepEqual([999, 12345, 5_830_000].map(large), ["999", "12,345", "5.8 million"]);
});

Deno.test({
  name: "reportPage() is one page without other files, with its scenario, seed and version",
  // The plotting library leaves a timer of 16 ms behind, which does nothing.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const details = {
      plots: plotsOf(STUDY, RESULTS),
      scenario: STUDY.inputs.scenario.text,
      command: "lbsim sim scenario.yaml --set seed=1",
      watch: "the tail",
      source: ["https://example.org/paper", "a book"],
    };
    const page = await reportPage(REPORT, details);
    assert.equal(await reportPage(REPORT, details), page, "the same result gives the same bytes");
    assert.doesNotMatch(page, /<script|<link|<img|<iframe|@import|url\((?!#)/);
    assert.match(page, /<h1>Two &lt;b&gt;choices&lt;\/b&gt;<\/h1>/);
    assert.equal(
      page.match(/<svg/g)!.length,
      2 * (1 + 2 * 4),
      "latency and four of each variant, twice",
    );
    assert.match(
      page,
      /scenario\.yaml: 3 backends, 60 % load, 3 replications .* seed 1 · lbsim 1\.2\.3</,
    );
    const dated = await reportPage(REPORT, { ...details, date: "2026-11-26" });
    assert.equal(dated.replace(" · 2026-11-26", ""), page, "only the date is added");
    assert.match(page, /prefers-color-scheme: dark/);
    const ids = [...page.matchAll(/<li><a href="#([^"]+)">/g)].map(([, id]) => id);
    assert.deepEqual(
      ids,
      [
        ...[
          "result",
          "expected",
          "latency",
          "theory",
          "variant-1",
          "variant-2",
          "scenario",
          "again",
        ],
      ].filter((id) => id !== "theory" || REPORT.variants.some(({ theory }) => theory.length > 0)),
    );
    for (const id of ids) assert.ok(page.includes(`<h2 id="${id}">`), `${id} is there`);
    assert.match(
      page,
      /<title>4 to [\d.]+ s\nmean latency: [\d.]+ ms\nerrors: \d+\nB1 crash<\/title>/,
    );
    for (const part of ["the tail", "lbsim sim scenario.yaml --set seed=1", "digest", "a book"]) {
      assert.ok(page.includes(part), part);
    }
    assert.match(page, /<a href="https:\/\/example\.org\/paper">/);
  },
});

/** A test that draws. The plotting library leaves a timer of 16 ms behind. */
function testPlots(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn });
}

testPlots("reportPage() plots all variants, even if there are many", async () => {
  const count = 23;
  const named = <T extends object>(value: T) =>
    Array.from({ length: count }, (_, i) => ({ ...value, name: `variant <${i}> of the study` }));
  const variants = named(REPORT.variants[0]!);
  const page = await reportPage({ ...REPORT, variants }, {
    ...{ plots: named(plotsOf(STUDY, RESULTS)[0]!), scenario: "", command: "", source: [] },
  });
  assert.equal(page.match(/<svg/g)!.length, 2 * (1 + count * 4), "for a page and for a phone");
  assert.equal(page.match(/<div class="narrow"><svg width="360"/g)!.length, 1 + count * 4);
  const [latency] = page.match(/<svg[^]*?<\/svg>/)!;
  for (let i = 0; i < count; i++) {
    assert.ok(latency.includes(`>variant &lt;${i}&gt; of the study</text>`));
  }
  const lines = [
    ...latency.matchAll(/<path d="M\S+ \S+h28"[^>]*stroke="([^"]+)" stroke-dasharray="([^"]+)"/g),
  ];
  const styles = lines.map(([, color, dashes]) => `${color} ${dashes}`);
  assert.equal(new Set(styles).size, count, "each has a colour or a line style of its own");
  assertApart(textsOf(latency));
});

testPlots("plots over time: fault labels and legends do not overlap", async () => {
  const [variant] = plotsOf(STUDY, RESULTS);
  const { course } = variant!;
  const long = "a-backend-with-quite-a-long-name";
  const faults = Array.from({ length: 40 }, (_, i) => ({
    ...{ backend: `${long}-${i}`, kind: "fail-rate", at: i * NS_PER_S / 2 },
  }));
  const backends = Array.from({ length: 9 }, (_, i) => ({
    ...course.backends[0]!,
    id: `${long}-${i}`,
  }));
  for (const plot of [coursePlot, loadPlot, healthPlot, queuePlot]) {
    const svg = await plot({
      ...variant!,
      course: { ...course, backends, faults: faults.slice(0, 9) },
    });
    assertApart(textsOf(svg));
    const scales = commonScales([variant!]);
    const crowded = { ...variant!, course: { ...course, backends, faults: faults.slice(0, 4) } };
    assertApart(textsOf(await plot(crowded, scales, NARROW)), NARROW.width);
  }
  assertApart(textsOf(await coursePlot({ ...variant!, course: { ...course, faults } })));
});

testPlots("queuePlot() has at most forty rows, and its scale fits their means", async () => {
  const [variant] = plotsOf(STUDY, RESULTS);
  const { course } = variant!;
  const backends = Array.from({ length: 80 }, (_, i) => ({
    ...course.backends[0]!,
    id: `B${i + 1}`,
    queue: course.meanSojourn.map(() => i === 0 ? 100 : 0),
  }));
  const many = { ...variant!, course: { ...course, backends } };
  assert.equal(commonScales([many]).queue, 50, "the mean of B1 and B2");
  const svg = await queuePlot(many);
  assert.match(svg, /<title>B1 to B2 \(mean\), 0 to [\d.]+ s: 50 in the queue<\/title>/);
  assert.equal(svg.match(/<title>/g)!.length, 40);
});

Deno.test("commonScales() fit all variants, except one with far larger values than the others", () => {
  const [variant] = plotsOf(STUDY, RESULTS);
  const times = (factor: number) => ({
    ...variant!,
    course: {
      ...variant!.course,
      meanSojourn: variant!.course.meanSojourn.map((value) =>
        value === null ? null : value * factor
      ),
    },
  });
  const common = commonScales([times(1), times(2), times(1000)]);
  assert.equal(scalesOf(times(1), common).latency_ms, common.latency_ms);
  assert.equal(scalesOf(times(2), common).latency_ms, common.latency_ms);
  assert.equal(common.latency_ms, commonScales([times(2)]).latency_ms);
  assert.equal(commonScales([times(1), times(0)]).latency_ms, commonScales([times(1)]).latency_ms);
  assert.equal(scalesOf(times(1000), common).latency_ms, commonScales([times(1000)]).latency_ms);
});

interface TextBox {
  readonly content: string;
  readonly x: number;
  readonly y: number;
}

/** The legend and the fault labels of a plot: its texts with their own `x` and `y`. */
function textsOf(svg: string): TextBox[] {
  const found = svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)<\/text>/g);
  return [...found].map(([, x, y, content]) => ({
    content: content!.replaceAll(/&\w+;/g, "<"),
    ...{ x: Number(x), y: Number(y) },
  }));
}

/** No text begins before the one to its left has ended, and none leaves the picture. */
function assertApart(texts: readonly TextBox[], end = 800): void {
  const width = ({ content }: TextBox) => content.length * 7.2;
  for (const text of texts) {
    assert.ok(text.x >= 0 && text.x + width(text) <= end, `${text.content} is within the picture`);
    const right = texts.filter(({ x, y }) => Math.abs(y - text.y) < 14 && x > text.x);
    for (const other of right) {
      assert.ok(text.x + width(text) < other.x, `${text.content} and ${other.content} are apart`);
    }
    assert.equal(texts.filter(({ x, y }) => x === text.x && y === text.y).length, 1, text.content);
  }
}

Deno.test("verdicts() shows ∞ for the end of an interval that is too far away to mean anything", () => {
  const far: ComparisonReport = {
    ...{ best: "a", other: "b", best_value: 10, other_value: 17, confidence: 0.95 },
    metric: "p99_ms",
    verdict: "cannot be told apart",
    lower: { value: 0.42, low: -1e50, high: 0.99 },
  };
  assert.deepEqual(verdicts({ ...REPORT, comparisons: [far] }), [
    "a and b cannot be told apart: p99 10.0 and 17.0 ms, 42 % lower (−∞ to 99 %)",
  ]);
});

Deno.test("secondsTaken() shows the median if the interval of the mean is as wide as the mean", () => {
  const vague = { value: 203_000, low: -32_000, high: 438_000, max: 430_000, missing: 0 };
  assert.equal(secondsTaken(vague, 120_000), "120 (median; at most 430)");
  assert.equal(secondsTaken(vague, 120_000, " s"), "120 s (median; at most 430 s)");
  assert.equal(secondsTaken(vague, undefined, " s"), "203 ± 235 s");
  const clear = { ...vague, value: 2390, low: 1760, high: 3020 };
  assert.equal(secondsTaken(clear, 2400, " s"), "2.39 ± 0.63 s");
});

Deno.test("reportLines() shows the median detection time of a fault if its mean has no meaning", () => {
  const time = { value: 10_000, low: -5000, high: 25_000, max: 31_000, missing: 1 };
  const fault = { backend: "B1", kind: "hang", at_ms: 0, until_ms: null };
  const variant = {
    ...REPORT.variants[0]!,
    faults: [{ ...fault, detection_ms: time, failback_ms: null }],
  };
  const lines = reportLines({ ...REPORT, variants: [variant] }, {
    color: false,
    columns: 100,
    medians: [[{ detection_ms: 5000, failback_ms: null }]],
  });
  assert.ok(
    lines.some((line) =>
      line.endsWith("detected after 5.00 s (median; at most 31.0 s) (not in 1 run)")
    ),
    lines.join("\n"),
  );
});

Deno.test("reportLines() breaks sentences between words for a terminal, and for nothing else", () => {
  const options = { color: false, columns: 60 };
  const about = ["Poisson arrivals, 90 connections/s; service exponential, mean 10ms; 1 slot"];
  const onTerminal = reportLines(REPORT, { ...options, about, proseColumns: 60 });
  for (const line of onTerminal) assert.ok(line.length <= 60, line);
  assert.ok(onTerminal.includes("  mean 10ms; 1 slot"), onTerminal.join("\n"));
  assert.ok(reportLines(REPORT, { ...options, about }).includes(about[0]!));
});
