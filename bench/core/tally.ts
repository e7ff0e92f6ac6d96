import { type Nanoseconds, NS_PER_S } from "../../lib/base/mod.ts";
import { Histogram } from "../../lib/stats/mod.ts";
import { type BackendNames, NO_BACKEND } from "./backend_names.ts";
import type { ErrorKind } from "./errors.ts";

/** The results of one slice of time. */
export interface Slice {
  readonly answers: number;
  readonly errors: number;
  /** The mean latency of the answers; NaN if there are none. */
  readonly meanLatency: Nanoseconds;
}

/** Time is divided into slices of this length. */
export const SLICE: Nanoseconds = NS_PER_S / 10;

/**
 * Records how requests ended. Each valid answer has two latencies: the corrected one, from the planned start of its
 * request; and the uncorrected one, from the time at which the request was sent. For a new connection, this is the
 * time at which the connect began. In a closed loop the two are equal.
 */
export class Tally {
  readonly corrected: Histogram = new Histogram();
  readonly uncorrected: Histogram = new Histogram();
  /**
   * The generator's own delay: from the planned start of a request until the generator handled it. Waiting for a
   * free connection is not part of the delay.
   */
  readonly lag: Histogram = new Histogram();
  readonly names: BackendNames;
  readonly errors: Map<ErrorKind, number> = new Map<ErrorKind, number>();
  /** Answers by the number of the backend. */
  readonly byBackend: number[] = [];
  /** Latencies of the answers since `takeRecent`. */
  #recent = new Histogram();
  readonly #answers: number[] = [];
  readonly #failures: number[] = [];
  readonly #sums: number[] = [];
  /** Planned requests. */
  offered = 0;
  /** The planned requests that were written to a connection. */
  sent = 0;
  bytesSent = 0;
  bytesReceived = 0;
  /** Connections that were opened. */
  connections = 0;
  #errorCount = 0;

  constructor(names: BackendNames) {
    this.names = names;
  }

  /** Valid answers. */
  get answers(): number {
    return this.corrected.count;
  }

  get errorCount(): number {
    return this.#errorCount;
  }

  /** Requests that have neither an answer nor an error. */
  get unfinished(): number {
    return this.offered - this.answers - this.#errorCount;
  }

  /** A valid answer came at `now`. Times count from the start of the run. */
  answered(due: Nanoseconds, sentAt: Nanoseconds, now: Nanoseconds, backend: number): void {
    const latency = Math.max(0, now - due);
    this.corrected.record(latency);
    this.uncorrected.record(Math.max(0, now - sentAt));
    this.#recent.record(latency);
    if (backend !== NO_BACKEND) this.byBackend[backend] = (this.byBackend[backend] ?? 0) + 1;
    const slice = sliceOf(now);
    this.#answers[slice] = (this.#answers[slice] ?? 0) + 1;
    this.#sums[slice] = (this.#sums[slice] ?? 0) + latency;
  }

  failed(kind: ErrorKind, now: Nanoseconds): void {
    this.#errorCount++;
    this.errors.set(kind, (this.errors.get(kind) ?? 0) + 1);
    const slice = sliceOf(now);
    this.#failures[slice] = (this.#failures[slice] ?? 0) + 1;
  }

  /** The corrected latencies since the last call. */
  takeRecent(): Histogram {
    const recent = this.#recent;
    this.#recent = new Histogram();
    return recent;
  }

  /** The run in slices of `SLICE`. */
  slices(): Slice[] {
    const length = Math.max(this.#answers.length, this.#failures.length);
    return Array.from({ length }, (_, i) => {
      const answers = this.#answers[i] ?? 0;
      return {
        answers,
        errors: this.#failures[i] ?? 0,
        meanLatency: (this.#sums[i] ?? NaN) / answers,
      };
    });
  }
}

function sliceOf(now: Nanoseconds): number {
  return Math.max(0, Math.floor(now / SLICE));
}
