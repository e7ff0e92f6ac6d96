/**
 * TLS on accepted connections. `Deno.listenTls` would bind a certificate to the listener, lose clients that
 * connect while the certificate is replaced, and leave no place for a PROXY header before the handshake. So
 * the listener is the same as without TLS, and each connection gets the current certificate.
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { Duplex } from "node:stream";
import tls from "node:tls";
import {
  closeIfOpen,
  type Connection,
  timerDelay,
  tlsErrorInWords,
  type TlsFailure,
} from "../../lib/io/mod.ts";
import type { KeyPair } from "../../lib/files/mod.ts";
import { type Nanoseconds, writeAll } from "../../lib/base/mod.ts";

/** A failed handshake with a client. */
export interface AcceptFailure extends TlsFailure {
  /** Whether the client closed its connection before it had sent a byte, as a probe does. */
  readonly sentNothing: boolean;
}

/** A certificate and its key, ready for handshakes. */
export type ServerContext = tls.SecureContext;

/** Prepares a certificate and its key, once for all connections. */
export function serverContext({ certificate, key }: KeyPair): ServerContext {
  return tls.createSecureContext({ cert: certificate, key });
}

/**
 * Does the server's side of a handshake, and owns the TCP connection from then on. It closes this connection when the
 * handshake fails, or when the returned connection is closed.
 *
 * @param first Bytes of the client that were read already.
 * @param timeout The longest duration of the whole handshake.
 */
export function acceptTls(
  tcp: Deno.TcpConn,
  context: ServerContext,
  first: Uint8Array,
  timeout: Nanoseconds,
): Promise<AcceptedTls | AcceptFailure> {
  // Session tickets and an answer are two small writes: with Nagle's algorithm the second would wait for the
  // client to acknowledge the first.
  try {
    tcp.setNoDelay();
  } catch {
    // The client has gone; the handshake fails because of it.
  }
  const accepted = new AcceptedTls(tcp, context, first);
  return accepted.handshake(timeout);
}

/** While this many decrypted bytes wait for a reader, no more bytes are read from the client. */
const UNREAD_MAX = 64 * 1024;
/** The largest number of encrypted bytes of one read; for the read after a full one, it is UNREAD_MAX. */
const READ_SIZE = 4 * 1024;

/** The TCP connection as the stream that `node:tls` needs. */
class Transport extends Duplex {
  readonly #tcp: Deno.TcpConn;
  #first: Uint8Array;
  #readSize = READ_SIZE;
  #held = false;
  /** Whether the client has sent a byte. */
  hasReceived: boolean;
  /** Whether a byte was sent to the client. */
  hasSent = false;
  /** The client's first bytes. */
  hello: Uint8Array;
  /**
   * During the handshake the socket stays open when this stream ends, so that the alert can still be sent.
   */
  isHandshaking = true;
  /** Whether more may be read. `node:tls` itself would read everything that arrives, even if its reader is slow. */
  readonly #hasRoom: () => boolean;

  constructor(tcp: Deno.TcpConn, first: Uint8Array, hasRoom: () => boolean) {
    super();
    this.#tcp = tcp;
    this.#first = first;
    this.hasReceived = first.length > 0;
    this.hello = first.slice(0, CLIENT_HELLO_START);
    this.#hasRoom = hasRoom;
  }

  /** Reads from the client again if there is room for more bytes. */
  resumeReading(): void {
    if (!this.#held || !this.#hasRoom()) return;
    this.#held = false;
    this._read();
  }

  override _read(): void {
    this.#held = !this.#hasRoom();
    if (this.#held) return;
    if (this.#first.length > 0) {
      const first = Buffer.from(this.#first);
      this.#first = new Uint8Array(0);
      this.push(first);
      return;
    }
    const buffer = Buffer.allocUnsafe(this.#readSize);
    this.#tcp.read(buffer).then((count) => {
      if (count !== null) this.#received(buffer.subarray(0, count));
      this.#readSize = count === buffer.length ? UNREAD_MAX : READ_SIZE;
      this.push(count === null ? null : buffer.subarray(0, count));
    }, (error) => this.destroy(error));
  }

  #received(bytes: Uint8Array): void {
    this.hasReceived = true;
    if (this.hello.length >= CLIENT_HELLO_START) return;
    this.hello = new Uint8Array([...this.hello, ...bytes.subarray(0, CLIENT_HELLO_START)]);
  }

  /** Closes the socket after a failed handshake. */
  async endHandshake(alert: Uint8Array | undefined): Promise<void> {
    try {
      if (alert !== undefined) {
        await writeAll(this.#tcp, alert);
        await this.#tcp.closeWrite();
      }
    } catch {
      // The client has gone.
    }
    closeIfOpen(this.#tcp);
  }

  override _write(chunk: Uint8Array, _encoding: unknown, done: (error?: Error) => void): void {
    this.hasSent = true;
    writeAll(this.#tcp, chunk).then(() => done(), done);
  }

  override _final(done: (error?: Error) => void): void {
    this.#tcp.closeWrite().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.isHandshaking) closeIfOpen(this.#tcp);
    done(error);
  }
}

const HUNG_UP = "eof";

/** A client's connection with TLS. */
export class AcceptedTls implements Connection {
  readonly mustSayEnd = true;
  readonly #transport: Transport;
  readonly #socket: tls.TLSSocket;
  #isStarted = false;
  #isSecure = false;
  #isFinished = false;
  #failure: Error | undefined;
  #wakeReader = () => {};
  #failWriter: (error: Error) => void = () => {};

  /** @internal Use `acceptTls`. */
  constructor(tcp: Deno.TcpConn, secureContext: ServerContext, first: Uint8Array) {
    const hasRoom = () => this.#isStarted && this.#socket.readableLength < UNREAD_MAX;
    this.#transport = new Transport(tcp, first, hasRoom);
    // The types ask for a `net.Socket`, but any duplex stream works.
    this.#socket = new tls.TLSSocket(this.#transport as never, { isServer: true, secureContext });
    // The socket starts in the next tick. If it got bytes earlier and failed because of them, it would throw there.
    process.nextTick(() => {
      this.#isStarted = true;
      this.#transport.resumeReading();
    });
    this.#socket.on("secure", () => {
      this.#isSecure = true;
      this.#wakeReader();
    });
    this.#socket.on("readable", () => this.#wakeReader());
    this.#socket.on("end", () => {
      this.#isFinished = true;
      this.#wakeReader();
    });
    this.#socket.on("error", (error) => this.#fail(error));
    // After the handshake, this event is the only way in which Deno reports bytes that cannot be decrypted.
    this.#socket.on("_tlsError", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Deno.errors.ConnectionReset(HUNG_UP)));
    this.#transport.on("error", (error) => this.#fail(error));
  }

  /** @internal Use `acceptTls`. */
  async handshake(timeout: Nanoseconds): Promise<this | AcceptFailure> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.close();
    }, timerDelay(timeout));
    while (!this.#isSecure && !this.#isFinished && this.#failure === undefined) await this.#woken();
    clearTimeout(timer);
    if (this.#isSecure && this.#failure === undefined) {
      this.#transport.isHandshaking = false;
      return this;
    }
    const { hello } = this.#transport;
    const message = this.#failure?.message ?? HUNG_UP;
    const why = isLate ? "it did not come in time" : inWords(message, hello);
    // Deno sends no alert when a handshake fails, so it is sent here. After the server has answered, none is sent,
    // because it would have to be encrypted.
    const alert = isLate || this.#transport.hasSent ? undefined : alertFor(message, hello);
    this.close();
    await this.#transport.endHandshake(alert);
    return { tlsFailure: why, sentNothing: !isLate && !this.#transport.hasReceived };
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (true) {
      const size = Math.min(this.#socket.readableLength, buffer.length);
      const bytes: Uint8Array | null = size === 0 ? null : this.#socket.read(size);
      if (bytes !== null) {
        buffer.set(bytes);
        this.#transport.resumeReading();
        return bytes.length;
      }
      if (this.#isFinished) return null;
      if (this.#failure !== undefined) throw this.#failure;
      this.#socket.read(0);
      this.#transport.resumeReading();
      await this.#woken();
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.#written((done) => this.#socket.write(view, done), bytes.length);
  }

  closeWrite(): Promise<void> {
    return this.#written((done) => this.#socket.end(done), undefined);
  }

  close(): void {
    this.#fail(new Deno.errors.BadResource("the connection is closed"));
    this.#socket.destroy();
    this.#transport.destroy();
  }

  #written<T>(act: (done: (error?: Error | null) => void) => void, result: T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#failWriter = reject;
      act((error) => error ? reject(error) : resolve(result));
    });
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => this.#wakeReader = resolve);
  }

  /** Keeps the first failure. */
  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wakeReader();
    this.#failWriter(this.#failure);
  }
}

/** Why a client's handshake failed, in words. */
function inWords(message: string, hello: Uint8Array): string {
  const words = isTooOld(hello)
    ? "offers only versions of TLS below 1.2"
    : tlsErrorInWords(message);
  return words === undefined ? message : `the client ${words}`;
}

const CLIENT_HELLO_START = 11;
const HANDSHAKE_RECORD = 22;
const TLS_1_2 = 0x0303;

/** The TLS version in a client's hello. For later versions than 1.2 it is 1.2, too. */
function versionIn(hello: Uint8Array): number {
  return hello.length < CLIENT_HELLO_START ? TLS_1_2 : (hello[9]! << 8) | hello[10]!;
}

function isTooOld(hello: Uint8Array): boolean {
  return hello[0] === HANDSHAKE_RECORD && versionIn(hello) < TLS_1_2;
}

/** The alert that the client gets before the connection closes; undefined if none is sent. */
function alertFor(message: string, hello: Uint8Array): Uint8Array | undefined {
  const [recordType = 0] = hello;
  if (!RECORD_TYPES.includes(recordType)) return undefined;
  const code = alertCode(message, hello);
  const version = Math.min(versionIn(hello), TLS_1_2);
  if (code === undefined) return undefined;
  return new Uint8Array([ALERT_RECORD, version >> 8, version & 255, 0, 2, FATAL, code]);
}

function alertCode(message: string, hello: Uint8Array): number | undefined {
  if (/received fatal alert/.test(message)) return undefined;
  if (
    isTooOld(hello) || /Tls12|SupportedVersions|TlsVersion|UnknownProtocolVersion/.test(message)
  ) return ALERTS.protocolVersion;
  if (/peer is incompatible/.test(message)) return ALERTS.handshakeFailure;
  if (/peer misbehaved/.test(message)) return ALERTS.illegalParameter;
  if (/corrupt message/.test(message)) return ALERTS.decodeError;
  if (/unexpected/.test(message)) return ALERTS.unexpectedMessage;
  return undefined;
}

const ALERT_RECORD = 21;
/** The record types: change of cipher, alert, handshake, data. */
const RECORD_TYPES = [20, ALERT_RECORD, HANDSHAKE_RECORD, 23];
const FATAL = 2;
/** The descriptions of alerts. */
const ALERTS = {
  unexpectedMessage: 10,
  handshakeFailure: 40,
  illegalParameter: 47,
  decodeError: 50,
  protocolVersion: 70,
};
