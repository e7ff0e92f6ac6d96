import { hashText, scramble } from "./_hash.ts";
import { TableHash } from "./_table_hash.ts";
import type { Candidate, PickTrace } from "./algorithm.ts";

/** The order in which a member claims slots: `offset`, `offset + skip`, … modulo the table's size. */
export interface Permutation {
  readonly offset: number;
  readonly skip: number;
  readonly weight: number;
}

/**
 * Fills a Maglev table: members take turns, each claiming the next free slot of its permutation. In every
 * round the heaviest has one turn, the others as many as their weight is of its.
 *
 * @param size A prime, so that every permutation reaches every slot.
 * @returns For each slot the index of its member.
 */
export function maglevTable(
  size: number,
  members: readonly Permutation[],
): Int32Array<ArrayBuffer> {
  const table = new Int32Array(size).fill(-1);
  const heaviest = Math.max(...members.map(({ weight }) => weight));
  const claimed = members.map(() => 0);
  const turns = members.map(() => 0);
  for (let filled = 0; filled < size;) {
    for (let m = 0; m < members.length && filled < size; m++) {
      const { offset, skip, weight } = members[m]!;
      turns[m]! += weight / heaviest;
      for (; turns[m]! >= 1 && filled < size; turns[m]!--) {
        let slot: number;
        do slot = (offset + claimed[m]!++ * skip) % size; while (table[slot] !== -1);
        table[slot] = m;
        filled++;
      }
    }
  }
  return table;
}

/**
 * `maglev`: consistent hashing by a table in which every backend has its share of slots, exact to one
 * slot among equals. A pick is one look-up. The price for that evenness: when a backend leaves the
 * configuration, a few clients of others move, too. One that is merely unavailable keeps its slots, and
 * only its own clients go elsewhere.
 *
 * Rule: slot `hash(client) mod M`; if its backend is not available or at its bound, the next slots in
 * turn. Permutations are `offset = h1(id) mod M`, `skip = h2(id) mod (M − 1) + 1`.
 *
 * Source: D. Eisenbud et al., "Maglev: a fast and reliable software network load balancer", NSDI 2016.
 */
export class Maglev extends TableHash {
  readonly #size: number;
  #sorted: readonly Candidate[] = [];
  #table = new Int32Array(0);

  /**
   * @param size Slots in the table: a prime, best a hundred times as many as backends.
   * @param boundedLoad See `LoadBound`; Infinity for no bound.
   */
  constructor(size: number, boundedLoad: number) {
    super(boundedLoad);
    if (!isPrime(size)) {
      throw new RangeError(`Cannot use "table_size": must be a prime: current value is ${size}`);
    }
    this.#size = size;
  }

  protected override lookUp(hash: number, trace?: PickTrace): Candidate | undefined {
    const size = this.#size;
    const first = hash % size;
    for (let i = 0; i < size; i++) {
      const owner = this.#ownerOf((first + i) % size);
      if (!this.bound.admits(owner)) continue;
      if (trace !== undefined) this.#explain(trace, first, i, owner);
      return owner;
    }
    // The few that are left may be too many for the table, and own no slot.
    const left = this.#sorted.find((candidate) => this.bound.admits(candidate));
    if (left === undefined) return undefined;
    trace?.considered(left, first);
    trace?.decided("nobody in the table is available; the first that is");
    return left;
  }

  #ownerOf(slot: number): Candidate {
    return this.#sorted[this.#table[slot]!]!;
  }

  #explain(trace: PickTrace, first: number, passed: number, owner: Candidate): void {
    const refusals = new Set<string>();
    for (let i = 0; i < passed; i++) {
      refusals.add(this.bound.refusal(this.#ownerOf((first + i) % this.#size)));
    }
    trace.considered(owner, (first + passed) % this.#size);
    trace.decided([`owner of slot ${first} or the next`, ...refusals].join("; "));
  }

  protected override build(members: readonly Candidate[]): void {
    this.#sorted = members;
    const permutations = this.#sorted.map(({ id, weight }) => {
      const hash = hashText(id);
      return {
        offset: hash % this.#size,
        skip: scramble(hash ^ 0x9e3779b9) % (this.#size - 1) + 1,
        weight,
      };
    });
    this.#table = maglevTable(this.#size, permutations);
  }
}

/** Whether a number has no divisor but 1 and itself. */
export function isPrime(value: number): boolean {
  if (!Number.isInteger(value) || value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) {
    if (value % divisor === 0) return false;
  }
  return true;
}
