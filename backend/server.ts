import { closeIfOpen, monotonicNow, timerDelay } from "../lib/io/mod.ts";
import {
  type Address,
  addressOf,
  type Aged,
  AgeList,
  LineReader,
  LineTooLong,
  type Nanoseconds,
  NS_PER_MS,
  NS_PER_S,
  type Random,
  writeAll,
} from "../lib/base/mod.ts";
import { type FaultEffect, NO_EFFECT } from "../lib/fault/mod.ts";
import type { KeyPair } from "../lib/files/mod.ts";
import { Entrance, type EntranceMode, entranceMode, isHalted, type Socket } from "./entrance.ts";
import { HttpConversation, isRequestLine } from "./http.ts";
import type { JobServer } from "./job_server.ts";
import { Slots } from "./slots.ts";
import { Work } from "./work.ts";

/** The behaviour of a backend, for experiments. An option that is left out causes no delay and no error. */
export interface Behaviour {
  /** How long serving one request takes. */
  readonly latency?: (() => Nanoseconds) | undefined;
  /** The number of requests that are served at a time; other requests wait, first come, first served. */
  readonly slots?: number | undefined;
  /**
   * The share of requests that fail, from 0 to 1. HTTP gets status 500; after a line, the connection is closed
   * without an answer.
   */
  readonly failRate?: number | undefined;
  /** The connection is closed when the client has sent nothing, or read nothing of its answer, for this long. */
  readonly idleTimeout?: Nanoseconds | undefined;
  /** The certificate for TLS; if left out, the backend does not use TLS. */
  readonly tls?: KeyPair | undefined;
  /** Called with every request that has been served. */
  readonly onRequest?: ((request: ServedRequest) => void) | undefined;
}

/** A request that was answered, or that failed on purpose. */
export interface ServedRequest {
  readonly client: Address;
  /** The line, or the first line of an HTTP request. */
  readonly line: string;
  /** The time in the queue and in service. */
  readonly took: Nanoseconds;
  readonly failed: boolean;
}

/** The totals of a backend since it was created. */
export interface BackendTotals {
  readonly connections: number;
  readonly requests: number;
  /** Requests that failed on purpose. */
  readonly failed: number;
}

/** Longest line, and longest HTTP header section. */
const LINE_BYTES_MAX = 64 * 1024;

/**
 * The default idle timeout. It is longer than a balancer's `timeouts.idle`, so that the balancer
 * decides.
 */
export const IDLE_TIMEOUT: Nanoseconds = 600 * NS_PER_S;
/** The number of times that the backend searches for idle clients during one timeout. */
const IDLE_CHECKS = 10;

/** A refused client may continue to send for this time, and this number of bytes, before its connection is closed. */
const LINGER_MS = 1000;
const LINGER_BYTES_MAX = 1024 * 1024;

/**
 * Without service times, a backend would have no time that a fault could make longer. So while it is slow, each of its
 * requests counts as this much work.
 */
const NOMINAL_WORK: Nanoseconds = 1 * NS_PER_MS;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The echo backend. To each line it answers `Hello from B1: <line>`; to an HTTP request on the same port, `Hello from
 * B1`. The answers on a connection are in the order of its requests.
 */
export class BackendServer {
  readonly id: string;
  readonly #behaviour: Behaviour;
  /** Decides which requests fail. */
  readonly random: Random;
  readonly #slots: Slots | undefined;
  readonly #connections = new AgeList<ServedConnection>();
  #accepted = 0;
  #requests = 0;
  #failed = 0;
  readonly #work = new Work();
  #effect = NO_EFFECT;
  /** If present, this job server serves the clients that connect. */
  #jobs: JobServer | undefined;
  #entrance: Entrance | undefined;
  #ended = Promise.withResolvers<void>();
  #idleCheck: ReturnType<typeof setInterval> | undefined;
  /** Aborted to drop all requests that are being served. */
  #giveUp = new AbortController();

  /** @param random Decides which requests fail. */
  constructor(id: string, behaviour: Behaviour, random: Random) {
    this.id = id;
    this.#behaviour = behaviour;
    this.random = random;
    this.#slots = behaviour.slots === undefined ? undefined : new Slots(behaviour.slots);
  }

  /** Resolves when the backend has stopped; rejects with a `UserError` if it cannot listen any more. */
  get accepting(): Promise<void> {
    return this.#ended.promise;
  }

  /** The totals since the backend was created. */
  get totals(): BackendTotals {
    return { connections: this.#accepted, requests: this.#requests, failed: this.#failed };
  }

  /** The number of open connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Begins to listen. It may be called again after `stop` or `kill`.
   *
   * @returns Where the backend listens. If it was asked to listen on port 0, this is the real port.
   * @throws {UserError} if the backend cannot listen.
   */
  start(address: Address): Address {
    this.#ended = Promise.withResolvers();
    const { promise, reject } = this.#ended;
    promise.catch(() => {}); // `accepting` reports this error.
    const { tls, idleTimeout = IDLE_TIMEOUT } = this.#behaviour;
    this.#entrance = new Entrance(address, tls, (socket) => this.#take(socket), reject);
    this.#giveUp = new AbortController();
    this.#idleCheck = setInterval(
      () => this.#closeIdle(monotonicNow() - idleTimeout),
      timerDelay(idleTimeout / IDLE_CHECKS),
    );
    return this.#entrance.address;
  }

  /** Stops listening, finishes requests that are being served, closes every connection, and ends all faults. */
  async stop(): Promise<void> {
    this.#setEffect(NO_EFFECT);
    const closed = this.#stopListening();
    this.#jobs?.dropConnections();
    for (const connection of this.#connections) connection.finish();
    await this.#over(closed);
  }

  /** Acts as if the process were killed: closes the listener and all connections at once, and ends all faults. */
  async kill(): Promise<void> {
    this.#setEffect(NO_EFFECT);
    const closed = this.#stopListening();
    this.#dropConnections();
    await this.#over(closed);
  }

  /**
   * Applies the effect of the present faults to the sockets and the work. Resolves when this effect is in force.
   *
   * @param effect Replaces the previous one.
   */
  async applyFaults(effect: FaultEffect): Promise<void> {
    if (this.#entrance === undefined) return;
    const { down, resetting } = this.#effect;
    this.#setEffect(effect);
    const entering = this.#entrance.setMode(this.#mode);
    if (effect.down && !down || effect.resetting && !resetting) this.#dropConnections();
    await entering;
  }

  /**
   * Makes this job server serve the clients that connect from now on; with undefined, the backend serves them itself.
   * Resolves when this is in force. Open connections stay with their server.
   */
  async serveJobs(jobs: JobServer | undefined): Promise<void> {
    this.#jobs = jobs;
    jobs?.applyFaults(this.#effect);
    await this.#entrance?.setMode(this.#mode);
  }

  /** Called when the job server may have become full, or have a free place again. While it is full, connects fail. */
  roomChanged(): void {
    void this.#entrance?.setMode(this.#mode);
  }

  get #mode(): EntranceMode {
    const mode = entranceMode(this.#effect);
    return mode === "open" && this.#jobs?.isFull === true ? "closed" : mode;
  }

  #setEffect(effect: FaultEffect): void {
    this.#effect = effect;
    this.#jobs?.applyFaults(effect);
    this.#work.setSpeed(isHalted(effect) ? 0 : 1 / effect.slowness);
  }

  async #stopListening(): Promise<void> {
    clearInterval(this.#idleCheck);
    const entrance = this.#entrance;
    this.#entrance = undefined;
    await entrance?.setMode("closed");
  }

  #dropConnections(): void {
    this.#jobs?.dropConnections();
    this.#giveUp.abort();
    this.#giveUp = new AbortController();
    for (const connection of this.#connections) connection.close();
  }

  #closeIdle(since: Nanoseconds): void {
    if (isHalted(this.#effect)) return;
    for (const connection of this.#connections) {
      if (connection.waitingSince <= since) connection.close();
    }
  }

  async #over(closed: Promise<void>): Promise<void> {
    await closed;
    await Promise.all([...this.#connections].map((connection) => connection.over));
    this.#ended.resolve();
  }

  #take(socket: Socket): void {
    this.#accepted++;
    if (this.#jobs !== undefined) return this.#jobs.take(socket);
    const { onRequest } = this.#behaviour;
    const connection = new ServedConnection(
      socket,
      this.id,
      onRequest === undefined
        ? (_, isProbe) => this.#serve(isProbe)
        : (line, isProbe) =>
          this.#serveAndReport(addressOf(socket.remoteAddr), line, isProbe, onRequest),
    );
    this.#connections.add(connection);
    connection.over.then(() => this.#connections.delete(connection));
  }

  /**
   * Serves one request, and returns whether it succeeded. Returns a promise only if the request must wait.
   *
   * @param isProbe Whether it is certainly a probe of a balancer.
   */
  #serve(isProbe: boolean): Promise<boolean> | boolean {
    const { latency, failRate = 0 } = this.#behaviour;
    const effect = this.#effect;
    this.#requests++;
    if (isProbe && effect.gray && !isHalted(effect)) return true;
    if (this.#happens(effect.fastErrorRate) && !isHalted(effect)) return this.#fail();
    const faultRate = isProbe ? effect.probeFailRate : effect.failRate;
    const fails = this.#happens(failRate) || this.#happens(faultRate);
    const isInstant = latency === undefined && this.#slots === undefined;
    if (isInstant && effect === NO_EFFECT) return fails ? this.#fail() : true;
    const work = latency?.() ?? (effect.slowness === 1 ? 0 : NOMINAL_WORK);
    return this.#perform(work).then(() => fails ? this.#fail() : true);
  }

  #fail(): false {
    this.#failed++;
    return false;
  }

  /** Draws whether an event with this probability happens. */
  #happens(share: number): boolean {
    return share > 0 && this.random.next() < share;
  }

  async #serveAndReport(
    client: Address,
    request: Uint8Array | string,
    isProbe: boolean,
    onRequest: (request: ServedRequest) => void,
  ): Promise<boolean> {
    // Decodes the bytes before the wait, because their buffer will be used again.
    const line = typeof request === "string" ? request : decoder.decode(request);
    const begun = monotonicNow();
    const well = await this.#serve(isProbe);
    onRequest({ client, line, took: monotonicNow() - begun, failed: !well });
    return well;
  }

  async #perform(work: Nanoseconds): Promise<void> {
    const { signal } = this.#giveUp;
    await this.#slots?.take();
    try {
      await this.#work.run(work, signal);
    } finally {
      this.#slots?.release();
    }
  }
}

/**
 * Serves a request, and returns whether it succeeded. Returns a promise only if the request must wait. `line` is the
 * line, or the first line of an HTTP request; `isProbe` is true if it is certainly a probe.
 */
type Serve = (line: Uint8Array | string, isProbe: boolean) => Promise<boolean> | boolean;

/** A client's connection. It owns the socket. */
class ServedConnection implements Aged<ServedConnection> {
  older: ServedConnection | undefined;
  younger: ServedConnection | undefined;
  /** Resolves when the connection is closed. */
  readonly over: Promise<void>;
  readonly #socket: Socket;
  readonly #reader: LineReader;
  readonly #greeting: Uint8Array;
  readonly #id: string;
  readonly #serve: Serve;
  #open = true;
  #busy = false;
  #finishing = false;
  #waitingSince = monotonicNow();

  constructor(
    socket: Socket,
    id: string,
    serve: Serve,
  ) {
    this.#socket = socket;
    this.#reader = new LineReader(socket, LINE_BYTES_MAX);
    this.#greeting = encoder.encode(`Hello from ${id}: `);
    this.#id = id;
    this.#serve = serve;
    this.over = this.#run();
  }

  /** The time since which the connection has waited for the client to send or to read; Infinity if it does not wait. */
  get waitingSince(): Nanoseconds {
    return this.#waitingSince;
  }

  /** Closes the connection when the request in progress, if there is one, has been answered. */
  finish(): void {
    this.#finishing = true;
    if (!this.#busy) this.close();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeIfOpen(this.#socket);
  }

  async #run(): Promise<void> {
    try {
      if ("setNoDelay" in this.#socket) this.#socket.setNoDelay();
      const first = await this.#reader.next();
      if (first !== null && isRequestLine(first)) await this.#http(first);
      else if (first !== null) await this.#lines(first);
    } catch (error) {
      // After any other error, the client has left or this side has closed, so a message would have no reader.
      if (error instanceof LineTooLong && this.#open) await this.#complain(error);
    }
    this.close();
  }

  async #lines(first: Uint8Array): Promise<void> {
    const answers = new Answers(this.#socket);
    let line: Uint8Array | null = first;
    while (line !== null && !this.#finishing) {
      answers.add(this.#greeting, line);
      this.#busy = true;
      const served = this.#serve(line, false);
      const well = typeof served === "boolean" ? served : await this.#served(served);
      if (!well) {
        answers.dropLast();
        await answers.flush();
        return;
      }
      const more = typeof served === "boolean" ? this.#reader.arrived() : undefined;
      if (more === undefined || answers.full) {
        this.#waitsForClient();
        await answers.flush();
        this.#waitsForClient();
      }
      this.#busy = false;
      line = more ?? (this.#finishing ? null : await this.#reader.next());
    }
    await answers.flush();
  }

  /** Waits until a request has been served. The client does not count as idle meanwhile. */
  async #served(served: Promise<boolean>): Promise<boolean> {
    this.#waitingSince = Infinity;
    try {
      return await served;
    } finally {
      this.#waitsForClient();
    }
  }

  #waitsForClient(): void {
    this.#waitingSince = monotonicNow();
  }

  async #http(first: Uint8Array): Promise<void> {
    const progress = () => this.#waitsForClient();
    const conversation = new HttpConversation(this.#reader, this.#socket, this.#id, progress);
    let line: Uint8Array | null = first;
    while (line !== null && !this.#finishing) {
      this.#busy = true;
      this.#waitsForClient();
      const request = await conversation.readRequest(line);
      if (request === "ended") return;
      if (request === "refused") return await this.#linger();
      const served = this.#serve(request.line, request.isProbe);
      const well = typeof served === "boolean" ? served : await this.#served(served);
      const goesOn = await conversation.answer(request, well);
      this.#busy = false;
      if (!goesOn) return;
      this.#waitsForClient();
      line = this.#reader.arrived() ?? await this.#reader.next();
    }
  }

  /** Sends the reason for the close, if the client still reads. */
  async #complain(error: LineTooLong): Promise<void> {
    try {
      await writeAll(this.#socket, encoder.encode(`${this.#id}: ${error.message}; closing\n`));
      await this.#linger();
    } catch {
      // The client does not read any more.
    }
  }

  /**
   * Ends the answer, and reads the bytes that the client still sends. If the socket were closed with unread bytes, its
   * connection would be reset, and the client might lose the answer.
   */
  async #linger(): Promise<void> {
    this.#busy = false;
    if (this.#finishing) return;
    await this.#socket.closeWrite();
    const timer = setTimeout(() => this.close(), LINGER_MS);
    try {
      const buffer = new Uint8Array(16 * 1024);
      for (let bytes = 0; bytes < LINGER_BYTES_MAX;) {
        const count = await this.#socket.read(buffer);
        if (count === null) break;
        bytes += count;
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Collects answers so that a batch of requests is answered by one write. */
class Answers {
  readonly #socket: Socket;
  #buffer = new Uint8Array(1024);
  #length = 0;
  #lastStart = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get full(): boolean {
    return this.#length >= LINE_BYTES_MAX;
  }

  add(greeting: Uint8Array, line: Uint8Array): void {
    const end = this.#length + greeting.length + line.length + 1;
    if (end > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#lastStart = this.#length;
    this.#buffer.set(greeting, this.#length);
    this.#buffer.set(line, this.#length + greeting.length);
    this.#buffer[end - 1] = 10;
    this.#length = end;
  }

  dropLast(): void {
    this.#length = this.#lastStart;
  }

  async flush(): Promise<void> {
    if (this.#length === 0) return;
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    await writeAll(this.#socket, bytes);
  }
}
