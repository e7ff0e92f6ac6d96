import {
  type Address,
  formatAddress,
  LineReader,
  LineTooLong,
  type Nanoseconds,
  writeAll,
} from "../lib/base/mod.ts";
import {
  eventLoopTurn,
  type ExpectedPeer,
  startTls,
  systemReason,
  timerDelay,
} from "../lib/io/mod.ts";

/** Why a line got no answer. */
export type NoAnswerReason =
  | "refused"
  | "unreachable"
  | "tls"
  | "timeout"
  | "closed"
  | "wrong_answer";

/** A line got no answer. Its message is a sentence for the user. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  readonly reason: NoAnswerReason;

  constructor(reason: NoAnswerReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The longest answer that is accepted. */
const ANSWER_BYTES_MAX = 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The events of a connection while no answer is awaited. */
export interface IdleEvents {
  /** A line has arrived that is not an answer. */
  unasked(line: string): void;
  /** The other side has closed the connection, or the connection has failed. */
  closed(): void;
}

const NO_EVENTS: IdleEvents = { unasked() {}, closed() {} };

/**
 * A connection on which the client sends lines and gets one answer to each. It reads all the time, so it notices
 * the end of the connection at once. Otherwise the next line would be lost.
 */
export class EchoConnection {
  readonly #socket: Deno.TcpConn | Deno.TlsConn;
  readonly #reader: LineReader;
  readonly #idle: IdleEvents;
  #asked: PromiseWithResolvers<string> | undefined;
  #open = true;
  /** Resolves when all events so far have been reported. */
  #reported = Promise.resolve();

  private constructor(socket: Deno.TcpConn | Deno.TlsConn, idle: IdleEvents) {
    this.#socket = socket;
    this.#reader = new LineReader(socket, ANSWER_BYTES_MAX);
    this.#idle = idle;
    this.#readLines();
  }

  /**
   * Connects.
   *
   * @param tls The peer whose certificate TLS verifies; no TLS if left out.
   * @param idle Gets the events while no answer is awaited.
   * @throws {NoAnswer} if the connect or the TLS handshake fails, or both together take longer than the timeout.
   */
  static async open(
    address: Address,
    timeout: Nanoseconds,
    tls?: ExpectedPeer,
    idle = NO_EVENTS,
  ): Promise<EchoConnection> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), timerDelay(timeout));
    try {
      const socket = await Deno.connect({
        hostname: address.host,
        port: address.port,
        signal: abort.signal,
      });
      socket.setNoDelay();
      if (tls === undefined) return new EchoConnection(socket, idle);
      const secure = await startTls(socket, tls, abort.signal);
      if (!("tlsFailure" in secure)) return new EchoConnection(secure, idle);
      if (abort.signal.aborted) throw new Deno.errors.TimedOut();
      throw new NoAnswer("tls", `no TLS with ${formatAddress(address)}: ${secure.tlsFailure}`);
    } catch (error) {
      if (error instanceof NoAnswer) throw error;
      throw connectError(error, abort.signal.aborted, address);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether lines can be sent: neither side has closed the connection, and every line so far was answered. */
  get open(): boolean {
    return this.#open;
  }

  /**
   * Sends a line and waits for its answer.
   *
   * @throws {NoAnswer} if there is none; the connection is then closed.
   */
  async ask(line: string, timeout: Nanoseconds): Promise<string> {
    const asked = this.#asked = Promise.withResolvers<string>();
    const timer = setTimeout(
      () => asked.reject(new NoAnswer("timeout", "no answer came in time")),
      timerDelay(timeout),
    );
    try {
      if (!this.#open) throw new NoAnswer("closed", "the connection is closed");
      // If the write fails, an answer may still come. If none comes, the read fails, too.
      writeAll(this.#socket, encoder.encode(`${line}\n`)).catch(() => {});
      return await asked.promise;
    } catch (error) {
      this.close();
      throw error;
    } finally {
      this.#asked = undefined;
      clearTimeout(timer);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close();
    this.#asked?.reject(new NoAnswer("closed", "the connection was closed before an answer came"));
  }

  async #readLines(): Promise<void> {
    let end = new NoAnswer("closed", "the connection was closed before an answer came");
    try {
      let line: Uint8Array | null;
      while ((line = await this.#reader.next()) !== null) this.#take(decoder.decode(line));
    } catch (error) {
      end = error instanceof LineTooLong
        ? new NoAnswer("wrong_answer", `the answer is a ${error.message}`)
        : new NoAnswer("closed", "the connection broke before an answer came");
    }
    if (!this.#open) return;
    const asked = this.#asked;
    asked?.reject(end);
    this.close();
    if (asked === undefined) this.#report(() => this.#idle.closed());
  }

  #take(line: string): void {
    const asked = this.#asked;
    if (asked === undefined) return this.#report(() => this.#idle.unasked(line));
    this.#asked = undefined;
    asked.resolve(line);
  }

  /** Reports an event one turn of the event loop later, so that the caller first gets an answer that came before it. */
  #report(event: () => void): void {
    if (this.#idle === NO_EVENTS) return;
    this.#reported = this.#reported.then(eventLoopTurn).then(event);
  }
}

function connectError(error: unknown, late: boolean, address: Address): NoAnswer {
  const where = formatAddress(address);
  if (late || error instanceof Deno.errors.TimedOut) {
    return new NoAnswer("timeout", `${where} did not accept the connection in time`);
  }
  if (error instanceof Deno.errors.ConnectionRefused) {
    return new NoAnswer("refused", `nothing listens on ${where}`);
  }
  return new NoAnswer("unreachable", `${where} cannot be reached: ${systemReason(error)}`);
}

/** The backend that an answer of lbsim names: `Hello from B1: …`. Undefined for other answers. */
export function backendOf(answer: string): string | undefined {
  return /^Hello from ([^\s:]+)(?::|$)/.exec(answer)?.[1];
}
