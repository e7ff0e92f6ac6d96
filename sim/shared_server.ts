import type { Nanoseconds } from "../lib/core/mod.ts";
import type { ServerOptions } from "../lib/scenario/types.ts";
import { IN_SERVICE } from "./connections.ts";
import { WORK_DONE } from "./event_kinds.ts";
import { Server, type Workshop } from "./server.ts";

const NOBODY = -1;

/**
 * Processor sharing: everybody is served at once, n requests share min(n, slots) slots equally.
 *
 * Virtual time passes at the rate at which each request is served, so a request that comes at virtual
 * time v with work w is done at virtual time v + w, whoever comes and goes meanwhile. Requests are kept
 * in a heap by that time, and only the first one's end is scheduled: O(log n) a request.
 *
 * Source: the virtual time of Parekh and Gallager's generalised processor sharing, 1993.
 */
export class SharedServer extends Server {
  /** Heap of connections by virtual time of completion, which is in `workLeft`; of equals, by request. */
  readonly #heap: number[] = [];
  #virtual = 0;
  #virtualSince: Nanoseconds = 0;
  /** The connection whose end is scheduled. */
  #scheduled = NOBODY;

  constructor(index: number, options: ServerOptions, workshop: Workshop) {
    super(index, options, workshop);
  }

  override get size(): number {
    return this.#heap.length;
  }

  override get busy(): number {
    return Math.min(this.#heap.length, this.slots);
  }

  /** Nobody waits: everybody is served, if slowly. */
  override get waiting(): number {
    return 0;
  }

  override submit(c: number, now: Nanoseconds): void {
    this.#passTime(now);
    const { flags, waited, work, workLeft } = this.connections;
    flags[c] = flags[c]! | IN_SERVICE;
    waited[c] = 0;
    workLeft[c] = this.#virtual + work[c]!;
    this.#heap.push(c);
    this.#ascend(this.#heap.length - 1);
    this.#scheduleFirst(now);
  }

  override done(c: number, now: Nanoseconds): void {
    this.#passTime(now);
    // What rounding to whole nanoseconds left over.
    this.#virtual = Math.max(this.#virtual, this.connections.workLeft[c]!);
    this.#scheduled = NOBODY;
    this.#remove(c);
    this.#scheduleFirst(now);
  }

  override cancel(c: number, now: Nanoseconds): void {
    this.#passTime(now);
    if (this.#scheduled === c) this.#scheduled = NOBODY;
    this.connections.pending[c] = 0;
    this.#remove(c);
    this.#scheduleFirst(now);
  }

  override setSpeed(speed: number, now: Nanoseconds): void {
    if (speed === this.speed) return;
    this.#passTime(now);
    this.speed = speed;
    this.#scheduleFirst(now);
  }

  override clear(now: Nanoseconds): void {
    this.#passTime(now);
    const { flags, pending } = this.connections;
    for (const c of this.#heap) {
      flags[c] = flags[c]! & ~IN_SERVICE;
      pending[c] = 0;
    }
    this.#heap.length = 0;
    this.#scheduled = NOBODY;
    this.#virtual = 0;
  }

  /** Work done for each request per nanosecond. */
  get #rate(): number {
    return this.speed * Math.min(1, this.slots / this.#heap.length);
  }

  #passTime(now: Nanoseconds): void {
    this.advance(now);
    if (this.#heap.length > 0) this.#virtual += (now - this.#virtualSince) * this.#rate;
    else this.#virtual = 0;
    this.#virtualSince = now;
  }

  #scheduleFirst(now: Nanoseconds): void {
    const { pending, workLeft } = this.connections;
    if (this.#scheduled !== NOBODY) pending[this.#scheduled] = 0;
    const first = this.#heap[0];
    if (first === undefined || this.speed === 0) {
      this.#scheduled = NOBODY;
      return;
    }
    const left = Math.max(0, workLeft[first]! - this.#virtual);
    this.#scheduled = first;
    pending[first] = this.queue.push(now + Math.round(left / this.#rate), WORK_DONE, first);
  }

  #remove(c: number): void {
    const { flags, next } = this.connections;
    flags[c] = flags[c]! & ~IN_SERVICE;
    const position = next[c]!;
    const last = this.#heap.pop()!;
    if (last === c) return;
    this.#put(position, last);
    this.#ascend(position);
    this.#descend(next[last]!);
  }

  #before(a: number, b: number): boolean {
    const { request, workLeft } = this.connections;
    const difference = workLeft[a]! - workLeft[b]!;
    return difference < 0 || (difference === 0 && request[a]! < request[b]!);
  }

  #ascend(from: number): void {
    const heap = this.#heap;
    const moving = heap[from]!;
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (!this.#before(moving, heap[parent]!)) break;
      this.#put(position, heap[parent]!);
      position = parent;
    }
    this.#put(position, moving);
  }

  #descend(from: number): void {
    const heap = this.#heap;
    const moving = heap[from]!;
    let position = from;
    while (true) {
      let child = 2 * position + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, moving)) break;
      this.#put(position, heap[child]!);
      position = child;
    }
    this.#put(position, moving);
  }

  #put(position: number, c: number): void {
    this.#heap[position] = c;
    this.connections.next[c] = position;
  }
}
