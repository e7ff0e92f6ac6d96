import assert from "node:assert/strict";
import { tlsErrorInWords } from "../../../lib/io/tls_words.ts";

const CASES = [
  [
    "received fatal alert: UnknownCA",
    "refused the handshake: the CA of the certificate is not trusted",
  ],
  [
    "received fatal alert: ProtocolVersion",
    "refused the handshake: the version of TLS is not supported",
  ],
  ["received fatal alert: SomethingNew", "refused the handshake: SomethingNew"],
  ["peer is incompatible: Tls12NotOffered", "offers only versions of TLS below 1.2"],
  ["peer is incompatible: ServerDoesNotSupportTls12Or13", "offers only versions of TLS below 1.2"],
  ["peer is incompatible: NoCipherSuitesInCommon", "offers no cipher suite that is supported"],
  ["peer is incompatible: NoKxGroupsInCommon", "offers no key exchange that is supported"],
  [
    "peer is incompatible: NoSignatureSchemesInCommon",
    "offers no signature scheme that is supported",
  ],
  [
    "peer is incompatible: SignatureAlgorithmsExtensionRequired",
    "offers no signature scheme that is supported",
  ],
  ["peer is incompatible: NullCompressionRequired", "requires compression"],
  ["peer is incompatible: SomethingNew", "is incompatible (SomethingNew)"],
  ["peer misbehaved: DuplicateClientHelloExtensions", "breaks the TLS protocol"],
  ["received corrupt message of type InvalidContentType", "does not speak TLS"],
  ["received corrupt message of type Handshake", "breaks the TLS protocol"],
  [
    'received corrupt message of type MissingData("Random") (SSL routines:ssl3_get_record:wrong version number)',
    "breaks the TLS protocol",
  ],
  [
    "received unexpected message: got ApplicationData when expecting Handshake",
    "breaks the TLS protocol",
  ],
  ["cannot decrypt peer's message", "sends data that cannot be decrypted"],
  ["peer sent no certificates", "sends no certificate"],
  ["Connection reset by peer (os error 104)", "closed during the handshake"],
  ["tls handshake eof", "closed during the handshake"],
  ["something else entirely", undefined],
] as const;

for (const [message, words] of CASES) {
  Deno.test(`tlsErrorInWords() reads: ${message}`, () => {
    assert.equal(tlsErrorInWords(message), words);
  });
}
