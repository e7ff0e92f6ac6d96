/** What the process may still do: it gives up each permission as soon as it no longer needs it. */
import { resolve } from "node:path";

/** The root of the file system; on Windows, of the current drive. */
const ROOT = resolve("/");

/** Gives up permissions as a whole. */
export async function giveUp(...names: readonly Deno.PermissionName[]): Promise<void> {
  await Promise.all(names.map((name) => Deno.permissions.revoke({ name })));
}

/**
 * Gives up the permission to write, except at and below these paths.
 *
 * Deno cannot take a part from a grant, but it can drop a grant and keep one inside it. So lbsim is started
 * with `--allow-write=/`. A request for what that includes becomes a grant of its own, without a prompt, and
 * remains when the one for the root is revoked. A process that was started with a plain `--allow-write` keeps
 * all of it if it keeps any.
 */
export async function keepWritingTo(paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return await giveUp("write");
  for (const path of paths) {
    const { state } = await Deno.permissions.query({ name: "write", path });
    // A request for what is not granted would ask the user.
    if (state === "granted") await Deno.permissions.request({ name: "write", path });
  }
  await Deno.permissions.revoke({ name: "write", path: ROOT });
}
