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
  return -weight / ln((hash - LOWEST + 0.5) / 2 ** 32);
}
