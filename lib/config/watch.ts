import { dirname, isAbsolute, join, parse } from "node:path";

/** Editors write a file in several steps; this long after the last one it is read. */
const SETTLE_MS = 200;

/** More links in a row are a circle. */
const LINKS_MAX = 40;

/** What a watch calls. */
export interface WatchHandlers {
  /** A moment after something has changed. */
  readonly changed: () => void;
  /** It cannot watch, and why. What was watched before still is. */
  readonly failed: (reason: string) => void;
}

/** Notices when files are written or replaced, and when this process gets a SIGHUP. Close it when done. */
export class FileWatch {
  readonly #handlers: WatchHandlers;
  #files: readonly string[] = [];
  #paths: ReadonlySet<string> = new Set();
  #directories: readonly string[] = [];
  #watcher: Deno.FsWatcher | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(files: readonly string[], handlers: WatchHandlers) {
    this.#handlers = handlers;
    this.watch(files);
    if (HAS_SIGHUP) Deno.addSignalListener("SIGHUP", handlers.changed);
  }

  /**
   * Watches these files from now on, and no others. They may be links, links may lead to them, and they
   * need not be there yet.
   */
  watch(files: readonly string[]): void {
    this.#files = files;
    const directories = this.#trace();
    if (directories.join("\n") !== this.#directories.join("\n")) this.#look(directories);
  }

  /** Watches no more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
    if (HAS_SIGHUP) Deno.removeSignalListener("SIGHUP", this.#handlers.changed);
  }

  /** Takes what may be replaced on the way to the files to heart, and returns where that would be seen. */
  #trace(): readonly string[] {
    const paths = new Set<string>();
    const directories = new Set<string>();
    for (const file of this.#files) {
      for (const { directory, path } of stepsTo(file)) {
        // A directory that goes has nothing more to tell.
        paths.add(path).add(directory);
        directories.add(directory);
      }
    }
    this.#paths = paths;
    return [...directories];
  }

  #look(directories: readonly string[]): void {
    if (this.#closed) return;
    try {
      const watcher = Deno.watchFs([...directories], { recursive: false });
      this.#watcher?.close();
      this.#watcher = watcher;
      this.#directories = directories;
      this.#read(watcher).catch((error: Error) => this.#handlers.failed(error.message));
    } catch (error) {
      this.#handlers.failed((error as Error).message);
    }
  }

  async #read(watcher: Deno.FsWatcher): Promise<void> {
    for await (const { kind, paths } of watcher) {
      if (kind === "access" || !paths.some((path) => this.#paths.has(path))) continue;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#settled(), SETTLE_MS);
    }
  }

  #settled(): void {
    // Anew, even if the directories have the same names as before: they may be others.
    this.#look(this.#trace());
    this.#handlers.changed();
  }
}

/**
 * What on the way to a file may be replaced, so that another file is meant: each link, the file, or the
 * first thing that is missing. And the directory in which that would be seen, free of links itself:
 * secrets and configurations are mounted as links to links, and what is swapped is one in the middle.
 */
function* stepsTo(file: string): Generator<{ readonly directory: string; readonly path: string }> {
  const absolute = isAbsolute(file) ? file : `${Deno.cwd()}/${file}`;
  let at = parse(absolute).root;
  const names = namesIn(absolute);
  let links = 0;
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === "..") {
      at = dirname(at);
      continue;
    }
    const path = join(at, name);
    const target = linkAt(path);
    if (target !== undefined || names.length === 0 || !isThere(path)) {
      yield { directory: at, path };
    }
    if (target === undefined) {
      if (!isThere(path)) return;
      at = path;
    } else {
      if (++links > LINKS_MAX) return;
      names.unshift(...namesIn(target));
      if (isAbsolute(target)) at = parse(target).root;
    }
  }
}

function namesIn(path: string): string[] {
  return path.slice(parse(path).root.length).split(SEPARATOR)
    .filter((name) => name !== "" && name !== ".");
}

/** Where a link leads; undefined if it is none. */
function linkAt(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

const IS_WINDOWS = Deno.build.os === "windows";
const SEPARATOR = IS_WINDOWS ? /[\\/]/ : "/";
const HAS_SIGHUP = !IS_WINDOWS;
