import type { Candidate } from "./algorithm.ts";

/**
 * The candidates on which a lookup table is built, in the order of their ids: balancers that list them in
 * another order build the same table.
 */
export class Members {
  readonly #byIndex = new Map<number, { readonly candidate: Candidate; weight: number }>();
  /** The table is older than the last change. */
  stale = true;

  /** Takes a candidate in, or its new weight. */
  update(candidate: Candidate): void {
    const present = this.#byIndex.get(candidate.index);
    if (present?.candidate === candidate && present.weight === candidate.weight) return;
    this.#byIndex.set(candidate.index, { candidate, weight: candidate.weight });
    this.stale = true;
  }

  remove(candidate: Candidate): void {
    this.#byIndex.delete(candidate.index);
    this.stale = true;
  }

  get sorted(): Candidate[] {
    return [...this.#byIndex.values()].map(({ candidate }) => candidate)
      .sort((a, b) => a.id < b.id ? -1 : 1);
  }
}
