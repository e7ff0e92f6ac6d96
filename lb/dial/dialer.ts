import type { Address, Nanoseconds } from "../../lib/base/mod.ts";
import { sweepInterval, SWEEPS_PER_TIMEOUT } from "../../lib/core/mod.ts";
import { type Connection, timerDelay } from "../../lib/io/mod.ts";
import { dial, DialFailure } from "./dial.ts";
import { type BackendTls, dialTls } from "./tls_dial.ts";

/**
 * Opens connections with one timeout for all, kept by one timer. Connects that begin between the same two
 * sweeps share an abort signal: a timer and a signal for each connect would add a tenth to the cost of a
 * short connection.
 */
export class Dialer {
  readonly #timeout: Nanoseconds;
  /** One for each sweep within the timeout, the youngest last. */
  #generations: AbortController[] = [];
  /** Sweeps since the last connect began. */
  #quietSweeps = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  /** @param timeout How long a connect may take. */
  constructor(timeout: Nanoseconds) {
    this.#timeout = timeout;
  }

  /** Whether every connect has been given up, and later ones are given up at once. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Opens a connection. Its caller owns it and closes it.
   *
   * @param tls How to connect with TLS; without TLS if left out.
   * @param header Sent unencrypted before the TLS handshake.
   */
  dial(
    address: Address,
    tls?: BackendTls,
    header?: Uint8Array,
  ): Promise<Connection | DialFailure> {
    if (this.#closed) return Promise.resolve(new DialFailure("timeout"));
    if (this.#timer === undefined) this.#startSweeping();
    this.#quietSweeps = 0;
    const { signal } = this.#generations.at(-1)!;
    return tls === undefined ? dial(address, signal) : dialTls(address, tls, signal, header);
  }

  /** Gives up every connect that is under way, and all later ones. */
  close(): void {
    this.#closed = true;
    for (const generation of this.#generations) generation.abort();
    this.#stopSweeping();
  }

  #startSweeping(): void {
    this.#generations.push(new AbortController());
    this.#timer = setInterval(
      () => this.#sweep(),
      timerDelay(sweepInterval(this.#timeout)),
    );
  }

  #sweep(): void {
    this.#generations.push(new AbortController());
    if (this.#generations.length > SWEEPS_PER_TIMEOUT + 1) this.#generations.shift()!.abort();
    // By now the last connect is done or given up: a quiet balancer needs no timer.
    if (++this.#quietSweeps > SWEEPS_PER_TIMEOUT) this.#stopSweeping();
  }

  #stopSweeping(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#generations = [];
  }
}
