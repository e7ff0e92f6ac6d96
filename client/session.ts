import { type Address, type Nanoseconds, NS_PER_MS } from "../lib/base/mod.ts";
import { type Clock, eventLoopTurn, type ExpectedPeer } from "../lib/io/mod.ts";
import {
  backendOf,
  EchoConnection,
  type IdleEvents,
  NoAnswer,
  type NoAnswerReason,
} from "./connection.ts";

/** What became of a line. `--json` prints it as it is. */
export interface Exchange {
  readonly line: string;
  /** Absent if there was none. */
  readonly answer?: string;
  /** The backend that answered, if the answer names one. */
  readonly backend?: string;
  /** From sending to the answer, or to giving up; connecting included. */
  readonly ms: number;
  /** Number of the connection, from 1. */
  readonly connection: number;
  readonly error?: NoAnswerReason;
  /** The error as a sentence. */
  readonly message?: string;
}

/** What a session is handed. */
export interface SessionOptions {
  readonly address: Address;
  /** The peer that TLS must prove; undefined without TLS. */
  readonly tls?: ExpectedPeer | undefined;
  /** For a connect, and for an answer. */
  readonly timeout: Nanoseconds;
  /** Whether each line goes over a connection of its own. */
  readonly newConnection: boolean;
  /** Is told what happens on the connection between two lines. */
  readonly idle?: IdleEvents | undefined;
  readonly now: Clock;
}

/** Sends lines, over one connection as long as it holds, and keeps count. */
export class ClientSession {
  readonly #options: SessionOptions;
  #connection: EchoConnection | undefined;
  #connections = 0;
  #lines = 0;
  #answers = 0;
  readonly #backends = new Map<string, number>();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get lines(): number {
    return this.#lines;
  }

  get answers(): number {
    return this.#answers;
  }

  get connections(): number {
    return this.#connections;
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
    this.#lines++;
    try {
      if (newConnection) this.close();
      const connection = await this.#connected();
      const answer = await connection.ask(line, timeout);
      const backend = backendOf(answer);
      this.#answers++;
      if (backend !== undefined) {
        this.#backends.set(backend, (this.#backends.get(backend) ?? 0) + 1);
      }
      return {
        line,
        answer,
        ...backend !== undefined && { backend },
        ms: ms(),
        connection: this.#connections,
      };
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      const { reason, message } = error;
      return { line, ms: ms(), connection: this.#connections, error: reason, message };
    }
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #connected(): Promise<EchoConnection> {
    // An end that has arrived but not been read yet is noticed by this.
    if (this.#connection?.open) await eventLoopTurn();
    if (this.#connection?.open) return this.#connection;
    this.#connections++;
    const { address, timeout, tls, idle } = this.#options;
    this.#connection = await EchoConnection.open(address, timeout, tls, idle);
    return this.#connection;
  }
}
