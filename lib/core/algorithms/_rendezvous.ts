import { ln } from "../../base/mod.ts";
import { scramble } from "./_hash.ts";

/**
 * The smallest integer of 32 bits. With −∞ instead, the search for the highest hash would compare floating-point
 * numbers, which is slower.
 */
export const LOWEST = -(2 ** 31);

/**
 * The number by which the hashes of backends are multiplied for a client. It is odd, so different hashes stay
 * different.
 */
export function multiplierOf(clientHash: number): number {
  return scramble(clientHash + 1) | 1;
}

/**
 * A backend's score for a client. Scores are exponentially distributed with rate 1 / weight, so each backend has the
 * highest score in proportion to its weight.
 *
 * @param hash `(hash of the backend xor hash of the client) · multiplier of the client`, in 32 bits with a sign.
 */
export function rendezvous(weight: number, hash: number): number {
  return -weight / ln(uniform(hash));
}

/** A factor that is larger than the rounding errors of a comparison. */
const MARGIN = 1 + 2 ** -48;

/**
 * Compares two scores: positive if A's is higher, negative if B's is, 0 if they are equal.
 *
 * A logarithm is needed only if the scores are close: `−ln h` is between `2 (1 − h) / (1 + h)` and
 * `(1 − h) (1 + h) / (2 h)`.
 */
export function compareRendezvous(
  weightA: number,
  hashA: number,
  weightB: number,
  hashB: number,
): number {
  const a = uniform(hashA);
  const b = uniform(hashB);
  const scaleA = weightA * (1 - b);
  const scaleB = weightB * (1 - a);
  const gap = (1 + a) * (1 + b) * MARGIN;
  if (4 * a * scaleA > scaleB * gap) return 1;
  if (4 * b * scaleB > scaleA * gap) return -1;
  return rendezvous(weightA, hashA) - rendezvous(weightB, hashB);
}

/** The hash as a number between 0 and 1. */
function uniform(hash: number): number {
  return (hash - LOWEST + 0.5) / 2 ** 32;
}
