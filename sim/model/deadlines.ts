import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { Connection } from "./connections.ts";
import type { EventQueue } from "../engine/mod.ts";

/**
 * Deadlines that all have the same delay, so they pass in the order in which they were set. They are kept in a ring,
 * and only the first one is in the event queue. Most deadlines are never reached; such a deadline costs a few stores
 * and no heap operation.
 */
export class Deadlines {
  readonly #delay: Nanoseconds;
  readonly #kind: number;
  readonly #subject: number;
  readonly #queue: EventQueue;
  #times = new Float64Array(64);
  #connections: Connection[] = [];
  #waits = new Uint32Array(64);
  #first = 0;
  #size = 0;
  #scheduled = false;

  /**
   * @param delay Time from `set` to the deadline. With Infinity no deadline is ever reached, and `set` costs nothing.
   * @param kind The kind of event that happens when a deadline may have passed. Its handler calls `pass`.
   * @param subject The subject of that event.
   */
  constructor(delay: Nanoseconds, kind: number, subject: number, queue: EventQueue) {
    this.#delay = delay;
    this.#kind = kind;
    this.#subject = subject;
    this.#queue = queue;
  }

  /** Sets a deadline for the present wait of a connection. */
  set(connection: Connection, now: Nanoseconds): void {
    if (this.#delay === Infinity) return;
    if (this.#size === this.#times.length) this.#grow();
    const place = (this.#first + this.#size++) & (this.#times.length - 1);
    this.#times[place] = now + this.#delay;
    this.#connections[place] = connection;
    this.#waits[place] = connection.wait;
    if (!this.#scheduled) this.#schedule(now + this.#delay);
  }

  /** Calls `missed` for every connection whose deadline has passed, if it is still in the same wait. */
  pass(now: Nanoseconds, missed: (connection: Connection) => void): void {
    this.#scheduled = false;
    while (this.#size > 0) {
      const place = this.#first;
      const connection = this.#connections[place]!;
      const over = connection.wait !== this.#waits[place];
      const at = this.#times[place]!;
      if (!over && at > now) {
        if (!this.#scheduled) this.#schedule(at);
        return;
      }
      this.#first = (place + 1) & (this.#times.length - 1);
      this.#size--;
      if (!over) missed(connection);
    }
  }

  #schedule(at: Nanoseconds): void {
    this.#scheduled = true;
    this.#queue.push(at, this.#kind, this.#subject);
  }

  #grow(): void {
    const mask = this.#times.length - 1;
    const order = Array.from({ length: this.#size }, (_, i) => (this.#first + i) & mask);
    const unrolled = <Column extends Float64Array | Uint32Array>(from: Column, to: Column) => {
      order.forEach((place, i) => to[i] = from[place]!);
      return to;
    };
    const capacity = 2 * this.#times.length;
    this.#times = unrolled(this.#times, new Float64Array(capacity));
    this.#connections = order.map((place) => this.#connections[place]!);
    this.#waits = unrolled(this.#waits, new Uint32Array(capacity));
    this.#first = 0;
  }
}
