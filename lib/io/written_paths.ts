/**
 * The paths to which the replacement of a file writes: the file itself, behind symbolic links, and a temporary file
 * beside it, which is then renamed to the file.
 */
export function writtenPaths(file: string): readonly [file: string, temporary: string] {
  let real = file;
  try {
    real = Deno.realPathSync(file);
  } catch {
    // There is no such file. The attempt to write it will fail, with the reason.
  }
  return [real, `${real}.${Deno.pid}.tmp`];
}
