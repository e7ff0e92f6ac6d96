import { escapeText, UserError, writeAll } from "../../lib/base/mod.ts";
import { writeFailure } from "../../lib/io/mod.ts";

/** The limits for the size of a recording. */
export interface RecordingBounds {
  /** The largest size of a file. When it is reached, a new file begins. */
  readonly maxBytes: number;
  /** How many files are kept, including the newest. The oldest is deleted when there would be more. */
  readonly files: number;
}

/** The beginning of every recording. */
const MARK = '{"type":"recording"';

/**
 * The files of a recording. The newest file has the given name; the earlier ones have `.1`, `.2` and so on after it,
 * the latest first. Only their user can read them. Each call of `write` gets whole lines, which are never split
 * between files.
 */
export class RecordingFile {
  readonly #path: string;
  readonly #bounds: RecordingBounds;
  readonly #head: (part: number) => Uint8Array;
  /** The newest file; undefined if the last one was renamed and the next one could not be created yet. */
  #file: Deno.FsFile | undefined;
  #part = 1;
  /** The size of the newest file; 0 if it has no head yet. */
  #size = 0;

  /**
   * Begins a recording. A recording that already has this name becomes the latest of the earlier files.
   *
   * @param head Returns the first line of each file, with its newline.
   * @throws {UserError} if it cannot be written, or if a file with this name exists that is not a recording.
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
   * Writes whole lines. If this fails, the file has the same length as before, and the next call repeats the
   * unfinished steps. So a file never has lines without a head.
   */
  async write(lines: Uint8Array): Promise<number> {
    // A file that has only its head gets the lines in any case, because a single line may be larger than `maxBytes`.
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
    // If the last attempt renamed the file, and only failed to create the next one, there is nothing to rename.
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

/** Renames each file to the name of the next older one; the oldest is deleted. */
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

/** @throws {UserError} if a file is not a recording. Such a file is neither renamed nor deleted. */
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
