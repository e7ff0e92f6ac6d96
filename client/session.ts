import { type Address, type Nanoseconds, NS_PER_MS } from "../lib/base/mod.ts";
import { type Clock, eventLoopTurn, type ExpectedPeer } from "../lib/io/mod.ts";
import {
  backendOf,
  EchoConnection,
  type IdleEvents,
  NoAnswer,
  type NoAnswerReason,
} from "./connection.ts";

/** The result of a line. `--json` prints it in this form. */
export interface Exchange {
  readonly line: string;
  /** Absent if there was none. */
  readonly answer?: string;
  /** The backend that answered, if the answer names one. */
  readonly backend?: string;
  /** Milliseconds from the attempt to send until the answer, or until the client gave up; includes the connect. */
  readonly ms: number;
  /** Number of the connection, from 1. */
  readonly connection: number;
  readonly error?: NoAnswerReason;
  /** The error as a sentence. */
  readonly message?: string;
}

/** Options of a session. */
export interface SessionOptions {
  readonly address: Address;
  /** The peer whose certificate TLS verifies; undefined without TLS. */
  readonly tls?: ExpectedPeer | undefined;
  /** The longest duration of a connect, and the longest wait for an answer. */
  readonly timeout: Nanoseconds;
  /** Whether each line has a connection of its own. */
  readonly newConnection: boolean;
  /** Called with events of the connection between two lines. */
  readonly idle?: IdleEvents | undefined;
  readonly now: Clock;
}

/** The counts of a session. */
export interface SessionCounts {
  readonly lines: number;
  readonly answers: number;
  readonly connections: number;
}

/** Sends lines, on one connection while it is open, and counts them. */
export class ClientSession {
  readonly #options: SessionOptions;
  #connection: EchoConnection | undefined;
  readonly #counts = { lines: 0, answers: 0, connections: 0 };
  readonly #backends = new Map<string, number>();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** The number of lines that were to be sent, of answers, and of connections. */
  get counts(): SessionCounts {
    return this.#counts;
  }

  /** Answers by backend. */
  get backends(): ReadonlyMap<string, number> {
    return this.#backends;
  }

  /** Sends a line, and connects first if necessary. Never rejects. */
  async send(line: string): Promise<Exchange> {
    const { now, timeout, newConnection } = this.#options;
    const begun = now();
    const ms = () => (now() - begun) / NS_PER_MS;
    this.#counts.lines++;
    try {
      if (newConnection) this.close();
      const connection = await this.#connected();
      const answer = await connection.ask(line, timeout);
      const backend = backendOf(answer);
      this.#counts.answers++;
      if (backend !== undefined) {
        this.#backends.set(backend, (this.#backends.get(backend) ?? 0) + 1);
      }
      return {
        line,
        answer,
        ...backend !== undefined && { backend },
        ms: ms(),
        connection: this.#counts.connections,
      };
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      const { reason, message } = error;
      return { line, ms: ms(), connection: this.#counts.connections, error: reason, message };
    }
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #connected(): Promise<EchoConnection> {
    // After one turn of the event loop, an end of the connection that has already arrived has been read.
    if (this.#connection?.open) await eventLoopTurn();
    if (this.#connection?.open) return this.#connection;
    this.#counts.connections++;
    const { address, timeout, tls, idle } = this.#options;
    this.#connection = await EchoConnection.open(address, timeout, tls, idle);
    return this.#connection;
  }
}
