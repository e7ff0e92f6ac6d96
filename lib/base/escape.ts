/**
 * Escapes text from outside (a backend's answer, a store's error, a file's name or content) before it is written to a
 * terminal or a log. Such text must not move the cursor, change the order of the visible text, or begin a line.
 */

/**
 * The control characters C0, DEL and C1; the marks, embeddings, overrides and isolates that change the
 * direction of text; and the separators at which some viewers begin a line.
 */
const UNSAFE = // deno-lint-ignore no-control-regex -- this expression looks for control characters
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const ALL_UNSAFE = new RegExp(UNSAFE, "g");

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Makes text safe to show within a line: characters that could act on a terminal are written like `
`, `\u001b` and `\u202e`. */
export function escapeText(text: string): string {
  return UNSAFE.test(text) ? text.replaceAll(ALL_UNSAFE, escaped) : text;
}

/** Like `escapeText`, but the line breaks stay. */
export function escapeLines(text: string): string {
  return text.split("\n").map(escapeText).join("\n");
}

/** JSON on one line that is safe to show: a parser reads the same value from it. */
export function escapedJson(value: unknown): string {
  return escapeText(JSON.stringify(value));
}

/** A copy of the value in which all text, also that of keys, is escaped, so that it is safe to print on one line. */
export function escapeAll<T>(value: T): T {
  return mapped(value) as T;
}

function mapped(value: unknown): unknown {
  if (typeof value === "string") return escapeText(value);
  if (Array.isArray(value)) return value.map(mapped);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [escapeText(key), mapped(part)]),
  );
}

function escaped(character: string): string {
  return SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
