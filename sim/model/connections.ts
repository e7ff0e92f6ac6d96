import { assert, type Nanoseconds } from "../../lib/base/mod.ts";
import type { Connection as ScheduledConnection } from "../../lib/core/mod.ts";
import type { BackendModel } from "./backend_model.ts";
import type { BalancerModel } from "./balancer_model.ts";
import { ABORT_AT_BACKEND, ABORT_AT_BALANCER, RESET_AT_BALANCER } from "../engine/mod.ts";

/** The client waits for the answer to its request, or for its next attempt. */
export const AWAITED = 1;
/** It has a backend, where it counts as in flight. */
export const ASSIGNED = 2;
/** The backend has reserved a place for its request, which is on the way. */
export const RESERVED = 4;
/** The backend has accepted it. */
export const OPEN = 8;
/** Its request is at the backend, waiting or in service. */
export const AT_BACKEND = 16;
/** Its request is in service. */
export const IN_SERVICE = 32;
/** The backend has lost its end of the connection in a crash. */
export const LOST = 64;
/** The balancer has closed it. The client notices before it sends its next request. */
export const BROKEN = 128;
/** It belongs to a probe that sends a request, not to a client. */
export const PROBE = 256;
/** The backend has answered the present request. */
export const ANSWERED = 512;
/** It is in use: it is not free for another client. */
export const IN_USE = 1024;
/** It waits at the balancer until a backend has a free place. */
export const QUEUED = 2048;
/** The balancer has passed on the answer to the present request. */
export const RELAYED = 4096;
/** Its present event has waited for the event loop of its balancer. */
export const LOOPED = 8192;

/** The kinds of an answer. */
export const OK = 0;
export const ERROR = 1;
export const REFUSED = 2;

/**
 * A value that is not known yet. NaN instead of 0, so that the engine stores the field as a double from the
 * start.
 */
const UNKNOWN = NaN;

/**
 * A connection of the simulated world, with its client's request. `Connections` reuses the object after the
 * connection has ended. An event of the former connection is recognised by its sequence number, which the
 * later connection does not expect.
 */
export class Connection {
  /** Its index in `Connections`. Events refer to it by this number. */
  readonly number: number;
  flags = 0;
  /** Sequence number of the next event of this connection; 0 if there is none. */
  pending = 0;
  /** Sequence number of its client's abort that is on the way to the balancer; 0 if there is none. */
  clientAbort = 0;
  /** Sequence number of the balancer's abort that is on the way to the backend; 0 if there is none. */
  balancerAbort = 0;
  /** Sequence number of the backend's reset that is on the way to the balancer; 0 if there is none. */
  reset = 0;
  /** Number of the present wait. A deadline that was set for another wait is out of date. */
  wait = 0;
  /** When the client first wanted to send the present request. */
  startedAt: Nanoseconds = UNKNOWN;
  /** When its request reached the backend. */
  submittedAt: Nanoseconds = UNKNOWN;
  /**
   * When the backend's answer reaches the balancer. A reset that is sent later does not arrive
   * before the answer.
   */
  answerAt: Nanoseconds = UNKNOWN;
  /** How long its request waited at the backend before it was served. */
  waited: Nanoseconds = UNKNOWN;
  /** How long its first request waited at the balancer until a backend had a free place. */
  queued: Nanoseconds = UNKNOWN;
  /** The work of the request. */
  work = UNKNOWN;
  /** The remaining work at `servedFrom`; for a shared server, the virtual time of completion. */
  workLeft = UNKNOWN;
  servedFrom: Nanoseconds = UNKNOWN;
  /**
   * The client of the closed loop that sends the request, or the arrival that it belongs to. With `nth` it
   * identifies the request.
   */
  origin = 0;
  /** The number of the request at its origin, from 1. All random draws for the request depend on `origin` and `nth`. */
  nth = 0;
  /** When the balancer first picked a backend for it. */
  pickedAt: Nanoseconds = UNKNOWN;
  /** When data last moved on it. */
  movedAt: Nanoseconds = UNKNOWN;
  /** The backend that was picked last; undefined if none was. */
  picked: BackendModel | undefined;
  /**
   * The balancer that its client connects to. Unused for a probe, and for a connection that only reports a failure to
   * its client.
   */
  balancer!: BalancerModel;
  /** The scheduler's object for this connection, once it has reached the balancer. */
  scheduled: ScheduledConnection | undefined;
  /** Index of its client's address. */
  client = 0;
  /** Index of its client in the closed loop, or of its probe; −1 if none. */
  owner = -1;
  /** The number of requests that remain to be sent, including the present one. */
  requestsLeft = 0;
  /** Number of the present attempt at the request, from 1. */
  attempt = 0;
  /** The kind of the answer. */
  answer = OK;
  /** Its neighbours in a server's queue. `next` of a free connection is the next free one. */
  next: Connection | undefined;
  previous: Connection | undefined;
  /** Its place in a shared server's heap. */
  heapPosition = 0;

  constructor(number: number) {
    this.number = number;
  }

  /** The backend that it was sent to. Asserts that there is one. */
  get backend(): BackendModel {
    assert(this.picked !== undefined, "a connection that is beyond the balancer has a backend");
    return this.picked;
  }

  /** Whether this connection waits for an event. If not, the event is out of date. */
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

  /** Makes it wait for this event instead of any other event of this kind. If `sequence` is 0, it waits for none. */
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

/**
 * All connections. Ended ones are reused, so there are only as many objects as there were connections at the
 * same time.
 */
export class Connections {
  readonly #all: Connection[] = [];
  /** The first free connection; `next` links the others. */
  #free: Connection | undefined;

  /** All connection objects, free ones included, in the order of their numbers. */
  get all(): readonly Connection[] {
    return this.#all;
  }

  /** The connection with a number. */
  at(number: number): Connection {
    return this.#all[number]!;
  }

  /** Takes a free connection, or creates one. Its flags are `flags`; the caller sets the other fields. */
  take(flags: number): Connection {
    let connection = this.#free;
    if (connection === undefined) {
      connection = new Connection(this.#all.length);
      this.#all.push(connection);
    } else this.#free = connection.next;
    connection.flags = flags | IN_USE;
    connection.pending = 0;
    connection.queued = 0;
    connection.picked = undefined;
    return connection;
  }

  /** Frees a connection for reuse. */
  free(connection: Connection): void {
    connection.flags = 0;
    connection.pending = 0;
    connection.clientAbort = 0;
    connection.balancerAbort = 0;
    connection.reset = 0;
    // Lets the garbage collector free what the scheduler knew of the connection.
    connection.scheduled = undefined;
    connection.next = this.#free;
    this.#free = connection;
  }
}
