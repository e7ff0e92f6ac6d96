/** The parts that pages of results have in common: pages without other files, for screens of any width. */
import { escape } from "./markup.ts";
import { PLOT_STYLE } from "./plots.ts";
import { NARROW, type Sheet, WIDE } from "./sheet.ts";

/** A part of a page, below a heading that the list of contents names. */
export interface Section {
  readonly id: string;
  readonly heading: string;
  /** HTML. */
  readonly body: string;
}

/** A page with a list of contents. */
export function pageOf(
  { title, facts, sections, foot }: {
    readonly title: string;
    /** What was run, in a line. */
    readonly facts: string;
    readonly sections: readonly Section[];
    readonly foot: string;
  },
): string {
  const contents = sections.map(({ id, heading }) =>
    `<li><a href="#${id}">${escape(heading)}</a></li>`
  );
  return document(
    title,
    [
      `<p class="facts">${escape(facts)}</p>`,
      `<nav aria-label="Contents"><ul>${contents.join("")}</ul></nav>`,
      ...sections.map(({ id, heading, body }) => `<h2 id="${id}">${escape(heading)}</h2>\n${body}`),
      `<p class="small">${escape(foot)}</p>\n`,
    ].join("\n"),
  );
}

/**
 * A whole page.
 *
 * @param body HTML, below the title.
 */
export function document(title: string, body: string): string {
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
${body}</main>
</body>
</html>
`);
}

/** The chart library numbers the styles of all plots of a process. Here the numbers start again for each page. */
export function withStableNames(page: string): string {
  const names = new Map<string, string>();
  return page.replaceAll(/\bzr\d+-[a-z]+-?\d+\b/g, (name) => {
    const known = names.get(name) ?? `plot-${names.size}`;
    names.set(name, known);
    return known;
  });
}

/** A plot with its caption. */
export function figureOf(caption: string, plots: string): string {
  return `<figure>${plots}<figcaption>${escape(caption)}</figcaption></figure>`;
}

/** A plot for a wide screen and one for a phone. The page shows the one that fits the width of the screen. */
export async function bothSheets(draw: (sheet: Sheet) => Promise<string>): Promise<string> {
  return `<div class="wide">${await draw(WIDE)}</div><div class="narrow">${await draw(
    NARROW,
  )}</div>`;
}

/** A table of texts. On a narrow screen each row is a block, whose cells name their column. */
export function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string {
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

/** A list of sentences, in the colour of their kind; nothing if there are none. */
export function listOf(lines: readonly string[], kind: "good" | "warning"): string {
  if (lines.length === 0) return "";
  return `<ul class="${kind}">${lines.map((line) => `<li>${escape(line)}</li>`).join("")}</ul>`;
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
