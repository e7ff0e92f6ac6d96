/** YAML syntax errors in plain words. The parser's own messages need knowledge of its grammar. */
import type { Document } from "yaml";
import type { Diagnostic, Span } from "./diagnostic.ts";

type SyntaxError = Document.Parsed["errors"][number];

/** Places of opening brackets and quotes: the parser notices only later that one is not closed. */
export interface Openings {
  /** The first bracket that is not closed, or is closed by one of the other kind. */
  readonly bracket: Span | undefined;
  /** The last text in quotes. */
  readonly quote: Span | undefined;
}

/** A mistake, and what would be right. */
interface Words {
  readonly message: string;
  readonly hint?: string | undefined;
  /** A better place than the parser's. */
  readonly at?: Span | undefined;
}

/** A message of the parser, and the words that replace it. */
type Rule = readonly [said: RegExp, words: Words | ((place: Place) => Words)];

/** The place at which the parser noticed a mistake. */
interface Place {
  readonly said: RegExpExecArray;
  /** From the mistake to the end of its line. */
  readonly rest: string;
  /** The part of the line before the mistake. */
  readonly before: string;
  readonly openings: Openings;
}

const COLUMNS: Words = {
  message: "this line begins in another column than the lines to which it belongs",
  hint: "the keys of one group, and the items of one list, begin in the same column",
};
const COMMA: Words = {
  message: "a comma is missing between two items",
  hint: 'items in brackets are separated by commas; text with ": " in it goes in quotes',
};
const NOT_CLOSED = "a bracket is not closed";
const COLON = "a key and its value are written like `retries: 3`";
const AFTER_VALUE = "begin a new line for the next key, or put quotes around the whole text";

const RULES: readonly Rule[] = [
  [/^Flow (sequence|map)\b.* end with a (.)$/, ({ said, openings }) => {
    const [open, what] = said[1] === "map" ? ["{", "group"] : ["[", "list"];
    return {
      message: openings.bracket === undefined ? NOT_CLOSED : `no ${said[2]} closes this ${open}`,
      hint: `add the ${said[2]}; each line of the ${what} is indented deeper than its key`,
      at: openings.bracket,
    };
  }],
  [/^Missing closing (.)/, ({ said, openings }) => ({
    message: `no ${said[1]} ends this text`,
    hint: `add the ${said[1]} at the end of the text`,
    at: openings.quote,
  })],
  [/^Block collections are not allowed within flow/, COMMA],
  [/^Missing , (or : )?between flow/, COMMA],
  [/^Unexpected (,|empty item) in flow/, {
    message: "there is nothing between two commas",
    hint: "remove one of them",
  }],
  [/^Unexpected flow-(seq|map)-end token/, ({ said }) => ({
    message: `this ${said[1] === "seq" ? "]" : "}"} closes nothing`,
    hint: "remove it, or add the bracket that it closes",
  })],
  [/^Nested mappings are not allowed/, ({ rest }) =>
    /:(\s|$)/.test(rest)
      ? {
        message: 'there is a second ": " in this line',
        hint: 'text with ": " in it goes in quotes',
      }
      : {
        message: "the next line is indented deeper than its key, as if it belonged to this value",
        hint: COLUMNS.hint,
      }],
  [/^Unexpected block-seq-ind on same line/, {
    message: "a list with dashes begins on the line after its key",
    hint: "begin a new line before the dash, or write the list in brackets, like [a, b]",
  }],
  [
    /^Sequence item without - indicator|start at the same column|^A block sequence may not/,
    COLUMNS,
  ],
  [/^Implicit (map )?keys need to be/, ({ rest }) =>
    rest.startsWith("- ")
      ? {
        message: "an item of a list stands where a key is expected",
        hint: "a list begins below its own key, like `backends:`",
      }
      : { message: "a colon is missing after the key", hint: COLON }],
  [
    / at node end$/,
    ({ before }) =>
      before.trim() === ""
        ? COLUMNS
        : { message: "there is more text after the end of the value", hint: AFTER_VALUE },
  ],
  [/^Plain value cannot start with .*(.)$/, ({ said }) => ({
    message: `text cannot begin with ${said[1]} unless it is in quotes`,
  })],
  [/^Invalid escape sequence (.*)$/, ({ said }) => ({
    message: `${said[1]} has no meaning in double quotes`,
    hint: "write \\\\ for a backslash, or put the text in single quotes",
  })],
  [/^Comments must be separated/, {
    message: "a space is missing before the #",
    hint: "a comment begins with a space and a #; text with a # in it goes in quotes",
  }],
  [/^Block scalar header includes extra/, {
    message: "on this line nothing may follow | or >",
    hint: "the text begins on the next line",
  }],
  [/^Block scalar values in collections must be indented/, {
    message: "this line belongs to the text after | or >, and is not indented",
    hint: "indent it with spaces, deeper than its key",
  }],
  [/directives-end/, {
    message: "lines that begin with % are instructions to the YAML parser, and lbsim supports none",
    hint: "remove them",
  }],
  [/^(Alias|Anchor) cannot be an empty/, ({ said }) => {
    const sign = said[1] === "Alias" ? "*" : "&";
    return {
      message: `a name is missing after ${sign}`,
      hint: `the text ${sign} goes in quotes: "${sign}"`,
    };
  }],
  [/at most one (anchor|tag)$/, ({ said }) => ({
    message: `a value can have only one ${said[1]}`,
    hint: "text that begins with & or ! goes in quotes",
  })],
  [/\b[Tt]ags?\b/, {
    message: "this tag is not valid",
    hint: "text that begins with ! goes in quotes",
  }],
  [/^Tabs are not allowed/, { message: "a tab is used to indent", hint: "use spaces" }],
];

/** The words for all other mistakes. */
const OTHER: Words = {
  message: "this text does not follow the rules of YAML",
  hint: "text with special characters goes in quotes",
};

/** The diagnostic for a syntax error, at the place that must be changed. */
export function inPlainWords(error: SyntaxError, text: string, openings: Openings): Diagnostic {
  const { message, pos: [start, end], code } = error;
  const at = { start, end: Math.max(end, start + 1) };
  if (code === "RESOURCE_EXHAUSTION") {
    return { message: "not valid YAML for lbsim: lists or groups are nested too deep", at };
  }
  const [first = ""] = message.split("\n");
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  const before = text.slice(lineStart, start);
  const [rest = ""] = text.slice(start, start + 200).split("\n");
  for (const [pattern, rule] of RULES) {
    const said = pattern.exec(first);
    if (said === null) continue;
    const words = typeof rule === "function" ? rule({ said, rest, before, openings }) : rule;
    return diagnostic(words, at, quotesNeeded(text, start));
  }
  return diagnostic(OTHER, at, quotesNeeded(text, start));
}

function diagnostic({ message, hint, at: better }: Words, at: Span, quotes?: string): Diagnostic {
  return { message: `not valid YAML: ${message}`, hint: quotes ?? hint, at: better ?? at };
}

/** A hint for the most frequent mistake: a text that YAML reads as something else. */
function quotesNeeded(text: string, start: number): string | undefined {
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  const line = text.slice(lineStart, lineStart + 200).split("\n")[0]!;
  const bracketed = /[\w-]+:\s+(\[[0-9a-f:.]*:[0-9a-f:.]*\]:\d+)\s*(?:[,}#].*)?$/i.exec(line)?.[1];
  if (bracketed !== undefined) return `an address in brackets goes in quotes: "${bracketed}"`;
  const [reserved] = /^[@`%][^\s,\]}]*/.exec(text.slice(start, start + 100)) ?? [];
  if (reserved !== undefined) {
    return `text that begins with ${reserved[0]} goes in quotes: ${JSON.stringify(reserved)}`;
  }
  const spaced = /^\s*(?:- )?[\w-]+:\s+([\w.-]+): (\d+)\s*$/.exec(line);
  if (spaced !== null) return `no space before the port: ${spaced[1]}:${spaced[2]}`;
  return undefined;
}
