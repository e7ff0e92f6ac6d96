import type { Nanoseconds } from "../../lib/base/mod.ts";
import { NS_PER_MS } from "../../lib/base/mod.ts";
import type { Demand } from "../../lib/workload/mod.ts";
import { Agenda, type ErrorKind, NO_BACKEND, type Tally } from "../core/mod.ts";
import type { Link } from "./link.ts";
import { type LinkEvents, Links, type LinksOptions } from "./links.ts";
import type { Load } from "./load.ts";

/** A request of a session. Its random draws depend only on these numbers. */
export interface SessionRequest {
  /** The number of the arrival, or of the client of the closed loop. */
  readonly origin: number;
  /** The number of the request at this origin, from 1. */
  readonly nth: number;
  /** Index of the client. */
  readonly client: number;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** The planned start of the attempt. */
  readonly due: Nanoseconds;
}

/** How an attempt at a request ended. */
export interface SessionOutcome {
  /** Undefined if it has its valid answer. */
  readonly error: ErrorKind | undefined;
  /** The backend that the answer names. */
  readonly backend: string | undefined;
  /** How long the request waited there; undefined if the answer does not state it. */
  readonly waited: Nanoseconds | undefined;
  readonly at: Nanoseconds;
  /** Whether the request has ended with this attempt: it has its answer, or is not tried again. */
  readonly isLast: boolean;
}

/** The events of a load of sessions. */
export interface SessionEvents {
  /**
   * A client begins a request.
   *
   * @param connects Whether a connection begins with the request. If the client keeps its connection, this is only its
   * first request.
   */
  readonly began?: ((request: SessionRequest, connects: boolean) => void) | undefined;
  /** An attempt at a request has ended. */
  readonly attempted?: ((request: SessionRequest, outcome: SessionOutcome) => void) | undefined;
  /** From now on no request begins. */
  readonly stopped?: (() => void) | undefined;
}

/** The demand of clients, their timeout and their retries. They may change during a run. */
export interface SessionDemand {
  readonly demand: Demand;
  /** How long a client waits for an answer, from when it begins to connect, or to send. May be Infinity. */
  readonly timeout: Nanoseconds;
  /** The largest number of retries of a request. */
  readonly retries: number;
}

/** Options of a load of sessions. */
export interface SessionOptions extends LinksOptions<SessionRequest>, SessionDemand, SessionEvents {
  /** No connection begins at this time or later. */
  readonly until: Nanoseconds;
  /** After this many connections, no further connection or request begins. */
  readonly connections?: number | undefined;
  /** Connections that begin earlier do not count. If left out, all count. */
  readonly countedFrom?: Nanoseconds | undefined;
  /** A request that failed is not tried again at this time or later. If left out, there is no such limit. */
  readonly retryUntil?: Nanoseconds | undefined;
  /**
   * A client of the closed loop whose request failed waits at least this long; 10 ms if left out.
   */
  readonly pauseAfterFailure?: Nanoseconds | undefined;
  /** The local address, and the address for a PROXY header, of a client. */
  readonly from?: ((client: number) => string) | undefined;
  readonly client?: ((client: number) => string) | undefined;
  /** The bytes of a request, instead of the payload's. */
  readonly request?: ((request: SessionRequest) => Uint8Array) | undefined;
}

/** Without a pause, a client of the closed loop that cannot connect would try again all the time. */
const PAUSE_AFTER_FAILURE: Nanoseconds = 10 * NS_PER_MS;
const BEGUN_PER_TURN = 256;

/** A client with its connection. */
interface Session extends SessionRequest {
  readonly origin: number;
  readonly client: number;
  readonly isInLoop: boolean;
  nth: number;
  attempt: number;
  /** The number of requests that remain on this connection, including the present one. */
  left: number;
  due: Nanoseconds;
  sentAt: Nanoseconds;
  link: Link<Session> | undefined;
}

/**
 * Clients as in a scenario: each arrival connects, sends its requests one after the other with pauses between them, and
 * closes; failed requests are tried again. Or a closed loop: a fixed number of such clients, each of which begins again
 * when it has finished.
 *
 * The draws are those of the simulator: with the same seed, the same clients arrive at the same times and send the same
 * requests.
 */
export class SessionLoad implements Load, LinkEvents<Session> {
  readonly tally: Tally;
  changed = () => {};
  readonly #options: SessionOptions;
  readonly #links: Links<Session>;
  #demand: Demand;
  #retries: number;
  readonly #agenda = new Agenda<Session>();
  #nextArrival: Nanoseconds = Infinity;
  #arrived = 0;
  /** Connections that have begun and count. */
  #counted = 0;
  #inFlight = 0;
  #isStopped = false;
  /** Why the first connection could not be opened. */
  firstFailure: string | undefined;

  constructor(options: SessionOptions, tally: Tally) {
    this.#options = options;
    this.#demand = options.demand;
    this.#retries = options.retries;
    this.tally = tally;
    this.#links = new Links<Session>(options, tally, this);
    this.#scheduleArrival();
  }

  /** What clients ask for at present. */
  get demand(): Demand {
    return this.#demand;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get nextAt(): Nanoseconds {
    return Math.min(this.#nextArrival, this.#agenda.next);
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get isDone(): boolean {
    return this.#inFlight === 0 && (this.#isStopped || this.nextAt === Infinity);
  }

  start(): void {
    const demand = this.#demand;
    for (let client = 0; client < demand.inLoop; client++) {
      const session = newSession(client, demand.population.indexOf(client), true);
      this.#plan(session, demand.loopPause(client));
    }
  }

  ring(now: Nanoseconds): void {
    for (let i = 0; i < BEGUN_PER_TURN; i++) {
      if (this.#nextArrival <= now && this.#nextArrival <= this.#agenda.next) this.#arrive(now);
      else {
        const session = this.#agenda.take(now);
        if (session === undefined) return;
        this.#begin(session, now);
      }
    }
  }

  /** Requests that wait for their next attempt have begun, and are tried again. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#nextArrival = Infinity;
    const waiting: [Nanoseconds, Session][] = [];
    while (this.#agenda.size > 0) {
      const at = this.#agenda.next;
      const session = this.#agenda.take(at)!;
      if (session.attempt > 1) waiting.push([at, session]);
      else session.link?.close();
    }
    for (const [at, session] of waiting) this.#agenda.add(at, session);
    this.#options.stopped?.();
    this.changed();
  }

  /**
   * Applies another demand. Its population and its arrivals may be those of the demand before. A new timeout applies
   * to waits that begin from now on.
   */
  change({ demand, timeout, retries }: SessionDemand): void {
    const { arrivals } = this.#demand;
    this.#demand = demand;
    this.#retries = retries;
    this.#links.timeout = timeout;
    if (this.#isStopped || demand.arrivals === arrivals) return;
    this.#scheduleArrival();
    this.changed();
  }

  async close(): Promise<void> {
    this.#agenda.clear();
    await this.#links.close();
  }

  opened(link: Link<Session>): void {
    this.#send(link, link.user!);
  }

  answered(link: Link<Session>): void {
    const session = link.user!;
    const { error, backend, waited } = link;
    const at = this.#options.now();
    if (error !== undefined) {
      link.close();
      return this.#hasFailed(session, error, at, backend);
    }
    this.#inFlight--;
    this.tally.answered(session.due, session.sentAt, at, backend);
    this.#report(session, { error, backend: this.#nameOf(backend), waited, at, isLast: true });
    session.left--;
    if (session.left > 0 && !this.#isStopped) {
      if (!link.isReusable) {
        link.close();
        session.link = undefined;
      }
      const pause = this.#demand.thinkTime(session.origin, session.nth);
      session.attempt = 1;
      if (pause > 0) this.#plan(session, at + pause);
      else {
        session.due = at;
        this.#nextRequest(session, at);
      }
      return;
    }
    link.close();
    session.link = undefined;
    this.#leave(session, at, 0);
  }

  failed(link: Link<Session>, kind: ErrorKind, message: string | undefined): void {
    if (this.tally.answers === 0) this.firstFailure ??= message;
    this.#hasFailed(link.user!, kind, this.#options.now());
  }

  endedIdle(link: Link<Session>): void {
    // The client notices the end when it sends its next request.
    if (link.user?.link === link) link.user.link = undefined;
  }

  #scheduleArrival(): void {
    const at = this.#demand.arrivals?.next() ?? Infinity;
    this.#nextArrival = at < this.#options.until ? at : Infinity;
  }

  #arrive(now: Nanoseconds): void {
    const origin = this.#arrived++;
    const session = newSession(origin, this.#demand.clientOf(origin), false);
    session.due = this.#nextArrival;
    this.#scheduleArrival();
    this.#begin(session, now);
  }

  #plan(session: Session, at: Nanoseconds): void {
    session.due = session.attempt > 1 ? session.due : at;
    this.#agenda.add(at, session);
    this.changed();
  }

  /** A client arrives, sends its next request after its think time, or tries again. */
  #begin(session: Session, now: Nanoseconds): void {
    if (session.attempt > 1) return this.#connect(session, now);
    // The requests of a closed loop have no planned start.
    if (!session.isInLoop) this.tally.lag.record(now - session.due);
    if (session.left > 0) return this.#nextRequest(session, now);
    if (session.isInLoop && now >= this.#options.until) return;
    session.left = this.#demand.requestsFrom(session.origin, session.nth);
    this.#offer(session, true);
    this.#count(session.due);
    this.#connect(session, now);
  }

  /** A connection begins. It may be the last one. */
  #count(due: Nanoseconds): void {
    const { connections = Infinity, countedFrom = 0 } = this.#options;
    if (due >= countedFrom && ++this.#counted >= connections) this.stop();
  }

  #nextRequest(session: Session, now: Nanoseconds): void {
    this.#offer(session, false);
    if (session.link === undefined) return this.#connect(session, now);
    session.sentAt = now;
    this.#send(session.link, session);
  }

  #offer(session: Session, connects: boolean): void {
    session.nth++;
    session.attempt = 1;
    this.tally.offered++;
    this.#inFlight++;
    this.#options.began?.(session, connects);
  }

  #connect(session: Session, now: Nanoseconds): void {
    const { from, client } = this.#options;
    session.sentAt = now;
    session.link = this.#links.open(session, from?.(session.client), client?.(session.client));
  }

  #send(link: Link<Session>, session: Session): void {
    // The client's wait began when it began to connect, or to send.
    link.deadline = session.sentAt + this.#links.timeout;
    link.send(this.tally.sent, this.#options.request?.(session));
  }

  #hasFailed(session: Session, error: ErrorKind, at: Nanoseconds, backend = NO_BACKEND): void {
    const { retryUntil = Infinity, pauseAfterFailure = PAUSE_AFTER_FAILURE } = this.#options;
    const { origin, nth, attempt } = session;
    session.link = undefined;
    const again = attempt > this.#retries
      ? Infinity
      : at + this.#demand.backoff(origin, nth, attempt);
    const isLast = again >= retryUntil || again === Infinity;
    if (isLast) {
      this.#inFlight--;
      this.tally.failed(error, at);
    }
    this.#report(session, {
      error,
      backend: this.#nameOf(backend),
      waited: undefined,
      at,
      isLast,
    });
    if (isLast) return this.#leave(session, at, pauseAfterFailure);
    session.attempt++;
    this.#agenda.add(again, session);
    this.changed();
  }

  /** A client has finished. In the closed loop it begins again after its pause. */
  #leave(session: Session, now: Nanoseconds, least: Nanoseconds): void {
    if (!session.isInLoop || this.#isStopped) return this.changed();
    session.left = 0;
    session.attempt = 1;
    const pause = Math.max(least, this.#demand.loopPause(session.origin));
    this.#plan(session, now + pause);
  }

  #nameOf(backend: number): string | undefined {
    return this.tally.names.names[backend];
  }

  #report(session: Session, outcome: SessionOutcome): void {
    this.#options.attempted?.(session, outcome);
  }
}

function newSession(origin: number, client: number, isInLoop: boolean): Session {
  return {
    origin,
    client,
    isInLoop,
    nth: 0,
    attempt: 1,
    left: 0,
    due: 0,
    sentAt: 0,
    link: undefined,
  };
}
