import assert from "node:assert/strict";
import {
  addressOf,
  formatAddress,
  isLocal,
  isLoopback,
  parseAddress,
} from "../../../lib/base/address.ts";

Deno.test("parseAddress() reads all spellings of a host as the same host", () => {
  const spellings: readonly (readonly [string, string])[] = [
    ["10.0.0.1:80", "10.0.0.1:80"],
    ["[::ffff:10.0.0.1]:80", "10.0.0.1:80"],
    ["[::FFFF:a00:1]:80", "10.0.0.1:80"],
    ["[0:0:0:0:0:ffff:0a00:0001]:80", "10.0.0.1:80"],
    ["[::ffff:0.0.0.0]:80", "0.0.0.0:80"],
    ["[::1]:80", "[::1]:80"],
    ["[0:0:0:0:0:0:0:1]:80", "[::1]:80"],
    ["[2001:DB8:0:0:1::]:80", "[2001:db8:0:0:1::]:80"],
    ["[64:ff9b::10.0.0.1]:80", "[64:ff9b::a00:1]:80"],
    // A zone is the name of an interface, in which upper and lower case differ.
    ["[FE80:0::1%Eth0]:80", "[fe80::1%Eth0]:80"],
    ["Lab.Local:80", "lab.local:80"],
  ];
  for (const [written, canonical] of spellings) {
    assert.equal(formatAddress(parseAddress(written)), canonical, written);
    assert.equal(formatAddress(parseAddress(canonical)), canonical, canonical);
  }
});

Deno.test("addressOf() shows an IPv4 client of a dual-stack socket with its IPv4 address", () => {
  const of = (hostname: string) => addressOf({ hostname, port: 1 }).host;
  assert.equal(of("::ffff:127.0.0.1"), "127.0.0.1");
  assert.equal(of("::ffff:7f00:1"), "127.0.0.1");
  assert.equal(of("fd00:0::2"), "fd00::2");
});

Deno.test("isLocal() recognises every spelling of this machine's addresses", () => {
  const local = ["192.0.2.2", "fd00::2", "fe80::1"];
  for (const host of ["192.0.2.2", "::ffff:192.0.2.2", "FD00:0::2", "fe80::1%eth0", "127.9.9.9"]) {
    assert.ok(isLocal(host, local), host);
  }
  for (const host of ["192.0.2.3", "fd00::3", "127.example.org"]) {
    assert.ok(!isLocal(host, local), host);
  }
  assert.ok(isLoopback("localhost"));
});

Deno.test("parseAddress() suggests an address that it would accept", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["8000", /the host is missing: write 127\.0\.0\.1:8000 /],
    ["99999", /port 99999 is out of range: a port is 1 to 65535/],
    ["*:70000", /port 70000 is out of range/],
    ["-1", /"-1" is neither an address nor a port/],
    ["8000.5", /"8000\.5" is neither an address nor a port/],
    ["127.0.0.1", /the port is missing: write 127\.0\.0\.1:8000/],
    ["[::1]", /the port is missing: write \[::1\]:8000/],
    ["::1", /an IPv6 address goes in brackets, with a port: \[::1\]:8000/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseAddress(text), { message }, text);
});
