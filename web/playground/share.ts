/**
 * The state of the page as a text for its address: `version.body.check`. The body is a JSON text, compressed, in
 * base64url; the check shows whether the text is complete, because not every browser notices that a part is missing.
 */

/**
 * The version of the addresses that are written. An address of a newer version is refused with a
 * message.
 */
const VERSION = 1;

/** The longest state of an address, in bytes of JSON. A damaged address must not fill the memory. */
const ADDRESS_BYTES_MAX = 4 * 1024 * 1024;
/** The longest state in a file that the user has chosen, in bytes of JSON. */
export const FILE_BYTES_MAX = 128 * 1024 * 1024;

/** The longest text in an address. Browsers, and programs that send addresses, cut a longer one. */
export const ADDRESS_MAX = 100_000;

/** The ending of the names of files that contain a state. */
export const RUN_ENDING = ".playground";

/** An address that cannot be read; the message says why, for the user. */
export class ShareError extends Error {}

/** Whether a state, and the text that `encodeShare` returned for it, fit into an address. */
export function fitsAddress(state: unknown, text: string): boolean {
  return text.length <= ADDRESS_MAX && JSON.stringify(state).length <= ADDRESS_BYTES_MAX / 2;
}

/** Writes a state as the part of an address after `#s=`. */
export async function encodeShare(state: unknown): Promise<string> {
  const json = new TextEncoder().encode(JSON.stringify(state));
  const bytes = await collected(piped(json, new CompressionStream("deflate-raw")));
  return `${VERSION}.${base64url(bytes)}.${checksum(json)}`;
}

/**
 * Reads a state that `encodeShare` wrote.
 *
 * @param what The name of the text in messages.
 * @param bytesMax The longest state.
 * @throws {ShareError} if the text is damaged, too long, or of a newer version.
 */
export async function decodeShare(
  text: string,
  what = "the address",
  bytesMax = ADDRESS_BYTES_MAX,
): Promise<unknown> {
  const [version, body = "", check] = text.split(".");
  if (Number(version) > VERSION) {
    throw new ShareError(
      `${what} is from a newer playground: its format is ${version}, and this page reads ${VERSION}`,
    );
  }
  try {
    const packed = bytesOf(body);
    const bytes = await collected(
      piped(packed, new DecompressionStream("deflate-raw")),
      bytesMax,
      what,
    );
    if (checksum(bytes) !== check) throw new Error("not what was written");
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof ShareError) throw error;
    throw new ShareError(`${what} is damaged: a part of it is missing or changed`);
  }
}

function piped(
  bytes: Uint8Array<ArrayBuffer>,
  through: CompressionStream | DecompressionStream,
): ReadableStream<Uint8Array> {
  return new Blob([bytes]).stream().pipeThrough(through);
}

async function collected(
  stream: ReadableStream<Uint8Array>,
  bytesMax = Infinity,
  what = "",
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const reader = stream.getReader();;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    if (length > bytesMax) {
      await reader.cancel();
      throw new ShareError(`${what} contains more than ${bytesMax / 1024 / 1024} MB`);
    }
  }
  const all = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

function base64url(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    atob(text.replaceAll("-", "+").replaceAll("_", "/")),
    (character) => character.charCodeAt(0),
  );
}

/** FNV-1a of 32 bits. */
function checksum(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(36);
}
