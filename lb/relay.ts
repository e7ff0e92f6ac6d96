import { timerDelay } from "../lib/clock.ts";
import {
  type Aged,
  AgeList,
  type ConnectionEnd,
  type Nanoseconds,
  type Traffic,
} from "../lib/core/mod.ts";
import { BufferPool, nextSizeClass, sizeClassOf } from "./buffers.ts";
import type { Connection } from "./connection.ts";

/** What was relayed, and how it ended. */
export interface RelayResult extends Traffic {
  readonly end: ConnectionEnd;
}

/** What the relays of one balancer have in common. */
export interface RelaysOptions<Owner> {
  /** A connection that carries no byte in either direction for this long is closed. */
  readonly idleTimeout: Nanoseconds;
  /** Called when the client has sent its first byte. */
  readonly asked?: (owner: Owner) => void;
  /** Called when the backend has sent its first byte. */
  readonly answered?: (owner: Owner) => void;
  /** Called when a relay has closed both of its connections. */
  readonly ended?: (owner: Owner, result: RelayResult) => void;
}

/** The idle timeout is checked this often in its course, so it is at most this part late. */
const SWEEPS_PER_TIMEOUT = 8;

/** There is nothing to send before the client's bytes. */
const NOTHING: readonly Uint8Array[] = [];

/**
 * All running relays: their buffers, and the one timer that finds the idle among them. Each belongs to
 * an owner, with which its progress is told: that costs less than callbacks for each.
 */
export class Relays<Owner> {
  readonly #options: RelaysOptions<Owner>;
  readonly #buffers = new BufferPool();
  readonly #running = new AgeList<Relay<Owner>>();
  #idleTimeout: Nanoseconds;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: RelaysOptions<Owner>) {
    this.#options = options;
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
   * the call on, and has closed both when it says that it has ended. Never throws.
   *
   * @param preamble What the backend gets before anything that is read from the client.
   */
  start(
    client: Connection,
    backend: Connection,
    owner: Owner,
    preamble: readonly Uint8Array[] = NOTHING,
  ): void {
    const relay = new Relay(this, client, backend, owner, this.#buffers);
    this.#running.add(relay);
    if (this.#timer === undefined) this.#startSweeping();
    relay.start(preamble);
  }

  /** Closes every connection, or those of the owners that are chosen. They end soon after. */
  closeAll(end: ConnectionEnd, isChosen: (owner: Owner) => boolean = () => true): void {
    for (const relay of this.#running) if (isChosen(relay.owner)) relay.close(end);
  }

  /** @internal */
  _asked(relay: Relay<Owner>): void {
    this.#options.asked?.(relay.owner);
  }

  /** @internal */
  _answered(relay: Relay<Owner>): void {
    this.#options.answered?.(relay.owner);
  }

  /** @internal */
  _ended(relay: Relay<Owner>): void {
    this.#running.delete(relay);
    if (this.#running.size === 0) this.#stopSweeping();
    this.#options.ended?.(relay.owner, relay);
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
class Relay<Owner> implements RelayResult, Aged<Relay<Owner>> {
  older: Relay<Owner> | undefined;
  younger: Relay<Owner> | undefined;
  /** Stands unless something else ends it first. */
  end: ConnectionEnd = "closed";
  /** Sweeps that went by since the last byte. */
  quietSweeps = 0;
  readonly owner: Owner;
  readonly #relays: Relays<Owner>;
  readonly #client: Connection;
  readonly #backend: Connection;
  readonly #toBackend: Flow<Owner>;
  readonly #toClient: Flow<Owner>;
  /** Directions that are not finished. */
  #flowing = 2;
  #open = true;

  constructor(
    relays: Relays<Owner>,
    client: Connection,
    backend: Connection,
    owner: Owner,
    buffers: BufferPool,
  ) {
    this.#relays = relays;
    this.#client = client;
    this.#backend = backend;
    this.owner = owner;
    this.#toBackend = new Flow(this, client, backend, buffers);
    this.#toClient = new Flow(this, backend, client, buffers);
  }

  get bytesToBackend(): number {
    return this.#toBackend.bytes;
  }

  get bytesToClient(): number {
    return this.#toClient.bytes;
  }

  /** Whether no direction is finished. */
  get isWhole(): boolean {
    return this.#flowing === 2;
  }

  start(preamble: readonly Uint8Array[]): void {
    if (preamble.length === 0) this.#toBackend.start();
    else void this.#toBackend.startWith(preamble);
    this.#toClient.start();
  }

  /** Closes both connections, once; whatever waits on them wakes. The first reason stands. */
  close(end: ConnectionEnd): void {
    if (!this.#open) return;
    this.#open = false;
    this.end = end;
    this.#client.close();
    this.#backend.close();
  }

  /** A connection has failed. If it was closed from here, `close` has already said why. */
  abort(connection: Connection): void {
    this.close(connection === this.#client ? "client_aborted" : "backend_aborted");
  }

  /** A direction carries its first bytes. */
  begun(flow: Flow<Owner>): void {
    if (flow === this.#toClient) this.#relays._answered(this);
    else this.#relays._asked(this);
  }

  /** A direction is over. The last of the two closes both connections. */
  ended(): void {
    if (--this.#flowing > 0) return;
    this.close("closed");
    this.#relays._ended(this);
  }
}

/**
 * One direction of a relay. Copies until its source has finished, and then finishes only the
 * destination's receiving half: the other direction goes on. A failure closes both connections at once.
 *
 * It goes on in callbacks, the same ones each time, and not in an async function: most connections wait
 * most of the time, and such a function keeps more while it does.
 */
class Flow<Owner> {
  /** Relayed so far. */
  bytes = 0;
  readonly #relay: Relay<Owner>;
  readonly #from: Connection;
  readonly #to: Connection;
  readonly #buffers: BufferPool;
  #buffer: Uint8Array<ArrayBuffer>;
  /** How much of the buffer is to be written; 0 while it is read into. */
  #filled = 0;
  /** How much of that has been written. */
  #written = 0;
  #messages = 0;
  /** One for all that is waited for: each takes memory while it waits. */
  readonly #onOutcome = this.#goOn.bind(this);

  constructor(relay: Relay<Owner>, from: Connection, to: Connection, buffers: BufferPool) {
    this.#relay = relay;
    this.#from = from;
    this.#to = to;
    this.#buffers = buffers;
    this.#buffer = buffers.take(0);
  }

  start(): void {
    this.#read();
  }

  /** Starts with bytes that do not come from the source. */
  async startWith(preamble: readonly Uint8Array[]): Promise<void> {
    try {
      for (const part of preamble) {
        for (let sent = 0; sent < part.length;) sent += await this.#to.write(part.subarray(sent));
        this.bytes += part.length;
      }
    } catch {
      return this.#fail(this.#to);
    }
    this.#read();
  }

  #read(): void {
    this.#from.read(this.#buffer).then(this.#onOutcome, this.#onOutcome);
  }

  #write(): void {
    this.#to.write(this.#buffer.subarray(this.#written, this.#filled))
      .then(this.#onOutcome, this.#onOutcome);
  }

  /** A read has brought so much, or nothing any more; a write has taken so much; or it has failed. */
  #goOn(outcome: number | null | Error): void {
    const isReading = this.#filled === 0;
    if (outcome === null) this.#finish();
    else if (typeof outcome !== "number") this.#fail(isReading ? this.#from : this.#to);
    else if (isReading) this.#hasRead(outcome);
    else this.#hasWritten(outcome);
  }

  #hasRead(count: number): void {
    this.#filled = count;
    this.#messages++;
    this.#relay.quietSweeps = 0;
    if (this.#messages === 1) this.#relay.begun(this);
    try {
      // The kernel holds small writes back only while earlier bytes are unacknowledged: who sends one
      // message needs no system call to forbid it.
      if (this.#messages === 2) this.#to.setNoDelay?.();
    } catch {
      return this.#fail(this.#to);
    }
    this.#write();
  }

  #hasWritten(count: number): void {
    this.#relay.quietSweeps = 0;
    this.#written += count;
    if (this.#written < this.#filled) return this.#write();
    this.bytes += this.#filled;
    this.#fitBuffer();
    this.#filled = this.#written = 0;
    this.#read();
  }

  /** The next read gets a buffer for what the last one says of it. */
  #fitBuffer(): void {
    const current = sizeClassOf(this.#buffer);
    const next = nextSizeClass(current, this.#filled);
    if (next === current) return;
    this.#buffers.give(this.#buffer);
    this.#buffer = this.#buffers.take(next);
  }

  #finish(): void {
    if (!this.#relay.isWhole && this.#to.mustSayEnd !== true) return this.#end();
    this.#to.closeWrite().then(() => this.#end(), () => this.#fail(this.#to));
  }

  /** Whatever a connection failed of: its peer has gone away in mid-stream. */
  #fail(connection: Connection): void {
    this.#relay.abort(connection);
    this.#end();
  }

  #end(): void {
    this.#buffers.give(this.#buffer);
    this.#relay.ended();
  }
}
