import { dirname, isAbsolute, join } from "node:path";

/** Resolves a path that is written in a file: a relative path starts at the directory of the file. */
export function beside(file: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(file), path);
}
