import { type Address, type Nanoseconds, NS_PER_MS } from "../../lib/base/mod.ts";
import { type Connection, timerDelay } from "../../lib/io/mod.ts";
import { dial, DialFailure } from "./dial.ts";
import { type BackendTls, dialTls } from "./tls_dial.ts";

/** A connect is given up at most this long after its timeout. */
const LATENESS_MAX: Nanoseconds = 5 * NS_PER_MS;
/** The same for short timeouts, as a share of the timeout. */
const LATENESS_SHARE = 1 / 8;

/** Connects that began at nearly the same time, and are given up together. */
interface Generation {
  readonly controller: AbortController;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Opens connections with the same timeout for all. Connects that begin within five milliseconds share a timer and an
 * abort signal. A timer and a signal for every connect would add a tenth to the cost of a short connection.
 */
export class Dialer {
  readonly #timeout: Nanoseconds;
  readonly #generations = new Set<Generation>();
  /** The generation of connects that begin now. */
  #present: Generation | undefined;
  #closed = false;

  /** @param timeout How long a connect may take. */
  constructor(timeout: Nanoseconds) {
    this.#timeout = timeout;
  }

  /** Whether the dialer is closed: it has cancelled every connect, and cancels later ones at once. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Opens a connection. The caller owns it and closes it.
   *
   * @param tls How to connect with TLS; without TLS if left out.
   * @param header A PROXY header, which is sent unencrypted before the TLS handshake.
   */
  dial(
    address: Address,
    tls?: BackendTls,
    header?: Uint8Array,
  ): Promise<Connection | DialFailure> {
    if (this.#closed) return Promise.resolve(new DialFailure("timeout"));
    const { signal } = (this.#present ??= this.#begin()).controller;
    return tls === undefined ? dial(address, signal) : dialTls(address, tls, signal, header);
  }

  /** Cancels every connect that is in progress, and all later ones. */
  close(): void {
    this.#closed = true;
    this.#present = undefined;
    for (const { controller, timer } of this.#generations) {
      clearTimeout(timer);
      controller.abort();
    }
    this.#generations.clear();
  }

  #begin(): Generation {
    const generation: Generation = { controller: new AbortController(), timer: undefined };
    this.#generations.add(generation);
    const giveUp = () => {
      this.#generations.delete(generation);
      generation.controller.abort();
    };
    const end = () => {
      this.#present = undefined;
      generation.timer = setTimeout(giveUp, timerDelay(this.#timeout));
    };
    const span = Math.min(LATENESS_MAX, this.#timeout * LATENESS_SHARE);
    generation.timer = setTimeout(end, timerDelay(span));
    return generation;
  }
}
