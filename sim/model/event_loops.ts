import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { Overheads } from "../../lib/scenario/types.ts";
import { ANSWER_AT_BALANCER, type EventQueue, REACH_BALANCER } from "../engine/mod.ts";
import { type Connection, LOOPED } from "./connections.ts";

/**
 * The event loops of the balancers: each does one thing at a time, first come, first served. A connection that
 * arrives and an answer that is relayed occupy it for a constant time, and wait while it is busy.
 */
export class EventLoops {
  readonly #overheads: Overheads;
  readonly #queue: EventQueue;
  /** The time at which each balancer has finished all work that it has got so far. */
  readonly #freeAt: Float64Array;

  constructor(overheads: Overheads, balancers: number, queue: EventQueue) {
    this.#overheads = overheads;
    this.#queue = queue;
    this.#freeAt = new Float64Array(balancers);
  }

  /**
   * Whether an event of a connection must wait for the event loop of its balancer. If so, the event happens again
   * later.
   */
  delays(kind: number, connection: Connection, now: Nanoseconds): boolean {
    const cost = this.#costOf(kind);
    if (cost === 0) return false;
    if (connection.is(LOOPED)) {
      connection.flags &= ~LOOPED;
      return false;
    }
    const { index } = connection.balancer;
    const at = Math.max(now, this.#freeAt[index]!) + cost;
    this.#freeAt[index] = at;
    connection.flags |= LOOPED;
    connection.expect(kind, this.#queue.push(at, kind, connection.number));
    return true;
  }

  #costOf(kind: number): Nanoseconds {
    if (kind === REACH_BALANCER) return this.#overheads.relayConnection;
    return kind === ANSWER_AT_BALANCER ? this.#overheads.relayRequest : 0;
  }
}
