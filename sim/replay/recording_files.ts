import { escapeText, UserError } from "../../lib/base/mod.ts";
import { isHash } from "../../lib/core/mod.ts";
import {
  configOf,
  type ReadLine,
  type RecordingHead,
  RecordingReader,
} from "../../lib/recording/mod.ts";
import { systemReason } from "../../lib/io/mod.ts";

const PIECE_BYTES = 256 * 1024;

/** The files of a recording, in the order in which they were written. */
export interface Recording {
  readonly files: readonly string[];
  /** That of the first file. */
  readonly head: RecordingHead;
  /** Of all files, in bytes. */
  readonly size: number;
  /** How many of them have been read. */
  readonly read: number;
  /** Whether the algorithm at the start of the recording hashes addresses. */
  readonly isHash: boolean;
  /** All lines. They can be read only once. */
  readonly lines: Iterable<ReadLine>;
}

/**
 * Opens a recording: the named file, and those before it, which have `.1`, `.2` and so on after its name.
 *
 * @throws {UserError} if there is no such file, or it is no recording.
 */
export function openRecording(file: string): Recording {
  const present = headOf(file);
  const files = [file];
  let [head, part] = [present, present.part];
  for (let age = 1; part > 1; age++) {
    const earlier = earlierHead(`${file}.${age}`, present, part - 1);
    if (earlier === undefined) break;
    files.unshift(`${file}.${age}`);
    [head, part] = [earlier, earlier.part];
  }
  const size = files.reduce((sum, one) => sum + Deno.statSync(one).size, 0);
  return new Files(files, head, size, beginsWithHash(files[0]!));
}

class Files implements Recording {
  read = 0;

  constructor(
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

/** Whether the first event is the start of a run with an algorithm that hashes addresses. */
function beginsWithHash(file: string): boolean {
  const lines = new RecordingReader(file, piecesOf(file))[Symbol.iterator]();
  const event = lines.next().value?.event;
  if (event?.type !== "run_started") return false;
  return isHash(configOf(event.configuration).algorithm);
}

/** The head of an earlier file, if it is that part of the same recording. */
function earlierHead(
  file: string,
  { run }: RecordingHead,
  part: number,
): RecordingHead | undefined {
  try {
    const head = headOf(file);
    return head.run === run && head.part === part ? head : undefined;
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
