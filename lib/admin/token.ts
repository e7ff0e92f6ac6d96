import { createHash, timingSafeEqual } from "node:crypto";
import { systemReason } from "../io/mod.ts";
import { UserError } from "../base/mod.ts";

/** A larger file is not read: it is not a token file. */
const TOKEN_BYTES_MAX = 4096;
/** An attacker could guess a shorter token. */
const TOKEN_LENGTH_MIN = 16;

/** The token that is needed for changes. */
export interface Token {
  /** The token; undefined if there is no valid token. */
  read(): Promise<string | undefined>;
  /** Whether the presented text is the token. The time of the comparison does not depend on the token. */
  matches(presented: string): Promise<boolean>;
}

/** A token that is only in the memory of this process. */
export class MemoryToken implements Token {
  readonly value = newToken();

  read(): Promise<string> {
    return Promise.resolve(this.value);
  }

  matches(presented: string): Promise<boolean> {
    return Promise.resolve(timingSafeEqual(digest(this.value), digest(presented)));
  }
}

/**
 * The token that is needed for changes, in a file that only its user may read. The file is read again for each request
 * with a token, so a new token applies at once. If the file has no readable token, every such request is refused.
 */
export class TokenFile implements Token {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * Creates the file with a new token, unless the file exists.
   *
   * @returns Whether the file was created.
   * @throws {UserError} if it cannot be created.
   */
  async create(): Promise<boolean> {
    try {
      const file = await Deno.open(this.#file, { write: true, createNew: true, mode: 0o600 });
      try {
        await file.write(new TextEncoder().encode(`${newToken()}\n`));
      } finally {
        file.close();
      }
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return false;
      throw new UserError(`cannot create the token file ${this.#file}: ${systemReason(error)}`, {
        cause: error,
      });
    }
  }

  /** The problem with the file, in words; undefined if there is none. */
  async problem(): Promise<string | undefined> {
    const token = await this.#read();
    if (token instanceof Error) return `it cannot be read: ${systemReason(token)}`;
    if (token === "") return "it is empty";
    if (token.length < TOKEN_LENGTH_MIN) return `it is shorter than ${TOKEN_LENGTH_MIN} characters`;
    const { mode } = await Deno.stat(this.#file);
    if (mode !== null && (mode & 0o077) !== 0) return "other users may read it: use chmod 600";
    return undefined;
  }

  async read(): Promise<string | undefined> {
    const token = await this.#read();
    return typeof token === "string" && token.length >= TOKEN_LENGTH_MIN ? token : undefined;
  }

  async matches(presented: string): Promise<boolean> {
    return timingSafeEqual(digest(await this.read() ?? newToken()), digest(presented));
  }

  async #read(): Promise<string | Error> {
    try {
      const { isFile, size } = await Deno.stat(this.#file);
      if (!isFile || size > TOKEN_BYTES_MAX) return "";
      return (await Deno.readTextFile(this.#file)).trim();
    } catch (error) {
      return error as Error;
    }
  }
}

/** A token of 43 random characters. */
export function newToken(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

/**
 * The digest of a text. All digests have the same length, so the time of a comparison does not reveal the length of
 * the token.
 */
function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
