/** A study's result as one page that needs nothing else. */
import { percent, plain, plusMinus } from "./format.ts";
import {
  coursePlot,
  healthPlot,
  latencyPlot,
  loadPlot,
  queuePlot,
  type VariantPlots,
} from "./plots.ts";
import { verdicts, warnings } from "./text.ts";
import type { StudyReport, VariantReport } from "./types.ts";

/** What the page shows besides the numbers. */
export interface PageDetails {
  readonly plots: readonly VariantPlots[];
  /** The scenario, as it was written. */
  readonly scenario: string;
  /** What to type to get the same result. */
  readonly command: string;
  readonly watch?: string | undefined;
  readonly source: readonly string[];
}

/** More variants than this are not plotted one by one: the page would be hundreds of megabytes. */
const PLOTTED_MAX = 8;

/** The page as HTML. The same result gives the same bytes. */
export async function reportPage(report: StudyReport, details: PageDetails): Promise<string> {
  const { plots, scenario, command, watch, source } = details;
  const title = report.title ?? report.scenario;
  const shown = plots.slice(0, PLOTTED_MAX);
  const sections = await Promise.all(
    shown.map((variant, i) => variantSection(variant, report.variants[i]!)),
  );
  return withStableNames(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
${watch === undefined ? "" : `<p class="watch">${escape(watch)}</p>`}
${resultSection(report)}
<h2>Latency</h2>
<figure>${await latencyPlot(shown)}</figure>
${theorySection(report)}
${sections.join("\n")}
${leftOut(plots.length - shown.length)}
<h2>The scenario</h2>
<pre>${escape(scenario)}</pre>
${source.length === 0 ? "" : `<p>Source: ${source.map(link).join("; ")}</p>`}
<h2>The same again</h2>
<pre>${escape(command)}</pre>
<p class="small">lbsim ${escape(report.lbsim)}, seed ${report.seed}, digest
<code>${report.digest}</code>. ± is a ${
    Number((100 * report.variants[0]!.confidence).toFixed(1))
  } % interval over replications; plots over time show the
first of them.</p>
</main>
</body>
</html>
`);
}

/** Plots name their styles by counters that go on from page to page; here they start anew. */
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
  const rows = variants.map((variant) => [
    variant.name + (variant.name === winner ? " ★" : ""),
    plusMinus(variant.sojourn_ms.mean),
    plain(variant.sojourn_ms.p50.value),
    plain(variant.sojourn_ms.p90.value),
    plusMinus(variant.sojourn_ms.p99),
    plain(variant.sojourn_ms.p999.value),
    plain(variant.sojourn_ms.max.value),
    percent(variant.errors.value),
    plain(variant.goodput_per_s.value),
    plain(variant.imbalance.max_over_mean.value),
  ]);
  const heads = [
    ...["variant", "mean ms", "p50", "p90", "p99 ms", "p99.9", "max"],
    ...["errors", "goodput/s", "imbalance"],
  ];
  const kept = expectations.map(({ text, variant, value, holds, reason = "never" }) =>
    `<li class="${holds ? "good" : "bad"}">${holds ? "holds" : "does not hold"}: ` +
    `<code>${escape(text)}</code> ${variants.length > 1 ? `(${escape(variant)}) ` : ""}` +
    `– ${value === null ? escape(reason) : plain(value)}</li>`
  );
  return [
    table(heads, rows),
    list(variants.flatMap(warnings), "warning"),
    list(verdicts(report), "good"),
    kept.length === 0 ? "" : `<h2>Expected</h2><ul>${kept.join("")}</ul>`,
  ].join("\n");
}

function theorySection({ variants }: StudyReport): string {
  const rows = variants.flatMap(({ name, theory }) =>
    theory.map(({ metric, model, value, measured }) => [
      name,
      model,
      metric,
      metric === "errors" ? percent(value) : plain(value),
      metric === "errors" ? percent(measured.value) : plusMinus(measured),
    ])
  );
  if (rows.length === 0) return "";
  return "<h2>What theory says</h2>" +
    table(["variant", "model", "metric", "theory", "measured"], rows);
}

async function variantSection(plots: VariantPlots, report: VariantReport): Promise<string> {
  const { course } = plots;
  const eventful = course.faults.length > 0 ||
    course.backends.some(({ up }) => up.some((share) => share < 1));
  const figure = (caption: string, svg: string) =>
    `<figure>${svg}<figcaption>${caption}</figcaption></figure>`;
  return [
    `<h2>${escape(report.name)}</h2>`,
    figure("Latency and errors over time", await coursePlot(plots)),
    figure("Load of each backend over time", await loadPlot(plots)),
    figure("Requests in each backend's queue", await queuePlot(plots)),
    eventful ? figure("Faults, and what the balancers made of them", await healthPlot(plots)) : "",
    backendTable(report),
  ].join("\n");
}

function backendTable({ backends, faults }: VariantReport): string {
  const rows = backends.map((backend) => [
    backend.id,
    percent(backend.share.value),
    percent(backend.utilisation.value),
    plain(backend.queue.value),
    plain(backend.in_flight.value),
    percent(backend.down_share.value),
  ]);
  const found = faults.map(({ backend, kind, at_ms, detection_ms, failback_ms }) => [
    `${kind} of ${backend}`,
    `${plain(at_ms / 1000)} s`,
    plusMinus(detection_ms, 0.001) +
    (detection_ms.missing > 0 ? ` (${detection_ms.missing} ×: no)` : ""),
    failback_ms === null ? "–" : plusMinus(failback_ms, 0.001),
  ]);
  return table(["backend", "share", "busy", "queue", "in flight", "down"], rows) +
    (found.length === 0 ? "" : table(["fault", "at", "detected after, s", "back after, s"], found));
}

function leftOut(count: number): string {
  return count <= 0 ? "" : `<p>${count} more variants are in the table above.</p>`;
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]) =>
    `<tr>${row.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="wide"><table><thead>${cells("th", heads)}</thead><tbody>${
    rows.map((row) => cells("td", row)).join("")
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

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
  };
  return text.replaceAll(/[&<>"]/g, (character) => entities[character]!);
}

const STYLE = `
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; }
main { max-width: 920px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.watch { font-size: 1.1rem; color: #444; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; margin: .8rem 0; }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0; } figure svg { width: 100%; height: auto; }
figcaption { color: #555; font-size: .85rem; }
pre { background: #f5f5f2; padding: .8rem; overflow-x: auto; font-size: .85rem; }
.good { color: #00664b; } .bad { color: #a3231f; } .warning { color: #8a5a00; }
.small { color: #555; font-size: .85rem; word-break: break-word; }
`;
