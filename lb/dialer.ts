import type { Address } from "../lib/address.ts";
import { timerDelay } from "../lib/clock.ts";
import type { Nanoseconds } from "../lib/core/mod.ts";
import { dial, type DialFailure } from "./dial.ts";

/** The timeout is checked this often in its course, so it is at most this part late. */
const SWEEPS_PER_TIMEOUT = 8;

/** A connect that is under way. */
interface Pending {
  readonly abort: AbortController;
  sweeps: number;
}

/**
 * Opens connections with one timeout for all, kept by one timer for all: a timer and its listeners for
 * each connect were a tenth of what a short connection costs.
 */
export class Dialer {
  readonly #timeout: Nanoseconds;
  readonly #pending = new Set<Pending>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  /** @param timeout How long a connect may take. */
  constructor(timeout: Nanoseconds) {
    this.#timeout = timeout;
  }

  /** Whether every connect has been given up, and further ones are. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Opens a connection. Whoever gets it owns it and closes it. */
  async dial(address: Address): Promise<Deno.TcpConn | DialFailure> {
    if (this.#closed) return { reason: "timeout", outOfDescriptors: false };
    const pending: Pending = { abort: new AbortController(), sweeps: 0 };
    this.#pending.add(pending);
    this.#timer ??= setInterval(
      () => this.#sweep(),
      timerDelay(this.#timeout / SWEEPS_PER_TIMEOUT),
    );
    const result = await dial(address, pending.abort.signal);
    this.#pending.delete(pending);
    return result;
  }

  /** Gives up every connect that is under way, and all that are asked for from now on. */
  close(): void {
    this.#closed = true;
    for (const { abort } of this.#pending) abort.abort();
    this.#stopSweeping();
  }

  #sweep(): void {
    // A quiet balancer needs no timer; a busy one does not start a new one for every connect.
    if (this.#pending.size === 0) this.#stopSweeping();
    for (const pending of this.#pending) {
      if (++pending.sweeps > SWEEPS_PER_TIMEOUT) pending.abort.abort();
    }
  }

  #stopSweeping(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
