import { timerDelay } from "../lib/clock.ts";
import type { ConnectionEnd, Nanoseconds, Traffic } from "../lib/core/mod.ts";
import { BufferPool, nextSizeClass } from "./buffers.ts";

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
  readonly #idleTimeout: Nanoseconds;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Number of the current sweep: the coarse clock of the relays. */
  #sweep = 0;

  constructor(options: RelaysOptions) {
    this.#idleTimeout = options.idleTimeout;
  }

  /** Relays that have not ended. */
  get running(): number {
    return this.#running.size;
  }

  /** Buffers lent to them. */
  get buffersLent(): number {
    return this.#buffers.lent;
  }

  /**
   * Relays until both sides have finished, one has aborted, or it must end. Owns both connections from
   * the call on, and has closed both when it resolves. Never rejects.
   */
  async run(client: Deno.TcpConn, backend: Deno.TcpConn): Promise<RelayResult> {
    const relay = new Relay(client, backend, this.#buffers, this.#sweep);
    this.#running.add(relay);
    this.#timer ??= setInterval(
      () => this.#closeIdle(),
      timerDelay(this.#idleTimeout / SWEEPS_PER_TIMEOUT),
    );
    await relay.run();
    this.#running.delete(relay);
    if (this.#running.size === 0) this.#stopTimer();
    return relay;
  }

  /** Closes every connection. Their `run` resolves soon after. */
  closeAll(): void {
    for (const relay of this.#running) relay.close("closed_by_balancer");
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #closeIdle(): void {
    this.#sweep++;
    for (const relay of this.#running) {
      if (this.#sweep - relay.activeInSweep > SWEEPS_PER_TIMEOUT) relay.close("idle_timeout");
      relay.sweep = this.#sweep;
    }
  }
}

/** One client's connection and its backend's, and what flows between them. */
class Relay implements RelayResult {
  readonly #client: Deno.TcpConn;
  readonly #backend: Deno.TcpConn;
  readonly #buffers: BufferPool;
  #open = true;
  bytesToBackend = 0;
  bytesToClient = 0;
  /** Stands unless something else ends it first. */
  end: ConnectionEnd = "closed";
  /** The sweep that is going on, and the one in which the last byte came. */
  sweep: number;
  activeInSweep: number;

  constructor(
    client: Deno.TcpConn,
    backend: Deno.TcpConn,
    buffers: BufferPool,
    sweep: number,
  ) {
    this.#client = client;
    this.#backend = backend;
    this.#buffers = buffers;
    this.sweep = sweep;
    this.activeInSweep = sweep;
  }

  async run(): Promise<void> {
    try {
      this.#client.setNoDelay();
      this.#backend.setNoDelay();
    } catch {
      // Some systems refuse this on a connection that was reset already; reading it will say so.
    }
    const up = this.#copy(this.#client, this.#backend, "client_aborted", "backend_aborted", true);
    await this.#copy(this.#backend, this.#client, "backend_aborted", "client_aborted", false);
    await up;
    this.close("closed");
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
   * receiving half: the other direction goes on. A failure ends both at once.
   */
  async #copy(
    from: Deno.TcpConn,
    to: Deno.TcpConn,
    fromAborted: ConnectionEnd,
    toAborted: ConnectionEnd,
    toBackend: boolean,
  ): Promise<void> {
    let sizeClass = 0;
    let buffer = this.#buffers.take(sizeClass);
    let failure = fromAborted;
    try {
      while (true) {
        failure = fromAborted;
        const count = await from.read(buffer);
        failure = toAborted;
        if (count === null) {
          await to.closeWrite();
          break;
        }
        this.activeInSweep = this.sweep;
        let sent = await to.write(count === buffer.length ? buffer : buffer.subarray(0, count));
        while (sent < count) sent += await to.write(buffer.subarray(sent, count));
        if (toBackend) this.bytesToBackend += count;
        else this.bytesToClient += count;
        const next = nextSizeClass(sizeClass, count);
        if (next !== sizeClass) {
          this.#buffers.give(sizeClass, buffer);
          sizeClass = next;
          buffer = this.#buffers.take(sizeClass);
        }
      }
    } catch {
      // Whichever connection failed, and whatever of: its peer has gone away in mid-stream. If it was
      // closed from here, `close` has already said why.
      this.close(failure);
    }
    this.#buffers.give(sizeClass, buffer);
  }
}
