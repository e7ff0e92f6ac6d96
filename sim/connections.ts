import type { Lease, Waiting } from "../lib/core/mod.ts";

/** The client waits for an answer to its request, or for its next attempt at it. */
export const WAITED_FOR = 1;
/** The balancer holds a lease for it. */
export const LEASED = 2;
/** The backend has promised it a place and waits for its request. */
export const PROMISED = 4;
/** The backend has accepted it. */
export const OPEN = 8;
/** Its request is with the backend, waiting or in service. */
export const AT_BACKEND = 16;
/** Its request is in service. */
export const IN_SERVICE = 32;
/** Its client has given up, and somebody does not know yet. */
export const ABORTING = 64;
/** The backend has reset it. */
export const BROKEN = 128;
/** Not a client's: a probe that asks for an answer. */
export const PROBE = 256;
/** The answer to its present request is on its way. */
export const ANSWERED = 512;
/** In use. */
export const TAKEN = 1024;
/** It waits at the balancer for a backend to have room. */
export const QUEUED = 2048;
/** Its client has left it in the queue, where nobody looks. */
export const DESERTED = 4096;

/** What an answer says. */
export const OK = 0;
export const ERROR = 1;
export const REFUSED = 2;

/**
 * The connections of the simulated world, as columns: what is true of connection `c` is at index `c` of
 * each. Numbers are given again when a connection is over, so memory is that of the most connections at
 * one time. The columns are replaced when they grow: do not keep one over `take`.
 */
export class Connections {
  flags = new Uint16Array(0);
  /** Sequence number of the event that comes next for it; 0 if none does. */
  pending = new Float64Array(0);
  /** Told apart from earlier and later waits, so that an old deadline is known for what it is. */
  wait = new Uint32Array(0);
  /** When the client first wanted to send the present request. */
  startedAt = new Float64Array(0);
  /** When its request reached the backend. */
  submittedAt = new Float64Array(0);
  /** How long its request waited at the backend before it was served. */
  waited = new Float64Array(0);
  /** How long its first request waited at the balancer for a backend to have room. */
  queued = new Float64Array(0);
  /** How much work the request is. */
  work = new Float64Array(0);
  /** How much of the work was left at `servedFrom`; for a shared server, its virtual time of completion. */
  workLeft = new Float64Array(0);
  servedFrom = new Float64Array(0);
  /** Number of the request, from 1 over the whole run. */
  request = new Float64Array(0);
  /** When the balancer first picked a backend for it. */
  pickedAt = new Float64Array(0);
  /** When something was last seen to move on it. */
  movedAt = new Float64Array(0);
  /** Index of its backend, its balancer, its client's address. */
  backend = new Int32Array(0);
  balancer = new Int32Array(0);
  client = new Int32Array(0);
  /** Which of the closed loop's clients it belongs to; −1 if none. */
  owner = new Int32Array(0);
  /** Requests still to be sent, the present one included. */
  requestsLeft = new Int32Array(0);
  /** How often the client has tried the present request. */
  attempt = new Int32Array(0);
  /** What the answer says. */
  answer = new Uint8Array(0);
  /** Neighbours in the queue; `next` is also its place in a shared server's heap. */
  next = new Int32Array(0);
  previous = new Int32Array(0);
  readonly lease: (Lease | undefined)[] = [];
  /** Its place in the balancer's queue. */
  readonly place: (Waiting | undefined)[] = [];
  readonly #free: number[] = [];
  #size = 0;

  /** One above the highest number ever given. */
  get size(): number {
    return this.#size;
  }

  /** Takes a number for a new connection. Its flags are set to `flags`; the rest is to be filled in. */
  take(flags: number): number {
    let c = this.#free.pop();
    if (c === undefined) {
      if (this.#size === this.flags.length) this.#grow();
      c = this.#size++;
      this.lease.push(undefined);
      this.place.push(undefined);
    }
    this.flags[c] = flags | TAKEN;
    this.pending[c] = 0;
    this.queued[c] = 0;
    return c;
  }

  /** Gives a number back. */
  free(c: number): void {
    this.flags[c] = 0;
    this.pending[c] = 0;
    this.#free.push(c);
  }

  #grow(): void {
    const capacity = Math.max(64, 2 * this.flags.length);
    const grown = <Column extends { set(from: Column): void }>(from: Column, to: Column) => {
      to.set(from);
      return to;
    };
    this.flags = grown(this.flags, new Uint16Array(capacity));
    this.wait = grown(this.wait, new Uint32Array(capacity));
    this.answer = grown(this.answer, new Uint8Array(capacity));
    for (const column of DOUBLES) this[column] = grown(this[column], new Float64Array(capacity));
    for (const column of INTEGERS) this[column] = grown(this[column], new Int32Array(capacity));
  }
}

const DOUBLES = [
  "pending",
  "startedAt",
  "submittedAt",
  "waited",
  "queued",
  "work",
  "workLeft",
  "servedFrom",
  "request",
  "pickedAt",
  "movedAt",
] as const;

const INTEGERS = [
  "backend",
  "balancer",
  "client",
  "owner",
  "requestsLeft",
  "attempt",
  "next",
  "previous",
] as const;
