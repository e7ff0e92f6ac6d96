import type { Nanoseconds } from "../../lib/base/mod.ts";
import { type Connection, IN_SERVICE } from "./connections.ts";
import { WORK_DONE } from "../engine/mod.ts";
import { Server } from "./server.ts";

/**
 * First come, first served: each slot serves one request at a time at full speed. The queue is a linked list
 * through the connections, so a request that gives up is removed in O(1).
 */
export class FifoServer extends Server {
  override busy = 0;
  override waiting = 0;
  #first: Connection | undefined;
  #last: Connection | undefined;

  override get size(): number {
    return this.busy + this.waiting;
  }

  override submit(connection: Connection, now: Nanoseconds): void {
    this.advance(now);
    if (this.busy < this.slots) {
      connection.waited = 0;
      this.#serve(connection, now);
      return;
    }
    connection.next = undefined;
    connection.previous = this.#last;
    if (this.#last === undefined) this.#first = connection;
    else this.#last.next = connection;
    this.#last = connection;
    this.waiting++;
  }

  override done(connection: Connection, now: Nanoseconds): void {
    this.advance(now);
    this.#leaveSlot(connection, now);
  }

  override cancel(connection: Connection, now: Nanoseconds): void {
    this.advance(now);
    connection.pending = 0;
    if (connection.is(IN_SERVICE)) this.#leaveSlot(connection, now);
    else this.#unlink(connection);
  }

  override setSpeed(speed: number, now: Nanoseconds): void {
    if (speed === this.speed) return;
    const inService = this.#inService();
    for (const connection of inService) {
      const done = (now - connection.servedFrom) * this.speed;
      connection.workLeft = Math.max(0, connection.workLeft - done);
      connection.servedFrom = now;
    }
    this.speed = speed;
    for (const connection of inService) this.#scheduleEnd(connection);
  }

  override clear(now: Nanoseconds): void {
    this.advance(now);
    for (const connection of this.#inService()) {
      connection.flags &= ~IN_SERVICE;
      connection.pending = 0;
    }
    for (let waiting = this.#first; waiting !== undefined; waiting = waiting.next) {
      waiting.pending = 0;
    }
    this.#first = undefined;
    this.#last = undefined;
    this.busy = 0;
    this.waiting = 0;
  }

  protected override beforeSlotsChange(now: Nanoseconds): void {
    this.advance(now);
  }

  protected override afterSlotsChange(now: Nanoseconds): void {
    while (this.busy < this.slots && this.#first !== undefined) this.#serveFirst(this.#first, now);
  }

  #leaveSlot(connection: Connection, now: Nanoseconds): void {
    connection.flags &= ~IN_SERVICE;
    this.busy--;
    const first = this.#first;
    if (first !== undefined && this.busy < this.slots) this.#serveFirst(first, now);
  }

  #serveFirst(first: Connection, now: Nanoseconds): void {
    this.#unlink(first);
    first.waited = now - first.submittedAt;
    this.#serve(first, now);
  }

  #serve(connection: Connection, now: Nanoseconds): void {
    this.busy++;
    connection.flags |= IN_SERVICE;
    connection.workLeft = connection.work;
    connection.servedFrom = now;
    this.#scheduleEnd(connection);
  }

  #scheduleEnd(connection: Connection): void {
    if (this.speed === 0) {
      connection.pending = 0;
      return;
    }
    const { workLeft, servedFrom } = connection;
    // Most servers have a speed of 1, and a division takes long.
    const duration = this.speed === 1 ? workLeft : workLeft / this.speed;
    const end = servedFrom + Math.round(duration);
    connection.pending = this.queue.push(end, WORK_DONE, connection.number);
  }

  #unlink({ previous, next }: Connection): void {
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    this.waiting--;
  }

  /** The connections in service. They are searched only when a fault begins or ends. */
  #inService(): readonly Connection[] {
    return this.connections.all.filter((connection) =>
      connection.is(IN_SERVICE) && connection.picked?.index === this.index
    );
  }
}
