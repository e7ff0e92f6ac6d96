import { escapeText, UserError } from "../base/mod.ts";

/** A mistake in a file: what is wrong, where, and what would be right. */
export interface Diagnostic {
  readonly message: string;
  /** What would be right; absent if the message is sufficient. */
  readonly hint?: string | undefined;
  /** The place of the mistake; absent if it concerns the whole file. */
  readonly at?: Span | undefined;
}

/** A place in a text: offsets in UTF-16 code units, `end` not included. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The error for a file with mistakes. Its message shows all of them with their places. */
export class DiagnosticsError extends UserError {
  override readonly name = "DiagnosticsError";
  readonly diagnostics: readonly Diagnostic[];
  readonly #source: Source;

  /** Files that the text names: the cause of a mistake may be in one of them. */
  readonly files: readonly string[];

  /** @param options The number of further mistakes, the exit code of the process, and the named files. */
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

  /** The diagnostics for programs, each with its line and column (counted from 1) if it has a place. */
  located(): readonly LocatedDiagnostic[] {
    return this.diagnostics.map(({ message, hint, at }) => ({
      message: shown(message),
      ...hint !== undefined && { hint: shown(hint) },
      ...at !== undefined && position(this.#source.text, at.start),
    }));
  }
}

/** A diagnostic in the output of `--json`. */
export interface LocatedDiagnostic {
  readonly message: string;
  readonly hint?: string;
  readonly line?: number;
  readonly column?: number;
}

/** The text to which diagnostics refer. */
export interface Source {
  /** The file's name, as the user gave it. */
  readonly file: string;
  readonly text: string;
}

/** Line and column of an offset, both counted from 1. A surrogate pair is one column. */
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

/**
 * The number of characters of a line that are read on each side of a place. This is more than are shown, because a
 * password may begin before the visible part.
 */
const LINE_MAX = 4000;
/** A longer message is shortened, because it may quote a very long value. */
const MESSAGE_MAX = 400;

function shown(message: string): string {
  const safe = withoutPasswords(message.slice(0, LINE_MAX));
  if (message.length <= MESSAGE_MAX) return safe;
  return `${safe.slice(0, MESSAGE_MAX / 2)}…${
    withoutPasswords(message.slice(-LINE_MAX)).slice(-MESSAGE_MAX / 2)
  }`;
}

/**
 * Hides passwords, because a diagnostic may be logged: `redis://user:******@host`. A text of more than 1000 characters
 * is hidden even if no `@` follows, because the text may have been cut before the `@`.
 */
export function withoutPasswords(text: string): string {
  return text.replaceAll(
    /(?<=[a-z]:\/\/[^\s/@:]*:)(?:\S{1,1000}(?=@)|\S{1001,})/g,
    "******",
  );
}

/** The part of a long line that fits, and the terminal column of the offset in it. */
function excerpt(line: string, offset: number): { shown: string; indent: number } {
  const from = offset > 80 ? offset - 40 : 0;
  const head = printable(line.slice(from, offset));
  const lead = from > 0 ? "…" : "";
  const rest = printable(line.slice(offset, offset + 80));
  const tail = line.length > offset + 80 ? "…" : "";
  return { shown: lead + head + rest + tail, indent: width(lead + head) };
}

/** Text of a file in printable form. Tabs become spaces, because their width depends on the terminal. */
function printable(text: string): string {
  return escapeText(text.replaceAll("\t", "  "));
}

/** The width of a printable text in terminal columns: East Asian wide characters and emoji take two. */
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
