import type { Nanoseconds } from "../../base/mod.ts";

/** What an algorithm may know of a backend. */
export interface Candidate {
  readonly id: string;
  /** Its slot, from 0, for as long as it is a candidate. It says nothing about any order. */
  readonly index: number;
  /** Place in the configuration, from 0: the order meant by a rule that says "first". */
  readonly order: number;
  /** Share of the load it should get, relative to the others; above 0. */
  readonly weight: number;
  /** Connections being opened to it and open on it. */
  readonly inFlight: number;
  /** Healthy, enabled and not full. */
  readonly available: boolean;
}

/** Records how a pick was decided. Absent on the hot path. */
export interface PickTrace {
  /** A candidate that was looked at, and the number it was judged by. */
  considered(candidate: Candidate, score: number): void;
  /** The rule that decided, in words, and how a tie was broken if there was one. */
  decided(rule: string): void;
}

/**
 * What an algorithm decides by, beside the candidates' weights and their connections in flight: for pictures and
 * explanations. Backends are indices into `backends`.
 */
export type PickDetails =
  /**
   * Consistent hashing: the points of the ring in ascending order, from 0 to 1, and the backend of each. The client is
   * at `key`; the first point from there on decides.
   */
  | {
    readonly kind: "ring";
    readonly backends: readonly string[];
    readonly points: Float64Array;
    readonly owners: Uint32Array;
    readonly key: number;
  }
  /** A lookup table: the backend of each entry, and the client's entry. */
  | {
    readonly kind: "table";
    readonly backends: readonly string[];
    readonly owners: Uint32Array;
    readonly entry: number;
  }
  /** Weighted round-robin: whose turn it is, as the numbers by which the turns are counted. */
  | {
    readonly kind: "turns";
    readonly backends: readonly string[];
    readonly weights: readonly number[];
    readonly current: readonly number[];
  }
  /** Probe results (Prequal). */
  | {
    readonly kind: "pool";
    readonly results: readonly {
      readonly backend: string;
      readonly in_flight: number;
      /** NaN: not known. */
      readonly latency_ms: number;
      readonly age_ms: number;
      readonly hot: boolean;
    }[];
  }
  /** Latencies as an algorithm remembers them; NaN: not known. */
  | {
    readonly kind: "latencies";
    readonly backends: readonly string[];
    readonly latency_ms: readonly number[];
  }
  /** Backends that have reported that they are idle, in the order in which they will be used. */
  | { readonly kind: "idle"; readonly backends: readonly string[] };

/** Candidates that a connection has tried, and that its next pick excludes. */
export type Tried = readonly Candidate[];

/**
 * Chooses among the available backends. It is notified of every change at once, so that it can maintain
 * data for a cheap pick. It never reads the clock, and gets its random numbers from the constructor.
 */
export interface Algorithm {
  /** A candidate joins. */
  add(candidate: Candidate): void;
  /** A candidate leaves; its index may be given to another one later. */
  remove(candidate: Candidate): void;
  /** The candidate's availability or weight changed. */
  update(candidate: Candidate): void;
  /** The order of the candidates changed. Left out by an algorithm that does not look at it. */
  reordered?(): void;
  /** The candidate's number in flight changed. Left out by an algorithm that does not look at it. */
  loadChanged?(candidate: Candidate): void;
  /** The candidate reports that it has nothing to do. Left out by an algorithm that takes no reports. */
  reportedIdle?(candidate: Candidate): void;
  /**
   * The candidate sent the first byte of an answer. Left out by an algorithm that does not look at it.
   *
   * @param latency From the pick until then, less the time for which the client asked nothing.
   * @param others How many connections it had in flight when it was picked, this one not counted.
   */
  answered?(candidate: Candidate, latency: Nanoseconds, others: number, now: Nanoseconds): void;
  /**
   * A connection ended without an answer: it timed out, was reset, or the client left. An answer would
   * have taken at least that long. Also called when the client has closed its sending side, since it
   * may have left; then a second call or an answer may follow. An algorithm that does not use this
   * omits the method.
   *
   * @param waited For how long the client waited for the answer, as in `answered`.
   * @param others As in `answered`.
   */
  unanswered?(candidate: Candidate, waited: Nanoseconds, others: number, now: Nanoseconds): void;
  /**
   * The backend for a new connection, or undefined if none is available.
   *
   * @param client The client's address, or the prefix that stands for it.
   * @param tried Available candidates of this algorithm that are not to be picked; undefined if there are
   * none, as almost always. They are available to the next pick.
   */
  pick(client: string, now: Nanoseconds, trace?: PickTrace, tried?: Tried): Candidate | undefined;
  /**
   * What it would decide by if this client came now. Changes nothing, draws nothing. Left out by an algorithm that
   * decides by weights and connections in flight only. Undefined if it knows no backend.
   */
  details?(client: string, now: Nanoseconds): PickDetails | undefined;
}
