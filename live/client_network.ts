import type { Address, Nanoseconds } from "../lib/base/mod.ts";
import { type Alarms, closeIfOpen, type Connection } from "../lib/io/mod.ts";
import { dial, DialError, type DialOptions, type SessionRequest } from "../bench/mod.ts";

/** Options of the network between clients and balancers. */
export interface ClientNetworkContext {
  readonly alarms: Alarms;
  /** Draws the one-way latency of a message. */
  readonly latency: () => Nanoseconds;
  /** The address of the balancer that gets a request; undefined while it is stopped. */
  readonly balancer: (request: SessionRequest) => Address | undefined;
}

/** The number of messages that pass before the first request of a connection reaches the balancer. */
const HANDSHAKE = 3;

/**
 * The network between the clients and the balancers: its connections are on loopback, and each message takes the
 * latency of the scenario. This process delays the messages.
 */
export class ClientNetwork {
  readonly #context: ClientNetworkContext;
  /** Connections that are open, or whose close the latency of the network still delays. */
  readonly #open = new Set<Connection>();
  #isClosed = false;

  constructor(context: ClientNetworkContext) {
    this.#context = context;
  }

  /**
   * Connects the client of a request with its balancer. The first message on the connection is part of the handshake.
   *
   * @throws {DialError} one message later, if nothing listens.
   */
  async dial(
    options: DialOptions,
    client: string | undefined,
    signal: AbortSignal,
    request: SessionRequest,
  ): Promise<Connection> {
    await this.travel(HANDSHAKE, signal);
    try {
      const address = this.#context.balancer(request);
      if (address === undefined) throw new DialError("refused", "the balancer is stopped");
      const connection = await dial({ ...options, address }, undefined, client, signal);
      this.#open.add(connection);
      return new DelayedConnection(connection, this);
    } catch (error) {
      await this.travel(1, signal);
      throw error;
    }
  }

  /** Resolves when this number of messages has passed, one after the other; at once if the network is closed. */
  async travel(messages: number, signal?: AbortSignal): Promise<void> {
    const { alarms, latency } = this.#context;
    let delay = 0;
    for (let i = 0; i < messages; i++) delay += latency();
    if (delay === 0 || this.#isClosed || signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const arrived = () => {
        alarm.set(undefined);
        signal?.removeEventListener("abort", arrived);
        resolve();
      };
      const alarm = alarms.alarm(arrived);
      alarm.set(alarms.now() + delay);
      signal?.addEventListener("abort", arrived);
    });
  }

  /** A connection has ended. */
  end(connection: Connection): void {
    this.#open.delete(connection);
    closeIfOpen(connection);
  }

  /** Ends all connections at once. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#open) this.end(connection);
  }
}

/** A connection on which every message takes its time, including the message with which the client ends it. */
class DelayedConnection implements Connection {
  readonly #connection: Connection;
  readonly #network: ClientNetwork;
  #isUsed = false;

  constructor(connection: Connection, network: ClientNetwork) {
    this.#connection = connection;
    this.#network = network;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    try {
      return await this.#connection.read(buffer);
    } finally {
      await this.#network.travel(1);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#isUsed) await this.#network.travel(1);
    this.#isUsed = true;
    return await this.#connection.write(bytes);
  }

  async closeWrite(): Promise<void> {
    await this.#network.travel(1);
    await this.#connection.closeWrite();
  }

  close(): void {
    void this.#network.travel(1).then(() => this.#network.end(this.#connection));
  }
}
