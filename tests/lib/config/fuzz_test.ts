/** For any text, `parseConfig` returns a configuration or throws diagnostics. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { DiagnosticsError, parseConfig } from "../../../lib/config/mod.ts";

const SHIPPED = await Deno.readTextFile(new URL("../../../config.yaml", import.meta.url));

const EVERYTHING = `
listen: 127.0.0.1:8000
algorithm: {name: ring-hash, points: 100, bounded_load: 1.5}
backends:
  - {id: B1, address: 127.0.0.1:9001, weight: 0, max_connections: 7}
  - {id: B2, address: "[::1]:9002", weight: 3, backup: false}
health_check: {type: http, path: /health, status: [200-299], interval: 2s, timeout: 1s, jitter: 5%}
sticky: {by: client-address, ttl: 10m, ipv4_prefix: 24, drain: allow}
tls: {certificate: cert.pem, key: key.pem}
backend_tls: {ca: ca.pem, server_name: one.test}
proxy_protocol: {accept_from: [10.0.0.0/8], send: v2}
slow_start: {duration: 30s, floor: 20%}
ejection: {failures: 3, max_share: 50%}
limits: {connections: 100, per_client: {connections: 5, rate: 50/s}}
allow: [192.168.1.0/24, "2001:db8::/32"]
deny: [192.168.1.66]
on_down: close
`;

/** Pieces that have a meaning in YAML, or for a parser of addresses, durations and the like. */
const PIECES = [
  ...[
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "  ",
    "&a",
    "*a",
    "<<: *a",
    "!!binary ",
    "|",
    "? ",
    "'",
  ],
  ...[
    '"',
    "#",
    "null",
    "-1",
    "1e999",
    ".nan",
    "0x7",
    "99999999999999999999",
    "10s",
    "5%",
    "::",
    "/",
  ],
  ..."\u0000\ufeff\u2028\ud83d\t".split(""),
];

const mutated = fc.tuple(
  fc.constantFrom(SHIPPED, EVERYTHING),
  fc.array(
    fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      cut: fc.nat(12),
      put: fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 8 })),
    }),
    { maxLength: 5 },
  ),
).map(([text, changes]) =>
  changes.reduce((text, { at, cut, put }) => {
    const from = Math.floor(at * text.length);
    return text.slice(0, from) + put + text.slice(from + cut);
  }, text)
);

Deno.test("parseConfig() returns a configuration or throws diagnostics for any text", () => {
  parseConfig({ file: "config.yaml", text: EVERYTHING });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.string({ unit: "binary" })), (text) => {
      try {
        parseConfig({ file: "config.yaml", text });
      } catch (error) {
        assert.ok(error instanceof DiagnosticsError, String(error));
        assert.match(error.message, /\S/);
      }
    }),
    { endOnFailure: true, numRuns: 1500 },
  );
});
