/** The client's side of TLS. It always verifies the peer. */
import { closeIfOpen } from "./close_if_open.ts";
import { tlsErrorInWords } from "./tls_words.ts";

/** A failed TLS handshake, with the reason in a few words. */
export interface TlsFailure {
  readonly tlsFailure: string;
}

/** The peer that is expected. */
export interface ExpectedPeer {
  /** The host name or IP address that its certificate must contain. */
  readonly name: string;
  /** Trusted CAs besides the public ones, in PEM. */
  readonly ca?: string | undefined;
}

/**
 * Does the client's side of a handshake. Owns the connection from the call on; the caller owns the returned
 * connection and closes it.
 *
 * @param signal Ends the handshake when it is aborted.
 */
export async function startTls(
  tcp: Deno.TcpConn,
  { name, ca }: ExpectedPeer,
  signal: AbortSignal,
): Promise<Deno.TlsConn | TlsFailure> {
  let open: { close(): void } = tcp;
  const close = () => closeIfOpen(open);
  // Closing the connection ends a handshake that would otherwise never end.
  signal.addEventListener("abort", close);
  try {
    tcp.setNoDelay();
    const caCerts = ca === undefined ? [] : [ca];
    const connection = await Deno.startTls(tcp, { hostname: name, caCerts });
    open = connection;
    if (signal.aborted) throw new Deno.errors.Interrupted();
    await connection.handshake();
    return connection;
  } catch (error) {
    close();
    return { tlsFailure: inWords(error instanceof Error ? error.message : String(error)) };
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** What is wrong with the peer, from the TLS library's message. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/UnknownIssuer/, "its certificate is not signed by a CA that is trusted"],
  [
    /CaUsedAsEndEntity/,
    "its certificate is that of a CA, and no server may use one (basicConstraints)",
  ],
  [/certificate expired|: Expired/, "its certificate has expired"],
  [/not valid yet|NotValidYet/, "its certificate is not valid yet"],
  [/Revoked/, "its certificate is revoked"],
  [/BadSignature|InvalidSignature|BadEncoding/, "its certificate is damaged"],
  [/InvalidPurpose/, "its certificate is not for servers"],
  [/corrupt message|unexpected (handshake )?message/, "it does not speak TLS"],
];

function inWords(message: string): string {
  const [, wanted, held] = /certificate not valid for name "(.*?)"(?:.*only valid for (.*))?/
    .exec(message) ?? [];
  if (wanted !== undefined) {
    const names = held?.replaceAll(/(?:DnsName|IpAddress)\("?(.*?)"?\)/g, "$1");
    return `its certificate is not for ${wanted}${names === undefined ? "" : `, but for ${names}`}`;
  }
  const meaning = MEANINGS.find(([pattern]) => pattern.test(message));
  if (meaning !== undefined) return meaning[1];
  const words = tlsErrorInWords(message);
  return words === undefined ? message : `it ${words}`;
}
