import { basename } from "node:path";
import { escapeText, UserError } from "../base/mod.ts";
import {
  beginsWithHash,
  filesOf,
  isMeantAsRecording,
  type ReadLine,
  type Recording,
  RECORDING_MAX,
  type RecordingHead,
  RecordingReader,
  tooLargeWords,
} from "../recording/mod.ts";
import { systemReason } from "../io/mod.ts";

const PIECE_BYTES = 256 * 1024;

/** A recording in files. */
export interface RecordingFiles extends Recording {
  /** The files in the order in which they were written. */
  readonly files: readonly string[];
  /** The size of all files in bytes. */
  readonly size: number;
  /** The number of bytes that have been read. */
  readonly read: number;
}

/**
 * Opens a recording: the named file, which is the newest, and the earlier ones, which have `.1`, `.2` and so on after
 * its name.
 *
 * @throws {UserError} if there is no such file, or it is not a recording.
 */
export function openRecording(file: string): RecordingFiles {
  const { files, head } = filesOf(file, headOf(file), earlierHead);
  const size = files.reduce((sum, one) => sum + Deno.statSync(one).size, 0);
  const isHash = beginsWithHash(files[0]!, piecesOf(files[0]!));
  return new Files(file, files, head, size, isHash);
}

/** Whether a file is meant as a recording: see `isMeantAsRecording`. */
export function isRecordingFile(file: string): boolean {
  if (isMeantAsRecording(file, "")) return true;
  try {
    // A pipe is not read here, because it can be read only once.
    if (!Deno.statSync(file).isFile) return false;
  } catch {
    return false;
  }
  const pieces = piecesOf(file);
  const { value } = pieces.next();
  pieces.return(undefined);
  return isMeantAsRecording(file, value ?? "");
}

/**
 * The texts of all files of a recording, for a page.
 *
 * @throws {UserError} as `openRecording` does; also if it is too large for a page.
 */
export async function readRecording(
  file: string,
): Promise<{ readonly file: string; readonly text: string }[]> {
  const { files, size } = openRecording(file);
  if (size > RECORDING_MAX) {
    throw new UserError(tooLargeWords(escapeText(file), size), { exitCode: 2 });
  }
  return await Promise.all(
    files.map(async (one) => ({ file: basename(one), text: await Deno.readTextFile(one) })),
  );
}

class Files implements RecordingFiles {
  read = 0;

  constructor(
    readonly file: string,
    readonly files: readonly string[],
    readonly head: RecordingHead,
    readonly size: number,
    readonly isHash: boolean,
  ) {}

  get lines(): Iterable<ReadLine> {
    return this.#lines();
  }

  *#lines(): Generator<ReadLine> {
    for (const file of this.files) {
      yield* new RecordingReader(file, piecesOf(file, (bytes) => this.read += bytes));
    }
  }
}

function headOf(file: string): RecordingHead {
  return new RecordingReader(file, piecesOf(file)).head;
}

/** The head of an earlier file; undefined if there is no such file, or it is not a recording. */
function earlierHead(file: string): RecordingHead | undefined {
  try {
    return headOf(file);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** The text of a file, in pieces. */
function* piecesOf(file: string, onRead?: (bytes: number) => void): Generator<string> {
  using opened = open(file);
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let count = opened.readSync(buffer); count !== null; count = opened.readSync(buffer)) {
    onRead?.(count);
    yield decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  yield decoder.decode();
}

function open(file: string): Deno.FsFile {
  try {
    if (Deno.statSync(file).isDirectory) throw new Deno.errors.IsADirectory("it is a directory");
    return Deno.openSync(file);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : systemReason(error);
    throw new UserError(`${escapeText(file)}: ${reason}`, { exitCode: 2 });
  }
}
