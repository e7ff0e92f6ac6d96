import { createHmac } from "node:crypto";
import { escapeText, UserError } from "../../lib/base/mod.ts";
import { readBytes } from "../../lib/files/mod.ts";
import type { KeyedHash } from "../../lib/recording/mod.ts";

const KEY_BYTES_MAX = 4096;
/** A shorter key could be guessed. */
const KEY_BYTES_MIN = 16;

/**
 * HMAC-SHA-256 with the key in a file.
 *
 * @throws {UserError} if the file cannot be read, or the key is too short.
 */
export async function keyedHashOf(file: string): Promise<KeyedHash> {
  const hint = "make one: head -c 32 /dev/urandom | base64 > key";
  const key = await readBytes(file, hint, KEY_BYTES_MAX);
  if (key.length < KEY_BYTES_MIN) {
    throw new UserError(
      `--record-key ${
        escapeText(file)
      }: the key has ${key.length} bytes, and needs at least ${KEY_BYTES_MIN}`,
      { exitCode: 2, hint },
    );
  }
  return (bytes) => createHmac("sha256", key).update(bytes).digest();
}
