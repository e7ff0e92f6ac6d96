import { escapeText, UserError } from "../base/mod.ts";

/** Something wrong in a file: what, where, and what would be right. */
export interface Diagnostic {
  readonly message: string;
  /** What would be right; absent when the message says it all. */
  readonly hint?: string | undefined;
  /** Where; absent when it is about the file as a whole. */
  readonly at?: Span | undefined;
}

/** A place in a text: offsets in UTF-16 code units, `end` not included. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A file with mistakes in it. Its message shows them, with their places. */
export class DiagnosticsError extends UserError {
  override readonly name = "DiagnosticsError";
  readonly diagnostics: readonly Diagnostic[];
  readonly #source: Source;

  /** Files that the text names: some of what is wrong may be in them. */
  readonly files: readonly string[];

  /** @param options How many more there are than these, what the process exits with, and the files. */
  constructor(
    diagnostics: readonly Diagnostic[],
    source: Source,
    { more = 0, exitCode = 2, files = [] }: {
      readonly more?: number;
      readonly exitCode?: 1 | 2;
      readonly files?: readonly string[];
    } = {},
  ) {
    const sorted = diagnostics.toSorted((a, b) => (a.at?.start ?? -1) - (b.at?.start ?? -1));
    const all = more === 0
      ? sorted
      : [...sorted, { message: `and at least ${more} more mistakes` }];
    super(all.map((diagnostic) => render(diagnostic, source)).join("\n\n"), { exitCode });
    this.diagnostics = all;
    this.files = files;
    this.#source = source;
  }

  /** The diagnostics for programs: each with its line and column, from 1, if it has a place. */
  located(): readonly LocatedDiagnostic[] {
    return this.diagnostics.map(({ message, hint, at }) => ({
      message: shown(message),
      ...hint !== undefined && { hint: shown(hint) },
      ...at !== undefined && position(this.#source.text, at.start),
    }));
  }
}

/** A diagnostic as `--json` tells it. */
export interface LocatedDiagnostic {
  readonly message: string;
  readonly hint?: string;
  readonly line?: number;
  readonly column?: number;
}

/** The text that diagnostics point into. */
export interface Source {
  /** The file's name, as the user gave it. */
  readonly file: string;
  readonly text: string;
}

/** Line and column of an offset, both from 1; a column is a character as people count them. */
export function position(text: string, offset: number): { line: number; column: number } {
  const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
  let line = 1;
  for (let i = text.indexOf("\n"); i !== -1 && i < offset; i = text.indexOf("\n", i + 1)) line++;
  let column = 1;
  for (let i = lineStart; i < offset; i++) if (!isTrailSurrogate(text.charCodeAt(i))) column++;
  return { line, column };
}

function isTrailSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/**
 * A diagnostic as it is shown:
 *
 * ```text
 * config.yaml:3:12: unknown algorithm "round-robbin"
 *   3 | algorithm: round-robbin
 *     |            ^^^^^^^^^^^^
 *   did you mean "round-robin"?
 * ```
 */
export function render(diagnostic: Diagnostic, source: Source): string {
  const { at } = diagnostic;
  const file = escapeText(source.file);
  const message = escapeText(shown(diagnostic.message));
  const hint = diagnostic.hint && `  ${escapeText(shown(diagnostic.hint))}`;
  if (at === undefined) {
    return [`${file}: ${message}`, ...hint ? [hint] : []].join("\n");
  }
  const { text } = source;
  const { line, column } = position(text, at.start);
  const lineStart = Math.max(text.lastIndexOf("\n", at.start - 1) + 1, at.start - LINE_MAX);
  const newline = text.indexOf("\n", at.start);
  const lineEnd = Math.min(newline === -1 ? text.length : newline, at.start + LINE_MAX);
  const part = (start: number, end: number) => withoutPasswords(text.slice(start, end));
  const full = part(lineStart, lineEnd).replace(/\r$/, "");
  const { shown: excerptOfLine, indent } = excerpt(full, part(lineStart, at.start).length);
  const marked = part(at.start, Math.min(at.end, lineEnd)).replace(/\r$/, "").slice(0, 60);
  const carets = "^".repeat(Math.min(Math.max(width(printable(marked)), 1), 60));
  const gutter = String(line);
  return [
    `${file}:${line}:${column}: ${message}`,
    `  ${gutter} | ${excerptOfLine}`,
    `  ${" ".repeat(gutter.length)} | ${" ".repeat(indent)}${carets}`,
    ...hint ? [hint] : [],
  ].join("\n");
}

/** As much of a line as is looked at on each side of a place: more than is shown, for a password may begin there. */
const LINE_MAX = 4000;
/** A message may quote a value that has no end. */
const MESSAGE_MAX = 400;

function shown(message: string): string {
  const safe = withoutPasswords(message.slice(0, LINE_MAX));
  if (message.length <= MESSAGE_MAX) return safe;
  return `${safe.slice(0, MESSAGE_MAX / 2)}…${
    withoutPasswords(message.slice(-LINE_MAX)).slice(-MESSAGE_MAX / 2)
  }`;
}

/** A diagnostic may go to a log: of `redis://user:password@host` it shows `redis://user:******@host`. */
export function withoutPasswords(text: string): string {
  return text.replaceAll(
    /(?<=[a-z]:\/\/[^\s/@:]*:)\S{1,1000}(?=@)/g,
    "******",
  );
}

/** As much of a long line as fits, and how far into it the offset is, in terminal columns. */
function excerpt(line: string, offset: number): { shown: string; indent: number } {
  const from = offset > 80 ? offset - 40 : 0;
  const head = printable(line.slice(from, offset));
  const lead = from > 0 ? "…" : "";
  const rest = printable(line.slice(offset, offset + 80));
  const tail = line.length > offset + 80 ? "…" : "";
  return { shown: lead + head + rest + tail, indent: width(lead + head) };
}

/** Text of a file as it is shown; a tab would have another width on each terminal. */
function printable(text: string): string {
  return escapeText(text.replaceAll("\t", "  "));
}

/** Columns that a printable text takes on a terminal: East Asian wide characters and emoji take two. */
function width(text: string): number {
  let columns = 0;
  for (const character of text) {
    if (/\p{Mark}|\u200d/u.test(character)) continue;
    columns += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/u
        .test(character) || /\p{Emoji_Presentation}/u.test(character)
      ? 2
      : 1;
  }
  return columns;
}
