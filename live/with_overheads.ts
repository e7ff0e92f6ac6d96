/** Writes measured overheads into the text of a scenario. */
import { isMap, isScalar, parseDocument, type YAMLMap } from "yaml";
import { formatDuration } from "../lib/base/mod.ts";
import type { Overheads } from "../lib/scenario/types.ts";

/** A scenario after a change of its overheads. */
export interface WrittenOverheads {
  readonly text: string;
  /** One line for each key, like `overheads.connect: 200us → 231us`. */
  readonly changes: readonly string[];
}

/** The data of a scenario. */
type Scenario = Readonly<Record<string, unknown>> & {
  readonly overheads?: Readonly<Record<string, unknown>>;
};

/** A part of a text, and the text that replaces it. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The text of a scenario with these overheads instead of its old ones. Everything else, including comments, stays as
 * it is. If the YAML has an unusual form, such as everything in one line, its layout may change.
 *
 * @param text A valid scenario.
 */
export function withOverheads(text: string, overheads: Overheads): WrittenOverheads {
  const values: Readonly<Record<string, string>> = {
    connect: formatDuration(overheads.connect),
    relay_connection: formatDuration(overheads.relayConnection),
    relay_request: formatDuration(overheads.relayRequest),
  };
  const document = parseDocument(text);
  const present = document.get("overheads", true);
  const { overheads: before = {}, ...rest } = document.toJS() as Scenario;
  const changes = Object.entries(values).map(([key, value]) =>
    `overheads.${key}: ${before[key] ?? "not set"} → ${value}`
  );
  const edits = editsOf(text, document.contents, present, values);
  const result = edits && edited(text, edits);
  if (result !== undefined && states(result, rest, values)) return { text: result, changes };
  if (!isMap(present)) document.set("overheads", document.createNode({}));
  for (const [key, value] of Object.entries(values)) document.setIn(["overheads", key], value);
  return { text: document.toString({ lineWidth: 0, flowCollectionPadding: false }), changes };
}

/** Whether a text has these overheads, and otherwise this data. */
function states(
  text: string,
  data: unknown,
  overheads: Readonly<Record<string, string>>,
): boolean {
  const document = parseDocument(text);
  if (document.errors.length > 0) return false;
  const { overheads: own, ...rest } = document.toJS() as Scenario;
  return JSON.stringify(rest) === JSON.stringify(data) &&
    Object.entries(overheads).every(([key, value]) => own?.[key] === value);
}

/** The changes of the text, if they are possible without a change of its layout. */
function editsOf(
  text: string,
  root: unknown,
  present: unknown,
  values: Readonly<Record<string, string>>,
): Edit[] | undefined {
  if (isMap(present)) return valueEdits(present, values);
  if (present !== undefined || !isMap(root) || root.flow) return;
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const lines = [
    "overheads:",
    ...Object.entries(values).map(([key, value]) => `  ${key}: ${value}`),
  ];
  const gap = text.endsWith("\n") ? "" : newline;
  const block = lines.map((line) => `${line}${newline}`).join("");
  return [{ start: text.length, end: text.length, text: `${gap}${newline}${block}` }];
}

/** Replaces each value in the old block; undefined if the old block does not have all values. */
function valueEdits(block: YAMLMap, values: Readonly<Record<string, string>>): Edit[] | undefined {
  const edits: Edit[] = [];
  for (const [key, value] of Object.entries(values)) {
    const old = block.get(key, true);
    if (!isScalar(old) || !old.range || old.source === undefined || old.anchor !== undefined) {
      return;
    }
    edits.push({ start: old.range[0], end: old.range[1], text: value });
  }
  return edits;
}

function edited(text: string, edits: readonly Edit[]): string {
  return edits.toSorted((a, b) => b.start - a.start)
    .reduce((all, { start, end, text }) => all.slice(0, start) + text + all.slice(end), text);
}
