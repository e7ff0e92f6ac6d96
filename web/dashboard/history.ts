import type { Frame } from "../../lib/observe/mod.ts";
import type { LbEvent } from "../../lib/core/mod.ts";

/** The history keeps one sample per second, for this many seconds. */
export const HISTORY_S = 900;
/** The charts mark at most this many events. The latest ones are kept. */
export const MARKS_MAX = 300;
/** After this time without a sample, a line has a gap. */
const GAP_S = 4;

/** The values of each backend that the charts show. */
export const METRICS = ["in_flight", "rate", "p50", "p99"] as const;
export type Metric = (typeof METRICS)[number];

/** Null: nothing was measured. */
type Column = (number | null)[];

/** An event that the charts mark. */
export interface Mark {
  /** Seconds on the time axis. */
  readonly time: number;
  readonly event: LbEvent;
}

/**
 * The last minutes, one sample a second. The time axis is in seconds since 1970, so it continues when a balancer
 * restarts. In a simulation it is the virtual time, from 0.
 */
export class History {
  readonly times: number[] = [];
  readonly marks: Mark[] = [];
  readonly #columns = new Map<string, Record<Metric, Column>>();
  #backends: readonly string[] = [];
  #epoch_ms = 0;

  /** The wall-clock time at which frames' time is 0. */
  beginRun(epoch_ms: number): void {
    this.#epoch_ms = epoch_ms;
  }

  /** The backends of the latest frame, in the order of the configuration. */
  get backends(): readonly string[] {
    return this.#backends;
  }

  /** Returns whether a sample was taken. */
  add(frame: Frame): boolean {
    const time = (this.#epoch_ms + frame.at_ms) / 1000;
    for (const event of frame.marks) {
      this.marks.push({ time: (this.#epoch_ms + event.at_ms) / 1000, event });
    }
    if (this.marks.length > MARKS_MAX) this.marks.splice(0, this.marks.length - MARKS_MAX);
    const last = this.times.at(-1) ?? -Infinity;
    if (time < last + 1) {
      // Time went back: the clock was set back, or another simulation began.
      if (time > last - GAP_S) return false;
      this.clear();
    }
    if (this.times.length > 0 && time > last + GAP_S) this.#push(last + 1, undefined);
    this.#push(time, frame);
    while (this.times[0]! < time - HISTORY_S) {
      this.times.shift();
      for (const columns of this.#columns.values()) {
        for (const metric of METRICS) columns[metric].shift();
      }
    }
    while (this.marks.length > 0 && this.marks[0]!.time < this.times[0]!) this.marks.shift();
    return true;
  }

  clear(): void {
    this.times.length = 0;
    this.marks.length = 0;
    this.#columns.clear();
  }

  /** The values of a backend, one for each of `times`. */
  column(backend: string, metric: Metric): Column {
    return this.#columns.get(backend)?.[metric] ?? [];
  }

  #push(time: number, frame: Frame | undefined): void {
    this.times.push(time);
    if (frame !== undefined) this.#backends = frame.backends;
    for (const id of this.#backends) {
      if (!this.#columns.has(id)) this.#columns.set(id, emptyColumns(this.times.length - 1));
    }
    for (const [id, columns] of this.#columns) {
      const index = frame?.backends.indexOf(id) ?? -1;
      const value = (column: Float64Array | undefined) => {
        const number = index < 0 ? NaN : column![index]!;
        return Number.isNaN(number) ? null : number;
      };
      columns.in_flight.push(value(frame?.backend_in_flight));
      columns.rate.push(value(frame?.opened_per_s));
      columns.p50.push(value(frame?.first_byte_p50_ms));
      columns.p99.push(value(frame?.first_byte_p99_ms));
    }
  }
}

function emptyColumns(length: number): Record<Metric, Column> {
  const empty = () => new Array<number | null>(length).fill(null);
  return { in_flight: empty(), rate: empty(), p50: empty(), p99: empty() };
}
