import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { ServerOptions } from "../../lib/scenario/types.ts";
import type { Connection, Connections } from "./connections.ts";
import type { EventQueue } from "../engine/mod.ts";

/** What a server is made of: where requests are kept, and who is told when one is done. */
export interface ServerContext {
  readonly connections: Connections;
  readonly queue: EventQueue;
}

/**
 * Does the work of requests: a number of slots, a bounded queue, a speed. Requests are given by their
 * connection. When one is done, a `WORK_DONE` event says so, after which `done` is to be called.
 */
export abstract class Server {
  /** Places promised to connections whose request is under way. */
  reserved = 0;
  protected readonly index: number;
  protected readonly connections: Connections;
  protected readonly queue: EventQueue;
  readonly slots: number;
  /** Work done per nanosecond and slot; 0 while it stands still. */
  protected speed: number;
  readonly #places: number;
  #since: Nanoseconds = 0;
  #busyTime = 0;
  #waitingTime = 0;

  /** @param index Index of the backend it is. */
  constructor(index: number, options: ServerOptions, context: ServerContext) {
    this.index = index;
    this.connections = context.connections;
    this.queue = context.queue;
    this.slots = options.slots;
    this.speed = options.speed;
    this.#places = options.slots + options.queue;
  }

  /** Requests here, waiting or in service. */
  abstract readonly size: number;

  /** Slots at work. */
  abstract readonly busy: number;

  /** Requests that are not being served. */
  abstract readonly waiting: number;

  /** Whether another one may come. */
  get hasRoom(): boolean {
    return this.size + this.reserved < this.#places;
  }

  /** Takes in a request. */
  abstract submit(connection: Connection, now: Nanoseconds): void;

  /** A request's work is done: it leaves. */
  abstract done(connection: Connection, now: Nanoseconds): void;

  /** A request leaves before its work is done. */
  abstract cancel(connection: Connection, now: Nanoseconds): void;

  /** Works faster, slower, or not at all. */
  abstract setSpeed(speed: number, now: Nanoseconds): void;

  /** Forgets all requests. */
  abstract clear(now: Nanoseconds): void;

  /** Slots at work, integrated over time: slot-nanoseconds since the start. */
  busyTime(now: Nanoseconds): number {
    this.advance(now);
    return this.#busyTime;
  }

  /** Requests that wait, integrated over time. */
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
