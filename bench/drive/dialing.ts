/** Opens connections to the server under load. */
import { type Address, formatAddress, writeAll } from "../../lib/base/mod.ts";
import {
  closeIfOpen,
  type Connection,
  encodeProxyHeader,
  type ExpectedPeer,
  type LocalResource,
  localShortage,
  startTls,
  systemReason,
} from "../../lib/io/mod.ts";
import type { ErrorKind } from "../core/mod.ts";
import { connectFrom } from "./connect_from.ts";

/** The target of connections, and the data that is sent before their requests. */
export interface DialOptions {
  readonly address: Address;
  /** The peer whose certificate TLS verifies; undefined without TLS. */
  readonly tls?: ExpectedPeer | undefined;
  /** The version of a PROXY header that is sent first; undefined for none. */
  readonly proxy?: "v1" | "v2" | undefined;
}

/** A connection could not be opened. The message is a sentence for the user. */
export class DialError extends Error {
  override readonly name = "DialError";
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/**
 * Opens a connection.
 *
 * @param from The local address; the system chooses it if left out. Not possible with TLS.
 * @param client The address that a PROXY header states; the connection's own if left out.
 * @throws {DialError}
 */
export async function dial(
  options: DialOptions,
  from: string | undefined,
  client: string | undefined,
  signal: AbortSignal,
): Promise<Connection> {
  const { address, tls, proxy } = options;
  let open: Connection | undefined;
  try {
    if (from !== undefined) {
      const connection = await connectFrom(address, from, signal);
      open = connection;
      if (proxy !== undefined) {
        const source = { host: client ?? from, port: connection.localPort };
        await writeAll(connection, encodeProxyHeader(proxy, { source, destination: address }));
      }
      return connection;
    }
    const tcp = await Deno.connect({ hostname: address.host, port: address.port, signal });
    open = tcp;
    tcp.setNoDelay();
    if (proxy !== undefined) {
      const { localAddr, remoteAddr } = tcp;
      const source = { host: client ?? localAddr.hostname, port: localAddr.port };
      const destination = { host: remoteAddr.hostname, port: remoteAddr.port };
      await writeAll(tcp, encodeProxyHeader(proxy, { source, destination }));
    }
    if (tls === undefined) return tcp;
    open = undefined;
    const secure = await startTls(tcp, tls, signal);
    if ("tlsFailure" in secure) {
      throw new DialError("tls", `no TLS with ${formatAddress(address)}: ${secure.tlsFailure}`);
    }
    return secure;
  } catch (error) {
    if (open !== undefined) closeIfOpen(open);
    throw error instanceof DialError ? error : dialError(error, address);
  }
}

const SHORTAGE_KINDS: Readonly<Record<LocalResource, ErrorKind>> = {
  descriptors: "no_descriptors",
  local_ports: "no_local_ports",
  memory: "no_memory",
};

function dialError(error: unknown, address: Address): DialError {
  const where = formatAddress(address);
  const shortage = localShortage(error);
  if (shortage !== undefined) {
    return new DialError(SHORTAGE_KINDS[shortage], `${where}: ${systemReason(error)}`);
  }
  if (error instanceof Deno.errors.ConnectionRefused || codeOf(error) === "ECONNREFUSED") {
    return new DialError("refused", `nothing listens on ${where}`);
  }
  if (error instanceof Deno.errors.TimedOut || codeOf(error) === "ETIMEDOUT") {
    return new DialError("timeout", `${where} did not accept the connection in time`);
  }
  if (error instanceof Deno.errors.ConnectionReset || codeOf(error) === "ECONNRESET") {
    return new DialError("reset", `${where} reset the connection`);
  }
  return new DialError("unreachable", `${where} cannot be reached: ${systemReason(error)}`);
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
