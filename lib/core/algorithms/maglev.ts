import { hashText, scramble } from "./_hash.ts";
import { multiplierOf, rendezvous } from "./_rendezvous.ts";
import { TableHash } from "./_table_hash.ts";
import { define, HASH_PARAMETERS, hashSummary } from "./_definition.ts";
import type { Candidate, PickDetails, PickTrace } from "./algorithm.ts";

/** The order in which a member claims slots: `offset`, `offset + skip`, … modulo the size of the table. */
export interface Permutation {
  readonly offset: number;
  readonly skip: number;
  readonly weight: number;
}

/**
 * Fills a Maglev table: members take turns, and each takes the next free slot of its permutation. In every round the
 * heaviest member has one turn. A member with half its weight has a turn in half of the rounds.
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
 * `maglev`: consistent hashing by a table in which every backend has its share of slots. With equal weights, shares
 * differ by at most one slot. A pick is one look-up. The disadvantage: when a backend is removed from the
 * configuration, a few clients of the other backends move, too. A backend that is only unavailable keeps its slots,
 * and only its own clients move.
 *
 * Rule: slot `hash(client) mod M`; if the backend of this slot is not available or at its bound, further slots follow,
 * in steps that depend on the client's hash. So the clients of a backend that is down spread over the others by
 * weight. The permutation of a backend has `offset = h1(id) mod M` and `skip = h2(id) mod (M − 1) + 1`. The steps of a
 * client are computed from its hash.
 *
 * Source: D. Eisenbud et al., "Maglev: a fast and reliable software network load balancer", NSDI 2016.
 */
export class Maglev extends TableHash {
  readonly #size: number;
  #sorted: readonly Candidate[] = [];
  #table = new Int32Array(0);

  /**
   * @param size The number of slots in the table: a prime, at least a hundred times the number of backends.
   * @param boundedLoad See `LoadBound`; Infinity for no bound.
   * @param salt The salt of all hashes.
   */
  constructor(size: number, boundedLoad: number, salt = 0) {
    super(boundedLoad, salt);
    if (!isPrime(size)) {
      throw new RangeError(`Cannot use "table_size": must be a prime: current value is ${size}`);
    }
    this.#size = size;
  }

  protected override lookUp(hash: number, trace?: PickTrace): Candidate | undefined {
    // Nearly every pick ends at its first slot, and then it allocates nothing.
    const owner = this.#sorted[this.#table[hash % this.#size]!]!;
    return trace === undefined && this.bound.admits(owner) ? owner : this.#walk(hash, trace);
  }

  /** Goes through the table from the client's first slot on, until a backend may take the client. */
  #walk(hash: number, trace?: PickTrace): Candidate | undefined {
    const size = this.#size;
    const first = hash % size;
    const refusals = new Set<string>();
    let slot = first;
    let skip = 0;
    for (let i = 0; i < size; i++) {
      const owner = this.#sorted[this.#table[slot]!]!;
      if (this.bound.admits(owner)) {
        trace?.considered(owner, slot);
        trace?.decided(
          [`owner of slot ${first}, or of the next slot in the client's order`, ...refusals].join(
            "; ",
          ),
        );
        return owner;
      }
      if (trace !== undefined) refusals.add(this.bound.refusal(owner));
      if (skip === 0) skip = skipOf(hash, size);
      slot = (slot + skip) % size;
    }
    // A backend with little weight may own no slot of a small table, and may be the only one left.
    return this.#highest(hash, trace);
  }

  protected override detailsAt(hash: number): PickDetails {
    return {
      kind: "table",
      backends: this.#sorted.map(({ id }) => id),
      owners: Uint32Array.from(this.#table),
      entry: hash % this.#size,
    };
  }

  /** Picks among all candidates as `source-hash` does, without the table. */
  #highest(hash: number, trace?: PickTrace): Candidate | undefined {
    const multiplier = multiplierOf(hash);
    let best: Candidate | undefined;
    let bestScore = -Infinity;
    for (const candidate of this.#sorted) {
      if (!this.bound.admits(candidate)) continue;
      const { id, weight } = candidate;
      const score = rendezvous(weight, Math.imul(hashText(id, this.salt) ^ hash, multiplier));
      trace?.considered(candidate, score);
      if (score <= bestScore) continue;
      best = candidate;
      bestScore = score;
    }
    trace?.decided("no backend in the table is available: highest -weight / ln(hash)");
    return best;
  }

  protected override build(members: readonly Candidate[]): void {
    this.#sorted = members;
    const permutations = this.#sorted.map(({ id, weight }) => {
      const hash = hashText(id, this.salt);
      return {
        offset: hash % this.#size,
        skip: skipOf(hash, this.#size),
        weight,
      };
    });
    this.#table = maglevTable(this.#size, permutations);
  }
}

/** The distance from one slot of a permutation to the next. */
function skipOf(hash: number, size: number): number {
  return scramble(hash ^ 0x9e3779b9) % (size - 1) + 1;
}

/** Whether a number has no divisor but 1 and itself. */
export function isPrime(value: number): boolean {
  if (!Number.isInteger(value) || value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) {
    if (value % divisor === 0) return false;
  }
  return true;
}

/** The parameters of `maglev`, and the function that creates it. */
export const maglev = define({
  parameters: {
    tableSize: {
      kind: "integer",
      min: 2,
      max: 10_000_019,
      default: 65537,
      means: "slots in the table, a prime; at least a hundred times the number of backends",
      complaint: (size: number) =>
        isPrime(size) ? undefined : `must be a prime: ${size} is not; 65537 is`,
    },
    ...HASH_PARAMETERS,
  },
  summary: ({ boundedLoad }) => hashSummary(boundedLoad),
  create: ({ tableSize, boundedLoad, salt }) => new Maglev(tableSize, boundedLoad, salt),
});
