import { define } from "./_definition.ts";
import type { Algorithm, Candidate, PickTrace, Tried } from "./algorithm.ts";

/**
 * `first-available`: the first available backend in the order of the configuration. With `max_connections` it fills
 * one backend after the other, so that the last backends can be switched off.
 *
 * There is a bit for each candidate, so a pick is O(n / 32). Weights have no effect.
 *
 * Source: HAProxy, `balance first`.
 */
export class FirstAvailable implements Algorithm {
  readonly #members = new Set<Candidate>();
  /** The candidates, by their order. */
  readonly #candidates: Candidate[] = [];
  #available = new Uint32Array(1);

  add(candidate: Candidate): void {
    this.#members.add(candidate);
    this.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#members.delete(candidate);
    this.#set(candidate.order, false);
  }

  update(candidate: Candidate): void {
    this.#candidates[candidate.order] = candidate;
    this.#set(candidate.order, candidate.available);
  }

  reordered(): void {
    this.#available.fill(0);
    for (const candidate of this.#members) this.update(candidate);
  }

  pick(_client: string, _now: number, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    const words = this.#available;
    for (let word = 0; word < words.length; word++) {
      let bits = words[word]!;
      if (tried !== undefined) bits &= ~bitsOf(tried, word);
      if (bits === 0) continue;
      const lowest = 31 - Math.clz32(bits & -bits);
      const picked = this.#candidates[word * 32 + lowest]!;
      trace?.considered(picked, picked.order);
      trace?.decided("first in the order of the configuration that is not full");
      return picked;
    }
    return undefined;
  }

  #set(order: number, available: boolean): void {
    const word = order >>> 5;
    if (word >= this.#available.length) {
      const larger = new Uint32Array(2 * word + 1);
      larger.set(this.#available);
      this.#available = larger;
    }
    const bit = 1 << (order & 31);
    if (available) this.#available[word]! |= bit;
    else this.#available[word]! &= ~bit;
  }
}

/** The bits of those candidates that have a bit in this word. */
function bitsOf(candidates: readonly Candidate[], word: number): number {
  let bits = 0;
  for (const { order } of candidates) if (order >>> 5 === word) bits |= 1 << (order & 31);
  return bits;
}

/** The parameters of `first-available`, and the function that creates it. */
export const firstAvailable = define({
  parameters: {},
  summary: () => "the first backend in the list that is not full",
  create: () => new FirstAvailable(),
});
