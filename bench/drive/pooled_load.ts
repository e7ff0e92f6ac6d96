import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { ArrivalProcess } from "../../lib/workload/mod.ts";
import { type ErrorKind, Fifo, type Tally } from "../core/mod.ts";
import type { Link } from "./link.ts";
import { type LinkEvents, Links, type LinksOptions } from "./links.ts";
import type { Load } from "./load.ts";

/** Options of a load of requests on a pool of connections. */
export interface PooledOptions extends LinksOptions {
  /** The planned starts of requests. */
  readonly arrivals: ArrivalProcess;
  /** No request begins at this time or later. */
  readonly until: Nanoseconds;
  /** The largest number of connections at the same time; further requests wait. */
  readonly connections: number;
  /** Whether all connections are opened before the first request; otherwise each is opened when it is needed. */
  readonly isFilled: boolean;
  /** A connection is closed after this many requests. */
  readonly requestsPerConnection: number;
  /** The local address, and the address for a PROXY header, of the connection with this number. */
  readonly from?: ((connection: number) => string) | undefined;
  readonly client?: ((connection: number) => string) | undefined;
}

/** The number of simultaneous connects while the pool is filled. */
const DIALS = 128;
/**
 * The largest number of requests that begin in one turn of the event loop. Between two turns, answers are handled.
 */
const BEGUN_PER_TURN = 256;

/** The user of a link of the pool: it carries a request. */
const REQUEST = true;

/**
 * Open loop: requests start at the times of the arrival process and do not wait for earlier requests. Each takes
 * the connection that has been idle for the longest time. If all connections are busy, the request waits, and
 * this time is part of its corrected latency.
 */
export class PooledLoad implements Load, LinkEvents<typeof REQUEST> {
  readonly tally: Tally;
  changed = () => {};
  nextAt: Nanoseconds;
  readonly #options: PooledOptions;
  readonly #links: Links<typeof REQUEST>;
  readonly #idle = new Fifo<Link<typeof REQUEST>>();
  /** The planned starts of the requests that wait for a connection. */
  readonly #waiting = new Fifo<Nanoseconds>();
  #inFlight = 0;
  #opened = 0;
  #filled = () => {};
  #isFilling = false;
  #hasClosed = false;
  /** Why the first connection could not be opened. */
  firstFailure: string | undefined;

  constructor(options: PooledOptions, tally: Tally) {
    this.#options = options;
    this.tally = tally;
    this.#links = new Links<typeof REQUEST>(options, tally, this);
    this.nextAt = this.#next();
  }

  get inFlight(): number {
    return this.#inFlight + this.#waiting.size;
  }

  get isStopped(): boolean {
    return this.nextAt === Infinity;
  }

  get isDone(): boolean {
    return this.isStopped && this.inFlight === 0;
  }

  async prepare(): Promise<void> {
    if (!this.#options.isFilled) return;
    this.#isFilling = true;
    await new Promise<void>((resolve) => {
      this.#filled = resolve;
      this.#fill();
    });
    this.#isFilling = false;
  }

  start(): void {}

  ring(now: Nanoseconds): void {
    for (let i = 0; i < BEGUN_PER_TURN && this.nextAt <= now; i++) {
      const due = this.nextAt;
      this.nextAt = this.#next();
      this.tally.offered++;
      this.tally.lag.record(now - due);
      this.#begin(due, now);
    }
    this.#expire(now);
  }

  stop(): void {
    this.nextAt = Infinity;
  }

  async close(): Promise<void> {
    this.#hasClosed = true;
    await this.#links.close();
  }

  opened(link: Link<typeof REQUEST>): void {
    if (link.user === REQUEST) link.send(this.tally.sent);
    else this.#free(link);
    this.#fill();
  }

  answered(link: Link<typeof REQUEST>): void {
    const { now, requestsPerConnection } = this.#options;
    const at = now();
    this.#inFlight--;
    link.user = undefined;
    if (link.error === undefined) this.tally.answered(link.due, link.sentAt, at, link.backend);
    else this.tally.failed(link.error, at);
    if (link.isReusable && link.requests < requestsPerConnection) this.#free(link);
    else {
      link.close();
      this.#serveWaiting();
    }
    if (this.#inFlight === 0) this.changed();
  }

  failed(link: Link<typeof REQUEST>, kind: ErrorKind, message: string | undefined): void {
    if (this.tally.answers === 0) this.firstFailure ??= message;
    if (link.user === REQUEST) {
      this.#inFlight--;
      this.tally.failed(kind, this.#options.now());
      this.#serveWaiting();
      this.changed();
    } else if (this.#isFilling) {
      // Further connections would probably fail, too, so no more are opened.
      this.#opened = this.#options.connections;
      this.#fill();
    }
  }

  endedIdle(): void {
    this.#serveWaiting();
  }

  #next(): Nanoseconds {
    const at = this.#options.arrivals.next();
    return at < this.#options.until ? at : Infinity;
  }

  #begin(due: Nanoseconds, now: Nanoseconds): void {
    const link = this.#takeIdle();
    if (link !== undefined) this.#send(link, due, now);
    else if (this.#links.size < this.#options.connections) this.#open(due, now);
    else this.#waiting.push(due);
  }

  #send(link: Link<typeof REQUEST>, due: Nanoseconds, now: Nanoseconds): void {
    this.#inFlight++;
    link.user = REQUEST;
    link.due = due;
    link.sentAt = now;
    link.deadline = due + this.#links.timeout;
    link.send(this.tally.sent);
  }

  #open(due: Nanoseconds, now: Nanoseconds): void {
    this.#inFlight++;
    const link = this.#dial(REQUEST);
    link.due = due;
    link.sentAt = now;
    link.deadline = due + this.#links.timeout;
  }

  #dial(user: typeof REQUEST | undefined): Link<typeof REQUEST> {
    const { from, client } = this.#options;
    const number = this.#opened++;
    return this.#links.open(user, from?.(number), client?.(number));
  }

  /** A connection can carry another request. */
  #free(link: Link<typeof REQUEST>): void {
    const due = this.#takeWaiting();
    if (due === undefined) this.#idle.push(link);
    else this.#send(link, due, this.#options.now());
  }

  /** A connection has ended: a request that waits may open another. */
  #serveWaiting(): void {
    if (this.#hasClosed || this.#links.size >= this.#options.connections) return;
    const due = this.#takeWaiting();
    if (due !== undefined) this.#open(due, this.#options.now());
  }

  #takeIdle(): Link<typeof REQUEST> | undefined {
    while (true) {
      const link = this.#idle.shift();
      if (link === undefined || link.isOpen) return link;
    }
  }

  #takeWaiting(): Nanoseconds | undefined {
    this.#expire(this.#options.now());
    return this.#waiting.shift();
  }

  /** Requests that have waited too long for a connection fail. */
  #expire(now: Nanoseconds): void {
    while (this.#waiting.size > 0 && now - this.#waiting.first! > this.#links.timeout) {
      this.#waiting.shift();
      this.tally.failed("not_sent", now);
    }
  }

  #fill(): void {
    if (!this.#isFilling) return;
    const { connections } = this.#options;
    while (this.#opened < connections && this.#links.size - this.#idle.size < DIALS) {
      this.#dial(undefined);
    }
    if (this.#opened >= connections && this.#links.size <= this.#idle.size) this.#filled();
  }
}
