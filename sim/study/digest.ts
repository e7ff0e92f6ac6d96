import { sha256 } from "@noble/hashes/sha2.js";
import type { Summary } from "./summary.ts";

/**
 * The digest of a study's results, 64 hexadecimal digits: SHA-256 of the seed and the summary as JSON. The same seed gives
 * the same digest on every platform. A page may have no `crypto.subtle`, so it is computed here.
 */
export function reportDigest(seed: number, summary: Summary): string {
  const bytes = sha256(utf8(JSON.stringify({ seed, ...summary })));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Converts a text to UTF-8. Not every engine that runs this code has a `TextEncoder`. */
function utf8(text: string): Uint8Array {
  const bytes = encodeURIComponent(text)
    .replaceAll(/%(..)/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}
