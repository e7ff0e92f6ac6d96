/**
 * The path of a folder for this process, which runs as root. Only root writes to `/run`, so no other user can put a
 * link in the place of the folder.
 *
 * @param name The purpose of the folder, in a word.
 */
export function runFolder(name: string): string {
  return `/run/lbsim-${name}-${Deno.pid}`;
}
