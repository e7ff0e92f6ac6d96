import { basename, dirname } from "node:path";

/** Editors write a file in several steps; this long after the last one it is read. */
const SETTLE_MS = 200;

/** Notices when files are written or replaced, and when this process gets a SIGHUP. Close it when done. */
export class FileWatch {
  readonly #changed: () => void;
  #names: ReadonlySet<string> = new Set();
  #directories: readonly string[] = [];
  #watcher: Deno.FsWatcher | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param changed Called a moment after something has changed. */
  constructor(files: readonly string[], changed: () => void) {
    this.#changed = changed;
    this.watch(files);
    if (HAS_SIGHUP) Deno.addSignalListener("SIGHUP", changed);
  }

  /** Watches these files from now on, and no others. Those whose directory is not there are not. */
  watch(files: readonly string[]): void {
    this.#names = new Set(files.map((file) => basename(file)));
    // The directories, because an editor may put a new file in the place of the old one.
    const directories = [...new Set(files.map((file) => dirname(file)))].filter(isThere);
    if (directories.join("\n") === this.#directories.join("\n")) return;
    const watcher = Deno.watchFs(directories, { recursive: false });
    this.#watcher?.close();
    this.#watcher = watcher;
    this.#directories = directories;
    void this.#read(watcher);
  }

  /** Watches no more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#watcher?.close();
    if (HAS_SIGHUP) Deno.removeSignalListener("SIGHUP", this.#changed);
  }

  async #read(watcher: Deno.FsWatcher): Promise<void> {
    for await (const { kind, paths } of watcher) {
      if (kind === "access" || !paths.some((path) => this.#names.has(basename(path)))) continue;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(this.#changed, SETTLE_MS);
    }
  }
}

function isThere(directory: string): boolean {
  try {
    return Deno.statSync(directory).isDirectory;
  } catch {
    return false;
  }
}

const HAS_SIGHUP = Deno.build.os !== "windows";
