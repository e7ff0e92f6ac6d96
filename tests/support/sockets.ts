/** Real sockets on loopback for tests. */
import { once } from "node:events";
import net from "node:net";
import type { Connection } from "../../lib/io/connection.ts";
import type { Address } from "../../lib/base/address.ts";

export { deadAddress, freePort } from "./ports.ts";
export { echo, say, TestServer } from "./test_server.ts";

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

/** A connection that can be aborted with a reset, which Deno's own sockets cannot. */
export async function abortable({ host, port }: Address): Promise<net.Socket> {
  const socket = net.connect(port, host);
  await once(socket, "connect");
  return socket;
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
