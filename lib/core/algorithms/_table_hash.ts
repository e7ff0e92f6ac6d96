import { hashClient } from "./_hash.ts";
import { LoadBound } from "./_load_bound.ts";
import type { Algorithm, Candidate, PickTrace } from "./algorithm.ts";

/**
 * What the hashes share that look a client up in a table: who is in it, the bound on their load, and that
 * the table is made anew when a candidate came, left, or has another weight. One that is merely
 * unavailable stays in it.
 */
export abstract class TableHash implements Algorithm {
  protected readonly bound: LoadBound;
  protected readonly salt: number;
  readonly #members = new Map<number, { readonly candidate: Candidate; readonly weight: number }>();
  /** The table is older than the last change. */
  #stale = true;

  /**
   * @param boundedLoad See `LoadBound`; Infinity for no bound.
   * @param salt Of all hashes.
   */
  constructor(boundedLoad: number, salt: number) {
    this.bound = new LoadBound(boundedLoad);
    this.salt = salt;
  }

  /**
   * Makes the table.
   *
   * @param members In the order of their ids: balancers that list them in another order make the same table.
   */
  protected abstract build(members: readonly Candidate[]): void;

  /** The candidate for the hash of a client; somebody is available. */
  protected abstract lookUp(hash: number, trace?: PickTrace): Candidate | undefined;

  add(candidate: Candidate): void {
    this.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.bound.remove(candidate);
    this.#members.delete(candidate.index);
    this.#stale = true;
  }

  update(candidate: Candidate): void {
    this.bound.update(candidate);
    const { index, weight } = candidate;
    const present = this.#members.get(index);
    if (present?.candidate === candidate && present.weight === weight) return;
    this.#members.set(index, { candidate, weight });
    this.#stale = true;
  }

  loadChanged(candidate: Candidate): void {
    if (this.bound.active) this.bound.update(candidate);
  }

  pick(client: string, _now: number, trace?: PickTrace): Candidate | undefined {
    if (this.bound.available === 0) return undefined;
    if (this.#stale) {
      const members = [...this.#members.values()].map(({ candidate }) => candidate);
      this.build(members.sort((a, b) => a.id < b.id ? -1 : 1));
      this.#stale = false;
    }
    return this.lookUp(hashClient(client, this.salt), trace);
  }
}
