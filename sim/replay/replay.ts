import type { Io } from "../../lib/cli/mod.ts";
import { escapedJson, escapeText, UserError } from "../../lib/base/mod.ts";
import { eventLoopTurn } from "../../lib/io/mod.ts";
import {
  type Difference,
  type ReadLine,
  RecordingDamage,
  Replay,
  type ReplayResult,
  type Wanted,
  type WhatIf,
  WhatIfBuilder,
} from "../../lib/recording/mod.ts";
import { openRecording, type Recording } from "./recording_files.ts";

const LINES_PER_STEP = 2000;

/** How a recording is replayed. */
export interface ReplayOptions {
  /** Uses what comes before the first damage, instead of refusing a damaged recording. */
  readonly untilDamage: boolean;
  /** Undefined: only the decisions are compared. */
  readonly wanted: Wanted | undefined;
}

/** What a recording says. */
export interface Replayed {
  /** The same in a form that is printed as JSON. */
  readonly json: Readonly<Record<string, unknown>>;
  /** The same in words. */
  readonly lines: readonly string[];
  /** Whether a decision differs. */
  readonly differs: boolean;
  /** The traffic, for a simulation; undefined if none is wanted. */
  readonly whatIf: WhatIf | undefined;
}

/**
 * Repeats the decisions of a recording, and compares them. Collects its traffic, if a simulation of it is wanted.
 *
 * @throws {UserError} if it cannot be read, or has no traffic to simulate.
 */
export async function replayRecording(
  io: Io,
  file: string,
  { untilDamage: isCut, wanted }: ReplayOptions,
): Promise<Replayed> {
  const recording = openRecording(file);
  let damage: RecordingDamage | undefined;
  const lines = isCut ? untilDamage(recording.lines, (found) => damage = found) : recording.lines;
  const builder = wanted && new WhatIfBuilder(recording.head);
  const onLine = builder && (({ event }: ReadLine) => builder.read(event));
  const isPseudonymous = recording.head.clients === "pseudonyms";
  const why = whyNoDecisions(recording);
  let result: ReplayResult | undefined;
  if (why === undefined) {
    const source = lines[Symbol.iterator]();
    result = await inSteps(io, recording, new Replay(source, { isPseudonymous, onLine }).run());
    // The traffic after a difference or a gap still counts.
    await inSteps(io, recording, readRest(source, onLine));
  } else await inSteps(io, recording, readRest(lines[Symbol.iterator](), onLine));
  if (builder?.isEmpty) {
    throw new UserError(`${escapeText(file)}: there are no connections in it to simulate`);
  }
  const whatIf = builder?.build(wanted!);
  const assumptions = whatIf?.assumptions ?? [];
  return {
    json: {
      recording: file,
      ...why === undefined ? resultJson(result!) : { same: null, why_not_compared: why },
      ...damage !== undefined && { damage: damage.message },
      ...whatIf !== undefined && { assumptions },
    },
    lines: [
      ...result === undefined ? [why!] : resultLines(result),
      ...damage === undefined ? [] : [`the rest of the recording was not used: ${damage.message}`],
      ...assumptions.length === 0 ? [] : ["The simulation of this traffic assumes:"],
      ...assumptions.map((assumption) => `  ${escapeText(assumption)}`),
    ],
    differs: result?.difference !== undefined,
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
    return `the decisions cannot be repeated: the recording begins with file ${part}, and those ` +
      "before it are not there (name the present file of a recording, not an earlier one)";
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

/** Does all steps, and shows how far it is. */
async function inSteps<T>(io: Io, recording: Recording, steps: Generator<void, T>): Promise<T> {
  try {
    while (true) {
      const { done, value } = steps.next();
      if (done) return value;
      const percent = Math.floor(100 * recording.read / Math.max(1, recording.size));
      io.status(`replaying the recording: ${percent} %`);
      await eventLoopTurn();
      if (io.signal.aborted) throw new UserError("stopped before the end: there is no result");
    }
  } finally {
    io.status();
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
    : [`${both} are the same; then they differ`, ...differenceLines(difference)];
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
