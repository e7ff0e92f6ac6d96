import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encodeProxyHeader,
  parseProxyHeader,
  PROXY_HEADER_MAX,
} from "../../../lib/io/proxy_protocol.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const hex = (text: string) =>
  Uint8Array.from(text.replaceAll(" ", "").match(/../g)!, (pair) => parseInt(pair, 16));

const SIGNATURE = "0d0a0d0a000d0a515549540a";

const FROM = { host: "192.168.1.50", port: 51234 };
const TO = { host: "192.168.1.10", port: 8000 };

Deno.test("parseProxyHeader() reads version 1", () => {
  const line = "PROXY TCP4 192.168.1.50 192.168.1.10 51234 8000\r\n";
  assert.deepEqual(parseProxyHeader(bytes(`${line}hello`)), {
    status: "complete",
    length: line.length,
    endpoints: { source: FROM, destination: TO },
  });
  assert.deepEqual(parseProxyHeader(bytes("PROXY UNKNOWN ff ff 1 2\r\n")), {
    status: "complete",
    length: 25,
  });
  const six = parseProxyHeader(bytes("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"));
  assert.ok(six.status === "complete" && six.endpoints?.source.host === "2001:db8::1");
});

Deno.test("parseProxyHeader() reads version 2, and skips the extensions after the addresses", () => {
  const header = hex(`${SIGNATURE} 21 11 000f c0a80132 c0a8010a c822 1f40 040000`);
  assert.deepEqual(parseProxyHeader(header), {
    status: "complete",
    length: header.length,
    endpoints: { source: FROM, destination: TO },
  });
  assert.deepEqual(parseProxyHeader(hex(`${SIGNATURE} 20 00 0000`)), {
    status: "complete",
    length: 16,
  });
  const six = parseProxyHeader(hex(
    `${SIGNATURE} 21 21 0024 20010db8000000000000000000000001 00000000000000000000000000000001 0001 0002`,
  ));
  assert.ok(six.status === "complete");
  assert.deepEqual(six.endpoints, {
    source: { host: "2001:db8::1", port: 1 },
    destination: { host: "::1", port: 2 },
  });
});

Deno.test("parseProxyHeader() refuses malformed headers, and says why", () => {
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [bytes("GET / HTTP/1.1\r\n"), /does not begin/],
    [bytes("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"), /family/],
    [bytes("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"), /addresses are not TCP4/],
    [bytes("PROXY TCP4 ::1 ::1 1 2\r\n"), /addresses are not TCP4/],
    [bytes("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"), /ports/],
    [bytes("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"), /ports/],
    [bytes("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"), /too many fields/],
    [bytes(`PROXY ${"x".repeat(200)}`), /line does not end/],
    [hex("0d0a0d0b"), /does not begin/],
    [hex(`${SIGNATURE} 11 11 000c`), /version is 1/],
    [hex(`${SIGNATURE} 22 11 000c`), /command is 2/],
    [hex(`${SIGNATURE} 21 11 ffff`), /65551 bytes long/],
    [hex(`${SIGNATURE} 21 11 0004 01020304`), /cut off/],
  ];
  for (const [input, reason] of cases) {
    const header = parseProxyHeader(input);
    assert.ok(header.status === "invalid", `${input}`);
    assert.match(header.reason, reason);
  }
});

const octet = fc.nat(255);
const v4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join("."));
const v6 = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 })
  .filter((groups) => groups.slice(0, 5).some((group) => group !== 0))
  .map((groups) =>
    new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]`).hostname.slice(1, -1)
  );
const port = fc.nat(65535);
const endpoints = fc.oneof(
  v4.map((host) => [host, v4] as const),
  v6.map((host) => [host, v6] as const),
)
  .chain(([from, other]) =>
    fc.record({
      source: fc.record({ host: fc.constant(from), port }, { noNullPrototype: true }),
      destination: fc.record({ host: other, port }, { noNullPrototype: true }),
    }, { noNullPrototype: true })
  );

Deno.test("encodeProxyHeader() writes headers that parseProxyHeader() reads; a part of a header is incomplete", () => {
  fc.assert(
    fc.property(
      endpoints,
      fc.constantFrom("v1" as const, "v2" as const),
      fc.nat(),
      (ends, version, at) => {
        const header = encodeProxyHeader(version, ends);
        const whole = parseProxyHeader(new Uint8Array([...header, 1, 2, 3]));
        assert.deepEqual(whole, { status: "complete", length: header.length, endpoints: ends });
        assert.equal(parseProxyHeader(header.subarray(0, at % header.length)).status, "incomplete");
      },
    ),
    { endOnFailure: true, numRuns: 1000 },
  );
});

Deno.test("encodeProxyHeader() writes an IPv4 address in IPv6 form if the other side is IPv6", () => {
  const ends = { source: FROM, destination: { host: "2001:db8::1", port: 1 } };
  assert.equal(
    new TextDecoder().decode(encodeProxyHeader("v1", ends)),
    "PROXY TCP6 ::ffff:192.168.1.50 2001:db8::1 51234 1\r\n",
  );
  assert.deepEqual(
    encodeProxyHeader("v2", ends),
    hex(
      `${SIGNATURE} 21 21 0024 00000000000000000000ffffc0a80132 20010db8000000000000000000000001 c822 0001`,
    ),
  );
});

Deno.test("parseProxyHeader() reads an IPv4 address in IPv6 form as IPv4", () => {
  const mixed = { source: FROM, destination: { host: "2001:db8::1", port: 1 } };
  for (
    const header of [
      encodeProxyHeader("v1", mixed),
      encodeProxyHeader("v2", mixed),
      bytes("PROXY TCP6 ::ffff:c0a8:132 2001:DB8:0::1 51234 1\r\n"),
      bytes("PROXY TCP6 0:0:0:0:0:FFFF:C0A8:0132 2001:0db8::0001 51234 1\r\n"),
    ]
  ) {
    assert.deepEqual(parseProxyHeader(header), {
      status: "complete",
      length: header.length,
      endpoints: mixed,
    });
  }
  const both = parseProxyHeader(
    bytes("PROXY TCP6 ::ffff:192.168.1.50 ::ffff:192.168.1.10 51234 8000\r\n"),
  );
  assert.ok(both.status === "complete" && both.endpoints !== undefined);
  assert.equal(
    new TextDecoder().decode(encodeProxyHeader("v1", both.endpoints)),
    "PROXY TCP4 192.168.1.50 192.168.1.10 51234 8000\r\n",
  );
});

Deno.test("parseProxyHeader() does not throw for any bytes, and never waits for more than the longest header", () => {
  const mutated = fc.tuple(
    endpoints,
    fc.constantFrom("v1" as const, "v2" as const),
    fc.array(
      fc.tuple(fc.nat(300), octet),
      { maxLength: 4 },
    ),
  ).map(([ends, version, changes]) => {
    const header = Uint8Array.from(encodeProxyHeader(version, ends));
    for (const [at, value] of changes) header[at % header.length] = value;
    return header;
  });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 4096, size: "max" })), (input) => {
      const header = parseProxyHeader(input);
      if (header.status === "incomplete") assert.ok(input.length < PROXY_HEADER_MAX);
      if (header.status === "complete") assert.ok(header.length <= input.length);
    }),
    { endOnFailure: true, numRuns: 20_000 },
  );
});
