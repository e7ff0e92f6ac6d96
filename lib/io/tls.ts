/** The client's side of TLS: who is there is always verified. */
import { closeIfOpen } from "./close_if_open.ts";
import { tlsErrorInWords } from "./tls_words.ts";

/** A TLS handshake that failed, and why, in a few words. */
export interface TlsFailure {
  readonly tlsFailure: string;
}

/** Whom to expect at the other end. */
export interface ExpectedPeer {
  /** The host name or IP address that its certificate must hold. */
  readonly name: string;
  /** CAs in PEM that are trusted besides the public ones. */
  readonly ca?: string | undefined;
}

/**
 * Does the client's side of a handshake. Owns the connection from the call on; whoever gets the one that is
 * returned owns that and closes it.
 *
 * @param signal Gives the handshake up.
 */
export async function startTls(
  tcp: Deno.TcpConn,
  { name, ca }: ExpectedPeer,
  signal: AbortSignal,
): Promise<Deno.TlsConn | TlsFailure> {
  let open: { close(): void } = tcp;
  const close = () => closeIfOpen(open);
  // Closing is what wakes a handshake that would wait for ever.
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

/** What is wrong at the other end, in words, from the TLS library's own. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/UnknownIssuer/, "its certificate is not signed by a CA that is trusted"],
  [/CaUsedAsEndEntity/, "its certificate is that of a CA, which must not serve (basicConstraints)"],
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
