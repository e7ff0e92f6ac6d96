import { clientKey } from "../sessions/mod.ts";

/**
 * A 32-bit hash of text: FNV-1a, and then MurmurHash3's finaliser, in which each input bit affects every output bit.
 * It depends only on the text and the salt, so all balancers compute the same hash.
 *
 * Source: G. Fowler, L. C. Noll, K.-P. Vo, "The FNV non-cryptographic hash algorithm".
 *
 * @param salt 32 bits; another salt gives another hash. 0 gives FNV-1a as it is published.
 */
export function hashText(text: string, salt = 0): number {
  let hash = 0x811c9dc5 ^ scramble(salt);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return scramble(hash);
}

/** The hash of a client: of its address in canonical form, or of its name. */
export function hashClient(client: string, salt: number): number {
  return hashText(clientKey(client, 32, 128), salt);
}

/** MurmurHash3's 32-bit finaliser, as an unsigned number. It maps different numbers to different numbers. */
export function scramble(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
