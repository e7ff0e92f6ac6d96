import { childSeed, mix, type Random, uniformOf } from "../base/mod.ts";
import { createSampler, type Distribution, type Sampler } from "./variates.ts";

/**
 * Odd constants that differ from each other in many bits: steps of the counters, and multipliers of the keys.
 */
const [STEP, OTHER_STEP, SECOND, THIRD] = [0x9e3779b9, 0x85157af5, 0x2c1b3c6d, 0x297a2d39];

/**
 * Random numbers by key: the same key always gives the same numbers, in any order of the keys. So the draws of a
 * request do not depend on what happened to other requests.
 *
 * The start of two counters depends on the key, and a hash function mixes the bits of the counters. The numbers are
 * not suitable for secrets.
 */
export class KeyedRandom implements Random {
  readonly #seed: number;
  readonly #otherSeed: number;
  #counter = 0;
  #otherCounter = 0;

  constructor(seed: number) {
    this.#seed = childSeed(seed, 1);
    this.#otherSeed = childSeed(seed, 2);
  }

  /** Moves to the first number of a key of up to three whole numbers. */
  seek(first: number, second: number, third = 0): this {
    const key = mix(this.#seed ^ first) + Math.imul(second, SECOND) + Math.imul(third, THIRD);
    this.#counter = mix(key);
    this.#otherCounter = this.#counter ^ this.#otherSeed;
    return this;
  }

  next(): number {
    this.#counter = (this.#counter + STEP) | 0;
    this.#otherCounter = (this.#otherCounter + OTHER_STEP) | 0;
    const first = mix(this.#counter);
    return uniformOf(first, mix(this.#otherCounter ^ (first >>> 3)));
  }
}

/** Draws from one distribution, by key. */
export class KeyedSampler {
  readonly #random: KeyedRandom;
  readonly #sampler: Sampler;
  /** The value of every draw if the distribution is constant; otherwise NaN. */
  readonly #constant: number;

  constructor(distribution: Distribution, seed: number) {
    this.#random = new KeyedRandom(seed);
    this.#sampler = createSampler(distribution, this.#random);
    this.#constant = distribution.kind === "deterministic" ? distribution.value : NaN;
  }

  /** The draw of a key. */
  at(first: number, second: number): number {
    const constant = this.#constant;
    if (!Number.isNaN(constant)) return constant;
    this.#random.seek(first, second);
    return this.#sampler.next();
  }
}
