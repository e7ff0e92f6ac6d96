/** Plain words for the TLS library's errors. */

/** The reasons why two sides cannot agree on a connection, by the names of the library's errors. */
const INCOMPATIBILITIES: readonly (readonly [pattern: RegExp, words: string])[] = [
  [
    /Tls12NotOffered|Tls12Or13|SupportedVersionsExtension|TlsVersionIsDisabled|Tls13Required/,
    "offers only versions of TLS below 1.2",
  ],
  [/NoCipherSuitesInCommon/, "offers no cipher suite that is supported"],
  [/NoKxGroupsInCommon|NamedGroups|KeyShare/, "offers no key exchange that is supported"],
  [/SignatureSchemesInCommon|SignatureAlgorithms/, "offers no signature scheme that is supported"],
  [/EcPoint/, "offers no elliptic curve format that is supported"],
  [/NullCompression/, "requires compression"],
  [/ExtendedMasterSecret/, "does not offer the extended master secret"],
  [/CertificateType/, "asks for a certificate of a kind that is not supported"],
];

/** The meaning of the alert with which a peer ends a handshake. */
const ALERTS: Readonly<Record<string, string>> = {
  AccessDenied: "access is denied",
  BadCertificate: "the certificate is bad",
  BadRecordMac: "a record arrived damaged",
  CertificateExpired: "the certificate has expired",
  CertificateRequired: "a client certificate is required",
  CertificateRevoked: "the certificate is revoked",
  CertificateUnknown: "the certificate is not accepted",
  DecodeError: "a message could not be read",
  DecryptError: "a signature or key is wrong",
  HandshakeFailure: "there is no version or cipher in common",
  IllegalParameter: "a message is invalid",
  InappropriateFallback: "the version of TLS is lower than necessary",
  InsufficientSecurity: "the offered options are not secure enough",
  InternalError: "it has an internal error",
  NoApplicationProtocol: "there is no application protocol in common",
  ProtocolVersion: "the version of TLS is not supported",
  UnknownCA: "the CA of the certificate is not trusted",
  UnrecognisedName: "the name is unknown",
  UnrecognizedName: "the name is unknown",
  UnsupportedCertificate: "the certificate is of a kind that is not supported",
  UserCanceled: "it was cancelled",
};

/** Errors whose words are the same for every peer. */
const OTHERS: readonly (readonly [pattern: RegExp, words: string])[] = [
  // This pattern comes first: such a message contains "wrong version number", too, but has another cause.
  [
    /corrupt message of type (?!InvalidContentType|UnknownProtocolVersion)/,
    "breaks the TLS protocol",
  ],
  [
    /InvalidContentType|wrong version number|http request|oversized record/i,
    "does not speak TLS",
  ],
  [/unexpected (handshake )?message|peer misbehaved/, "breaks the TLS protocol"],
  [/cannot decrypt/, "sends data that cannot be decrypted"],
  [/sent no certificates/, "sends no certificate"],
  [/unexpected end of file|eof|reset|broken pipe/i, "closed during the handshake"],
];

/** Why a handshake failed, as a predicate whose subject is the peer; undefined if the error is unknown. */
export function tlsErrorInWords(message: string): string | undefined {
  const [, alert] = /received fatal alert: (\w+)/.exec(message) ?? [];
  if (alert !== undefined) return `refused the handshake: ${ALERTS[alert] ?? alert}`;
  const [, kind] = /peer is incompatible: (\w+)/.exec(message) ?? [];
  if (kind !== undefined) {
    const found = INCOMPATIBILITIES.find(([pattern]) => pattern.test(kind));
    return found?.[1] ?? `is incompatible (${kind})`;
  }
  return OTHERS.find(([pattern]) => pattern.test(message))?.[1];
}
