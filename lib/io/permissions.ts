/** The permissions of the process: it gives up each one as soon as it no longer needs it. */
import { resolve } from "node:path";

/** The root of the file system; on Windows, of the current drive. */
const ROOT = resolve("/");

/** Gives up whole permissions. */
export async function giveUp(...names: readonly Deno.PermissionName[]): Promise<void> {
  await Promise.all(names.map((name) => Deno.permissions.revoke({ name })));
}

/**
 * Gives up the permission to write, except at and below these paths.
 *
 * Deno cannot remove a part of a permission, but it can revoke one and keep another inside it. So lbsim is
 * started with `--allow-write=/`. A request for a path inside becomes a permission of its own, without a
 * prompt, and remains when the permission for the root is revoked. A process that was started with a plain
 * `--allow-write` can only keep the whole permission, or nothing.
 */
export async function keepWritingTo(paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return await giveUp("write");
  for (const path of paths) {
    const { state } = await Deno.permissions.query({ name: "write", path });
    // A request for a permission that is not granted would prompt the user.
    if (state === "granted") await Deno.permissions.request({ name: "write", path });
  }
  await Deno.permissions.revoke({ name: "write", path: ROOT });
}
