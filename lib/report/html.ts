/** A study's result as one page without other files. */
import { plain, secondsTaken } from "./format.ts";
import { escape } from "./markup.ts";
import {
  commonScales,
  coursePlot,
  healthPlot,
  latencyPlot,
  loadPlot,
  PLOT_STYLE,
  queuePlot,
  type Scales,
  scalesOf,
  type VariantPlots,
} from "./plots.ts";
import { NARROW, type Sheet, WIDE } from "./sheet.ts";
import { backendHeads, backendRow, mainColumns, THEORY_HEADS, theoryRows } from "./tables.ts";
import { heading, verdicts, warnings } from "./text.ts";
import type { FaultMedians, StudyReport, VariantReport } from "./types.ts";

/** What the page shows besides the numbers. */
export interface PageDetails {
  readonly plots: readonly VariantPlots[];
  /** By variant and fault. */
  readonly medians?: readonly (readonly FaultMedians[])[] | undefined;
  /** The scenario, as it was written. */
  readonly scenario: string;
  /** The command that gives the same result. */
  readonly command: string;
  readonly watch?: string | undefined;
  readonly source: readonly string[];
  /** The date of the report, as YYYY-MM-DD. Left out where the same result must have the same bytes. */
  readonly date?: string | undefined;
}

/** The page as HTML. The same result gives the same bytes. */
export async function reportPage(report: StudyReport, details: PageDetails): Promise<string> {
  const { plots, medians, scenario, command, watch, source, date } = details;
  const title = report.title ?? report.scenario;
  const common = commonScales(plots);
  // One after the other, because a plot takes memory only while it is drawn.
  const sections: string[] = [];
  for (const [i, variant] of plots.entries()) {
    sections.push(
      await variantSection(variant, common, report.variants[i]!, variantId(i), medians?.[i]),
    );
  }
  const theory = theorySection(report);
  const contents = [
    ["result", "Result"],
    ...report.expectations.length === 0 ? [] : [["expected", "Expected"]],
    ["latency", "Latency"],
    ...theory === "" ? [] : [["theory", "Comparison with theory"]],
    ...report.variants.map(({ name }, i) => [variantId(i), name]),
    ["scenario", "The scenario"],
    ["again", "How to repeat this"],
  ].map(([id, text]) => `<li><a href="#${id}">${escape(text!)}</a></li>`);
  return withStableNames(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<p class="facts">${escape(facts(report, date))}</p>
${watch === undefined ? "" : `<p class="watch">${escape(watch)}</p>`}
<nav aria-label="Contents"><ul>${contents.join("")}</ul></nav>
${resultSection(report)}
<h2 id="latency">Latency</h2>
<figure>${await bothSheets((sheet) => latencyPlot(plots, sheet))}</figure>
${theory}
${sections.join("\n")}
<h2 id="scenario">The scenario</h2>
<pre>${escape(scenario)}</pre>
${source.length === 0 ? "" : `<p>Source: ${source.map(link).join("; ")}</p>`}
<h2 id="again">How to repeat this</h2>
<pre>${escape(command)}</pre>
<p class="small">lbsim ${escape(report.lbsim)}, seed ${report.seed}, digest
<code>${report.digest}</code>. ± is a ${
    Number((100 * report.variants[0]!.confidence).toFixed(1))
  } % interval over replications; plots over time show the
first of them. All variants have the same scales, except where a caption says otherwise.</p>
</main>
</body>
</html>
`);
}

/** What was run: load, replications, seed, version, and the date if it is known. */
function facts(report: StudyReport, date: string | undefined): string {
  return [
    heading({ ...report, title: null }),
    `seed ${report.seed}`,
    `lbsim ${report.lbsim}`,
    ...date === undefined ? [] : [date],
  ].join(" · ");
}

function variantId(index: number): string {
  return `variant-${index + 1}`;
}

/** The library numbers the styles of all plots of a process; here the numbers start anew for each page. */
export function withStableNames(page: string): string {
  const names = new Map<string, string>();
  return page.replaceAll(/\bzr\d+-[a-z]+-?\d+\b/g, (name) => {
    const known = names.get(name) ?? `plot-${names.size}`;
    names.set(name, known);
    return known;
  });
}

function resultSection(report: StudyReport): string {
  const { variants, expectations, winner } = report;
  const columns = mainColumns();
  const heads = ["variant", ...columns.map(({ title }) => title)];
  const rows = variants.map((variant) => [
    variant.name + (variant.name === winner ? " ★" : ""),
    ...columns.map(({ cell }) => cell(variant)),
  ]);
  const kept = expectations.map(({ text, variant, value, holds, reason = "never" }) =>
    `<li class="${holds ? "good" : "bad"}">${holds ? "holds" : "does not hold"}: ` +
    `<code>${escape(text)}</code> ${variants.length > 1 ? `(${escape(variant)}) ` : ""}` +
    `– ${value === null ? escape(reason) : plain(value)}</li>`
  );
  return [
    `<h2 id="result">Result</h2>`,
    table(heads, rows),
    list(variants.flatMap(warnings), "warning"),
    list(verdicts(report), "good"),
    kept.length === 0 ? "" : `<h2 id="expected">Expected</h2><ul>${kept.join("")}</ul>`,
  ].join("\n");
}

function theorySection({ variants }: StudyReport): string {
  const rows = theoryRows(variants);
  if (rows.length === 0) return "";
  return '<h2 id="theory">Comparison with theory</h2>' + table(THEORY_HEADS, rows);
}

async function variantSection(
  plots: VariantPlots,
  common: Scales,
  report: VariantReport,
  id: string,
  medians: readonly FaultMedians[] | undefined,
): Promise<string> {
  const { course } = plots;
  const scales = scalesOf(plots, common);
  const eventful = course.faults.length > 0 ||
    course.backends.some(({ up }) => up.some((share) => share < 1));
  const figure = (caption: string, plots: string, own: boolean) =>
    `<figure>${plots}<figcaption>${caption}${
      own ? ". <strong>The scale is this variant’s own</strong>" : ""
    }</figcaption></figure>`;
  const ownCourse = scales.latency_ms > common.latency_ms || scales.errors > common.errors;
  return [
    `<h2 id="${id}">${escape(report.name)}</h2>`,
    figure(
      "Latency and errors over time",
      await bothSheets((sheet) => coursePlot(plots, scales, sheet)),
      ownCourse,
    ),
    figure(
      "Load of each backend over time",
      await bothSheets((sheet) => loadPlot(plots, scales, sheet)),
      scales.inFlight > common.inFlight,
    ),
    figure(
      "Requests in each backend's queue",
      await bothSheets((sheet) => queuePlot(plots, scales, sheet)),
      scales.queue > common.queue,
    ),
    eventful
      ? figure(
        "Faults, and the balancers' view of each backend",
        await bothSheets((sheet) => healthPlot(plots, scales, sheet)),
        false,
      )
      : "",
    backendTable(report, medians),
  ].join("\n");
}

function backendTable(
  { backends, faults }: VariantReport,
  medians: readonly FaultMedians[] | undefined,
): string {
  const found = faults.map(({ backend, kind, at_ms, detection_ms, failback_ms }, i) => [
    `${kind} of ${backend}`,
    `${plain(at_ms / 1000)} s`,
    secondsTaken(detection_ms, medians?.[i]?.detection_ms) +
    (detection_ms.missing > 0 ? ` (${detection_ms.missing} ×: no)` : ""),
    failback_ms === null ? "–" : secondsTaken(failback_ms, medians?.[i]?.failback_ms),
  ]);
  return table(["backend", ...backendHeads()], backends.map(backendRow)) +
    (found.length === 0 ? "" : table(["fault", "at", "detected after, s", "back after, s"], found));
}

/** A plot for a page and one for a phone, of which the screen's width shows one. */
async function bothSheets(draw: (sheet: Sheet) => Promise<string>): Promise<string> {
  return `<div class="wide">${await draw(WIDE)}</div><div class="narrow">${await draw(
    NARROW,
  )}</div>`;
}

/** On a narrow screen each row is a block, whose cells name their column. */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((text) => `<th scope="col">${escape(text)}</th>`).join("");
  const body = rows.map((row) =>
    `<tr>${
      row.map((cell, i) => `<td data-head="${escape(heads[i]!)}">${escape(cell)}</td>`).join("")
    }</tr>`
  );
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${
    body.join("")
  }</tbody></table></div>`;
}

function list(lines: readonly string[], kind: string): string {
  if (lines.length === 0) return "";
  return `<ul class="${kind}">${lines.map((line) => `<li>${escape(line)}</li>`).join("")}</ul>`;
}

/** A source that is an address becomes a link to it. */
function link(text: string): string {
  const shown = escape(text);
  return /^https:\/\/\S+$/.test(text) ? `<a href="${shown}">${shown}</a>` : shown;
}

const STYLE = `
:root { color-scheme: light dark; --text: #1a1a1a; --paper: #fff; --soft: #555; --line: #ddd; --box: #f5f5f2;
  --good: #00664b; --bad: #a3231f; --warning: #8a5a00; --link: #0050a0; }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8ea; --paper: #16181c; --soft: #a9acb3; --line: #3a3d44;
  --box: #22252b; --good: #4fd1a5; --bad: #ff8a80; --warning: #f0c060; --link: #8ab8ff; } }
${PLOT_STYLE}
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--paper); }
main { max-width: 1060px; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
a { color: var(--link); }
.watch { font-size: 1.1rem; color: var(--soft); }
.facts { color: var(--soft); }
nav ul { columns: 16rem; padding-left: 1.2rem; margin: 0; font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; margin: .8rem 0; }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: normal; }
figure { margin: 1rem 0; } figure svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .85rem; }
pre { background: var(--box); padding: .8rem; overflow-x: auto; font-size: .85rem; overflow-wrap: normal; }
.good { color: var(--good); } .bad { color: var(--bad); } .warning { color: var(--warning); }
.small { color: var(--soft); font-size: .85rem; word-break: break-word; }
.narrow { display: none; }
@media (max-width: 640px) {
  figure .wide { display: none; } .narrow { display: block; }
  table, tbody, tr, td { display: block; } thead { display: none; }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td, td:first-child { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .1rem 0; white-space: normal; }
  td::before { content: attr(data-head); color: var(--soft); }
  td:first-child { font-weight: bold; }
}
`;
