import { escapeText, UserError, writeAll } from "../../lib/base/mod.ts";
import { writeFailure } from "../../lib/io/mod.ts";

/** How large a recording may become. */
export interface RecordingBounds {
  /** A file that would be larger is followed by a new one. */
  readonly maxBytes: number;
  /** How many files are kept, the present one included. The oldest is deleted when there would be more. */
  readonly files: number;
}

/** The beginning of every recording. */
const MARK = '{"type":"recording"';

/**
 * The files of a recording: the present one has the given name, and the earlier ones have `.1`, `.2` and so on after
 * it, the latest first. They can be read only by their user. Each call of `write` is about whole lines, which are
 * never split between files.
 */
export class RecordingFile {
  readonly #path: string;
  readonly #bounds: RecordingBounds;
  readonly #head: (part: number) => Uint8Array;
  /** Undefined: the last one was moved on, and the next one could not be made yet. */
  #file: Deno.FsFile | undefined;
  #part = 1;
  /** Of the present file; 0: it has no head yet. */
  #size = 0;

  /**
   * Begins a recording. A recording that already has this name becomes the latest of the earlier files.
   *
   * @param head Makes the first line of each file, with its newline.
   * @throws {UserError} if it cannot be written, or something else has this name.
   */
  static async create(
    path: string,
    bounds: RecordingBounds,
    head: (part: number) => Uint8Array,
  ): Promise<RecordingFile> {
    try {
      await refuseOther(path);
      if (await isThere(path)) await moveOn(path, bounds.files);
      const recording = new RecordingFile(path, bounds, head, await open(path));
      try {
        await recording.#append(head(1));
      } catch (error) {
        recording.close();
        throw error;
      }
      return recording;
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(`--record ${escapeText(path)}: ${writeFailure(error)}`, { cause: error });
    }
  }

  private constructor(
    path: string,
    bounds: RecordingBounds,
    head: (part: number) => Uint8Array,
    file: Deno.FsFile,
  ) {
    this.#path = path;
    this.#bounds = bounds;
    this.#head = head;
    this.#file = file;
  }

  /**
   * Writes whole lines. If that fails, the file ends where it ended before, and the next call tries again what is to
   * be done before it: a file never has lines without a head.
   */
  async write(lines: Uint8Array): Promise<number> {
    // A file with nothing but its head is not followed by another: a single line may be larger than a file.
    const hasLines = this.#size > this.#head(this.#part).length;
    if (hasLines && this.#size + lines.length > this.#bounds.maxBytes) {
      this.close();
      this.#part++;
    }
    this.#file ??= await this.#next();
    if (this.#size === 0) await this.#append(this.#head(this.#part));
    await this.#append(lines);
    return lines.length;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
    this.#size = 0;
  }

  async #next(): Promise<Deno.FsFile> {
    // It was moved on already, if only the next file could not be made.
    if (await isThere(this.#path)) await moveOn(this.#path, this.#bounds.files);
    return await open(this.#path);
  }

  async #append(bytes: Uint8Array): Promise<void> {
    const file = this.#file!;
    try {
      await writeAll(file, bytes);
      this.#size += bytes.length;
    } catch (error) {
      // Half a line would damage the recording.
      await file.truncate(this.#size).catch(() => {});
      await file.seek(this.#size, Deno.SeekMode.Start).catch(() => {});
      throw error;
    }
  }
}

/** The paths that a recording is written to. */
export function recordingPaths(path: string, { files }: RecordingBounds): string[] {
  return [path, ...Array.from({ length: files - 1 }, (_, i) => earlier(path, i + 1))];
}

function earlier(path: string, age: number): string {
  return `${path}.${age}`;
}

/** Each file becomes one older; the oldest gives way. */
async function moveOn(path: string, files: number): Promise<void> {
  const paths = recordingPaths(path, { files, maxBytes: 0 });
  for (let i = paths.length - 2; i >= 0; i--) {
    if (await isThere(paths[i]!)) await Deno.rename(paths[i]!, paths[i + 1]!);
  }
  if (files === 1) await Deno.remove(path);
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  });
}

function open(path: string): Promise<Deno.FsFile> {
  return Deno.open(path, { write: true, createNew: true, mode: 0o600 });
}

/** @throws {UserError} if a file is not a recording. Such a file must be neither moved nor deleted. */
async function refuseOther(path: string): Promise<void> {
  const info = await Deno.stat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (info === undefined) return;
  if (info.isDirectory) throw new Deno.errors.IsADirectory();
  if (info.isFile) {
    using file = await Deno.open(path);
    const start = new Uint8Array(MARK.length);
    const length = await file.read(start) ?? 0;
    if (length === 0 || new TextDecoder().decode(start.subarray(0, length)) === MARK) return;
  }
  throw new UserError(`--record ${escapeText(path)}: this file exists and is not a recording`, {
    exitCode: 2,
    hint: "name another file",
  });
}
