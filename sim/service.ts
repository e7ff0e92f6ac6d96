import { childSeed, type Nanoseconds } from "../lib/core/mod.ts";
import type { BackendModel } from "./backend_model.ts";
import {
  ABORTING,
  ANSWERED,
  AT_BACKEND,
  type Connection,
  ERROR,
  LEASED,
  OK,
  OPEN,
  PROBE,
  PROMISED,
  TAKEN,
  WAITED_FOR,
} from "./connections.ts";
import { RESET_AT_BALANCER } from "./event_kinds.ts";
import type { World } from "./world.ts";

/**
 * What happens at the backends: a request comes, waits, is served and answered; its client may leave; the
 * backend may die.
 *
 * Whether a request fails is decided by its own lot, made of its number and attempt: the same request
 * fails or not whichever algorithm sent it there.
 */
export class Service {
  readonly #world: World;
  readonly #seed: number;

  constructor(world: World) {
    this.#world = world;
    this.#seed = childSeed(world.seed, "fate");
  }

  /** A request reaches its backend. */
  request(connection: Connection, now: Nanoseconds): void {
    const backend = connection.backend;
    const hasPlace = connection.is(PROMISED);
    connection.pending = 0;
    connection.submittedAt = now;
    connection.waited = 0;
    this.unpromise(connection);
    if (!connection.is(LEASED) && backend.dropsAbandoned) {
      this.#world.settle(connection);
    } else if (backend.down) {
      this.#reset(connection, now);
    } else if (
      // Who was promised a place has it; a later request of the same connection may find the queue full.
      (!hasPlace && !backend.server.hasRoom) ||
      (backend.fastErrorRate > 0 && this.#chance(connection, "fast") < backend.fastErrorRate)
    ) {
      this.#answer(connection, ERROR, now);
    } else {
      connection.flags |= AT_BACKEND;
      backend.server.submit(connection, now);
    }
  }

  /** The work of a request is done. */
  done(connection: Connection, now: Nanoseconds): void {
    const { prober } = this.#world;
    const backend = connection.backend;
    backend.server.done(connection, now);
    connection.flags &= ~AT_BACKEND;
    connection.pending = 0;
    if (connection.is(PROBE)) {
      prober.served(connection, now);
      return;
    }
    const fails = backend.failRate > 0 && this.#chance(connection, "fail") < backend.failRate;
    this.#answer(connection, fails ? ERROR : OK, now);
  }

  /** The news that a client has left reaches the backend. */
  abortReached(connection: Connection, now: Nanoseconds): void {
    connection.flags &= ~ABORTING;
    this.clientGone(connection, now);
  }

  /** The backend learns that a client has left. */
  clientGone(connection: Connection, now: Nanoseconds): void {
    const backend = connection.backend;
    if (backend.dropsAbandoned) {
      if (connection.is(AT_BACKEND)) this.cancel(connection, now);
      connection.pending = 0;
      this.unpromise(connection);
    }
    this.#world.settle(connection);
  }

  /** A request leaves before it is done. */
  cancel(connection: Connection, now: Nanoseconds): void {
    connection.backend.server.cancel(connection, now);
    connection.flags &= ~AT_BACKEND;
  }

  /** A place that was promised is free again. */
  unpromise(connection: Connection): void {
    if (!connection.is(PROMISED)) return;
    connection.flags &= ~PROMISED;
    connection.backend.server.promised--;
  }

  /** A backend dies: its work is lost and its connections are reset. */
  crash(backend: BackendModel, now: Nanoseconds): void {
    const { connections } = this.#world;
    backend.server.clear(now);
    for (const connection of connections.all) {
      const { flags } = connection;
      if ((flags & TAKEN) === 0 || connection.picked !== backend) continue;
      if ((flags & PROBE) !== 0) {
        if ((flags & AT_BACKEND) !== 0) this.#world.prober.lost(connection, now);
        continue;
      }
      const open = (flags & (LEASED | OPEN)) === (LEASED | OPEN);
      if (!open && (flags & (PROMISED | AT_BACKEND)) === 0) continue;
      this.unpromise(connection);
      connection.flags &= ~AT_BACKEND;
      if (open) this.#breaks(connection, now);
      else this.#world.settle(connection);
    }
  }

  /** An open connection loses its backend. */
  #breaks(connection: Connection, now: Nanoseconds): void {
    const { flags } = connection;
    const waitsForBackend = (flags & (WAITED_FOR | ANSWERED)) === WAITED_FOR;
    if (waitsForBackend) this.#reset(connection, now);
    else this.#world.relay.wasResetInPassing(connection, now);
  }

  #reset(connection: Connection, now: Nanoseconds): void {
    const { links, queue, relay } = this.#world;
    if (links.backend.instant) relay.wasReset(connection, now);
    else {connection.pending = queue.push(
        now + links.backend.delay(),
        RESET_AT_BALANCER,
        connection.number,
      );}
  }

  #answer(connection: Connection, answer: number, now: Nanoseconds): void {
    const { relay } = this.#world;
    connection.answer = answer;
    if (!connection.is(LEASED)) this.#world.settle(connection);
    else relay.answer(connection, now);
  }

  /** A number in [0, 1) that belongs to this attempt at this request. */
  #chance(connection: Connection, purpose: string): number {
    const { request, attempt } = connection;
    return (childSeed(this.#seed, purpose, request, attempt) >>> 0) / 2 ** 32;
  }
}
