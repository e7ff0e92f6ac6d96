/** Reads a recording: compares its decisions with those of a replay, and collects its traffic for a simulation. */
import { escapedJson, escapeText, UserError } from "../base/mod.ts";
import { isHash } from "../core/mod.ts";
import type { RecordingHead } from "./format.ts";
import { type ReadLine, RecordingDamage, RecordingReader } from "./reader.ts";
import { configOf, type Difference, Replay, type ReplayResult } from "./replay.ts";
import { type Wanted, type WhatIf, WhatIfBuilder } from "./what_if.ts";

const LINES_PER_STEP = 2000;

/** An opened recording. */
export interface Recording {
  /** The name that messages show. */
  readonly file: string;
  /** The head of the first file. */
  readonly head: RecordingHead;
  /** Whether the algorithm at the start of the recording hashes addresses. */
  readonly isHash: boolean;
  /** All lines. They can be read only once. */
  readonly lines: Iterable<ReadLine>;
}

/** Options of a replay. */
export interface RepeatOptions {
  /** Whether the part before the first damage is used, instead of refusing a damaged recording. */
  readonly untilDamage: boolean;
  /** Undefined: only the decisions are compared. */
  readonly wanted: Wanted | undefined;
}

/** The result of reading a recording. */
export interface Repeated {
  /** The result in the form that is printed as JSON. */
  readonly json: Readonly<Record<string, unknown>>;
  /** The result in words, and the assumptions of a simulation of the traffic. */
  readonly lines: readonly string[];
  /** The result in words, without the assumptions. */
  readonly result: readonly string[];
  /** Whether a decision differs. */
  readonly differs: boolean;
  /** Why there are no decisions to repeat; undefined if there are. */
  readonly whyNot: string | undefined;
  /** The traffic, for a simulation; undefined if none is wanted. */
  readonly whatIf: WhatIf | undefined;
}

/**
 * Whether the first event of a recording is the start of a run with an algorithm that hashes addresses.
 *
 * @param pieces The text of its first file.
 */
export function beginsWithHash(file: string, pieces: Iterable<string>): boolean {
  const lines = new RecordingReader(file, pieces)[Symbol.iterator]();
  const event = lines.next().value?.event;
  if (event?.type !== "run_started") return false;
  return isHash(configOf(event.configuration).algorithm);
}

/**
 * The files of a recording, in the order in which they were written. The newest file has the given name; the earlier
 * ones have `.1`, `.2` and so on after it.
 *
 * @param headOf The head of a file; undefined if there is no such file, or it is no recording.
 */
export function filesOf(
  file: string,
  present: RecordingHead,
  headOf: (file: string) => RecordingHead | undefined,
): { readonly files: readonly string[]; readonly head: RecordingHead } {
  const files = [file];
  let head = present;
  for (let age = 1; head.part > 1; age++) {
    const earlier = headOf(`${file}.${age}`);
    if (earlier?.run !== present.run || earlier.part !== head.part - 1) break;
    files.unshift(`${file}.${age}`);
    head = earlier;
  }
  return { files, head };
}

/**
 * Repeats the decisions of a recording, and compares them. Collects its traffic, if a simulation of it is wanted. The
 * work is divided into small steps, so that other work can be done in between.
 *
 * @throws {UserError} if the recording cannot be read, or has no traffic to simulate.
 */
export function* repeated(
  recording: Recording,
  { untilDamage: isCut, wanted }: RepeatOptions,
): Generator<void, Repeated> {
  const { file, head } = recording;
  let damage: RecordingDamage | undefined;
  const lines = isCut ? untilDamage(recording.lines, (found) => damage = found) : recording.lines;
  const builder = wanted && new WhatIfBuilder(head);
  const onLine = builder && (({ event }: ReadLine) => builder.read(event));
  const why = whyNoDecisions(recording);
  const source = lines[Symbol.iterator]();
  const isPseudonymous = head.clients === "pseudonyms";
  const result = why === undefined
    ? yield* new Replay(source, { isPseudonymous, onLine }).run()
    : undefined;
  // The simulation uses the traffic after a difference or a gap, too.
  yield* readRest(source, onLine);
  if (builder?.isEmpty) {
    throw new UserError(`${escapeText(file)}: there are no connections in it to simulate`);
  }
  const whatIf = builder?.build(wanted!);
  const assumptions = whatIf?.assumptions ?? [];
  const words = [
    ...result === undefined ? [why!] : resultLines(result),
    ...damage === undefined ? [] : [`the rest of the recording was not used: ${damage.message}`],
  ];
  return {
    json: {
      recording: file,
      ...result === undefined ? { same: null, why_not_compared: why } : resultJson(result),
      ...damage !== undefined && { damage: damage.message },
      ...whatIf !== undefined && { assumptions },
    },
    result: words,
    lines: [
      ...words,
      ...assumptions.length === 0 ? [] : ["The simulation of this traffic assumes:"],
      ...assumptions.map((assumption) => `  ${escapeText(assumption)}`),
    ],
    differs: result?.difference !== undefined,
    whyNot: why,
    whatIf,
  };
}

/** Why there are no decisions to repeat; undefined if there are. */
function whyNoDecisions(
  { head: { origin, part, clients }, isHash }: Recording,
): string | undefined {
  if (origin !== undefined) {
    return `this recording was imported (${origin}), so there are no decisions of lbsim to repeat`;
  }
  if (part > 1) {
    return `the decisions cannot be repeated: the recording begins with file ${part}, and the ` +
      "earlier files are missing (name the newest file of a recording)";
  }
  if (clients === "pseudonyms" && isHash) {
    return "the decisions cannot be repeated: this algorithm hashes the clients' addresses, and the " +
      "recording has pseudonyms";
  }
  return undefined;
}

function* readRest(
  lines: Iterator<ReadLine>,
  onLine: ((line: ReadLine) => void) | undefined,
): Generator<void, void> {
  if (onLine === undefined) return;
  let count = 0;
  for (let next = lines.next(); !next.done; next = lines.next()) {
    onLine(next.value);
    if (++count % LINES_PER_STEP === 0) yield;
  }
}

function* untilDamage(
  lines: Iterable<ReadLine>,
  onDamage: (damage: RecordingDamage) => void,
): Generator<ReadLine> {
  try {
    yield* lines;
  } catch (error) {
    if (!(error instanceof RecordingDamage)) throw error;
    onDamage(error);
  }
}

function resultJson({ lines, picks, refusals, difference, dropped, hashed }: ReplayResult) {
  return {
    lines,
    picks,
    refusals,
    same: difference === undefined,
    ...difference !== undefined && { difference },
    ...dropped !== undefined && { dropped },
    ...hashed !== undefined && { hashed },
  };
}

function resultLines(
  { picks, refusals, difference, dropped, hashed }: ReplayResult,
): string[] {
  const counted = (count: number, one: string) => `${count} ${one}${count === 1 ? "" : "s"}`;
  const both = `${counted(picks, "pick")} and ${counted(refusals, "refusal")}`;
  const lines = difference === undefined
    ? [`all ${both} are the same under the recorded settings`]
    : [`${both} are the same; then the replay differs`, ...differenceLines(difference)];
  if (dropped !== undefined) {
    lines.push(
      `the comparison ends at ${escapeText(dropped.file)}:${dropped.line}: ` +
        `${counted(dropped.count, "line")} could not be recorded in time`,
    );
  }
  if (hashed !== undefined) {
    lines.push(
      `the comparison ends at ${escapeText(hashed.file)}:${hashed.line}: the algorithm of this ` +
        "configuration hashes the clients' addresses, and the recording has pseudonyms",
    );
  }
  return lines;
}

function differenceLines({ place, pick, recorded, replayed }: Difference): string[] {
  const where = `${escapeText(place.file)}:${place.line}`;
  const what = pick === undefined ? "" : ` pick ${pick}`;
  const said = (event: unknown) => event === null ? "nothing" : escapedJson(event);
  return [
    `first difference:${what} at ${where}`,
    `  recorded  ${said(recorded)}`,
    `  replayed  ${said(replayed)}`,
  ];
}
