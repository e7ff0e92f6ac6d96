import type { Nanoseconds } from "../../lib/base/mod.ts";

interface Entry<T> {
  readonly at: Nanoseconds;
  readonly sequence: number;
  readonly item: T;
}

/** A queue of items by time, as a binary heap. Items of the same time come in the order in which they were added. */
export class Agenda<T> {
  readonly #heap: Entry<T>[] = [];
  #sequence = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The time of the earliest item; Infinity if there is none. */
  get next(): Nanoseconds {
    return this.#heap[0]?.at ?? Infinity;
  }

  add(at: Nanoseconds, item: T): void {
    const heap = this.#heap;
    const entry = { at, sequence: this.#sequence++, item };
    let i = heap.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!comesBefore(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  /** Removes the earliest item; undefined if there is none, or it is later than `now`. */
  take(now: Nanoseconds): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.at > now) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    return first.item;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  #sink(entry: Entry<T>): void {
    const heap = this.#heap;
    let i = 0;
    while (true) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && comesBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!comesBefore(heap[child]!, entry)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = entry;
  }
}

function comesBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}
