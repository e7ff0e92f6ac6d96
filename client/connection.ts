import { type Address, formatAddress } from "../lib/address.ts";
import { timerDelay } from "../lib/clock.ts";
import type { Nanoseconds } from "../lib/core/mod.ts";
import { LineReader, LineTooLong, writeAll } from "../lib/lines.ts";
import { type ExpectedPeer, startTls } from "../lib/tls.ts";

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

/** Longest answer that is taken. */
const ANSWER_BYTES_MAX = 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A connection on which lines are sent and answers read, one for each. */
export class EchoConnection {
  readonly #socket: Deno.TcpConn | Deno.TlsConn;
  readonly #reader: LineReader;
  #open = true;

  private constructor(socket: Deno.TcpConn | Deno.TlsConn) {
    this.#socket = socket;
    this.#reader = new LineReader(socket, ANSWER_BYTES_MAX);
  }

  /**
   * Connects.
   *
   * @param tls By TLS, to nobody but this; in the clear if left out.
   * @throws {NoAnswer} if that fails or takes longer than the timeout.
   */
  static async open(
    address: Address,
    timeout: Nanoseconds,
    tls?: ExpectedPeer,
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
      if (tls === undefined) return new EchoConnection(socket);
      const secure = await startTls(socket, tls, abort.signal);
      if (!("tlsFailure" in secure)) return new EchoConnection(secure);
      if (abort.signal.aborted) throw new Deno.errors.TimedOut();
      throw new NoAnswer("tls", `no TLS with ${formatAddress(address)}: ${secure.tlsFailure}`);
    } catch (error) {
      if (error instanceof NoAnswer) throw error;
      throw connectError(error, abort.signal.aborted, address);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether lines can be sent: not closed from here, and not ended after a failure. */
  get open(): boolean {
    return this.#open;
  }

  /**
   * Sends a line and waits for its answer.
   *
   * @throws {NoAnswer} if there is none; the connection is then closed.
   */
  async ask(line: string, timeout: Nanoseconds): Promise<string> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.close();
    }, timerDelay(timeout));
    try {
      await writeAll(this.#socket, encoder.encode(`${line}\n`));
      const answer = await this.#reader.next();
      if (answer !== null) return decoder.decode(answer);
      throw new NoAnswer("closed", "the connection was closed before an answer came");
    } catch (error) {
      this.close();
      if (late) throw new NoAnswer("timeout", "no answer came in time");
      if (error instanceof NoAnswer) throw error;
      if (error instanceof LineTooLong) {
        throw new NoAnswer("wrong_answer", `the answer is a ${error.message}`);
      }
      throw new NoAnswer("closed", "the connection broke before an answer came");
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close();
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
  const text = error instanceof Error ? error.message : String(error);
  return new NoAnswer("unreachable", `${where} cannot be reached: ${text}`);
}

/** Which backend wrote an answer, if it is one of lbsim's: `Hello from B1: …`. */
export function backendOf(answer: string): string | undefined {
  return /^Hello from ([^\s:]+)(?::|$)/.exec(answer)?.[1];
}
