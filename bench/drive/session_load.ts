import type { Nanoseconds } from "../../lib/base/mod.ts";
import { NS_PER_MS } from "../../lib/base/mod.ts";
import type { Demand } from "../../lib/workload/mod.ts";
import { Agenda, type ErrorKind, NO_BACKEND, type Tally } from "../core/mod.ts";
import type { Link } from "./link.ts";
import { type LinkEvents, Links, type LinksOptions } from "./links.ts";
import type { Load } from "./load.ts";

/** A request of a session, by the numbers that its draws depend on. */
export interface SessionRequest {
  /** The number of the arrival, or of the client of the closed loop. */
  readonly origin: number;
  /** The number of the request there, from 1. */
  readonly nth: number;
  /** Index of the client. */
  readonly client: number;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** When the client meant to begin it. */
  readonly due: Nanoseconds;
}

/** How a request ended. */
export interface SessionOutcome {
  /** Undefined if it has its valid answer. */
  readonly error: ErrorKind | undefined;
  /** The backend that the answer names. */
  readonly backend: string | undefined;
  readonly at: Nanoseconds;
}

/** Options of a load of sessions. */
export interface SessionOptions extends LinksOptions {
  readonly demand: Demand;
  /** No connection begins at this time or later. */
  readonly until: Nanoseconds;
  /** No connection begins after so many. */
  readonly connections?: number | undefined;
  /** How often a client tries a request again. */
  readonly retries: number;
  /** The local address, and the address for a PROXY header, of a client. */
  readonly from?: ((client: number) => string) | undefined;
  readonly client?: ((client: number) => string) | undefined;
  /** The bytes of a request, instead of the payload's. */
  readonly request?: ((request: SessionRequest) => Uint8Array) | undefined;
  /** Called when a request has its answer, or has failed with all its attempts. */
  readonly ended?: ((request: SessionRequest, outcome: SessionOutcome) => void) | undefined;
}

/** A client of the closed loop that failed waits at least this long: otherwise it would spin. */
const PAUSE_AFTER_FAILURE: Nanoseconds = 10 * NS_PER_MS;
const BEGUN_PER_TURN = 256;

/** A client with its connection. */
interface Session {
  readonly origin: number;
  readonly client: number;
  readonly isInLoop: boolean;
  nth: number;
  attempt: number;
  /** Requests that are left on this connection, the present one included. */
  left: number;
  due: Nanoseconds;
  sentAt: Nanoseconds;
  link: Link<Session> | undefined;
}

/**
 * Clients as in a scenario: each arrival connects, sends its requests one after the other with pauses between
 * them, and closes; failed requests are tried again. Or a closed loop: a fixed number of such clients, each of
 * which begins anew when it has finished.
 *
 * The draws are those of the simulator: with the same seed, the same clients arrive at the same times and send
 * the same requests.
 */
export class SessionLoad implements Load, LinkEvents<Session> {
  readonly tally: Tally;
  changed = () => {};
  readonly #options: SessionOptions;
  readonly #links: Links<Session>;
  readonly #agenda = new Agenda<Session>();
  #nextArrival: Nanoseconds = Infinity;
  #arrived = 0;
  #inFlight = 0;
  #isStopped = false;
  /** Why the first connection could not be opened. */
  firstFailure: string | undefined;

  constructor(options: SessionOptions, tally: Tally) {
    this.#options = options;
    this.tally = tally;
    this.#links = new Links(options, tally, this);
    this.#scheduleArrival();
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get nextAt(): Nanoseconds {
    return Math.min(this.#nextArrival, this.#agenda.next);
  }

  get isDone(): boolean {
    return this.#inFlight === 0 && (this.#isStopped || this.nextAt === Infinity);
  }

  start(): void {
    const { demand } = this.#options;
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

  stop(): void {
    this.#isStopped = true;
    this.#nextArrival = Infinity;
    // A request that waits for its next attempt has begun; a client that thinks has not.
    const waiting: Session[] = [];
    for (let next = this.#agenda.take(Infinity); next; next = this.#agenda.take(Infinity)) {
      if (next.attempt > 1) waiting.push(next);
      else next.link?.close();
    }
    for (const session of waiting) this.#giveUp(session, "not_sent");
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
    const { error, backend } = link;
    const now = this.#options.now();
    if (error !== undefined) {
      link.close();
      return this.#hasFailed(session, error, now);
    }
    this.#inFlight--;
    this.tally.answered(session.due, session.sentAt, now, backend);
    this.#report(session, undefined, backend, now);
    session.left--;
    if (session.left > 0 && !this.#isStopped) {
      if (!link.isReusable) {
        link.close();
        session.link = undefined;
      }
      const pause = this.#options.demand.thinkTime(session.origin, session.nth);
      session.attempt = 1;
      if (pause > 0) this.#plan(session, now + pause);
      else {
        session.due = now;
        this.#nextRequest(session, now);
      }
      return;
    }
    link.close();
    session.link = undefined;
    this.#leave(session, now, 0);
  }

  failed(link: Link<Session>, kind: ErrorKind, message: string | undefined): void {
    if (this.tally.answers === 0) this.firstFailure ??= message;
    this.#hasFailed(link.user!, kind, this.#options.now());
  }

  endedIdle(link: Link<Session>): void {
    // Its client notices when it sends its next request.
    if (link.user?.link === link) link.user.link = undefined;
  }

  #scheduleArrival(): void {
    const { demand, until, connections = Infinity } = this.#options;
    const at = this.#arrived < connections ? demand.arrivals?.next() ?? Infinity : Infinity;
    this.#nextArrival = at < until ? at : Infinity;
  }

  #arrive(now: Nanoseconds): void {
    const { demand } = this.#options;
    const origin = this.#arrived++;
    const session = newSession(origin, demand.clientOf(origin), false);
    session.due = this.#nextArrival;
    this.#scheduleArrival();
    this.#begin(session, now);
  }

  #plan(session: Session, at: Nanoseconds): void {
    session.due = session.attempt > 1 ? session.due : at;
    this.#agenda.add(at, session);
    this.changed();
  }

  /** A client arrives, has thought, or tries again. */
  #begin(session: Session, now: Nanoseconds): void {
    if (session.attempt > 1) return this.#connect(session, now);
    // The requests of a closed loop have no planned start.
    if (!session.isInLoop) this.tally.lag.record(now - session.due);
    if (session.left > 0) return this.#nextRequest(session, now);
    if (session.isInLoop && now >= this.#options.until) return;
    session.left = this.#options.demand.requestsFrom(session.origin, session.nth);
    this.#offer(session);
    this.#connect(session, now);
  }

  #nextRequest(session: Session, now: Nanoseconds): void {
    this.#offer(session);
    if (session.link === undefined) return this.#connect(session, now);
    session.sentAt = now;
    this.#send(session.link, session);
  }

  #offer(session: Session): void {
    session.nth++;
    session.attempt = 1;
    this.tally.offered++;
    this.#inFlight++;
  }

  #connect(session: Session, now: Nanoseconds): void {
    const { from, client } = this.#options;
    session.sentAt = now;
    session.link = this.#links.open(session, from?.(session.client), client?.(session.client));
  }

  #send(link: Link<Session>, session: Session): void {
    // The client waits from when it begins to connect, or to send.
    link.deadline = session.sentAt + this.#links.timeout;
    link.send(this.tally.sent, this.#options.request?.(session));
  }

  #hasFailed(session: Session, kind: ErrorKind, now: Nanoseconds): void {
    const { demand, retries } = this.#options;
    session.link = undefined;
    if (session.attempt > retries || this.#isStopped) {
      this.#giveUp(session, kind, now);
      return;
    }
    const pause = demand.backoff(session.origin, session.nth, session.attempt);
    session.attempt++;
    this.#agenda.add(now + pause, session);
    this.changed();
  }

  #giveUp(session: Session, kind: ErrorKind, now = this.#options.now()): void {
    this.#inFlight--;
    this.tally.failed(kind, now);
    this.#report(session, kind, NO_BACKEND, now);
    this.#leave(session, now, PAUSE_AFTER_FAILURE);
  }

  /** A client has finished. In the closed loop it begins anew after its pause. */
  #leave(session: Session, now: Nanoseconds, least: Nanoseconds): void {
    if (!session.isInLoop || this.#isStopped) return this.changed();
    session.left = 0;
    session.attempt = 1;
    const pause = Math.max(least, this.#options.demand.loopPause(session.origin));
    this.#plan(session, now + pause);
  }

  #report(
    session: Session,
    error: ErrorKind | undefined,
    backend: number,
    at: Nanoseconds,
  ): void {
    const { ended } = this.#options;
    if (ended === undefined) return;
    ended(session, { error, backend: this.tally.names.names[backend], at });
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
