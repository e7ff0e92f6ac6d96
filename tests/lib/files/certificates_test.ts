import assert from "node:assert/strict";
import {
  type Certificates,
  certificateWarnings,
  expiryWarning,
  readCertificates,
} from "../../../lib/files/certificates.ts";
import { parseConfig } from "../../../lib/config/mod.ts";
import { CA, ONE, pem, TLS_FILES, TWO } from "../../support/certificates.ts";

const NOW = Date.parse("2026-11-24T00:00:00Z");
const DAY_MS = 24 * 60 * 60 * 1000;

interface Files {
  readonly certificate?: string;
  readonly key?: string;
  readonly ca?: string;
}

/** The content of the files, and their mistakes in the form `path: message (hint)`. */
async function read(
  { certificate = "one.pem", key = "one.key", ca }: Files,
  now = NOW,
  inUse?: Certificates,
) {
  const config = parseConfig({
    file: "config.yaml",
    text: "backends: [{id: B1, address: 127.0.0.1:1}]\n" +
      `tls: {certificate: ${JSON.stringify(certificate)}, key: ${JSON.stringify(key)}}\n` +
      (ca === undefined ? "" : `backend_tls: {ca: ${ca}}\n`),
  });
  const { certificates, findings, expired } = await readCertificates(
    `${TLS_FILES}/config.yaml`,
    config,
    now,
    inUse,
  );
  const wrong = findings.map(({ path, message, hint }) =>
    `${path.join("/")}: ${message.replaceAll(`${TLS_FILES}/`, "")}` +
    (hint === undefined ? "" : ` (${hint.replaceAll(`${TLS_FILES}/`, "")})`)
  );
  return {
    certificates,
    wrong,
    expired: expired.map((line) => line.replaceAll(`${TLS_FILES}/`, "")),
  };
}

Deno.test("readCertificates() reads the files that the configuration names, relative to its own directory", async () => {
  const { certificates, wrong } = await read({ ca: "ca.pem" });
  assert.deepEqual(wrong, []);
  const expected: Certificates = {
    listener: { ...ONE, expiresAtMs: Date.parse("2099-12-31T00:00:00Z") },
    backendCa: CA,
  };
  assert.deepEqual(certificates, expected);
  const absolute = await read({ certificate: `${TLS_FILES}/two.pem`, key: `${TLS_FILES}/two.key` });
  assert.deepEqual(absolute, { certificates: { listener: TWO }, wrong: [], expired: [] });
});

const MISTAKES: readonly (readonly [string, Files, readonly RegExp[]])[] = [
  ["a missing certificate and a missing key", { certificate: "no.pem", key: "no.key" }, [
    /^tls\/certificate: tls\.certificate: no\.pem: there is no such file$/,
    /^tls\/key: tls\.key: no\.key: there is no such file$/,
  ]],
  ["a directory", { certificate: "." }, [/^tls\/certificate: .*: is a directory/]],
  ["a file that is not PEM", { certificate: "make.sh" }, [/it is not PEM \(.*BEGIN CERTIFICATE/]],
  ["a file in DER", { certificate: "one.der" }, [
    /it is not PEM \(.*openssl x509 -inform der -in one\.der/,
  ]],
  ["a key instead of a certificate", { certificate: "one.key" }, [/there is no certificate in it/]],
  ["a damaged certificate", { certificate: "damaged.pem" }, [/the certificate in it is damaged$/]],
  ["a certificate instead of a key", { key: "one.pem" }, [
    /^tls\/key: .*there is no private key in it/,
  ]],
  ["an encrypted key", { key: "encrypted.key" }, [
    /the private key is encrypted \(.*openssl pkey -in encrypted\.key/,
  ]],
  ["a weak key", { key: "weak.key" }, [/not supported: RSA of 1024 bits \(use RSA of 2048/]],
  ["a damaged key", { key: "damaged.key" }, [/the private key in it is damaged/]],
  ["another certificate's key", { key: "two.key" }, [
    /^tls\/key: tls\.key: two\.key: the key does not belong to the certificate in .*one\.pem$/,
  ]],
  ["a chain in the wrong order", { certificate: "reversed.pem" }, [
    /does not belong to the certificate in .* \(it belongs to certificate 2 in that file/,
  ]],
  ["an expired certificate", { certificate: "expired.pem" }, [
    /the certificate \(CN=expired\) expired on 2021-01-01 \(renew it\)$/,
  ]],
  ["a certificate that is not valid yet", { certificate: "future.pem" }, [
    /is not valid before 2090-01-01 \(check this machine's clock: it shows 2026-11-24\)$/,
  ]],
  ["a CA that has expired", { ca: "expired.pem" }, [
    /^backend_tls\/ca: .*expired\.pem: the CA in it has expired, on 2021-01-01 \(renew it\)$/,
  ]],
  ["a CA file without a CA", { ca: "one.key" }, [/^backend_tls\/ca: .*there is no certificate/]],
];

for (const [name, files, expected] of MISTAKES) {
  Deno.test(`readCertificates() says what is wrong with ${name}`, async () => {
    const { wrong } = await read(files);
    assert.equal(wrong.length, expected.length, wrong.join("\n"));
    expected.forEach((pattern, i) => assert.match(wrong[i]!, pattern));
  });
}

Deno.test("readCertificates() checks the dates against the given time", async () => {
  assert.deepEqual(
    (await read({ certificate: "expired.pem" }, Date.parse("2020-06-01"))).wrong,
    [],
  );
  const { wrong } = await read({}, Date.parse("2100-01-01"));
  assert.match(wrong[0]!, /expired on 2099-12-31/);
});

Deno.test("readCertificates() accepts a CA file if one of its CAs has not expired", async () => {
  const ca = await Deno.makeTempFile();
  await Deno.writeTextFile(ca, pem("expired.pem") + CA);
  assert.deepEqual((await read({ ca })).wrong, []);
  await Deno.remove(ca);
});

Deno.test("readCertificates() keeps the content in use if the only mistake in a new file is an expired certificate", async () => {
  const inUse = { listener: TWO, backendCa: CA };
  const { certificates, wrong, expired } = await read(
    { certificate: "expired.pem", ca: "expired.pem" },
    NOW,
    inUse,
  );
  assert.deepEqual([certificates, wrong], [inUse, []]);
  assert.deepEqual(expired, [
    "tls.certificate: expired.pem: the certificate (CN=expired) expired on 2021-01-01: " +
    "the present certificate stays in use",
    "backend_tls.ca: expired.pem: the CA in it has expired, on 2021-01-01: the present certificate stays in use",
  ]);
  const other = await read({ certificate: "expired.pem", key: "two.key" }, NOW, inUse);
  assert.equal(other.wrong.length, 2, "a wrong key is reported, too");
  assert.equal((await read({ certificate: "future.pem" }, NOW, inUse)).wrong.length, 1);
});

Deno.test("certificateWarnings() says that clients refuse a certificate without names", async () => {
  const { certificates } = await read({ certificate: "nameless.pem" });
  assert.deepEqual(certificateWarnings(certificates.listener!, NOW), [
    "the certificate has no subjectAltName with a host name or address, so clients refuse it",
  ]);
  assert.deepEqual(certificateWarnings(ONE, NOW), []);
});

Deno.test("expiryWarning() warns from two weeks before the expiry on", () => {
  const at = (daysLeft: number) => expiryWarning(ONE, ONE.expiresAtMs - daysLeft * DAY_MS);
  assert.equal(at(14), undefined);
  assert.equal(at(13.9), "the certificate expires in 13 days, on 2099-12-31: renew it");
  assert.equal(at(1.5), "the certificate expires tomorrow, on 2099-12-31: renew it");
  assert.equal(at(0), "the certificate expired on 2099-12-31, so clients refuse it: renew it");
  assert.equal(at(0.5), "the certificate expires in less than a day, on 2099-12-31: renew it");
});
