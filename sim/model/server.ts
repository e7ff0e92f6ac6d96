import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { ServerOptions } from "../../lib/scenario/types.ts";
import { SlotHistory } from "../../lib/workload/mod.ts";
import type { Connection, Connections } from "./connections.ts";
import type { EventQueue } from "../engine/mod.ts";

/** The parts of the world that a server uses: the connections, which carry the requests, and the event queue. */
export interface ServerContext {
  readonly connections: Connections;
  readonly queue: EventQueue;
}

/**
 * Serves requests: it has slots, a bounded queue and a speed. A request is given by its connection. When its work is
 * done, there is a `WORK_DONE` event, after which `done` must be called.
 */
export abstract class Server {
  /** Places reserved for connections whose request is on the way. */
  reserved = 0;
  protected readonly index: number;
  protected readonly connections: Connections;
  protected readonly queue: EventQueue;
  slots: number;
  /** Work done per nanosecond and slot; 0 while the server is stopped. */
  protected speed: number;
  #places: number;
  readonly #slotHistory: SlotHistory;
  #since: Nanoseconds = 0;
  #busyTime = 0;
  #waitingTime = 0;

  /** @param index Index of the backend that has this server. */
  constructor(index: number, options: ServerOptions, context: ServerContext) {
    this.index = index;
    this.connections = context.connections;
    this.queue = context.queue;
    this.slots = options.slots;
    this.speed = options.speed;
    this.#places = options.slots + options.queue;
    this.#slotHistory = new SlotHistory(options.slots);
  }

  /** Changes its slots and its queue. Requests above a lower limit stay until they are done. */
  change({ slots, queue }: Pick<ServerOptions, "slots" | "queue">, now: Nanoseconds): void {
    this.#places = slots + queue;
    if (slots === this.slots) return;
    this.beforeSlotsChange(now);
    this.slots = slots;
    this.#slotHistory.changed(now, slots);
    this.afterSlotsChange(now);
  }

  /** How many slots it had on average between two times. */
  meanSlots(from: Nanoseconds, to: Nanoseconds): number {
    return this.#slotHistory.mean(from, to);
  }

  /** The present work per unit of time and slot; 0 while the server is stopped. */
  get speedNow(): number {
    return this.speed;
  }

  /** How many requests may wait. */
  get queueLength(): number {
    return this.#places - this.slots;
  }

  /** Requests at the server, waiting or in service. */
  abstract readonly size: number;

  /** Busy slots. */
  abstract readonly busy: number;

  /** Requests that wait. */
  abstract readonly waiting: number;

  /** Whether there is room for another request. */
  get hasRoom(): boolean {
    return this.size + this.reserved < this.#places;
  }

  /** A request arrives. */
  abstract submit(connection: Connection, now: Nanoseconds): void;

  /** A request's work is done: it leaves. */
  abstract done(connection: Connection, now: Nanoseconds): void;

  /** A request leaves before its work is done. */
  abstract cancel(connection: Connection, now: Nanoseconds): void;

  /** Changes the speed; 0 stops the server. */
  abstract setSpeed(speed: number, now: Nanoseconds): void;

  /** Removes all requests. */
  abstract clear(now: Nanoseconds): void;

  /** Called before and after the number of slots changes. */
  protected abstract beforeSlotsChange(now: Nanoseconds): void;
  protected abstract afterSlotsChange(now: Nanoseconds): void;

  /** Busy slots, integrated over time: slot-nanoseconds since the start. */
  busyTime(now: Nanoseconds): number {
    this.advance(now);
    return this.#busyTime;
  }

  /** Waiting requests, integrated over time. */
  waitingTime(now: Nanoseconds): number {
    this.advance(now);
    return this.#waitingTime;
  }

  /** Must be called before `busy` or `waiting` changes. */
  protected advance(now: Nanoseconds): void {
    const elapsed = now - this.#since;
    if (elapsed === 0) return;
    this.#busyTime += elapsed * this.busy;
    this.#waitingTime += elapsed * this.waiting;
    this.#since = now;
  }
}
