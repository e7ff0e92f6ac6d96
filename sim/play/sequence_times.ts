import type { Nanoseconds } from "../../lib/base/mod.ts";

/** How many events it remembers: a power of two. */
const CAPACITY = 1 << 17;

/**
 * Remembers when the latest events were scheduled, by their sequence numbers. The queue of events itself knows only when
 * they will happen.
 */
export class SequenceTimes {
  /** The last sequence number that was given out by a time, and that time, in a ring. */
  readonly #sequences = new Float64Array(CAPACITY);
  readonly #times = new Float64Array(CAPACITY);
  #count = 0;
  #last = 0;

  /** An event has been handled at a time; `scheduled` numbers have been given out since the start. */
  record(scheduled: number, time: Nanoseconds): void {
    if (scheduled === this.#last) return;
    this.#last = scheduled;
    const place = this.#count++ & (CAPACITY - 1);
    this.#sequences[place] = scheduled;
    this.#times[place] = time;
  }

  /** When the event of this number was scheduled; NaN if that was too long ago. */
  at(sequence: number): Nanoseconds {
    let low = Math.max(0, this.#count - CAPACITY);
    let high = this.#count;
    if (low > 0 && sequence <= this.#sequences[low & (CAPACITY - 1)]!) return NaN;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#sequences[middle & (CAPACITY - 1)]! < sequence) low = middle + 1;
      else high = middle;
    }
    return low === this.#count ? NaN : this.#times[low & (CAPACITY - 1)]!;
  }
}
