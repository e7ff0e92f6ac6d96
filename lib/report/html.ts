/** A study's result as one page without other files. */
import { plain, secondsTaken } from "./format.ts";
import { escape } from "./markup.ts";
import { bothSheets, document, listOf, tableOf } from "./page_parts.ts";
import {
  commonScales,
  coursePlot,
  healthPlot,
  latencyPlot,
  loadPlot,
  queuePlot,
  type Scales,
  scalesOf,
  type VariantPlots,
} from "./plots.ts";
import { backendHeads, backendRow, mainColumns, THEORY_HEADS, theoryRows } from "./tables.ts";
import { heading, verdicts, warnings } from "./text.ts";
import type { FaultMedians, StudyReport, VariantReport } from "./types.ts";

/** The parts of the page besides the numbers. */
export interface PageDetails {
  readonly plots: readonly VariantPlots[];
  /** The medians of times: for each variant, a list with an entry for each fault. */
  readonly medians?: readonly (readonly FaultMedians[])[] | undefined;
  /** The scenario, as it was written. */
  readonly scenario: string;
  /** The command that gives the same result. */
  readonly command: string;
  readonly watch?: string | undefined;
  readonly source: readonly string[];
  /** The date of the report, as YYYY-MM-DD. Left out if the same result must have the same bytes. */
  readonly date?: string | undefined;
}

/** The page as HTML. The same result gives the same bytes. */
export async function reportPage(report: StudyReport, details: PageDetails): Promise<string> {
  const { plots, medians, scenario, command, watch, source, date } = details;
  const title = report.title ?? report.scenario;
  const common = commonScales(plots);
  // Plots are drawn one after the other, because a plot takes memory only while it is drawn.
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
  return document(
    title,
    `<p class="facts">${escape(facts(report, date))}</p>
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
`,
  );
}

/** The facts about the run: load, replications, seed, version, and the date if it is known. */
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
    tableOf(heads, rows),
    listOf(variants.flatMap(warnings), "warning"),
    listOf(verdicts(report), "good"),
    kept.length === 0 ? "" : `<h2 id="expected">Expected</h2><ul>${kept.join("")}</ul>`,
  ].join("\n");
}

function theorySection({ variants }: StudyReport): string {
  const rows = theoryRows(variants);
  if (rows.length === 0) return "";
  return '<h2 id="theory">Comparison with theory</h2>' + tableOf(THEORY_HEADS, rows);
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
    (detection_ms.missing > 0 ? ` (not in ${detection_ms.missing} of the runs)` : ""),
    failback_ms === null ? "–" : secondsTaken(failback_ms, medians?.[i]?.failback_ms),
  ]);
  return tableOf(["backend", ...backendHeads()], backends.map(backendRow)) +
    (found.length === 0
      ? ""
      : tableOf(["fault", "at", "detected after, s", "back after, s"], found));
}

/** The text of a source; if the source is a web address, as a link. */
function link(text: string): string {
  const shown = escape(text);
  return /^https:\/\/\S+$/.test(text) ? `<a href="${shown}">${shown}</a>` : shown;
}
