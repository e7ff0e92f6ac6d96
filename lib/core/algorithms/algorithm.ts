import type { Nanoseconds } from "../../base/mod.ts";

/** The part of a backend that an algorithm may use. */
export interface Candidate {
  readonly id: string;
  /** Its slot, from 0, while it is a candidate. The slots have no meaningful order. */
  readonly index: number;
  /** Its place in the configuration, from 0. A rule that picks "the first" uses this order. */
  readonly order: number;
  /** The share of the load that it should get, relative to the others; above 0. */
  readonly weight: number;
  /** Its connections: those that are being opened, and those that are open. */
  readonly inFlight: number;
  /** Healthy, enabled and not full. */
  readonly available: boolean;
}

/** Records how a pick was decided. Only a pick that is explained has one, because it costs time. */
export interface PickTrace {
  /** A candidate that the algorithm compared, and its score. */
  considered(candidate: Candidate, score: number): void;
  /** The rule that decided, in words, and how a tie was broken if there was one. */
  decided(rule: string): void;
}

/**
 * The data from which an algorithm decides, besides the candidates' weights and their connections in flight. Pictures
 * and explanations show these data. Backends are given as indices into `backends`.
 */
export type PickDetails =
  /**
   * Consistent hashing: the points of the ring in ascending order, from 0 to 1, and the backend of each. The client is
   * at `key`; the first point at or after `key` decides.
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
  /** Weighted round-robin: the weight and the `current` of each backend (see `SmoothGroups`). */
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
  /** The latency that an algorithm remembers for each backend; NaN: not known. */
  | {
    readonly kind: "latencies";
    readonly backends: readonly string[];
    readonly latency_ms: readonly number[];
  }
  /** Idle backends, in the order in which they will be picked. */
  | { readonly kind: "idle"; readonly backends: readonly string[] };

/** Candidates that a connection has tried, and that its next pick excludes. */
export type Tried = readonly Candidate[];

/**
 * Chooses among the available backends. It is notified of every change at once, so that it can maintain
 * data for a cheap pick. It never reads the clock, and its constructor gets the source of its random numbers.
 */
export interface Algorithm {
  /** A candidate joins. */
  add(candidate: Candidate): void;
  /** A candidate leaves; its index may be given to another one later. */
  remove(candidate: Candidate): void;
  /** The candidate's availability or weight changed. */
  update(candidate: Candidate): void;
  /** The order of the candidates changed. An algorithm that does not use the order omits the method. */
  reordered?(): void;
  /** The candidate's number in flight changed. An algorithm that does not use this number omits the method. */
  loadChanged?(candidate: Candidate): void;
  /** The candidate reports that it is idle. An algorithm without reports omits the method. */
  reportedIdle?(candidate: Candidate): void;
  /**
   * The candidate sent the first byte of an answer. An algorithm that does not use this omits the method.
   *
   * @param latency From the pick to this byte, minus the time in which the client had sent no request.
   * @param others The candidate's connections in flight at the pick, without this one.
   */
  answered?(candidate: Candidate, latency: Nanoseconds, others: number, now: Nanoseconds): void;
  /**
   * A connection ended without an answer: it timed out, was reset, or the client left. An answer would
   * have taken at least as long as `waited`. Also called when the client has closed its sending side, since the client
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
   * @param tried Available candidates that this pick must exclude. The next pick may use them again. Undefined if
   * there are none, which is the usual case.
   */
  pick(client: string, now: Nanoseconds, trace?: PickTrace, tried?: Tried): Candidate | undefined;
  /**
   * The data from which the algorithm would decide if this client came now. Changes nothing and draws no random
   * number. An algorithm that needs only weights and connections in flight omits the method. Undefined if there is
   * no backend.
   */
  details?(client: string, now: Nanoseconds): PickDetails | undefined;
}
