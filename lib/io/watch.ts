import { isDeepStrictEqual } from "node:util";
import { type Nanoseconds, NS_PER_MS } from "../base/mod.ts";
import { sleep } from "./sleep.ts";

/** The time between two checks. Two checks detect a change, so it takes a second; a SIGHUP takes one check. */
const LOOK_EVERY = 500 * NS_PER_MS;

const HAS_SIGHUP = Deno.build.os !== "windows";

/**
 * Detects when files are written or replaced, and when this process gets a SIGHUP.
 *
 * It checks the files at intervals. `Deno.watchFs` would have to watch every link and directory on the path. It sees
 * nothing on a network file system. And it opens new files in the same directory: a FIFO there would block it, and the
 * process could not end.
 */
export class FileWatch implements Disposable {
  readonly #every: Nanoseconds;
  readonly #onHangup = () => {
    this.#isAsked = true;
  };
  /** By file: its state at the last check. */
  #states: ReadonlyMap<string, string> = new Map();
  #isAsked = false;

  constructor(every: Nanoseconds = LOOK_EVERY) {
    this.#every = every;
    if (HAS_SIGHUP) Deno.addSignalListener("SIGHUP", this.#onHangup);
  }

  /**
   * Watches these files from now on, and no others. They may be links or behind links, and need not exist
   * yet.
   */
  async watch(files: readonly string[]): Promise<void> {
    // A file may have changed since the last check: this change must still be reported.
    const watched = [...this.#states].filter(([file]) => files.includes(file));
    this.#states = new Map([...await statesOf(files), ...watched]);
  }

  /** Lets `changed` report the last change once more, because the file could not be read. */
  again(): void {
    this.#isAsked = true;
  }

  /**
   * Waits until a file has changed, or a SIGHUP has come, since the last call.
   *
   * @returns True; false if the signal was aborted first.
   */
  async changed(stopping: AbortSignal): Promise<boolean> {
    let differs = false;
    while (true) {
      await sleep(this.#every, stopping);
      if (stopping.aborted) return false;
      const before = this.#states;
      this.#states = await statesOf([...before.keys()]);
      if (this.#isAsked) {
        // The files are read now, with all changes up to this check: no further report is needed.
        this.#isAsked = false;
        return true;
      }
      // Editors write a file in several steps, so a change is reported when the file is the same at two checks.
      if (!isDeepStrictEqual(before, this.#states)) differs = true;
      else if (differs) return true;
    }
  }

  [Symbol.dispose](): void {
    if (HAS_SIGHUP) Deno.removeSignalListener("SIGHUP", this.#onHangup);
  }
}

async function statesOf(files: readonly string[]): Promise<Map<string, string>> {
  return new Map(
    await Promise.all(files.map(async (file) => [file, await stateOf(file)] as const)),
  );
}

/**
 * The state of a file, behind all links, as a text. The text is another one for another file, for other content, and
 * if there is no file.
 */
async function stateOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtime, ctime } = await Deno.stat(file);
    return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(" ");
  } catch (error) {
    return (error as Error).name;
  }
}
