import { isDeepStrictEqual } from "node:util";
import { type Nanoseconds, NS_PER_MS } from "../base/mod.ts";
import { sleep } from "./sleep.ts";

/** Two looks, and what has changed is noticed, within a second; a SIGHUP, by one. */
const LOOK_EVERY = 500 * NS_PER_MS;

const HAS_SIGHUP = Deno.build.os !== "windows";

/**
 * Notices when files are written or replaced, and when this process gets a SIGHUP.
 *
 * It looks at them every so often. `Deno.watchFs` would have to be told of every link and directory on
 * the way to them, sees nothing on a network file system, and opens what appears beside them: a FIFO
 * there would block it, and with it the end of the process.
 */
export class FileWatch implements Disposable {
  readonly #every: Nanoseconds;
  readonly #onHangup = () => {
    this.#isAsked = true;
  };
  /** By the file, as of the last look. */
  #states: ReadonlyMap<string, string> = new Map();
  #isAsked = false;

  constructor(every: Nanoseconds = LOOK_EVERY) {
    this.#every = every;
    if (HAS_SIGHUP) Deno.addSignalListener("SIGHUP", this.#onHangup);
  }

  /**
   * Watches these files from now on, and no others. They may be links, links may lead to them, and they
   * need not be there yet.
   */
  async watch(files: readonly string[]): Promise<void> {
    // A file that has been watched may have changed since the last look: that is still to be noticed.
    const watched = [...this.#states].filter(([file]) => files.includes(file));
    this.#states = new Map([...await statesOf(files), ...watched]);
  }

  /** Reports the last change once more, because the file could not be read. */
  again(): void {
    this.#isAsked = true;
  }

  /**
   * Waits until a file has changed, or a SIGHUP has come, since the last time.
   *
   * @returns Whether that is so; false if it was told to stop.
   */
  async changed(stopping: AbortSignal): Promise<boolean> {
    let differs = false;
    while (true) {
      await sleep(this.#every, stopping);
      if (stopping.aborted) return false;
      const before = this.#states;
      this.#states = await statesOf([...before.keys()]);
      if (this.#isAsked) {
        // What has changed until this look is read with it.
        this.#isAsked = false;
        return true;
      }
      // Editors write a file in several steps: it is read when it has been left alone for one look.
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

/** Another text for another file, or another content, at the end of all links; also if there is none. */
async function stateOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtime, ctime } = await Deno.stat(file);
    return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(" ");
  } catch (error) {
    return (error as Error).name;
  }
}
