import { hashClient } from "./_hash.ts";
import { LoadBound } from "./_load_bound.ts";
import { without } from "./_without.ts";
import type { Algorithm, Candidate, PickDetails, PickTrace, Tried } from "./algorithm.ts";

/**
 * The common part of the hashes with a table: its members and the bound on their load. The table is
 * rebuilt when a candidate was added or removed, or has another weight. An unavailable candidate stays
 * in the table.
 */
export abstract class TableHash implements Algorithm {
  protected readonly bound: LoadBound;
  protected readonly salt: number;
  /** The backends in the table, by candidate index, each with the weight that it has in the table. */
  readonly #members: ({ readonly candidate: Candidate; readonly weight: number } | undefined)[] =
    [];
  /** Whether the table is older than the last change. */
  #stale = true;

  /**
   * @param boundedLoad See `LoadBound`; Infinity for no bound.
   * @param salt The salt of all hashes.
   */
  constructor(boundedLoad: number, salt: number) {
    this.bound = new LoadBound(boundedLoad);
    this.salt = salt;
  }

  /**
   * Builds the table.
   *
   * @param members In the order of their ids, so that balancers with another order in the configuration build the same
   *   table.
   */
  protected abstract build(members: readonly Candidate[]): void;

  /** The candidate for the hash of a client. At least one candidate is available. */
  protected abstract lookUp(hash: number, trace?: PickTrace): Candidate | undefined;

  /** The table, and where in it the hash of a client is. */
  protected abstract detailsAt(hash: number): PickDetails;

  details(client: string): PickDetails | undefined {
    if (this.#members.every((member) => member === undefined)) return undefined;
    this.#refresh();
    return this.detailsAt(hashClient(client, this.salt));
  }

  add(candidate: Candidate): void {
    this.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.bound.takeOut(candidate);
    this.#members[candidate.index] = undefined;
    this.#stale = true;
  }

  update(candidate: Candidate): void {
    this.bound.update(candidate);
    const { index, weight } = candidate;
    const present = this.#members[index];
    if (present?.candidate === candidate && present.weight === weight) return;
    this.#members[index] = { candidate, weight };
    this.#stale = true;
  }

  loadChanged(candidate: Candidate): void {
    if (this.bound.active) this.bound.update(candidate);
  }

  pick(client: string, _now: number, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    if (tried === undefined) return this.#pick(client, trace);
    return without(this.bound, tried, () => this.#pick(client, trace));
  }

  #pick(client: string, trace?: PickTrace): Candidate | undefined {
    if (this.bound.available === 0) return undefined;
    this.#refresh();
    return this.lookUp(hashClient(client, this.salt), trace);
  }

  #refresh(): void {
    if (!this.#stale) return;
    // `flatMap` skips indices that no member has.
    const members = this.#members.flatMap((member) => member?.candidate ?? []);
    this.build(members.sort((a, b) => a.id < b.id ? -1 : 1));
    this.#stale = false;
  }
}
