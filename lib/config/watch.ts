import { basename, dirname } from "node:path";

/** Editors write a file in several steps; this long after the last one it is read. */
const SETTLE_MS = 200;

/**
 * Calls `changed` whenever a file was written or replaced, and when this process gets a SIGHUP. Returns
 * what ends it.
 */
export function watchFile(file: string, changed: () => void): () => void {
  // The directory, because an editor may put a new file in the place of the old one.
  const watcher = Deno.watchFs(dirname(file), { recursive: false });
  let timer: ReturnType<typeof setTimeout> | undefined;
  void (async () => {
    for await (const { kind, paths } of watcher) {
      if (kind === "access" || !paths.some((path) => basename(path) === basename(file))) continue;
      clearTimeout(timer);
      timer = setTimeout(changed, SETTLE_MS);
    }
  })();
  const hasSignal = Deno.build.os !== "windows";
  if (hasSignal) Deno.addSignalListener("SIGHUP", changed);
  return () => {
    clearTimeout(timer);
    watcher.close();
    if (hasSignal) Deno.removeSignalListener("SIGHUP", changed);
  };
}
