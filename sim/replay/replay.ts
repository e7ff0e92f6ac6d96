import type { Io } from "../../lib/cli/mod.ts";
import { escapedJson, escapeText, UserError } from "../../lib/base/mod.ts";
import { eventLoopTurn } from "../../lib/io/mod.ts";
import {
  type Difference,
  type ReadLine,
  RecordingDamage,
  Replay,
  type ReplayResult,
} from "../../lib/recording/mod.ts";
import { openRecording, type Recording } from "./recording_files.ts";

/** How a recording is replayed. */
export interface ReplayOptions {
  /** Uses what comes before the first damage, instead of refusing a damaged recording. */
  readonly untilDamage: boolean;
  readonly json: boolean;
}

/**
 * `lbsim sim --replay`: repeats the decisions of a recording, and compares them.
 *
 * @throws {UserError} if it cannot be read.
 */
export async function runReplay(io: Io, file: string, options: ReplayOptions): Promise<void> {
  const recording = openRecording(file);
  let damage: RecordingDamage | undefined;
  const lines = options.untilDamage
    ? untilDamage(recording.lines, (found) => damage = found)
    : recording.lines;
  const replay = new Replay(lines);
  const result = await inSteps(io, recording, replay.run());
  if (options.json) io.out(escapedJson(jsonOf(file, result, damage)));
  else for (const line of resultLines(result, damage)) io.out(line);
  if (result.difference !== undefined) io.setExitCode(1);
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

function jsonOf(
  file: string,
  { lines, picks, refusals, difference, dropped }: ReplayResult,
  damage: RecordingDamage | undefined,
) {
  return {
    recording: file,
    lines,
    picks,
    refusals,
    same: difference === undefined,
    ...difference !== undefined && { difference },
    ...dropped !== undefined && { dropped },
    ...damage !== undefined && { damage: damage.message },
  };
}

function resultLines(
  { picks, refusals, difference, dropped }: ReplayResult,
  damage: RecordingDamage | undefined,
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
  if (damage !== undefined) lines.push(`what follows was not used: ${damage.message}`);
  return lines;
}

function differenceLines({ place, pick, recorded, replayed }: Difference): string[] {
  const where = place === undefined ? "the end" : `${escapeText(place.file)}:${place.line}`;
  const what = pick === undefined ? "" : ` pick ${pick}`;
  const said = (event: unknown) => event === null ? "nothing" : escapedJson(event);
  return [
    `first difference:${what} at ${where}`,
    `  recorded  ${said(recorded)}`,
    `  replayed  ${said(replayed)}`,
  ];
}
