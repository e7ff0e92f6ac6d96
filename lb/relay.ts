import { timerDelay } from "../lib/clock.ts";
import type { ConnectionEnd, Nanoseconds, Traffic } from "../lib/core/mod.ts";
import { BufferPool, nextSizeClass } from "./buffers.ts";
import type { Connection } from "./connection.ts";

/** What was relayed, and how it ended. */
export interface RelayResult extends Traffic {
  readonly end: ConnectionEnd;
}

/** What the relays of one balancer have in common. */
export interface RelaysOptions {
  /** A connection that carries no byte in either direction for this long is closed. */
  readonly idleTimeout: Nanoseconds;
}

/** The idle timeout is checked this often in its course, so it is at most this part late. */
const SWEEPS_PER_TIMEOUT = 8;

/** All running relays: their buffers, and the one timer that finds the idle among them. */
export class Relays {
  readonly #buffers = new BufferPool();
  readonly #running = new Set<Relay>();
  #idleTimeout: Nanoseconds;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: RelaysOptions) {
    this.#idleTimeout = options.idleTimeout;
  }

  /** Another timeout, from now on. */
  set idleTimeout(idleTimeout: Nanoseconds) {
    if (idleTimeout === this.#idleTimeout) return;
    this.#idleTimeout = idleTimeout;
    if (this.#timer === undefined) return;
    this.#stopSweeping();
    this.#startSweeping();
  }

  /** Relays that have not ended. */
  get running(): number {
    return this.#running.size;
  }

  /** Buffers lent to them. */
  get buffersLent(): number {
    return this.#buffers.lent;
  }

  /** What the running ones have relayed so far. */
  get traffic(): Traffic {
    let bytesToBackend = 0;
    let bytesToClient = 0;
    for (const relay of this.#running) {
      bytesToBackend += relay.bytesToBackend;
      bytesToClient += relay.bytesToClient;
    }
    return { bytesToBackend, bytesToClient };
  }

  /**
   * Relays until both sides have finished, one has aborted, or it must end. Owns both connections from
   * the call on, and has closed both when it calls `ended`. Never throws.
   *
   * @param owner Whose connection it is, for `closeAll`.
   * @param preamble What the backend gets before anything that is read from the client.
   * @param answered Called when the backend has sent its first byte.
   */
  start(
    client: Connection,
    backend: Connection,
    ended: (result: RelayResult) => void,
    owner?: unknown,
    answered: () => void = () => {},
    preamble: readonly Uint8Array[] = [],
  ): void {
    const relay = new Relay(client, backend, this.#buffers, owner, answered, (result) => {
      this.#running.delete(relay);
      if (this.#running.size === 0) this.#stopSweeping();
      ended(result);
    });
    this.#running.add(relay);
    if (this.#timer === undefined) this.#startSweeping();
    relay.start(preamble);
  }

  /** `start` for who would rather wait. */
  run(client: Connection, backend: Connection): Promise<RelayResult> {
    return new Promise((resolve) => this.start(client, backend, resolve));
  }

  /** Closes every connection, or those of one owner. They end soon after. */
  closeAll(end: ConnectionEnd, owner?: unknown): void {
    for (const relay of this.#running) {
      if (owner === undefined || relay.owner === owner) relay.close(end);
    }
  }

  #sweep(): void {
    for (const relay of this.#running) {
      if (relay.quietSweeps++ === SWEEPS_PER_TIMEOUT) relay.close("idle_timeout");
    }
  }

  #startSweeping(): void {
    this.#timer = setInterval(
      () => this.#sweep(),
      timerDelay(this.#idleTimeout / SWEEPS_PER_TIMEOUT),
    );
  }

  #stopSweeping(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** One client's connection and its backend's, and what flows between them. */
class Relay implements RelayResult {
  bytesToBackend = 0;
  bytesToClient = 0;
  /** Stands unless something else ends it first. */
  end: ConnectionEnd = "closed";
  /** Sweeps that went by since the last byte. */
  quietSweeps = 0;
  readonly owner: unknown;
  readonly #client: Connection;
  readonly #backend: Connection;
  readonly #buffers: BufferPool;
  readonly #answered: () => void;
  readonly #ended: (result: RelayResult) => void;
  /** Directions that are not finished. */
  #copying = 2;
  #open = true;

  constructor(
    client: Connection,
    backend: Connection,
    buffers: BufferPool,
    owner: unknown,
    answered: () => void,
    ended: (result: RelayResult) => void,
  ) {
    this.#client = client;
    this.#backend = backend;
    this.#buffers = buffers;
    this.owner = owner;
    this.#answered = answered;
    this.#ended = ended;
  }

  start(preamble: readonly Uint8Array[]): void {
    void this.#copy(true, preamble);
    void this.#copy(false, []);
  }

  /** Closes both connections, once; whatever waits on them wakes. The first reason stands. */
  close(end: ConnectionEnd): void {
    if (!this.#open) return;
    this.#open = false;
    this.end = end;
    this.#client.close();
    this.#backend.close();
  }

  /**
   * Copies one direction until its source has finished, and then finishes only the destination's
   * receiving half: the other direction goes on. The last of the two to finish closes both connections;
   * a failure closes them at once. Owns its buffer. Never rejects.
   */
  async #copy(toBackend: boolean, preamble: readonly Uint8Array[]): Promise<void> {
    const from = toBackend ? this.#client : this.#backend;
    const to = toBackend ? this.#backend : this.#client;
    let sizeClass = 0;
    let buffer = this.#buffers.take(sizeClass);
    let reading = preamble.length === 0;
    let messages = 0;
    try {
      for (const part of preamble) {
        for (let sent = 0; sent < part.length;) sent += await to.write(part.subarray(sent));
        this.bytesToBackend += part.length;
      }
      reading = true;
      while (true) {
        const count = await from.read(buffer);
        if (count === null) break;
        if (!toBackend && messages === 0) this.#answered();
        this.quietSweeps = 0;
        reading = false;
        // The kernel holds small writes back only while earlier bytes are unacknowledged: who sends one
        // message needs no system call to forbid it.
        if (++messages === 2) to.setNoDelay?.();
        for (let sent = 0; sent < count;) {
          sent += await to.write(buffer.subarray(sent, count));
          this.quietSweeps = 0;
        }
        if (toBackend) this.bytesToBackend += count;
        else this.bytesToClient += count;
        reading = true;
        const next = nextSizeClass(sizeClass, count);
        if (next !== sizeClass) {
          this.#buffers.give(sizeClass, buffer);
          sizeClass = next;
          buffer = this.#buffers.take(sizeClass);
        }
      }
      reading = false;
      if (this.#copying === 2 || to.mustSayEnd === true) await to.closeWrite();
    } catch {
      // Whichever connection failed, and whatever of: its peer has gone away in mid-stream. If it was
      // closed from here, `close` has already said why.
      this.close(reading === toBackend ? "client_aborted" : "backend_aborted");
    }
    this.#buffers.give(sizeClass, buffer);
    if (--this.#copying > 0) return;
    this.close("closed");
    this.#ended(this);
  }
}
