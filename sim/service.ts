import { childSeed, type Nanoseconds } from "../lib/core/mod.ts";
import type { BackendModel } from "./backend_model.ts";
import {
  ABORTING,
  ANSWERED,
  AT_BACKEND,
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
  request(c: number, now: Nanoseconds): void {
    const { connections } = this.#world;
    const backend = this.#backend(c);
    const first = (connections.flags[c]! & PROMISED) !== 0;
    connections.pending[c] = 0;
    connections.submittedAt[c] = now;
    connections.waited[c] = 0;
    this.unpromise(c);
    if ((connections.flags[c]! & LEASED) === 0 && backend.dropsAbandoned) {
      this.#world.settle(c);
    } else if (backend.down) {
      this.#reset(c, now);
    } else if (
      // A first request has its place; a later one of the same connection may find the queue full.
      (!first && !backend.server.hasRoom) ||
      (backend.fastErrorRate > 0 && this.#chance(c, "fast") < backend.fastErrorRate)
    ) {
      this.#answer(c, ERROR, now);
    } else {
      connections.flags[c] = connections.flags[c]! | AT_BACKEND;
      backend.server.submit(c, now);
    }
  }

  /** The work of a request is done. */
  done(c: number, now: Nanoseconds): void {
    const { connections, prober } = this.#world;
    const backend = this.#backend(c);
    backend.server.done(c, now);
    connections.flags[c] = connections.flags[c]! & ~AT_BACKEND;
    connections.pending[c] = 0;
    if ((connections.flags[c]! & PROBE) !== 0) {
      prober.served(c, now);
      return;
    }
    const fails = backend.failRate > 0 && this.#chance(c, "fail") < backend.failRate;
    this.#answer(c, fails ? ERROR : OK, now);
  }

  /** The news that a client has left reaches the backend. */
  abortReached(c: number, now: Nanoseconds): void {
    const { flags } = this.#world.connections;
    flags[c] = flags[c]! & ~ABORTING;
    this.clientGone(c, now);
  }

  /** The backend learns that a client has left. */
  clientGone(c: number, now: Nanoseconds): void {
    const { connections } = this.#world;
    const backend = this.#backend(c);
    if (backend.dropsAbandoned) {
      if ((connections.flags[c]! & AT_BACKEND) !== 0) this.cancel(c, now);
      connections.pending[c] = 0;
      this.unpromise(c);
    }
    this.#world.settle(c);
  }

  /** A request leaves before it is done. */
  cancel(c: number, now: Nanoseconds): void {
    const { connections } = this.#world;
    this.#backend(c).server.cancel(c, now);
    connections.flags[c] = connections.flags[c]! & ~AT_BACKEND;
  }

  /** A place that was promised is free again. */
  unpromise(c: number): void {
    const { flags } = this.#world.connections;
    if ((flags[c]! & PROMISED) === 0) return;
    flags[c] = flags[c]! & ~PROMISED;
    this.#backend(c).server.promised--;
  }

  /** A backend dies: its work is lost and its connections are reset. */
  crash(backend: BackendModel, now: Nanoseconds): void {
    const { connections } = this.#world;
    backend.server.clear(now);
    for (let c = 0; c < connections.size; c++) {
      const flags = connections.flags[c]!;
      if ((flags & TAKEN) === 0 || connections.backend[c] !== backend.index) continue;
      if ((flags & PROBE) !== 0) {
        if ((flags & AT_BACKEND) !== 0) this.#world.prober.lost(c, now);
        continue;
      }
      const open = (flags & (LEASED | OPEN)) === (LEASED | OPEN);
      if (!open && (flags & (PROMISED | AT_BACKEND)) === 0) continue;
      this.unpromise(c);
      connections.flags[c] = connections.flags[c]! & ~AT_BACKEND;
      if (open) this.#breaks(c, now);
      else this.#world.settle(c);
    }
  }

  /** An open connection loses its backend. */
  #breaks(c: number, now: Nanoseconds): void {
    const flags = this.#world.connections.flags[c]!;
    const waitsForBackend = (flags & (WAITED_FOR | ANSWERED)) === WAITED_FOR;
    if (waitsForBackend) this.#reset(c, now);
    else this.#world.relay.wasResetInPassing(c, now);
  }

  #reset(c: number, now: Nanoseconds): void {
    const { connections, links, queue, relay } = this.#world;
    if (links.backend.instant) relay.wasReset(c, now);
    else connections.pending[c] = queue.push(now + links.backend.delay(), RESET_AT_BALANCER, c);
  }

  #answer(c: number, answer: number, now: Nanoseconds): void {
    const { connections, relay } = this.#world;
    connections.answer[c] = answer;
    if ((connections.flags[c]! & LEASED) === 0) this.#world.settle(c);
    else relay.answer(c, now);
  }

  #backend(c: number): BackendModel {
    return this.#world.backends[this.#world.connections.backend[c]!]!;
  }

  /** A number in [0, 1) that belongs to this attempt at this request. */
  #chance(c: number, purpose: string): number {
    const { request, attempt } = this.#world.connections;
    return (childSeed(this.#seed, purpose, request[c]!, attempt[c]!) >>> 0) / 2 ** 32;
  }
}
