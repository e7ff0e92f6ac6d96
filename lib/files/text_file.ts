/** Reads text files: only regular files of limited size, in UTF-8. */
import { escapeText, UserError } from "../base/mod.ts";
import type { Source } from "../config/mod.ts";
import { localShortage, systemReason } from "../io/mod.ts";

const MIB = 1024 * 1024;
/** Larger files are refused: no configuration is that large, so the path must be wrong. */
const FILE_BYTES_MAX = MIB;
/** A pipe that is open already, like the one that a shell opens for `<(…)`. */
const OPEN_PIPE = /^\/(dev|proc\/self)\/fd\/\d+$/;

/** The system could not read a file now, but may be able to later. */
export class UnreadableError extends UserError {
  override readonly name = "UnreadableError";

  constructor(file: string, cause: unknown) {
    const why = localShortage(cause) === "descriptors"
      ? "this process has the largest allowed number of open files and connections (`ulimit -n`)"
      : systemReason(cause);
    super(`${escapeText(file)}: cannot be read now: ${escapeText(why)}`, { cause });
  }
}

/**
 * Reads a text file.
 *
 * @param hint What to do if the file is missing.
 * @param bytesMax Larger files are refused.
 * @throws {UserError} if it is missing, unreadable, not a file, too large, or not UTF-8; an
 * `UnreadableError` if it may be readable later.
 */
export async function readText(
  file: string,
  hint = "without a file name, lbsim reads config.yaml in this directory",
  bytesMax = FILE_BYTES_MAX,
): Promise<Source> {
  const bytes = await readBytes(file, hint, bytesMax);
  try {
    return { file, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    throw new UserError(`${escapeText(file)}: is not UTF-8 text`, {
      exitCode: 2,
      hint: "save it as UTF-8",
    });
  }
}

/**
 * Reads a file.
 *
 * @param hint What to do if the file is missing.
 * @param bytesMax Larger files are refused.
 * @throws {UserError} as `readText`.
 */
export async function readBytes(
  file: string,
  hint?: string,
  bytesMax = FILE_BYTES_MAX,
): Promise<Uint8Array> {
  const fail = (message: string, hint?: string): never => {
    throw new UserError(`${escapeText(file)}: ${message}`, {
      exitCode: 2,
      ...hint !== undefined && { hint },
    });
  };
  try {
    const info = await Deno.stat(file);
    if (info.isDirectory) fail("is a directory, not a file", "name a file in it");
    // Reading a pipe may wait forever, and reading a device may never end.
    if (!info.isFile && !OPEN_PIPE.test(file)) fail("is a pipe, a device or a socket, not a file");
    if (info.size > bytesMax) {
      fail(`is larger than ${bytesMax / MIB} MB: this cannot be the right file`);
    }
    return await Deno.readFile(file);
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof Deno.errors.NotFound) return fail("there is no such file", hint);
    if (error instanceof Deno.errors.PermissionDenied) {
      return fail("this user has no permission to read it");
    }
    if (error instanceof Deno.errors.NotCapable) {
      return fail("Deno lets only a program with all permissions read it", "name an ordinary file");
    }
    throw new UnreadableError(file, error);
  }
}
