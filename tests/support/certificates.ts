/** Certificates for tests: `tls/make.sh` made them, and they are valid until 2099. */
import type { Address } from "../../lib/base/address.ts";
import type { KeyPair } from "../../lib/files/certificates.ts";

/** Where they are. */
export const TLS_FILES = `${import.meta.dirname}/tls`;

/** What is in one of the files. */
export function pem(name: string): string {
  return Deno.readTextFileSync(`${TLS_FILES}/${name}`);
}

/** The CA that signed both pairs. */
export const CA: string = pem("ca.pem");

/** For localhost, 127.0.0.1, ::1 and one.test. */
export const ONE: KeyPair = pairNamed("one");
/** For localhost, 127.0.0.1, ::1 and two.test. */
export const TWO: KeyPair = pairNamed("two");

function pairNamed(name: string): KeyPair {
  return {
    certificate: pem(`${name}.pem`),
    key: pem(`${name}.key`),
    names: ["localhost", `${name}.test`, "127.0.0.1", "::1"],
    expiresAtMs: Date.parse("2099-12-31T00:00:00Z"),
  };
}

/** As `Deno.listenTls` wants it. */
export function served({ certificate, key }: KeyPair): Deno.TlsCertifiedKeyPem {
  return { cert: certificate, key, keyFormat: "pem" };
}

/** A client's connection by TLS, its handshake done. */
export async function connectTls(
  { host, port }: Address,
  options: { readonly name?: string; readonly ca?: string; readonly first?: Uint8Array } = {},
): Promise<Deno.TlsConn> {
  const { name = "localhost", ca = CA, first } = options;
  const tcp = await Deno.connect({ hostname: host, port });
  tcp.setNoDelay();
  if (first !== undefined) await tcp.write(first);
  const connection = await Deno.startTls(tcp, { hostname: name, caCerts: [ca] });
  try {
    await connection.handshake();
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}
