/** Reads and checks the certificates, keys and CAs that a configuration names. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { escapeText, UserError } from "../base/mod.ts";
import { type Config, type Finding, nameOf, type Path } from "../config/mod.ts";
import { beside } from "./beside.ts";
import { readBytes, UnreadableError } from "./text_file.ts";

/** A certificate and its private key, with the facts that are reported about them. */
export interface KeyPair {
  /** In PEM, with the certificates between it and its CA. */
  readonly certificate: string;
  /** In PEM. */
  readonly key: string;
  /** The host names and addresses of the certificate. */
  readonly names: readonly string[];
  /** When the certificate expires, in milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** The content of all files that a configuration names for TLS. */
export interface Certificates {
  /** The certificate that the balancer shows to clients; absent if clients do not use TLS. */
  readonly listener?: KeyPair;
  /** In PEM: CAs with which backends are verified, in addition to the public ones. */
  readonly backendCa?: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** A warning is logged this long before a certificate expires. */
const EXPIRES_SOON_DAYS = 14;

/** Reasons why clients refuse a certificate now or soon. */
export function certificateWarnings(pair: KeyPair, nowMs: number): string[] {
  const expiry = expiryWarning(pair, nowMs);
  return [
    ...expiry === undefined ? [] : [expiry],
    ...pair.names.length > 0
      ? []
      : ["the certificate has no subjectAltName with a host name or address, so clients refuse it"],
  ];
}

/** The warning for a certificate that has expired or expires within two weeks; otherwise undefined. */
export function expiryWarning({ expiresAtMs }: KeyPair, nowMs: number): string | undefined {
  if (nowMs >= expiresAtMs) {
    return `the certificate expired on ${dayOf(expiresAtMs)}, so clients refuse it: renew it`;
  }
  const days = Math.floor((expiresAtMs - nowMs) / DAY_MS);
  if (days >= EXPIRES_SOON_DAYS) return undefined;
  const when = days < 1 ? "in less than a day" : days === 1 ? "tomorrow" : `in ${days} days`;
  return `the certificate expires ${when}, on ${dayOf(expiresAtMs)}: renew it`;
}

/** `2027-03-01`. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Changes in the content of the files, one line each. */
export function certificateChanges(before: Certificates, after: Certificates): string[] {
  const { listener: had, backendCa } = before;
  const { listener: has } = after;
  const isSame = had?.certificate === has?.certificate && had?.key === has?.key;
  return [
    ...had === undefined || has === undefined || isSame
      ? []
      : [`another certificate, for ${namesInWords(has)}, until ${dayOf(has.expiresAtMs)}`],
    ...backendCa === after.backendCa ? [] : ["other CAs for backends"],
  ];
}

/** `one.test, 10.0.0.7`. */
export function namesInWords({ names }: KeyPair): string {
  return names.length === 0 ? "no name at all" : names.join(", ");
}

/** The files that a configuration names for TLS. Relative paths start at the directory of the configuration. */
export function certificateFiles(file: string, { tls, backendTls }: Config) {
  return {
    ...tls !== undefined && {
      certificate: beside(file, tls.certificate),
      key: beside(file, tls.key),
    },
    ...backendTls?.ca !== undefined && { ca: beside(file, backendTls.ca) },
  };
}

/** The result of reading the files that a configuration names for TLS. */
export interface ReadCertificates {
  readonly certificates: Certificates;
  /** All mistakes in the files. */
  readonly findings: readonly Finding[];
  /** One line for each file whose certificate has expired, so that the content in use stays. */
  readonly expired: readonly string[];
}

/**
 * Reads the files that a configuration names for TLS.
 *
 * @param file The path of the configuration itself.
 * @param nowMs In milliseconds since 1970: a certificate that has expired by then is a mistake.
 * @param inUse The content in use. It stays in use if the only mistake in a new file is an expired certificate.
 */
export async function readCertificates(
  file: string,
  config: Config,
  nowMs: number,
  inUse: Certificates = {},
): Promise<ReadCertificates> {
  const { certificate, key, ca } = certificateFiles(file, config);
  const findings: Finding[] = [];
  const expired: string[] = [];
  const attempt = async <T>(
    path: Path,
    name: string | undefined,
    read: (name: string) => T | Promise<T>,
    used?: T,
  ) => {
    if (name === undefined) return undefined;
    try {
      return await read(name);
    } catch (error) {
      if (!(error instanceof UserError) || error instanceof UnreadableError) throw error;
      const { hint } = error;
      const message = `${nameOf(path)}: ${error.message}`;
      if (error instanceof ExpiredError && used !== undefined) {
        expired.push(`${message}: the present certificate stays in use`);
        return used;
      }
      findings.push({ path, message, hint });
      return undefined;
    }
  };
  const chain = await attempt(["tls", "certificate"], certificate, readChain);
  const privateKey = await attempt(["tls", "key"], key, readKey);
  const paired = await attempt(["tls", "key"], key, (name) => {
    if (chain === undefined || privateKey === undefined) return undefined;
    return pair(chain, privateKey, name, certificate!);
  });
  const listener = await attempt(["tls", "certificate"], certificate, (name) => {
    if (chain !== undefined) checkChain(name, chain, nowMs);
    return paired;
  }, paired && inUse.listener);
  const backendCa = await attempt(["backend_tls", "ca"], ca, async (name) => {
    const authorities = await readChain(name);
    checkAuthorities(name, authorities, nowMs);
    return authorities.pem;
  }, inUse.backendCa);
  return {
    certificates: {
      ...listener !== undefined && { listener },
      ...backendCa !== undefined && { backendCa },
    },
    findings,
    expired,
  };
}

/**
 * Reads CAs.
 *
 * @returns The CAs in PEM.
 * @throws {UserError} if the file has no CA.
 */
export async function loadAuthorities(file: string): Promise<string> {
  return (await readChain(file)).pem;
}

/**
 * Reads a certificate and its key.
 *
 * @param nowMs In milliseconds since 1970: a certificate that has expired by then is a mistake.
 * @throws {UserError} that says what is wrong with them.
 */
export async function loadKeyPair(
  certificate: string,
  key: string,
  nowMs: number,
): Promise<KeyPair> {
  const chain = await readChain(certificate);
  checkChain(certificate, chain, nowMs);
  return pair(chain, await readKey(key), key, certificate);
}

function checkChain(file: string, { certificates }: Chain, nowMs: number): void {
  for (const certificate of certificates) checkDates(file, certificate, nowMs);
}

/** One valid CA is enough, because such files often contain old ones. */
function checkAuthorities(file: string, { certificates }: Chain, nowMs: number): void {
  const last = Math.max(...certificates.map(({ validTo }) => Date.parse(validTo)));
  if (nowMs < last) return;
  const which = certificates.length === 1 ? "the CA in it" : "every CA in it";
  throw new ExpiredError(file, `${which} has expired, on ${dayOf(last)}`, "renew it");
}

/** The error for a certificate whose only mistake is that it has expired. */
class ExpiredError extends UserError {
  override readonly name = "ExpiredError";

  constructor(file: string, message: string, hint: string) {
    super(`${escapeText(file)}: ${message}`, { exitCode: 2, hint });
  }
}

interface Chain {
  readonly pem: string;
  readonly certificates: readonly [X509Certificate, ...X509Certificate[]];
}

async function readChain(file: string): Promise<Chain> {
  const blocks = (await readPem(file, "x509")).filter(({ label }) => label === "CERTIFICATE");
  const certificates = blocks.map(({ text }, i) => {
    try {
      return new X509Certificate(text);
    } catch {
      const which = blocks.length === 1 ? "the certificate" : `certificate ${i + 1}`;
      throw wrong(file, `${which} in it is damaged`);
    }
  });
  const [first, ...rest] = certificates;
  if (first === undefined) {
    throw wrong(
      file,
      "there is no certificate in it",
      "each certificate begins with the line -----BEGIN CERTIFICATE-----",
    );
  }
  return { pem: blocks.map(({ text }) => text).join("\n") + "\n", certificates: [first, ...rest] };
}

function checkDates(file: string, certificate: X509Certificate, nowMs: number): void {
  const { validFrom, validTo, subject } = certificate;
  const whose = subject ? ` (${subject.replaceAll("\n", ", ")})` : "";
  if (nowMs >= Date.parse(validTo)) {
    throw new ExpiredError(
      file,
      `the certificate${whose} expired on ${dayOf(Date.parse(validTo))}`,
      "renew it",
    );
  }
  if (nowMs < Date.parse(validFrom)) {
    throw wrong(
      file,
      `the certificate${whose} is not valid before ${dayOf(Date.parse(validFrom))}`,
      `check this machine's clock: it shows ${dayOf(nowMs)}`,
    );
  }
}

interface PrivateKey {
  readonly pem: string;
  readonly key: KeyObject;
}

async function readKey(file: string): Promise<PrivateKey> {
  const blocks = await readPem(file, "pkey");
  const block = blocks.find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (block === undefined) {
    throw wrong(
      file,
      "there is no private key in it",
      "a private key begins with a line like -----BEGIN PRIVATE KEY-----",
    );
  }
  if (block.label.startsWith("ENCRYPTED") || block.text.includes("ENCRYPTED")) {
    const hint = `lbsim cannot ask for a passphrase: \`openssl pkey -in ${file} -out key.pem\` ` +
      "writes the key without encryption";
    throw wrong(file, "the private key is encrypted", hint);
  }
  try {
    const key = createPrivateKey(block.text);
    checkKind(file, key);
    return { pem: block.text + "\n", key };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw wrong(file, "the private key in it is damaged");
  }
}

const CURVES: readonly unknown[] = ["prime256v1", "secp384r1", "secp521r1"];
const RSA_BITS_MIN = 2048;

function checkKind(file: string, { asymmetricKeyType: type, asymmetricKeyDetails }: KeyObject) {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails ?? {};
  const isFit = type === "ed25519" || (type === "rsa" && modulusLength >= RSA_BITS_MIN) ||
    (type === "ec" && CURVES.includes(namedCurve));
  if (isFit) return;
  const kind = type === "rsa" ? `RSA of ${modulusLength} bits` : namedCurve ?? type ?? "unknown";
  throw wrong(
    file,
    `this kind of private key is not supported: ${kind}`,
    "use RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519",
  );
}

/** Checks that a key belongs to a certificate, and that TLS accepts both. */
function pair(chain: Chain, { pem, key }: PrivateKey, keyFile: string, file: string): KeyPair {
  const [leaf] = chain.certificates;
  const belongsTo = chain.certificates.findIndex((one) => one.checkPrivateKey(key));
  if (belongsTo !== 0) {
    const hint = belongsTo < 0
      ? undefined
      : `it belongs to certificate ${belongsTo + 1} in that file, which must be the first`;
    throw wrong(keyFile, `the key does not belong to the certificate in ${file}`, hint);
  }
  try {
    createSecureContext({ cert: chain.pem, key: pem });
  } catch (error) {
    throw wrong(keyFile, `TLS refuses it: ${(error as Error).message}`);
  }
  return {
    certificate: chain.pem,
    key: pem,
    names: namesOf(leaf),
    expiresAtMs: Date.parse(leaf.validTo),
  };
}

/** The names in a text like `DNS:localhost, IP Address:127.0.0.1`. */
function namesOf({ subjectAltName = "" }: X509Certificate): string[] {
  return subjectAltName.split(", ").filter((name) => /^(DNS|IP Address):/.test(name))
    .map((name) => name.slice(name.indexOf(":") + 1));
}

interface PemBlock {
  readonly label: string;
  readonly text: string;
}

/** The first byte of a SEQUENCE in DER, the binary form of the content of a PEM file. */
const DER_SEQUENCE = 0x30;

/** @param command The command of openssl that converts such a file to PEM. */
async function readPem(file: string, command: "x509" | "pkey"): Promise<PemBlock[]> {
  const bytes = await readBytes(file);
  const text = new TextDecoder("latin1").decode(bytes);
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/g)]
    .map(([text, label]) => ({ label: label!, text }));
  if (blocks.length > 0) return blocks;
  const hint = bytes[0] === DER_SEQUENCE
    ? `it seems to be DER: \`openssl ${command} -inform der -in ${file}\` converts it to PEM`
    : "a PEM file has lines like -----BEGIN CERTIFICATE-----";
  throw wrong(file, "it is not PEM", hint);
}

function wrong(file: string, message: string, hint?: string): UserError {
  const options = { exitCode: 2 as const, ...hint !== undefined && { hint } };
  return new UserError(`${escapeText(file)}: ${message}`, options);
}
