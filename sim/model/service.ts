import { assert, type Nanoseconds } from "../../lib/base/mod.ts";
import type { BackendModel } from "./backend_model.ts";
import {
  ASSIGNED,
  AT_BACKEND,
  AWAITED,
  type Connection,
  ERROR,
  IN_USE,
  LOST,
  OK,
  OPEN,
  PROBE,
  QUEUED,
  RESERVED,
} from "./connections.ts";
import { ABORT_AT_BACKEND, REQUEST } from "../engine/mod.ts";
import type { World } from "./world.ts";

/**
 * The work of the backends: a request arrives, waits, is served and answered; its client may leave; the backend may
 * crash.
 *
 * Whether a request fails is a random draw that depends only on its origin, number and attempt: so the same request
 * fails with every algorithm, or with none.
 */
export class Service {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** A request reaches its backend. */
  request(connection: Connection, now: Nanoseconds): void {
    const backend = connection.backend;
    // A request with a reserved place is accepted; a later request of the same connection may find the queue
    // full.
    const accepted = (connection.is(RESERVED) || backend.server.hasRoom) &&
      !(backend.fastErrorRate > 0 && this.#failsAtOnce(connection));
    connection.pending = 0;
    if (connection.is(LOST) || (!connection.is(ASSIGNED) && backend.dropsAbandoned)) {
      this.cancelReservation(connection);
      this.#world.freeIfUnused(connection);
    } else if (backend.silent || (backend.paused && !accepted)) {
      // A machine that hangs receives nothing, and a paused process cannot refuse a request.
      this.#world.relay.hold(connection, REQUEST);
    } else {
      assert(!backend.down, "a crash has ended every connection of the backend");
      connection.submittedAt = now;
      connection.waited = 0;
      this.cancelReservation(connection);
      if (accepted) {
        connection.flags |= AT_BACKEND;
        backend.server.submit(connection, now);
        this.#world.idleReports?.requested(backend, connection.balancer);
      } else {
        this.#answer(connection, ERROR, now);
      }
    }
  }

  /** The work of a request is done. */
  done(connection: Connection, now: Nanoseconds): void {
    const { prober, idleReports } = this.#world;
    const backend = connection.backend;
    backend.server.done(connection, now);
    idleReports?.mayBeIdle(backend, now);
    connection.flags &= ~AT_BACKEND;
    connection.pending = 0;
    if (connection.is(PROBE)) {
      prober.served(connection, now);
      return;
    }
    const fails = backend.failRate > 0 && this.#fails(connection);
    this.#answer(connection, fails ? ERROR : OK, now);
  }

  /** The backend learns that a client has left. */
  clientGone(connection: Connection, now: Nanoseconds): void {
    const backend = connection.backend;
    connection.balancerAbort = 0;
    if (backend.silent || backend.paused) {
      this.#world.relay.hold(connection, ABORT_AT_BACKEND);
    } else if (backend.dropsAbandoned) {
      if (connection.is(AT_BACKEND)) this.cancel(connection, now);
      connection.pending = 0;
      this.cancelReservation(connection);
    }
    this.#world.freeIfUnused(connection);
  }

  /** A request leaves before it is done. */
  cancel(connection: Connection, now: Nanoseconds): void {
    connection.backend.server.cancel(connection, now);
    connection.flags &= ~AT_BACKEND;
    this.#world.idleReports?.mayBeIdle(connection.backend, now);
  }

  /** Frees a reserved place. */
  cancelReservation(connection: Connection): void {
    if (!connection.is(RESERVED)) return;
    connection.flags &= ~RESERVED;
    connection.backend.server.reserved--;
  }

  /**
   * A backend crashes: its work is lost and its connections are reset. All work is removed before any
   * consequence: a failed probe may make the balancer close connections that have just lost their request.
   */
  crash(backend: BackendModel, now: Nanoseconds): void {
    const { connections, prober, relay } = this.#world;
    const its = connections.all.filter((connection) =>
      connection.is(IN_USE) && connection.picked === backend
    );
    const probes = its.filter((connection) => connection.is(PROBE) && connection.is(AT_BACKEND));
    backend.server.clear(now);
    for (const connection of its) {
      this.cancelReservation(connection);
      connection.flags &= ~AT_BACKEND;
    }
    for (const connection of its) {
      const { flags } = connection;
      if ((flags & IN_USE) === 0 || (flags & PROBE) !== 0 || connection.picked !== backend) {
        continue;
      }
      if ((flags & OPEN) !== 0) {
        connection.flags |= LOST;
        relay.reset(connection, now);
      } else if ((flags & (ASSIGNED | AWAITED | QUEUED)) === 0) {
        // The client of this connection has left, but a request of it may still be on the way.
        connection.flags |= LOST;
        this.#world.freeIfUnused(connection);
      }
    }
    for (const probe of probes) prober.lost(probe, now);
  }

  #failsAtOnce({ origin, nth, attempt, backend }: Connection): boolean {
    return this.#world.chances.fastError(origin, nth, attempt) < backend.fastErrorRate;
  }

  #fails({ origin, nth, attempt, backend }: Connection): boolean {
    return this.#world.chances.failure(origin, nth, attempt) < backend.failRate;
  }

  #answer(connection: Connection, answer: number, now: Nanoseconds): void {
    const { relay } = this.#world;
    connection.answer = answer;
    if (!connection.is(ASSIGNED)) this.#world.freeIfUnused(connection);
    else relay.answer(connection, now);
  }
}
