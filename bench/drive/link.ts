import type { Aged, Nanoseconds } from "../../lib/base/mod.ts";
import { closeIfOpen, type Connection } from "../../lib/io/mod.ts";
import {
  type AnswerReader,
  type ErrorKind,
  INVALID,
  MORE,
  MORE_WITHOUT,
  type Payload,
} from "../core/mod.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Links } from "./links.ts";

/** The first buffer of a connection; it grows with the answers. */
const BUFFER_BYTES = 1024;
/** The buffer of a connection whose answers fill it. */
const LARGE_BUFFER_BYTES = 64 * 1024;
/** The longest line, or head of an HTTP answer, that is accepted. */
const KEPT_BYTES_MAX = 1024 * 1024;

/**
 * A connection of the generator. It carries one request at a time. It is read from all the time, so its end is
 * noticed at once.
 *
 * It runs in callbacks, which are the same for each request, so it allocates nothing per request itself.
 */
export class Link<User> implements Aged<Link<User>> {
  /** The data that its user keeps with it. */
  user: User | undefined;
  /**
   * The planned start of the request, and the time at which it was sent. For a new connection, the latter is the time
   * at which its connect began.
   */
  due: Nanoseconds = 0;
  sentAt: Nanoseconds = 0;
  /** The list of deadlines in which it is, and its neighbours there. */
  deadlines: Deadlines<User> | undefined;
  older: Link<User> | undefined;
  younger: Link<User> | undefined;
  /** The number of requests that were sent on it. */
  requests = 0;
  /** Its place in the list of all connections. */
  place = -1;
  /** Whether a request waits for its answer, or for the connection to open. */
  isBusy = false;
  readonly #links: Links<User>;
  readonly #payload: Payload;
  readonly #reader: AnswerReader;
  #deadline: Nanoseconds = Infinity;
  #socket: Connection | undefined;
  #isOpen = true;
  #scratch: Uint8Array | undefined;
  #buffer: Uint8Array = new Uint8Array(BUFFER_BYTES);
  /** The number of bytes in the buffer that are the beginning of an answer. */
  #filled = 0;
  #request: Uint8Array | undefined;
  #written = 0;
  #isStray = false;
  readonly #onRead = (count: number | null) => this.#hasRead(count);
  readonly #onReadFailed = (error: unknown) => this.#readFailed(error);
  readonly #onWritten = (count: number) => this.#hasWritten(count);

  constructor(links: Links<User>, payload: Payload, reader: AnswerReader) {
    this.#links = links;
    this.#payload = payload;
    this.#reader = reader;
  }

  /** The request, or the connect, fails if it has not succeeded at this time. */
  get deadline(): Nanoseconds {
    return this.#deadline;
  }

  set deadline(at: Nanoseconds) {
    this.#deadline = at;
    this.#links.deadlines.add(this);
  }

  /** Whether it is connecting or connected. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isConnected(): boolean {
    return this.#socket !== undefined;
  }

  /** The number of the backend that the last answer named. */
  get backend(): number {
    return this.#reader.backend;
  }

  /** How long the last request waited at the backend, if the answer states it. */
  get waited(): Nanoseconds | undefined {
    return this.#reader.waited;
  }

  /** What is wrong with the last answer. */
  get error(): ErrorKind | undefined {
    return this.#reader.error;
  }

  /** Whether it can carry another request. */
  get isReusable(): boolean {
    return this.#isOpen && !this.#isStray && !this.#reader.isLast;
  }

  /** The connect has succeeded. Returns whether the connection is still needed; otherwise it is closed. */
  connected(socket: Connection): boolean {
    if (!this.#isOpen) {
      closeIfOpen(socket);
      return false;
    }
    this.#socket = socket;
    this.isBusy = false;
    this.#read();
    return true;
  }

  /** Sends the request with this number, or these bytes instead. */
  send(number: number, bytes?: Uint8Array): void {
    this.isBusy = true;
    this.requests++;
    let request = bytes;
    if (request === undefined) {
      if (this.#payload.differs) this.#scratch ??= new Uint8Array(this.#payload.size);
      request = this.#payload.write(number, this.#scratch ?? NO_BYTES);
    }
    this.#reader.begin(request);
    this.#request = request;
    this.#written = 0;
    const { tally } = this.#links;
    tally.sent++;
    tally.bytesSent += request.length;
    // If a write fails, an answer may still come; otherwise the read fails, too.
    this.#socket!.write(request).then(this.#onWritten, ignore);
  }

  /** Closes it. Its user gets no further events. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.deadlines?.remove(this);
    this.#links.remove(this);
    if (this.#socket !== undefined) closeIfOpen(this.#socket);
  }

  /** Closes it because its connect or its request has failed. */
  fail(kind: ErrorKind, message?: string): void {
    if (!this.#isOpen) return;
    const wasBusy = this.isBusy;
    this.isBusy = false;
    this.close();
    if (wasBusy) this.#links.failed(this, kind, message);
    else this.#links.endedIdle(this);
  }

  #read(): void {
    const buffer = this.#filled === 0 ? this.#buffer : this.#buffer.subarray(this.#filled);
    this.#socket!.read(buffer).then(this.#onRead, this.#onReadFailed);
  }

  #hasWritten(count: number): void {
    this.#written += count;
    const request = this.#request!;
    if (this.#written >= request.length || !this.#isOpen) return;
    this.#socket!.write(request.subarray(this.#written)).then(this.#onWritten, ignore);
  }

  #hasRead(count: number | null): void {
    if (!this.#isOpen) return;
    if (count === null) return this.#ended();
    const { tally } = this.#links;
    tally.bytesReceived += count;
    // No request waits for these bytes. The connection cannot be used any more, because it is
    // unknown to which request the next bytes belong.
    if (!this.isBusy) return this.fail("wrong_answer");
    const from = this.#filled;
    const to = from + count;
    const end = this.#reader.take(this.#buffer, from, to);
    if (end === MORE) {
      this.#filled = to;
      if (to === this.#buffer.length && !this.#grow()) return this.fail("wrong_answer");
      this.#read();
    } else if (end === MORE_WITHOUT) {
      this.#filled = 0;
      if (to === this.#buffer.length) this.#enlarge();
      this.#read();
    } else if (end === INVALID) {
      this.fail("wrong_answer");
    } else {
      this.#filled = 0;
      this.#isStray = end < to;
      this.isBusy = false;
      if (this.isReusable) this.#read();
      this.#links.answered(this);
    }
  }

  #ended(): void {
    if (this.isBusy && this.isConnected && this.#reader.endsWithConnection()) {
      this.isBusy = false;
      this.#links.answered(this);
      return this.close();
    }
    this.fail("closed");
  }

  #readFailed(error: unknown): void {
    if (!this.#isOpen) return;
    const isReset = error instanceof Deno.errors.ConnectionReset ||
      (error as { code?: unknown }).code === "ECONNRESET";
    this.fail(isReset ? "reset" : "closed");
  }

  /** Makes room after the bytes that are needed again. Returns whether this is allowed. */
  #grow(): boolean {
    if (this.#buffer.length >= KEPT_BYTES_MAX) return false;
    const larger = new Uint8Array(2 * this.#buffer.length);
    larger.set(this.#buffer);
    this.#buffer = larger;
    return true;
  }

  #enlarge(): void {
    if (this.#buffer.length < LARGE_BUFFER_BYTES) {
      this.#buffer = new Uint8Array(LARGE_BUFFER_BYTES);
    }
  }
}

const NO_BYTES = new Uint8Array(0);

function ignore(): void {}
