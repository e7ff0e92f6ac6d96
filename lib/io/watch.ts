import { isDeepStrictEqual } from "node:util";
import { type Nanoseconds, NS_PER_MS } from "../base/mod.ts";
import { sleep } from "./sleep.ts";

/** Two checks within a second detect a change; one check handles a SIGHUP. */
const LOOK_EVERY = 500 * NS_PER_MS;

const HAS_SIGHUP = Deno.build.os !== "windows";

/**
 * Detects when files are written or replaced, and when this process gets a SIGHUP.
 *
 * It checks them at intervals. `Deno.watchFs` would need every link and directory on the path, sees nothing
 * on a network file system, and opens new files beside the watched ones: a FIFO there would block it, and
 * with it the end of the process.
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
    // A file may have changed since the last check: the change is still to be reported.
    const watched = [...this.#states].filter(([file]) => files.includes(file));
    this.#states = new Map([...await statesOf(files), ...watched]);
  }

  /** Reports the last change once more, because the file could not be read. */
  again(): void {
    this.#isAsked = true;
  }

  /**
   * Waits until a file has changed, or a SIGHUP has come, since the last call.
   *
   * @returns Whether that is so; false if the signal was aborted.
   */
  async changed(stopping: AbortSignal): Promise<boolean> {
    let differs = false;
    while (true) {
      await sleep(this.#every, stopping);
      if (stopping.aborted) return false;
      const before = this.#states;
      this.#states = await statesOf([...before.keys()]);
      if (this.#isAsked) {
        // Changes up to this check will be read with it.
        this.#isAsked = false;
        return true;
      }
      // Editors write a file in several steps: it is read when it has not changed between two checks.
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
 * A text that differs for another file, or for other content, at the end of all links; also if there is no
 * file.
 */
async function stateOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtime, ctime } = await Deno.stat(file);
    return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(" ");
  } catch (error) {
    return (error as Error).name;
  }
}
