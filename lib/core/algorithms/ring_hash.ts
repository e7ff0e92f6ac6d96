import { hashText } from "./_hash.ts";
import { TableHash } from "./_table_hash.ts";
import { define, HASH_PARAMETERS, hashSummary } from "./_definition.ts";
import type { Candidate, PickDetails, PickTrace } from "./algorithm.ts";

/**
 * A configuration with more points than this on its ring is refused: sorting them would take long, and they would
 * take 32 MB.
 */
export const RING_POINTS_MAX = 2 ** 22;

/** The number of places on the ring. A place and the index of its owner fit into one number. */
const PLACES = 2 ** 32;
const MEMBERS_MAX = 2 ** 21;

/**
 * `ring-hash`: consistent hashing on a ring, as in ketama. Every backend has `points · weight` points on a ring of
 * 2³² places. A client has one place, and goes to the next point from there. When a backend is removed, only its
 * clients move: to the backends whose points come next on the ring.
 *
 * Rule: the first point at or after `hash(client)` whose backend is available and within its bound. The points of
 * backend `id` are `hash("id#0")`, `hash("id#1")` … and depend only on its own weight.
 *
 * Source: R. Jones, libketama, 2007; nginx, `hash … consistent`; Envoy, `ring_hash`.
 */
export class RingHash extends TableHash {
  readonly #points: number;
  #members: readonly Candidate[] = [];
  /** The positions of the points, in ascending order. */
  #places = new Uint32Array(0);
  /** The index of each point's member. */
  #owners = new Uint32Array(0);
  /** For each value of a place's first bits: the first point at or after the lowest place with these bits. */
  #firsts = new Uint32Array(1);
  /** The number of bits of a place that follow these first bits. */
  #shift = 31;

  /**
   * @param points The number of points on the ring for each unit of weight.
   * @param boundedLoad See `LoadBound`; Infinity for no bound.
   * @param salt The salt of all hashes.
   */
  constructor(points: number, boundedLoad: number, salt = 0) {
    super(boundedLoad, salt);
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
      const owner = this.#members[owners[at]!]!;
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

  protected override detailsAt(place: number): PickDetails {
    return {
      kind: "ring",
      backends: this.#members.map(({ id }) => id),
      points: Float64Array.from(this.#places, (point) => point / PLACES),
      owners: this.#owners.slice(),
      key: place / PLACES,
    };
  }

  /** The first point at or after a place. */
  #search(place: number): number {
    const places = this.#places;
    let at = this.#firsts[place >>> this.#shift]!;
    while (at < places.length && places[at]! < place) at++;
    return at;
  }

  protected override build(members: readonly Candidate[]): void {
    const counts = members.map(({ weight }) => Math.max(1, Math.round(weight * this.#points)));
    const length = counts.reduce((sum, count) => sum + count, 0);
    // Numbers sort many times faster than objects. Of two points at the same place, the one of the lower id is first.
    const points = new Float64Array(length);
    let filled = 0;
    members.forEach(({ id }, member) => {
      for (let i = 0; i < counts[member]!; i++) {
        points[filled++] = hashText(`${id}#${i}`, this.salt) * MEMBERS_MAX + member;
      }
    });
    points.sort();
    this.#members = members;
    this.#places = new Uint32Array(length);
    this.#owners = new Uint32Array(length);
    for (let i = 0; i < length; i++) {
      const place = Math.floor(points[i]! / MEMBERS_MAX);
      this.#places[i] = place;
      this.#owners[i] = points[i]! - place * MEMBERS_MAX;
    }
    this.#index();
  }

  /** Builds `#firsts`, so that there is about one point for each value of a place's first bits. */
  #index(): void {
    const places = this.#places;
    const bits = Math.max(1, 31 - Math.clz32(places.length));
    this.#shift = 32 - bits;
    const width = PLACES / (1 << bits);
    const firsts = new Uint32Array(1 << bits);
    let at = 0;
    for (let i = 0; i < firsts.length; i++) {
      while (at < places.length && places[at]! < i * width) at++;
      firsts[i] = at;
    }
    this.#firsts = firsts;
  }
}

/** The parameters of `ring-hash`, and the function that creates it. */
export const ringHash = define({
  parameters: {
    points: {
      kind: "integer",
      min: 1,
      max: 10_000,
      default: 160,
      means: "points of a backend on the ring, per unit of weight",
    },
    ...HASH_PARAMETERS,
  },
  summary: ({ boundedLoad }) => hashSummary(boundedLoad),
  create: ({ points, boundedLoad, salt }) => new RingHash(points, boundedLoad, salt),
});
