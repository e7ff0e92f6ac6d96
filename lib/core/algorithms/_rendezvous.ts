import { ln } from "../../base/mod.ts";
import { scramble } from "./_hash.ts";

/** The least number of 32 bits. Not −∞, which would make a search for the highest one among fractions. */
export const LOWEST = -(2 ** 31);

/** What a client multiplies hashes of backends by: odd, so that no two of them become one. */
export function multiplierOf(clientHash: number): number {
  return scramble(clientHash + 1) | 1;
}

/**
 * A backend's score for a client: exponential with a rate of 1 / weight, so the highest is by weight.
 *
 * @param hash `(hash of the backend xor hash of the client) · multiplier of the client`, in 32 bits with a sign.
 */
export function rendezvous(weight: number, hash: number): number {
  return -weight / ln(uniform(hash));
}

/** More than what rounding does to a comparison. */
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

/** Between 0 and 1. */
function uniform(hash: number): number {
  return (hash - LOWEST + 0.5) / 2 ** 32;
}
