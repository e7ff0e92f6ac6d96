import type { Nanoseconds } from "../lib/core/mod.ts";
import { IN_SERVICE } from "./connections.ts";
import { WORK_DONE } from "./event_kinds.ts";
import { Server } from "./server.ts";

const NOBODY = -1;

/**
 * First come, first served: each slot serves one request at a time at full speed. The queue is a linked
 * list through the table of connections, so whoever gives up leaves it in O(1).
 */
export class FifoServer extends Server {
  override busy = 0;
  override waiting = 0;
  #first = NOBODY;
  #last = NOBODY;

  override get size(): number {
    return this.busy + this.waiting;
  }

  override submit(c: number, now: Nanoseconds): void {
    this.advance(now);
    if (this.busy < this.slots) {
      this.connections.waited[c] = 0;
      this.#serve(c, now);
      return;
    }
    const { next, previous } = this.connections;
    next[c] = NOBODY;
    previous[c] = this.#last;
    if (this.#last === NOBODY) this.#first = c;
    else next[this.#last] = c;
    this.#last = c;
    this.waiting++;
  }

  override done(c: number, now: Nanoseconds): void {
    this.advance(now);
    this.#leaveSlot(c, now);
  }

  override cancel(c: number, now: Nanoseconds): void {
    this.advance(now);
    this.connections.pending[c] = 0;
    if ((this.connections.flags[c]! & IN_SERVICE) !== 0) this.#leaveSlot(c, now);
    else this.#unlink(c);
  }

  override setSpeed(speed: number, now: Nanoseconds): void {
    if (speed === this.speed) return;
    const { workLeft, servedFrom } = this.connections;
    for (const c of this.#inService()) {
      workLeft[c] = Math.max(0, workLeft[c]! - (now - servedFrom[c]!) * this.speed);
      servedFrom[c] = now;
    }
    this.speed = speed;
    for (const c of this.#inService()) this.#scheduleEnd(c);
  }

  override clear(now: Nanoseconds): void {
    this.advance(now);
    const { flags, pending, next } = this.connections;
    for (const c of this.#inService()) {
      flags[c] = flags[c]! & ~IN_SERVICE;
      pending[c] = 0;
    }
    for (let c = this.#first; c !== NOBODY; c = next[c]!) pending[c] = 0;
    this.#first = NOBODY;
    this.#last = NOBODY;
    this.busy = 0;
    this.waiting = 0;
  }

  #leaveSlot(c: number, now: Nanoseconds): void {
    const { flags, submittedAt, waited } = this.connections;
    flags[c] = flags[c]! & ~IN_SERVICE;
    this.busy--;
    const first = this.#first;
    if (first === NOBODY) return;
    this.#unlink(first);
    waited[first] = now - submittedAt[first]!;
    this.#serve(first, now);
  }

  #serve(c: number, now: Nanoseconds): void {
    const { flags, work, workLeft, servedFrom } = this.connections;
    this.busy++;
    flags[c] = flags[c]! | IN_SERVICE;
    workLeft[c] = work[c]!;
    servedFrom[c] = now;
    this.#scheduleEnd(c);
  }

  #scheduleEnd(c: number): void {
    const { pending, servedFrom, workLeft } = this.connections;
    if (this.speed === 0) {
      pending[c] = 0;
      return;
    }
    const end = servedFrom[c]! + Math.round(workLeft[c]! / this.speed);
    pending[c] = this.queue.push(end, WORK_DONE, c);
  }

  #unlink(c: number): void {
    const { next, previous } = this.connections;
    const before = previous[c]!;
    const after = next[c]!;
    if (before === NOBODY) this.#first = after;
    else next[before] = after;
    if (after === NOBODY) this.#last = before;
    else previous[after] = before;
    this.waiting--;
  }

  /** Looked for, not kept: they are needed only when a fault begins or ends. */
  #inService(): number[] {
    const { flags, backend, size } = this.connections;
    const found: number[] = [];
    for (let c = 0; c < size; c++) {
      if (backend[c] === this.index && (flags[c]! & IN_SERVICE) !== 0) found.push(c);
    }
    return found;
  }
}
