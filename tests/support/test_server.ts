/** A server on loopback for tests, and what it may do with its connections. */
import type { Connection } from "../../lib/io/connection.ts";
import type { Address } from "../../lib/base/address.ts";
import { closeIfOpen } from "../../lib/io/close_if_open.ts";
import { readAll } from "./sockets.ts";

/** A server that hands each connection to a function and closes it when that is over; by TLS if asked to. */
export class TestServer implements AsyncDisposable {
  readonly address: Address;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Map<Deno.TcpConn, Promise<void>>();
  readonly #accepting: Promise<void>;
  accepted = 0;

  constructor(
    handle: (connection: Deno.TcpConn) => Promise<void>,
    port = 0,
    tls?: Deno.TlsCertifiedKeyPem,
  ) {
    const where = { hostname: "127.0.0.1", port };
    // What a handler calls, both kinds of connection have.
    this.#listener = tls === undefined
      ? Deno.listen(where)
      : Deno.listenTls({ ...where, ...tls }) as unknown as Deno.TcpListener;
    this.address = { host: "127.0.0.1", port: this.#listener.addr.port };
    this.#accepting = this.#accept(handle);
  }

  async #accept(handle: (connection: Deno.TcpConn) => Promise<void>): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        this.accepted++;
        const over = handle(connection).catch(() => {}).finally(() => {
          if (this.#connections.delete(connection)) closeIfOpen(connection);
        });
        this.#connections.set(connection, over);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  /** Stops listening and cuts every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    const open = [...this.#connections];
    this.#connections.clear();
    for (const [connection] of open) closeIfOpen(connection);
    await Promise.all(open.map(([, over]) => over));
    await this.#accepting;
  }
}

/** Answers each chunk with itself. */
export async function echo(connection: Connection): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  while (true) {
    const count = await connection.read(buffer);
    if (count === null) break;
    for (let sent = 0; sent < count;) sent += await connection.write(buffer.subarray(sent, count));
  }
  await connection.closeWrite();
}

/** Says a name and finishes. */
export function say(text: string): (connection: Deno.TcpConn) => Promise<void> {
  return async (connection) => {
    await connection.write(new TextEncoder().encode(text));
    await connection.closeWrite();
    await readAll(connection);
  };
}
