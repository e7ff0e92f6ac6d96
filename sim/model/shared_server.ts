import type { Nanoseconds } from "../../lib/base/mod.ts";
import { type Connection, IN_SERVICE } from "./connections.ts";
import { WORK_DONE } from "../engine/mod.ts";
import { Server } from "./server.ts";

/**
 * Processor sharing: all requests are served at the same time; n requests share min(n, slots) slots equally.
 *
 * Virtual time passes at the rate at which each request is served. A request that arrives at virtual time v with work
 * w is therefore done at virtual time v + w, even if other requests arrive or leave. Requests are kept in a heap by
 * this time, and only the end of the first one is scheduled: O(log n) for each request.
 *
 * Source: the virtual time of Parekh and Gallager's generalised processor sharing, 1993.
 */
export class SharedServer extends Server {
  /**
   * A heap of the connections by virtual time of completion, which is in `workLeft`. If two times are equal, the
   * numbers of the requests decide.
   */
  readonly #heap: Connection[] = [];
  #virtual = 0;
  #virtualSince: Nanoseconds = 0;
  /** The connection whose end is scheduled. */
  #scheduled: Connection | undefined;

  override get size(): number {
    return this.#heap.length;
  }

  override get busy(): number {
    return Math.min(this.#heap.length, this.slots);
  }

  /** Always 0: all requests are served at the same time. */
  override get waiting(): number {
    return 0;
  }

  override submit(connection: Connection, now: Nanoseconds): void {
    this.#passTime(now);
    connection.flags |= IN_SERVICE;
    connection.waited = 0;
    connection.workLeft = this.#virtual + connection.work;
    this.#heap.push(connection);
    this.#ascend(this.#heap.length - 1);
    this.#scheduleFirst(now);
  }

  override done(connection: Connection, now: Nanoseconds): void {
    this.#passTime(now);
    // Corrects the virtual time, because times are rounded to whole nanoseconds.
    this.#virtual = Math.max(this.#virtual, connection.workLeft);
    this.#scheduled = undefined;
    this.#remove(connection);
    this.#scheduleFirst(now);
  }

  override cancel(connection: Connection, now: Nanoseconds): void {
    this.#passTime(now);
    if (this.#scheduled === connection) this.#scheduled = undefined;
    connection.pending = 0;
    this.#remove(connection);
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
    for (const connection of this.#heap) {
      connection.flags &= ~IN_SERVICE;
      connection.pending = 0;
    }
    this.#heap.length = 0;
    this.#scheduled = undefined;
    this.#virtual = 0;
  }

  protected override beforeSlotsChange(now: Nanoseconds): void {
    this.#passTime(now);
  }

  protected override afterSlotsChange(now: Nanoseconds): void {
    this.#scheduleFirst(now);
  }

  /** Work done per nanosecond for each request. A method, because V8 optimizes no private getter. */
  #rate(): number {
    return this.speed * Math.min(1, this.slots / this.#heap.length);
  }

  #passTime(now: Nanoseconds): void {
    this.advance(now);
    if (this.#heap.length > 0) this.#virtual += (now - this.#virtualSince) * this.#rate();
    else this.#virtual = 0;
    this.#virtualSince = now;
  }

  #scheduleFirst(now: Nanoseconds): void {
    if (this.#scheduled !== undefined) this.#scheduled.pending = 0;
    const first = this.#heap[0];
    if (first === undefined || this.speed === 0) {
      this.#scheduled = undefined;
      return;
    }
    const left = Math.max(0, first.workLeft - this.#virtual);
    this.#scheduled = first;
    const end = now + Math.round(left / this.#rate());
    first.pending = this.queue.push(end, WORK_DONE, first.number);
  }

  #remove(connection: Connection): void {
    connection.flags &= ~IN_SERVICE;
    const position = connection.heapPosition;
    const last = this.#heap.pop()!;
    if (last === connection) return;
    this.#put(position, last);
    this.#ascend(position);
    this.#descend(last.heapPosition);
  }

  #before(a: Connection, b: Connection): boolean {
    const difference = a.workLeft - b.workLeft;
    if (difference !== 0) return difference < 0;
    return a.origin < b.origin || (a.origin === b.origin && a.nth < b.nth);
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

  #put(position: number, connection: Connection): void {
    this.#heap[position] = connection;
    connection.heapPosition = position;
  }
}
