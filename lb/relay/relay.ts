import { closeIfOpen, type Connection, eventLoopTurn, timerDelay } from "../../lib/io/mod.ts";
import { type Aged, AgeList, type Nanoseconds, NS_PER_S, writeAll } from "../../lib/base/mod.ts";
import {
  type ConnectionEnd,
  sweepInterval,
  SWEEPS_PER_TIMEOUT,
  type Traffic,
} from "../../lib/core/mod.ts";
import { BufferPool, nextSizeClass, sizeClassOf } from "./buffers.ts";
import { LoopBudget, type Resumable } from "./loop_budget.ts";

/** The bytes that were relayed, and how the relay ended. */
export interface RelayResult extends Traffic {
  readonly end: ConnectionEnd;
}

/** Options of all relays of a balancer. */
export interface RelaysOptions<Owner> {
  /** A connection without a byte in either direction for this long is closed. */
  readonly idleTimeout: Nanoseconds;
  /** Called when the client has sent its first byte. */
  readonly asked?: (owner: Owner) => void;
  /** Called when the backend has sent its first byte. */
  readonly answered?: (owner: Owner) => void;
  /** Called when the client has finished before the backend has sent a byte: it may have left. */
  readonly finishedUnanswered?: (owner: Owner) => void;
  /** Called when a relay has closed both of its connections. */
  readonly ended?: (owner: Owner, result: RelayResult) => void;
}

/**
 * A write that takes less than this does not count as idle. The system reports that a slow reader reads only
 * when a third of the send buffer is free again, and that buffer holds up to 4 MiB: a reader of 24 KB/s needs
 * a minute for that.
 */
const SLOW_READER: Nanoseconds = 60 * NS_PER_S;

/**
 * A side that still sends when its bytes can no longer be delivered is closed this long after the last
 * byte was written to it. Meanwhile its bytes are discarded: closing a socket with unread bytes resets
 * the connection, and a reset destroys bytes that are still on the way to the peer.
 */
const LINGER_MS = 2000;

/** A side that has sent more than this while its bytes are discarded is read only at intervals. */
const DISCARD_BYTES = 16 * 1024 * 1024;
const DISCARD_INTERVAL_MS = 10;

/** The bytes that the backend gets before those that the relay reads. */
export interface Preamble {
  readonly bytes: Uint8Array;
  /** The number of bytes at the beginning that are a PROXY header. They do not count as the client's bytes. */
  readonly headerLength?: number;
  /** A read of the client that is in progress: it gives the client's next bytes, or null at its end. */
  readonly next?: Promise<Uint8Array | null> | undefined;
}

/**
 * All running relays, with their buffers and the timer that finds idle ones. Each relay has an owner, which the
 * shared callbacks get. This costs less than callbacks for each relay.
 */
export class Relays<Owner> {
  readonly #shared: Shared<Owner>;
  readonly #running = new AgeList<Relay<Owner>>();
  #idleTimeout: Nanoseconds;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: RelaysOptions<Owner>) {
    this.#shared = {
      options,
      buffers: new BufferPool(),
      budget: new LoopBudget(),
      ended: (relay) => this.#ended(relay),
    };
    this.#idleTimeout = options.idleTimeout;
  }

  /** Changes the timeout of all relays. */
  set idleTimeout(idleTimeout: Nanoseconds) {
    if (idleTimeout === this.#idleTimeout) return;
    this.#idleTimeout = idleTimeout;
    if (this.#timer === undefined) return;
    this.#stopSweeping();
    this.#startSweeping();
  }

  /** How many relays have not ended. */
  get running(): number {
    return this.#running.size;
  }

  /** How many buffers relays hold. */
  get buffersLent(): number {
    return this.#shared.buffers.lent;
  }

  /** The bytes that the running relays have carried so far. */
  get traffic(): Traffic {
    let bytesToBackend = 0;
    let bytesToClient = 0;
    for (const relay of this.#running) {
      bytesToBackend += relay.bytesToBackend;
      bytesToClient += relay.bytesToClient;
    }
    return { bytesToBackend, bytesToClient };
  }

  /** The bytes that the running relays have carried so far, summed by a property of their owners. */
  trafficBy<Key>(keyOf: (owner: Owner) => Key): Map<Key, Traffic> {
    const sums = new Map<Key, { bytesToBackend: number; bytesToClient: number }>();
    for (const { owner, bytesToBackend, bytesToClient } of this.#running) {
      const key = keyOf(owner);
      const sum = sums.get(key);
      if (sum === undefined) sums.set(key, { bytesToBackend, bytesToClient });
      else {
        sum.bytesToBackend += bytesToBackend;
        sum.bytesToClient += bytesToClient;
      }
    }
    return sums;
  }

  /**
   * Relays until both sides have finished, one has aborted, or the relay is closed. The relay owns both connections
   * from then on, and has closed both when it reports its end. Never throws.
   */
  start(
    client: Connection,
    backend: Connection,
    owner: Owner,
    preamble?: Preamble,
  ): void {
    const relay = new Relay(this.#shared, client, backend, owner);
    this.#running.add(relay);
    if (this.#timer === undefined) this.#startSweeping();
    relay.start(preamble);
  }

  /** Resolves when the event loop has polled. */
  async turn(): Promise<void> {
    // `budget.wait` makes sure that the loop polls, but costs as much as some connections. So it is called only while
    // fast streams need it; otherwise `eventLoopTurn` is enough, after which the loop has almost always polled.
    const { budget } = this.#shared;
    if (!budget.isInUse) await eventLoopTurn();
    else await new Promise<void>((resolve) => budget.wait({ resume: resolve }));
  }

  /** Closes every connection, or those of chosen owners. They end soon after. */
  closeAll(end: ConnectionEnd, isChosen: (owner: Owner) => boolean = () => true): void {
    for (const relay of this.#running) if (isChosen(relay.owner)) relay.close(end);
  }

  #ended(relay: Relay<Owner>): void {
    this.#running.delete(relay);
    if (this.#running.size === 0) {
      this.#stopSweeping();
      this.#shared.budget.rest();
    }
    this.#shared.options.ended?.(relay.owner, relay);
  }

  #sweep(): void {
    const sweepsPerWrite = Math.max(SLOW_READER / this.#idleTimeout, 1) * SWEEPS_PER_TIMEOUT;
    for (const relay of this.#running) {
      const sweepsMax = relay.isSending ? sweepsPerWrite : SWEEPS_PER_TIMEOUT;
      if (relay.quietSweeps++ >= sweepsMax) relay.close("idle_timeout");
    }
  }

  #startSweeping(): void {
    this.#timer = setInterval(
      () => this.#sweep(),
      timerDelay(sweepInterval(this.#idleTimeout)),
    );
  }

  #stopSweeping(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** The parts that all relays of a balancer share. */
interface Shared<Owner> {
  readonly options: RelaysOptions<Owner>;
  readonly buffers: BufferPool;
  readonly budget: LoopBudget;
  /** A relay has closed both of its connections. */
  ended(relay: Relay<Owner>): void;
}

/** A client's connection and its backend's, and the data between them. */
class Relay<Owner> implements RelayResult, Aged<Relay<Owner>> {
  older: Relay<Owner> | undefined;
  younger: Relay<Owner> | undefined;
  /** The end that is reported, unless an earlier event changes it. */
  end: ConnectionEnd = "closed";
  /** The number of sweeps since the last byte. */
  quietSweeps = 0;
  readonly owner: Owner;
  readonly #shared: Shared<Owner>;
  readonly #client: Connection;
  readonly #backend: Connection;
  readonly #toBackend: Flow<Owner>;
  readonly #toClient: Flow<Owner>;
  /** The number of directions that still carry bytes. */
  #carrying = 2;
  /** The number of directions that have not ended. A direction that discards bytes carries none, but has not ended. */
  #running = 2;
  #open = true;
  #lingering: ReturnType<typeof setTimeout> | undefined;

  constructor(
    shared: Shared<Owner>,
    client: Connection,
    backend: Connection,
    owner: Owner,
  ) {
    this.#shared = shared;
    this.#client = client;
    this.#backend = backend;
    this.owner = owner;
    this.#toBackend = new Flow(this, client, backend, shared);
    this.#toClient = new Flow(this, backend, client, shared);
  }

  get bytesToBackend(): number {
    return this.#toBackend.bytes;
  }

  get bytesToClient(): number {
    return this.#toClient.bytes;
  }

  /** Whether the relay is still open. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Whether a direction waits for its destination to take bytes. */
  get isSending(): boolean {
    return this.#toClient.isSending || this.#toBackend.isSending;
  }

  /** Whether one direction has ended: when the other ends too, both connections close. */
  get isHalfEnded(): boolean {
    return this.#running === 1;
  }

  /** Whether no bytes are carried any more, and both connections close soon. */
  get isLingering(): boolean {
    return this.#lingering !== undefined;
  }

  start(preamble: Preamble | undefined): void {
    if (preamble === undefined) this.#toBackend.start();
    else void this.#toBackend.startWith(preamble);
    this.#toClient.start();
  }

  /** Closes both connections, once; pending reads and writes fail. The first reason is kept. */
  close(end: ConnectionEnd): void {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#lingering);
    this.#reason(end);
    closeIfOpen(this.#client);
    closeIfOpen(this.#backend);
  }

  /**
   * The source of a direction has aborted, and all that it sent has been passed on. Bytes on their way to this source
   * cannot be written any more; if there are none, the relay has nothing left to do.
   */
  sourceAborted(flow: Flow<Owner>): void {
    this.#reason(flow === this.#toBackend ? "client_aborted" : "backend_aborted");
    if (this.#otherThan(flow).isWaiting) this.close(this.end);
  }

  /** The destination of a direction takes no more bytes. The bytes that it has sent itself are still passed on. */
  destinationAborted(flow: Flow<Owner>): void {
    this.#reason(flow === this.#toBackend ? "backend_aborted" : "client_aborted");
    this.stopped();
    if (this.#otherThan(flow).isDiscarding) this.close(this.end);
  }

  /** A direction carries its first bytes. */
  begun(flow: Flow<Owner>): void {
    const { answered, asked } = this.#shared.options;
    if (flow === this.#toClient) answered?.(this.owner);
    else asked?.(this.owner);
  }

  /** The source of a direction has finished. */
  finished(flow: Flow<Owner>): void {
    if (flow === this.#toBackend && !this.#toClient.hasBegun) {
      this.#shared.options.finishedUnanswered?.(this.owner);
    }
  }

  /** A direction carries no more bytes. */
  stopped(): void {
    if (--this.#carrying > 0 || !this.#open) return;
    if (this.#toClient.isDiscarding || this.#toBackend.isDiscarding) {
      this.#lingering = setTimeout(() => this.close("closed"), LINGER_MS);
    } else this.close("closed");
  }

  /**
   * A direction has ended; it had stopped carrying bytes before. The last of the two closes both connections.
   */
  ended(): void {
    if (--this.#running > 0) return;
    this.close("closed");
    this.#shared.ended(this);
  }

  #otherThan(flow: Flow<Owner>): Flow<Owner> {
    return flow === this.#toBackend ? this.#toClient : this.#toBackend;
  }

  /** Sets the reported end, if there is none yet. */
  #reason(end: ConnectionEnd): void {
    if (this.end === "closed") this.end = end;
  }
}

/**
 * One direction of a relay. It copies until its source has finished, and then finishes only the sending half
 * of its destination: the other direction continues. If its destination takes no more bytes, this direction discards
 * further bytes, and the other direction continues as well.
 *
 * It runs in callbacks, the same ones each time, and not in an async function: most connections wait most of
 * the time, and a waiting async function holds more memory.
 */
class Flow<Owner> implements Resumable {
  /** The bytes relayed so far. */
  bytes = 0;
  /** Whether its source has sent a byte. */
  hasBegun = false;
  /** Whether its destination has failed. */
  isDiscarding = false;
  /** Whether it waits for its source. */
  isWaiting = false;
  readonly #relay: Relay<Owner>;
  readonly #from: Connection;
  readonly #to: Connection;
  readonly #buffers: BufferPool;
  readonly #budget: LoopBudget;
  #buffer: Uint8Array<ArrayBuffer>;
  /** How many bytes of the buffer are being written; 0 during a read. */
  #filled = 0;
  /** How many bytes of the buffer have been written; while the relay lingers, how many bytes have been discarded. */
  #written = 0;
  #messages = 0;
  /** All reads and writes share this callback. One callback for each would cost memory while it waits. */
  readonly #onOutcome = this.#goOn.bind(this);

  constructor(
    relay: Relay<Owner>,
    from: Connection,
    to: Connection,
    { buffers, budget }: Shared<Owner>,
  ) {
    this.#relay = relay;
    this.#from = from;
    this.#to = to;
    this.#buffers = buffers;
    this.#budget = budget;
    this.#buffer = buffers.take(0);
  }

  /** Whether it waits for its destination. */
  get isSending(): boolean {
    return this.#filled > 0;
  }

  start(): void {
    this.#read();
  }

  /** Starts with bytes that were read before. */
  async startWith({ bytes, headerLength = 0, next }: Preamble): Promise<void> {
    this.#messages = 1;
    if (bytes.length > headerLength) this.#begin();
    if (!await this.#send(bytes)) return this.#destinationFailed(next);
    this.bytes -= headerLength;
    if (next === undefined) return this.#read();
    this.isWaiting = true;
    const more = await next.catch(() => undefined);
    this.isWaiting = false;
    if (more === undefined) this.#sourceFailed();
    else if (more === null) this.#finish();
    else {
      if (!this.hasBegun) this.#begin();
      if (await this.#send(more)) this.#read();
      else this.#destinationFailed();
    }
  }

  #begin(): void {
    this.hasBegun = true;
    this.#relay.begun(this);
  }

  /** The event loop has polled. */
  resume(): void {
    this.#read();
  }

  /** Writes these bytes. Returns whether the destination has taken all of them. */
  async #send(bytes: Uint8Array): Promise<boolean> {
    try {
      if (bytes.length > 0) await writeAll(this.#to, bytes);
    } catch {
      return false;
    }
    this.bytes += bytes.length;
    return true;
  }

  #read(): void {
    this.isWaiting = !this.isDiscarding;
    this.#from.read(this.#buffer).then(this.#onOutcome, this.#onOutcome);
  }

  #write(): void {
    this.#to.write(this.#buffer.subarray(this.#written, this.#filled))
      .then(this.#onOutcome, this.#onOutcome);
  }

  /** A read or write has carried this many bytes, has reached the end (null), or has failed. */
  #goOn(outcome: number | null | Error): void {
    this.isWaiting = false;
    if (this.isDiscarding) return this.#hasDiscarded(outcome);
    const isReading = this.#filled === 0;
    if (outcome === null) this.#finish();
    else if (typeof outcome === "number") {
      if (isReading) this.#hasRead(outcome);
      else this.#hasWritten(outcome);
    } else if (isReading) this.#sourceFailed();
    else this.#destinationFailed();
  }

  #hasRead(count: number): void {
    this.#filled = count;
    this.#messages++;
    this.#relay.quietSweeps = 0;
    if (!this.hasBegun) this.#begin();
    try {
      // The kernel delays small writes only while earlier bytes are unacknowledged, so a direction that
      // carries one message does not need this system call.
      if (this.#messages === 2) this.#to.setNoDelay?.();
    } catch {
      return this.#destinationFailed();
    }
    this.#write();
  }

  #hasWritten(count: number): void {
    this.#relay.quietSweeps = 0;
    this.#written += count;
    if (this.#written < this.#filled) return this.#write();
    const sent = this.#filled;
    this.bytes += sent;
    this.#fitBuffer(sent);
    this.#filled = this.#written = 0;
    this.#readOn(sent);
  }

  /** Reads again, after a turn of the event loop if the budget is used up. */
  #readOn(carried: number): void {
    if (this.#budget.spend(carried)) this.#read();
    else this.#budget.wait(this);
  }

  /** Exchanges the buffer if the size of the last read suggests another size for the next one. */
  #fitBuffer(lastRead: number): void {
    const current = sizeClassOf(this.#buffer);
    const next = nextSizeClass(current, lastRead);
    if (next === current) return;
    this.#buffers.give(this.#buffer);
    this.#buffer = this.#buffers.take(next);
  }

  /** The source has finished, and all of its bytes have been passed on. */
  #finish(): void {
    this.#relay.finished(this);
    if (this.#relay.isHalfEnded && this.#to.mustSayEnd !== true) return this.#stop();
    this.#to.closeWrite().then(() => this.#stop(), () => this.#destinationFailed());
  }

  #sourceFailed(): void {
    if (this.#relay.isOpen) this.#relay.sourceAborted(this);
    if (this.#relay.isOpen) this.#finish();
    else this.#stop();
  }

  /** @param reading A read of the source that is in progress. */
  #destinationFailed(reading?: Promise<Uint8Array | null>): void {
    if (!this.#relay.isOpen) return this.#stop();
    this.isDiscarding = true;
    this.#filled = this.#written = 0;
    this.#relay.destinationAborted(this);
    if (!this.#relay.isOpen) this.#end();
    else if (reading === undefined) this.#read();
    else reading.then((bytes) => bytes && bytes.length).then(this.#onOutcome, this.#onOutcome);
  }

  #hasDiscarded(outcome: number | null | Error): void {
    if (typeof outcome !== "number") return this.#end();
    if (this.#relay.isLingering) this.#written += outcome;
    this.#fitBuffer(outcome);
    if (this.#written > DISCARD_BYTES) setTimeout(() => this.#read(), DISCARD_INTERVAL_MS);
    else this.#readOn(outcome);
  }

  #stop(): void {
    this.#relay.stopped();
    this.#end();
  }

  #end(): void {
    this.#buffers.give(this.#buffer);
    this.#relay.ended();
  }
}
