import { AgeList, type Nanoseconds } from "../base/mod.ts";
import type { ConnectionState, QueuePlace } from "./connection.ts";

/** The limits of the queue, in which connections wait while every backend that could take them is full. */
export interface QueueRules {
  /** The largest number of connections that wait; further ones are refused. */
  readonly length: number;
  /** The longest time that a connection waits. */
  readonly timeout: Nanoseconds;
}

/** The connections that wait for a free place at a backend: first come, first served. */
export class ConnectionQueue {
  readonly #places = new AgeList<QueuePlace>();
  #retries = 0;

  /** How many connections wait. */
  get size(): number {
    return this.#places.size;
  }

  /** How many of the waiting connections have tried a backend before. */
  get retries(): number {
    return this.#retries;
  }

  /** The time at which the connection that came first will have waited for too long; Infinity if none waits. */
  get dueAt(): Nanoseconds {
    return this.#places.oldest?.until ?? Infinity;
  }

  /** The connection that came first, if it has waited for too long. */
  overdue(now: Nanoseconds): ConnectionState | undefined {
    const { oldest } = this.#places;
    return oldest !== undefined && oldest.until <= now ? oldest.connection : undefined;
  }

  /**
   * The connections that wait, the earliest first. The connection that was yielded last may leave before the next one
   * is yielded.
   */
  *[Symbol.iterator](): IterableIterator<ConnectionState> {
    for (const { connection } of this.#places) yield connection;
  }

  add(connection: ConnectionState, now: Nanoseconds, { timeout }: QueueRules): void {
    const until = now + timeout;
    const place = { connection, since: now, until, older: undefined, younger: undefined };
    this.#places.add(place);
    connection.place = place;
    if (connection.tried !== undefined) this.#retries++;
  }

  /** Removes a connection from the queue. */
  delete(connection: ConnectionState): void {
    this.#places.delete(connection.place!);
    if (connection.tried !== undefined) this.#retries--;
  }

  /** Applies another timeout to the connections that wait. */
  reconfigure({ timeout }: QueueRules, now: Nanoseconds): void {
    for (const place of this.#places) place.until = Math.max(now, place.since + timeout);
  }
}
