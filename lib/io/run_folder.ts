/**
 * The path of a folder of this process for root. Only root writes to `/run`, so no other user can put a link in its
 * place.
 *
 * @param name What it is for.
 */
export function runFolder(name: string): string {
  return `/run/lbsim-${name}-${Deno.pid}`;
}
