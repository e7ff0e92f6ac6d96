import { hashText } from "./_hash.ts";
import { TableHash } from "./_table_hash.ts";
import type { Candidate, PickTrace } from "./algorithm.ts";

/** A ring of more points than this is thinned out. */
const POINTS_MAX = 2 ** 20;

/**
 * `ring-hash`: consistent hashing on a ring, ketama's way. Every backend has `points · weight` points on a
 * ring of 2³² places; a client has one place, and goes to the next point from there. When a backend
 * leaves, only its clients move: to whoever comes next on the ring.
 *
 * Rule: the first point at or after `hash(client)` whose backend is available and within its bound. The
 * points of backend `id` are `hash("id#0")`, `hash("id#1")` … A pick is a binary search: O(log points).
 *
 * Source: R. Jones, libketama, 2007; nginx, `hash … consistent`; Envoy, `ring_hash`.
 */
export class RingHash extends TableHash {
  readonly #points: number;
  #places = new Uint32Array(0);
  #owners: Candidate[] = [];

  /**
   * @param points On the ring for each unit of weight.
   * @param boundedLoad See `LoadBound`; Infinity for no bound.
   */
  constructor(points: number, boundedLoad: number) {
    super(boundedLoad);
    if (!Number.isInteger(points) || points < 1) {
      throw new RangeError(
        `Cannot use "points": must be an integer of at least 1: current value is ${points}`,
      );
    }
    this.#points = points;
  }

  protected override lookUp(place: number, trace?: PickTrace): Candidate {
    const owners = this.#owners;
    let at = this.#search(place);
    const passed: string[] = [];
    while (true) {
      if (at === owners.length) at = 0;
      const owner = owners[at]!;
      if (this.bound.admits(owner)) {
        trace?.considered(owner, this.#places[at]!);
        trace?.decided(
          [`first point on the ring from ${place}`, ...new Set(passed)].join("; "),
        );
        return owner;
      }
      if (trace !== undefined) passed.push(this.bound.refusal(owner));
      at++;
    }
  }

  /** The first point at or after a place. */
  #search(place: number): number {
    const places = this.#places;
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (places[middle]! < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  protected override build(members: readonly Candidate[]): void {
    const wanted = members.reduce((sum, { weight }) => sum + weight * this.#points, 0);
    const thinning = Math.min(1, POINTS_MAX / wanted);
    const points: { readonly place: number; readonly owner: Candidate }[] = [];
    for (const owner of members) {
      const count = Math.max(1, Math.round(owner.weight * this.#points * thinning));
      for (let i = 0; i < count; i++) points.push({ place: hashText(`${owner.id}#${i}`), owner });
    }
    // The sort is stable, so a place that two points share is the first's by id.
    points.sort((a, b) => a.place - b.place);
    this.#places = Uint32Array.from(points, ({ place }) => place);
    this.#owners = points.map(({ owner }) => owner);
  }
}
