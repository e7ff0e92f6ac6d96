/** Real sockets on loopback for tests. */
import { once } from "node:events";
import net from "node:net";
import type { Connection } from "../../lib/io/connection.ts";
import type { Address } from "../../lib/base/address.ts";
import { closeIfOpen } from "../../lib/io/close_if_open.ts";

/** Two connected sockets, as they come from `Deno.connect` and `accept`. */
export async function socketPair(): Promise<readonly [Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [near, far] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  return [near, far];
}

/** All that comes until the other side has finished. */
export async function readAll(connection: Pick<Connection, "read">): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const buffer = new Uint8Array(64 * 1024);
  while (true) {
    const count = await connection.read(buffer);
    if (count === null) break;
    chunks.push(buffer.slice(0, count));
  }
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

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

/** A connection that can be aborted with a reset, which Deno's own sockets cannot. */
export async function abortable({ host, port }: Address): Promise<net.Socket> {
  const socket = net.connect(port, host);
  await once(socket, "connect");
  return socket;
}

/**
 * A port on loopback that is free, and stays so: no system gives a port of this range to a socket that asks for
 * any, as it does with one that was free a moment ago.
 */
export function freePort(): number {
  for (;;) {
    const [draw] = crypto.getRandomValues(new Uint16Array(1));
    const port = 20_000 + draw! % 12_000;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** An address on loopback where nothing listens. */
export function deadAddress(): Address {
  return { host: "127.0.0.1", port: freePort() };
}

/** What a client gets from an address: everything until the end. */
export async function ask({ host, port }: Address, text = ""): Promise<string> {
  using connection = await Deno.connect({ hostname: host, port });
  if (text !== "") await connection.write(new TextEncoder().encode(text));
  await connection.closeWrite();
  return new TextDecoder().decode(await readAll(connection));
}

/** Waits until something is so, by letting the event loop turn. */
export async function eventually(
  so: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  for (let i = 0; i < 6000; i++) {
    if (await so()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`it never came true that ${what}`);
}
