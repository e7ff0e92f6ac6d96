import { type Address, type Nanoseconds, NS_PER_S } from "../lib/base/mod.ts";
import { type Clock, type ExpectedPeer, sleep } from "../lib/io/mod.ts";
import { backendOf, EchoConnection, NoAnswer, type NoAnswerReason } from "./connection.ts";

/** What became of one request. */
export interface LoadResult {
  readonly backend?: string;
  readonly error?: NoAnswerReason;
  /**
   * From the moment it was meant to be sent, which at a fixed rate may be before it could be: a stall
   * that holds requests back is part of their latency.
   */
  readonly latency: Nanoseconds;
}

/** A load. */
export interface LoadOptions {
  readonly address: Address;
  /** The peer that TLS must prove; undefined without TLS. */
  readonly tls?: ExpectedPeer | undefined;
  /**
   * `rate`: so many requests a second, whatever becomes of them. `clients`: so many clients, each sending
   * its next request when it has its answer.
   */
  readonly arrivals: { readonly rate: number } | { readonly clients: number };
  /** Whether a client keeps its connection for all its requests; otherwise each opens its own. */
  readonly keepConnections: boolean;
  /** For a connect, and for an answer. */
  readonly timeout: Nanoseconds;
  readonly now: Clock;
  readonly onResult: (result: LoadResult) => void;
}

/** At a fixed rate, this many requests may be under way; more wait, and their latency shows it. */
const UNDER_WAY_MAX = 1000;

/** Sends requests to a balancer until it is stopped. */
export class LoadGenerator {
  readonly #options: LoadOptions;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #idle: EchoConnection[] = [];
  #sent = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    const { arrivals } = options;
    if ("rate" in arrivals) {
      this.#running.push(this.#atRate(arrivals.rate));
    } else {
      for (let i = 0; i < arrivals.clients; i++) this.#running.push(this.#client());
    }
  }

  /** Requests that were begun. */
  get sent(): number {
    return this.#sent;
  }

  /** Begins no more requests, and resolves when those under way have ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
    for (const connection of this.#idle) connection.close();
    this.#idle.length = 0;
  }

  async #client(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#request(this.#options.now());
    }
  }

  async #atRate(rate: number): Promise<void> {
    const { now } = this.#options;
    const { signal } = this.#stopping;
    const gap = NS_PER_S / rate;
    const underWay = new Set<Promise<void>>();
    const begun = now();
    for (let i = 0; !signal.aborted; i++) {
      const due = begun + i * gap;
      await this.#sleep(due - now());
      while (underWay.size >= UNDER_WAY_MAX) await Promise.race(underWay);
      if (signal.aborted) break;
      const request = this.#request(due).then(() => void underWay.delete(request));
      underWay.add(request);
    }
    await Promise.all(underWay);
  }

  async #request(due: Nanoseconds): Promise<void> {
    const { address, tls, timeout, keepConnections, now, onResult } = this.#options;
    const line = `request ${++this.#sent}`;
    let connection = this.#takeIdle();
    try {
      connection ??= await EchoConnection.open(address, timeout, tls);
      const answer = await connection.ask(line, timeout);
      const backend = backendOf(answer);
      const right = answer.endsWith(line);
      onResult({
        latency: now() - due,
        ...backend !== undefined && { backend },
        ...!right && { error: "wrong_answer" },
      });
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      onResult({ latency: now() - due, error: error.reason });
      // A closed loop that is refused would otherwise spin.
      if (error.reason === "refused" || error.reason === "closed") {
        await this.#sleep(NS_PER_S / 100);
      }
    }
    if (keepConnections && connection?.open) this.#idle.push(connection);
    else connection?.close();
  }

  /** A connection that was kept and that the other side has not closed meanwhile. */
  #takeIdle(): EchoConnection | undefined {
    while (true) {
      const connection = this.#idle.shift();
      if (connection === undefined || connection.open) return connection;
    }
  }

  async #sleep(duration: Nanoseconds): Promise<void> {
    if (duration > 0) await sleep(duration, this.#stopping.signal);
  }
}
