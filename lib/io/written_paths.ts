/**
 * The paths that replacing a file writes to: the file itself, behind symbolic links, and a file beside it that then
 * gets its name.
 */
export function writtenPaths(file: string): readonly [file: string, temporary: string] {
  let real = file;
  try {
    real = Deno.realPathSync(file);
  } catch {
    // There is no such file: to write it will fail with the reason.
  }
  return [real, `${real}.${Deno.pid}.tmp`];
}
