import { dirname, isAbsolute, join } from "node:path";

/** Where a path leads that is written in a file: a relative one starts where the file is itself. */
export function beside(file: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(file), path);
}
