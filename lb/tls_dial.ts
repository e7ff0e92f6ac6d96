/** TLS on connections to backends. */
import type { Address } from "../lib/address.ts";
import type { Certificates } from "../lib/config/certificates.ts";
import type { Config } from "../lib/config/mod.ts";
import { closeIfOpen, type Connection, type TlsFailure } from "./connection.ts";
import { dial, type DialFailure } from "./dial.ts";

/** How backends are spoken to by TLS. */
export interface BackendTls {
  /** Certificates in PEM that are trusted besides the public ones. */
  readonly ca: string | undefined;
  /** The name that a certificate must hold; that of the backend's address if undefined. */
  readonly serverName: string | undefined;
}

/** How a configuration has backends spoken to; undefined: in the clear. */
export function backendTlsOf(
  { backendTls }: Config,
  { backendCa }: Certificates,
): BackendTls | undefined {
  return backendTls && { ca: backendCa, serverName: backendTls.serverName };
}

/**
 * Opens a connection with TLS on it, and verifies who is there. Whoever gets it owns it and closes it.
 *
 * @param signal Gives the connect and the handshake up; they then count as timed out.
 * @param header Goes before the handshake, in the clear.
 */
export async function dialTls(
  address: Address,
  tls: BackendTls,
  signal: AbortSignal,
  header?: Uint8Array,
): Promise<Connection | DialFailure> {
  const tcp = await dial(address, signal);
  if ("reason" in tcp) return tcp;
  const secure = await startTls(tcp, address, tls, signal, header);
  if (!("tlsFailure" in secure)) return secure;
  return signal.aborted
    ? { reason: "timeout", outOfDescriptors: false }
    : { reason: "tls", outOfDescriptors: false, detail: secure.tlsFailure };
}

/** Owns the connection from the call on. */
async function startTls(
  tcp: Deno.TcpConn,
  { host }: Address,
  { ca, serverName }: BackendTls,
  signal: AbortSignal,
  header: Uint8Array | undefined,
): Promise<Connection | TlsFailure> {
  let open: { close(): void } = tcp;
  const close = () => closeIfOpen(open);
  // Closing is what wakes a handshake that would wait for ever.
  signal.addEventListener("abort", close);
  try {
    tcp.setNoDelay();
    for (let sent = 0; sent < (header?.length ?? 0);) {
      sent += await tcp.write(header!.subarray(sent));
    }
    const caCerts = ca === undefined ? [] : [ca];
    const connection = await Deno.startTls(tcp, { hostname: serverName ?? host, caCerts });
    open = connection;
    if (signal.aborted) throw new Deno.errors.Interrupted();
    await connection.handshake();
    return new DialledTls(connection);
  } catch (error) {
    close();
    return { tlsFailure: inWords(error instanceof Error ? error.message : String(error)) };
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** A connection to a backend with TLS on it. */
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
    this.#connection.close();
  }
}

/** What is wrong with a backend's TLS, in words, from the TLS library's own. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/UnknownIssuer/, "its certificate is not signed by a CA that is trusted"],
  [/CaUsedAsEndEntity/, "its certificate is that of a CA, which must not serve (basicConstraints)"],
  [/certificate expired|: Expired/, "its certificate has expired"],
  [/not valid yet|NotValidYet/, "its certificate is not valid yet"],
  [/corrupt message|unexpected (handshake )?message/, "it does not speak TLS"],
  [/unexpected end of file|eof|reset|broken pipe/i, "it hung up during the handshake"],
];

function inWords(message: string): string {
  const [, wanted, held] = /certificate not valid for name "(.*?)"(?:.*only valid for (.*))?/
    .exec(message) ?? [];
  if (wanted !== undefined) {
    const names = held?.replaceAll(/(?:DnsName|IpAddress)\("?(.*?)"?\)/g, "$1");
    return `its certificate is not for ${wanted}${names === undefined ? "" : `, but for ${names}`}`;
  }
  const meaning = MEANINGS.find(([pattern]) => pattern.test(message));
  return meaning?.[1] ?? message.replace("received fatal alert: ", "it refused: ");
}
