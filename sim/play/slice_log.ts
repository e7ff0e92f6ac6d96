import { type Nanoseconds, NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import type { Monitor } from "../../lib/observe/mod.ts";
import { Histogram, type HistogramData } from "../../lib/stats/mod.ts";

/** The measurements of a slice of time. */
export interface Slice {
  readonly done: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The mean number of connections in flight of each backend. */
  readonly inFlight: Float32Array;
}

/** The number of slices in a batch. */
export const SLICES_PER_BATCH = 5;

/** The requests that ended in several slices. */
export interface Batch {
  readonly sojourn: HistogramData;
  readonly done: number;
  readonly failed: number;
  readonly refused: number;
  readonly timedOut: number;
}

/** Reads the slices of a run as they end. */
export interface SliceReader {
  /** The length of a slice. */
  readonly sliceLength: Nanoseconds;
  /** Whether this slice is new. If not, it is known already and need not be passed on. */
  needsSlice(slice: number): boolean;
  sliceEnded(data: Slice): void;
  /** Whether this batch is new. */
  needsBatch(batch: number): boolean;
  batchEnded(data: Batch): void;
}

/** The ways in which a request ends without an answer. */
export type Failure = "failed" | "refused" | "timedOut";

/** Divides a run into slices, and updates its monitors each second. */
export class SliceLog {
  readonly #reader: SliceReader;
  readonly #monitors: readonly Monitor[];
  /** The connections in flight of each backend, integrated over time. */
  readonly #inFlightTimes: (now: Nanoseconds) => Float64Array;
  #nextSecond: Nanoseconds = NS_PER_S;
  #slice = 0;
  /** The sojourn times of the requests that were done in this slice. */
  #sojourns = new Float64Array(256);
  #ended = nothingEnded();
  #batchSojourn = new Histogram();
  #batchEnded = nothingEnded();
  #timesBefore: Float64Array = new Float64Array();

  constructor(
    reader: SliceReader,
    monitors: readonly Monitor[],
    inFlightTimes: (now: Nanoseconds) => Float64Array,
  ) {
    this.#reader = reader;
    this.#monitors = monitors;
    this.#inFlightTimes = inFlightTimes;
  }

  /** How many slices have ended. */
  get ended(): number {
    return this.#slice;
  }

  /** When the next second or slice ends. */
  get nextBoundary(): Nanoseconds {
    return Math.min(this.#nextSecond, (this.#slice + 1) * this.#reader.sliceLength);
  }

  /** A request is done. */
  done(sojourn: Nanoseconds): void {
    if (this.#ended.done === this.#sojourns.length) this.#growSojourns();
    this.#sojourns[this.#ended.done++] = sojourn;
  }

  /** A request has ended in another way. */
  failed(how: Failure): void {
    this.#ended[how]++;
  }

  /** Ends the seconds and slices whose end is at this time or earlier. */
  passBoundaries(time: Nanoseconds): void {
    while (this.#nextSecond <= time) {
      for (const monitor of this.#monitors) monitor.advance(this.#nextSecond);
      this.#nextSecond += NS_PER_S;
    }
    while ((this.#slice + 1) * this.#reader.sliceLength <= time) {
      this.#endSlice((this.#slice + 1) * this.#reader.sliceLength);
    }
  }

  #growSojourns(): void {
    const larger = new Float64Array(2 * this.#sojourns.length);
    larger.set(this.#sojourns);
    this.#sojourns = larger;
  }

  #endSlice(end: Nanoseconds): void {
    const { sliceLength } = this.#reader;
    const times = this.#inFlightTimes(end);
    const ended = this.#ended;
    const sojourns = this.#sojourns.subarray(0, ended.done);
    if (this.#reader.needsSlice(this.#slice)) {
      sojourns.sort();
      this.#reader.sliceEnded({
        done: ended.done,
        errors: ended.failed + ended.refused + ended.timedOut,
        p50Ms: quantile(sojourns, 0.5) / NS_PER_MS,
        p99Ms: quantile(sojourns, 0.99) / NS_PER_MS,
        inFlight: Float32Array.from(
          times,
          (time, i) => (time - (this.#timesBefore[i] ?? 0)) / sliceLength,
        ),
      });
    }
    for (const sojourn of sojourns) this.#batchSojourn.record(sojourn);
    for (const outcome of OUTCOMES) this.#batchEnded[outcome] += ended[outcome];
    this.#timesBefore = times;
    this.#ended = nothingEnded();
    this.#slice++;
    if (this.#slice % SLICES_PER_BATCH !== 0) return;
    if (this.#reader.needsBatch(this.#slice / SLICES_PER_BATCH - 1)) {
      this.#reader.batchEnded({ sojourn: this.#batchSojourn.toData(), ...this.#batchEnded });
    }
    this.#batchSojourn = new Histogram();
    this.#batchEnded = nothingEnded();
  }
}

const OUTCOMES = ["done", "failed", "refused", "timedOut"] as const;

function nothingEnded(): Record<(typeof OUTCOMES)[number], number> {
  return { done: 0, failed: 0, refused: 0, timedOut: 0 };
}

/** The value that a share of sorted values does not exceed; NaN if there are none. */
function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
