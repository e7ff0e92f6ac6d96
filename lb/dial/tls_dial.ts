/** TLS on connections to backends. */
import { type Address, writeAll } from "../../lib/base/mod.ts";
import { closeIfOpen, type Connection, startTls, type TlsFailure } from "../../lib/io/mod.ts";
import type { Config } from "../../lib/config/mod.ts";
import type { Certificates } from "../../lib/files/mod.ts";
import { dial, DialFailure } from "./dial.ts";

/** How to connect to backends with TLS. */
export interface BackendTls {
  /** Trusted certificates besides the public ones, in PEM. */
  readonly ca: string | undefined;
  /** The name that the certificate must contain; undefined: the host of the backend's address. */
  readonly serverName: string | undefined;
}

/** The TLS options for connections to backends; undefined without TLS. */
export function backendTlsOf(
  { backendTls }: Config,
  { backendCa }: Certificates,
): BackendTls | undefined {
  return backendTls && { ca: backendCa, serverName: backendTls.serverName };
}

/**
 * Opens a connection with TLS and verifies the peer. The caller owns it and closes it.
 *
 * @param signal If it is aborted, the connect and the handshake are given up and count as timed out.
 * @param header A PROXY header, which is sent unencrypted before the handshake.
 */
export async function dialTls(
  address: Address,
  tls: BackendTls,
  signal: AbortSignal,
  header?: Uint8Array,
): Promise<Connection | DialFailure> {
  const tcp = await dial(address, signal);
  if (tcp instanceof DialFailure) return tcp;
  const unsent = header && await send(tcp, header);
  const peer = { name: tls.serverName ?? address.host, ca: tls.ca };
  const secure = unsent ?? await startTls(tcp, peer, signal);
  if (!("tlsFailure" in secure)) return new DialledTls(secure);
  return signal.aborted ? new DialFailure("timeout") : new DialFailure("tls", secure.tlsFailure);
}

async function send(tcp: Deno.TcpConn, header: Uint8Array): Promise<TlsFailure | undefined> {
  try {
    await writeAll(tcp, header);
    return undefined;
  } catch {
    closeIfOpen(tcp);
    return { tlsFailure: "it closed before the handshake" };
  }
}

/** A connection to a backend with TLS. */
class DialledTls implements Connection {
  readonly mustSayEnd = true;
  readonly #connection: Deno.TlsConn;

  constructor(connection: Deno.TlsConn) {
    this.#connection = connection;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#connection.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#connection.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  close(): void {
    closeIfOpen(this.#connection);
  }
}
