import type { JumpableRandomGenerator } from "pure-rand/types/JumpableRandomGenerator";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A source of random numbers. It is always an argument, never a global. */
export interface Random {
  /** The next number, uniform in [0, 1). */
  next(): number;
}

const TWO_POW_MINUS_29 = 2 ** -29;
const TWO_POW_MINUS_53 = 2 ** -53;
const WARM_UP = 20;

/**
 * A seeded source: xoroshiro128+. The same seed gives the same numbers on every platform.
 *
 * @param seed Any integer; only its low 32 bits count.
 */
export function createRandom(seed: number): Random {
  return new Xoroshiro(seed);
}

class Xoroshiro implements Random {
  readonly #generator: JumpableRandomGenerator;

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(mix(seed | 0));
    // At first, half of the state is the same for every seed. These steps spread the seed over the whole state.
    for (let i = 0; i < WARM_UP; i++) this.#generator.next();
  }

  next(): number {
    return uniformOf(this.#generator.next(), this.#generator.next());
  }
}

/**
 * A number in [0, 1) with 53 random bits.
 *
 * @param first 32 random bits, of which 29 are used.
 * @param second 32 random bits, of which 24 are used.
 */
export function uniformOf(first: number, second: number): number {
  // Exact: both parts are independent until the sum, so the processor computes them at the same time.
  return (first >>> 3) * TWO_POW_MINUS_29 + (second >>> 8) * TWO_POW_MINUS_53;
}

/**
 * The seed of a child stream, named by its path: `childSeed(7, "arrivals", 3)`. Every purpose and entity has a stream
 * of its own, so an additional draw in one stream changes no other stream.
 */
export function childSeed(seed: number, ...path: (string | number)[]): number {
  let hash = mix(seed | 0);
  for (const step of path) {
    const text = `${typeof step === "number" ? "#" : "$"}${step}`;
    for (let i = 0; i < text.length; i++) {
      hash = mix(hash ^ text.charCodeAt(i));
    }
    hash = mix(hash + 0x9e3779b9);
  }
  return hash;
}

/** A 32-bit finaliser in which every input bit affects every output bit (that of MurmurHash3). */
export function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}
