/** Makes the worksheets of the lab from docs/lab.md: one page of HTML, made for printing. */

const STYLE = `
:root { color-scheme: light; }
body { font: 11pt/1.4 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
code { font-size: 0.9em; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { border: 1px solid #555; padding: 0.3rem 0.5rem; height: 1.6rem; text-align: left; }
th:not(:first-child), td:not(:first-child) { width: 17%; }
p, li, tr { break-inside: avoid; }
.line { border-bottom: 1px solid #999; height: 2rem; }
.name { display: flex; gap: 2rem; }
.name span { flex: 1; border-bottom: 1px solid #999; }
@media print {
  @page { size: A4; margin: 18mm; }
  body { margin: 0; max-width: none; padding: 0; }
  section { break-before: page; }
  section:first-of-type { break-before: auto; }
}
`;

/** The worksheets as HTML, from the text of docs/lab.md. */
export function worksheets(lab: string): string {
  const lessons = lab.split(/^## /m).slice(1);
  return `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>lbsim: worksheets of the lab</title>
<style>${STYLE.replaceAll("\n", " ").trim()}</style>
<h1>Worksheets of the lab</h1>
<p class="name"><span>Name</span><span>Date</span></p>
<p>The lab is in docs/lab.md. Write down your predictions before you run a command.</p>
${lessons.map(sheet).join("\n")}
</html>
`;
}

function sheet(lesson: string): string {
  const [title = "", ...rest] = lesson.split("\n");
  const body = rest.join("\n");
  const [, questions] = /\*\*Questions\*\*\n\n([^]*?)\n\n\[Answers\]/.exec(body) ?? [];
  if (questions === undefined) {
    return section(title, items(body).map((item) => question(item, 3)));
  }
  return section(title, [
    `<h3>Predict</h3>\n<p>${inline(paragraph(body, "Predict"))}</p>\n${lines(4)}`,
    `<h3>Measure</h3>\n${commands(body, "Run")}${table(body)}`,
    `<h3>Change</h3>\n<p>Change ${inline(paragraph(body, "Change"))}</p>\n${lines(4)}`,
    `<h3>Questions</h3>`,
    ...items(questions).map((item) => question(item, 4)),
  ]);
}

function section(title: string, parts: readonly string[]): string {
  return `<section>\n<h2>${inline(title)}</h2>\n${parts.join("\n")}\n</section>`;
}

/** The text after `**NAME**`, up to an empty line. */
function paragraph(body: string, name: string): string {
  const [, text] = new RegExp(`\\*\\*${name}\\.?\\*\\*([^]*?)\\n\\n`).exec(body) ?? [];
  if (text === undefined) throw new Error(`a lesson has no paragraph "${name}"`);
  return text.trim().replace(/:$/, ".");
}

/** The commands of the block that follows `**NAME.**`. */
function commands(body: string, name: string): string {
  const [, block] = new RegExp(`\\*\\*${name}\\.\\*\\*\\n\\n\`\`\`sh\\n([^]*?)\`\`\``).exec(body) ??
    [];
  if (block === undefined) throw new Error(`a lesson has no commands after "${name}"`);
  return block.trim().split("\n").map((line) => `<p><code>${escaped(line)}</code></p>\n`).join("");
}

/** The table to fill in: its columns, then the first cell of each row. */
function table(body: string): string {
  const [, text] = /<!-- worksheet: ([^]*?) -->/.exec(body) ?? [];
  if (text === undefined) throw new Error("a lesson has no table to fill in");
  const [head = "", ...rows] = text.replaceAll(/\s+/g, " ").split("; ");
  const columns = head.split(" | ");
  const empty = "<td></td>".repeat(columns.length - 1);
  return [
    "<table>",
    `<tr>${columns.map((column) => `<th>${escaped(column)}</th>`).join("")}</tr>`,
    ...rows.map((row) => `<tr><td>${escaped(row)}</td>${empty}</tr>`),
    "</table>",
  ].join("\n");
}

/** The items of a numbered list, each with its number. */
function items(text: string): string[] {
  return text.split(/^(?=\d+\. )/m).filter((item) => /^\d/.test(item)).map((item) => item.trim());
}

/** A question with space for its answer. The steps of a question, a list in the list, begin new lines. */
function question(item: string, space: number): string {
  const steps = item.split(/\n +(?=\d+\. )/);
  return `<p>${steps.map(inline).join("<br>")}</p>\n${lines(space)}`;
}

function lines(count: number): string {
  return `<div class="line"></div>`.repeat(count);
}

/** Converts Markdown within a paragraph: bold text, code, and links, of which only the text stays. */
function inline(text: string): string {
  return escaped(text.replaceAll(/\s+/g, " "))
    .replaceAll(/\[([^\]]+)\]\([^)]+\)/g, "$1")
    .replaceAll(/\*\*([^*]+)\*\*/g, "<b>$1</b>")
    .replaceAll(/`([^`]+)`/g, "<code>$1</code>");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
