/** Replaces a text file in one step. */
import { escapeText, UserError, writeAll } from "../base/mod.ts";
import { writeFailure, writtenPaths } from "../io/mod.ts";

/**
 * Makes sure that `replaceText` can replace this file.
 *
 * @throws {UserError} with the reason, if it cannot.
 */
export async function refuseUnwritable(file: string): Promise<void> {
  const [real, temporary] = writtenPaths(file);
  try {
    (await Deno.open(real, { write: true })).close();
    (await Deno.open(temporary, { write: true, createNew: true })).close();
    await Deno.remove(temporary);
  } catch (error) {
    throw unwritable(file, error);
  }
}

/**
 * Replaces the text of a file. A reader gets the old text or the new one, never a part. The file keeps its
 * permissions.
 *
 * @throws {UserError} if it cannot be written; the file then has its old text.
 */
export async function replaceText(file: string, text: string): Promise<void> {
  const [real, temporary] = writtenPaths(file);
  try {
    const { mode } = await Deno.stat(real);
    const written = await Deno.open(temporary, {
      write: true,
      createNew: true,
      ...mode !== null && { mode: mode & 0o777 },
    });
    try {
      await writeAll(written, new TextEncoder().encode(text));
      // After a power failure there must not be an empty file.
      await written.syncData();
    } finally {
      written.close();
    }
    await Deno.rename(temporary, real);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw unwritable(file, error);
  }
}

function unwritable(file: string, error: unknown): UserError {
  return new UserError(`${escapeText(file)}: cannot be written: ${writeFailure(error)}`, {
    cause: error,
  });
}
