import { assert, type Nanoseconds } from "../../lib/base/mod.ts";
import type { Connection as ScheduledConnection } from "../../lib/core/mod.ts";
import type { BackendModel } from "./backend_model.ts";
import type { BalancerModel } from "./balancer_model.ts";
import { ABORT_AT_BACKEND, ABORT_AT_BALANCER, RESET_AT_BALANCER } from "../engine/mod.ts";

/** The client waits for an answer to its request, or for its next attempt at it. */
export const AWAITED = 1;
/** Its balancer has given it a backend, where it counts as in flight. */
export const ASSIGNED = 2;
/** The backend has promised it a place and waits for its request. */
export const RESERVED = 4;
/** The backend has accepted it. */
export const OPEN = 8;
/** Its request is with the backend, waiting or in service. */
export const AT_BACKEND = 16;
/** Its request is in service. */
export const IN_SERVICE = 32;
/** The backend has lost its end of it: a crash took it. */
export const LOST = 64;
/** The balancer has closed it: its client finds out before it sends its next request. */
export const BROKEN = 128;
/** Not a client's: a probe that asks for an answer. */
export const PROBE = 256;
/** The backend has answered its present request. */
export const ANSWERED = 512;
/** In use. */
export const IN_USE = 1024;
/** It waits at the balancer for a backend to have room. */
export const QUEUED = 2048;
/** The balancer has passed the answer to its present request on. */
export const RELAYED = 4096;

/** What an answer says. */
export const OK = 0;
export const ERROR = 1;
export const REFUSED = 2;

/** Not known yet. Not 0: the engine is then told at once that the field is for fractions and large numbers. */
const UNKNOWN = NaN;

/**
 * A connection of the simulated world, and its client's request on it. When it is over it stands for
 * another one: `Connections` gives it again. An event that was meant for the earlier one is recognised
 * by its sequence number: the later one does not expect it.
 */
export class Connection {
  /** Its place in `Connections`, by which an event names it. */
  readonly number: number;
  flags = 0;
  /** Sequence number of the event that comes next for it; 0 if none does. */
  pending = 0;
  /** The same of messages that travel beside that: its client's abort, on the way to the balancer. */
  clientAbort = 0;
  /** The balancer's abort, on the way to the backend. */
  balancerAbort = 0;
  /** The backend's reset, on the way to the balancer. */
  reset = 0;
  /** Told apart from earlier and later waits, so that an old deadline is known for what it is. */
  wait = 0;
  /** When the client first wanted to send the present request. */
  startedAt: Nanoseconds = UNKNOWN;
  /** When its request reached the backend. */
  submittedAt: Nanoseconds = UNKNOWN;
  /** When the backend's answer reaches the balancer; a reset that follows comes no sooner. */
  answerAt: Nanoseconds = UNKNOWN;
  /** How long its request waited at the backend before it was served. */
  waited: Nanoseconds = UNKNOWN;
  /** How long its first request waited at the balancer for a backend to have room. */
  queued: Nanoseconds = UNKNOWN;
  /** How much work the request is. */
  work = UNKNOWN;
  /** How much of the work was left at `servedFrom`; for a shared server, its virtual time of completion. */
  workLeft = UNKNOWN;
  servedFrom: Nanoseconds = UNKNOWN;
  /** Which client of the closed loop sends it, or which arrival it belongs to: with `nth`, its name. */
  origin = 0;
  /** Which of the requests of its origin it is, from 1. All that is drawn for it goes by these two. */
  nth = 0;
  /** When the balancer first picked a backend for it. */
  pickedAt: Nanoseconds = UNKNOWN;
  /** When something was last seen to move on it. */
  movedAt: Nanoseconds = UNKNOWN;
  /** The backend that was picked last, if one was. */
  picked: BackendModel | undefined;
  /** The balancer that its client connects to; of no meaning for a probe, or for what only bears bad news. */
  balancer!: BalancerModel;
  /** As its balancer's scheduler knows it, once it has reached the balancer. */
  scheduled: ScheduledConnection | undefined;
  /** Index of its client's address. */
  client = 0;
  /** Which of the closed loop's clients it belongs to, or which probe; −1 if none. */
  owner = -1;
  /** Requests still to be sent, the present one included. */
  requestsLeft = 0;
  /** How often the client has tried the present request. */
  attempt = 0;
  /** What the answer says. */
  answer = OK;
  /** Neighbours in a server's queue. */
  next: Connection | undefined;
  previous: Connection | undefined;
  /** Its place in a shared server's heap. */
  heapPosition = 0;

  constructor(number: number) {
    this.number = number;
  }

  /** The backend that it was sent to: there must be one. */
  get backend(): BackendModel {
    assert(this.picked !== undefined, "a connection that is beyond the balancer has a backend");
    return this.picked;
  }

  /** Whether this connection waits for an event; if not, the event is late, or meant for an earlier one. */
  expects(kind: number, sequence: number): boolean {
    if (kind < ABORT_AT_BALANCER) return this.pending === sequence;
    switch (kind) {
      case ABORT_AT_BALANCER:
        return this.clientAbort === sequence;
      case ABORT_AT_BACKEND:
        return this.balancerAbort === sequence;
      case RESET_AT_BALANCER:
        return this.reset === sequence;
      default:
        return this.pending === sequence;
    }
  }

  /** From now on it waits for this event, and for no other of the kind; for none if `sequence` is 0. */
  expect(kind: number, sequence: number): void {
    switch (kind) {
      case ABORT_AT_BALANCER:
        this.clientAbort = sequence;
        break;
      case ABORT_AT_BACKEND:
        this.balancerAbort = sequence;
        break;
      case RESET_AT_BALANCER:
        this.reset = sequence;
        break;
      default:
        this.pending = sequence;
    }
  }

  /** Whether any of these flags is set. */
  is(flags: number): boolean {
    return (this.flags & flags) !== 0;
  }
}

/** All connections. Those that are over are given again, so there are as many as there ever were at once. */
export class Connections {
  readonly #all: Connection[] = [];
  readonly #free: Connection[] = [];

  /** Those that were ever given, also those that are free at present, in the order of their numbers. */
  get all(): readonly Connection[] {
    return this.#all;
  }

  /** The connection that an event names. */
  at(number: number): Connection {
    return this.#all[number]!;
  }

  /** Gives a new connection. Its flags are set to `flags`; the rest is to be filled in. */
  take(flags: number): Connection {
    let connection = this.#free.pop();
    if (connection === undefined) {
      connection = new Connection(this.#all.length);
      this.#all.push(connection);
    }
    connection.flags = flags | IN_USE;
    connection.pending = 0;
    connection.queued = 0;
    connection.picked = undefined;
    return connection;
  }

  /** Takes one back. */
  free(connection: Connection): void {
    connection.flags = 0;
    connection.pending = 0;
    connection.clientAbort = 0;
    connection.balancerAbort = 0;
    connection.reset = 0;
    this.#free.push(connection);
  }
}
