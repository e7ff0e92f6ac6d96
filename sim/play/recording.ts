import { escapeText, UserError } from "../../lib/base/mod.ts";
import {
  beginsWithHash,
  filesOf,
  type ReadLine,
  RECORDING_MAX,
  type RecordingHead,
  RecordingReader,
  repeated,
  tooLargeWords,
  TRACE_NAME,
} from "../../lib/recording/mod.ts";
import { stringify } from "yaml";
import { RunDocument } from "./document.ts";
import { RecordedLines } from "./recorded_run.ts";
import type { Pause } from "./session.ts";
import type { OpenRecordingCommand, RecordingInfo, TextFile } from "./types.ts";

const PIECE = 256 * 1024;

/** A recording that is open. */
export interface OpenedRecording {
  /** A simulation of the recorded traffic under the recorded settings. */
  readonly document: RunDocument;
  /** Its lines, up to the damage or the end; undefined if its decisions cannot be repeated. */
  readonly lines: RecordedLines | undefined;
  readonly info: RecordingInfo;
}

/**
 * Opens a recording, as `lbsim sim --replay` does: compares its decisions, and makes a scenario of its traffic.
 *
 * @throws {UserError} if it is not a recording, is damaged, or is too large.
 */
export function* openRecording(
  { parts, until_damage: untilDamage = false }: Omit<OpenRecordingCommand, "kind">,
): Generator<Pause, OpenedRecording> {
  const size = parts.reduce((sum, { text }) => sum + text.length, 0);
  if (size > RECORDING_MAX) {
    throw new UserError(tooLargeWords(escapeText(parts[0]!.file), size), { exitCode: 2 });
  }
  const texts = new Map(parts.map(({ file, text }) => [file, text]));
  const present = presentOf(parts);
  const { files, head } = filesOf(present, headOf(present, texts), (file) => {
    try {
      return texts.has(file) ? headOf(file, texts) : undefined;
    } catch (error) {
      if (error instanceof UserError) return undefined;
      throw error;
    }
  });
  const kept: ReadLine[] = [];
  const isHash = beginsWithHash(files[0]!, piecesOf(texts.get(files[0]!)!));
  const lines = linesOf(files, texts, kept);
  const wanted = { algorithms: [], backends: [] };
  const steps = repeated({ file: present, head, isHash, lines }, { untilDamage, wanted });
  let step = steps.next();
  for (; !step.done; step = steps.next()) yield "work";
  const { json, result, whyNot, whatIf } = step.value;
  const { scenario, trace, assumptions } = whatIf!;
  const source = { file: `${present}.yaml`, text: stringify(JSON.parse(scenario)) };
  const document = RunDocument.open(source, {
    [TRACE_NAME]: { file: present, text: trace },
  }, []);
  return {
    document,
    lines: whyNot === undefined
      ? new RecordedLines(kept, head.clients === "pseudonyms")
      : undefined,
    info: {
      file: present,
      files,
      json,
      result,
      assumptions,
    },
  };
}

/** The newest file: the others have its name with `.1`, `.2` and so on. */
function presentOf(parts: readonly TextFile[]): string {
  const age = ({ file }: TextFile) => Number(/\.(\d+)$/.exec(file)?.[1] ?? 0);
  return parts.toSorted((a, b) => age(a) - age(b))[0]!.file;
}

function headOf(file: string, texts: ReadonlyMap<string, string>): RecordingHead {
  return new RecordingReader(file, piecesOf(texts.get(file)!)).head;
}

function* linesOf(
  files: readonly string[],
  texts: ReadonlyMap<string, string>,
  kept: ReadLine[],
): Generator<ReadLine> {
  for (const file of files) {
    for (const line of new RecordingReader(file, piecesOf(texts.get(file)!))) {
      kept.push(line);
      yield line;
    }
  }
}

function* piecesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length; at += PIECE) yield text.slice(at, at + PIECE);
}
