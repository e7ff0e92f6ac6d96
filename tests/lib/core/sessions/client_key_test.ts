import assert from "node:assert/strict";
import fc from "fast-check";
import { clientKey } from "../../../../lib/core/mod.ts";

const CASES: readonly [address: string, ipv4: number, ipv6: number, key: string][] = [
  // The whole address, unchanged.
  ["192.168.1.77", 32, 128, "192.168.1.77"],
  ["2001:db8::1", 32, 128, "2001:db8::1"],
  ["::1", 32, 128, "::1"],
  ["::", 32, 128, "::"],
  // In its canonical form.
  ["2001:DB8:0:0::1", 32, 128, "2001:db8::1"],
  ["2001:0db8:0:1:0:0:0:1", 32, 128, "2001:db8:0:1::1"],
  ["1:0:0:2:0:0:0:3", 32, 128, "1:0:0:2::3"],
  ["1:0:0:2:3:0:0:4", 32, 128, "1::2:3:0:0:4"],
  ["1:0:2:3:4:5:6:7", 32, 128, "1:0:2:3:4:5:6:7"],
  ["1:2:3:4:5:6:0:0", 32, 128, "1:2:3:4:5:6::"],
  // Prefixes on and off the boundaries of octets and groups.
  ["192.168.1.77", 24, 64, "192.168.1.0/24"],
  ["192.168.1.77", 26, 64, "192.168.1.64/26"],
  ["192.168.1.77", 31, 64, "192.168.1.76/31"],
  ["192.168.1.77", 8, 64, "192.0.0.0/8"],
  ["192.168.1.77", 1, 64, "128.0.0.0/1"],
  ["192.168.1.77", 0, 64, "0.0.0.0/0"],
  ["255.255.255.255", 25, 64, "255.255.255.128/25"],
  ["2001:db8:1:2:3:4:5:6", 24, 64, "2001:db8:1:2::/64"],
  ["2001:db8:1:2:3:4:5:6", 24, 48, "2001:db8:1::/48"],
  ["2001:db8:1:2ff:3:4:5:6", 24, 56, "2001:db8:1:200::/56"],
  ["2001:db8:1:2:3:4:5:7", 24, 127, "2001:db8:1:2:3:4:5:6/127"],
  ["ffff::1", 24, 1, "8000::/1"],
  ["2001:db8::1", 24, 0, "::/0"],
  // The same network, however its zeros are written.
  ["2001:db8::1", 24, 64, "2001:db8::/64"],
  ["2001:db8:0:0::1", 24, 64, "2001:db8::/64"],
  ["2001:0db8:0000:0000:0000:0000:0000:0001", 24, 64, "2001:db8::/64"],
  ["2001:DB8::1", 24, 64, "2001:db8::/64"],
  ["::1", 24, 64, "::/64"],
  ["1::", 24, 64, "1::/64"],
  // A zone belongs to this machine's interface, not to the client's network.
  ["fe80::1%eth0", 24, 64, "fe80::/64"],
  // IPv4 that arrives on an IPv6 socket is IPv4.
  ["::ffff:192.168.1.77", 32, 64, "192.168.1.77"],
  ["::FFFF:192.168.1.77", 24, 64, "192.168.1.0/24"],
  ["::ffff:192.168.1.77", 24, 128, "192.168.1.0/24"],
  ["::ffff:192.168.1.77", 32, 128, "192.168.1.77"],
  ["::ffff:c0a8:14d", 32, 64, "192.168.1.77"],
  ["::ffff:c0a8:14d", 24, 64, "192.168.1.0/24"],
  ["0:0:0:0:0:FFFF:C0A8:014D", 32, 128, "192.168.1.77"],
  // A simulation may give its clients any names.
  ["client-7", 24, 64, "client-7"],
  ["", 24, 64, ""],
  ["a.b.c.d", 24, 64, "a.b.c.d"],
  ["1.2.3", 24, 64, "1.2.3"],
  ["1.2.3.256", 24, 64, "1.2.3.256"],
  ["1..2.3", 24, 64, "1..2.3"],
  ["10.0.0.1e1", 24, 64, "10.0.0.1e1"],
  ["client:1", 24, 64, "client:1"],
  ["client::1", 24, 64, "client::1"],
  ["1:2:3:4:5:6:7", 24, 64, "1:2:3:4:5:6:7"],
  ["1:2:3:4:5:6:7:8:9", 24, 64, "1:2:3:4:5:6:7:8:9"],
  ["1::2::3", 24, 64, "1::2::3"],
  ["12345::1", 24, 64, "12345::1"],
];

for (const [address, ipv4, ipv6, key] of CASES) {
  Deno.test(`clientKey() of "${address}" with /${ipv4} and /${ipv6} is "${key}"`, () => {
    assert.equal(clientKey(address, ipv4, ipv6), key);
  });
}

const octets = fc.array(fc.nat({ max: 255 }), { minLength: 4, maxLength: 4 });
const groups = fc.array(fc.nat({ max: 0xffff }), { minLength: 8, maxLength: 8 });

function bits(parts: readonly number[], width: number): string {
  return parts.map((part) => part.toString(2).padStart(width, "0")).join("");
}

Deno.test("clientKey() is the same for two IPv4 addresses exactly if their leading bits are the same", () => {
  fc.assert(fc.property(octets, octets, fc.nat({ max: 32 }), fc.nat({ max: 32 }), (a, b, k, n) => {
    // Two random addresses share almost no bits, so the second one begins with k bits of the first.
    const joined = bits(a, 8).slice(0, k) + bits(b, 8).slice(k);
    const c = [0, 8, 16, 24].map((at) => parseInt(joined.slice(at, at + 8), 2));
    const same = bits(a, 8).slice(0, n) === joined.slice(0, n);
    assert.equal(clientKey(a.join("."), n, 128) === clientKey(c.join("."), n, 128), same);
  }));
});

Deno.test("clientKey() is the same for two IPv6 addresses exactly if their leading bits are the same", () => {
  const text = (parts: readonly number[]) => parts.map((part) => part.toString(16)).join(":");
  fc.assert(
    fc.property(groups, groups, fc.nat({ max: 128 }), fc.nat({ max: 128 }), (a, b, k, n) => {
      const joined = bits(a, 16).slice(0, k) + bits(b, 16).slice(k);
      const c = Array.from({ length: 8 }, (_, i) => parseInt(joined.slice(16 * i, 16 * i + 16), 2));
      const same = bits(a, 16).slice(0, n) === joined.slice(0, n);
      assert.equal(clientKey(text(a), 32, n) === clientKey(text(c), 32, n), same);
    }),
  );
});

Deno.test("clientKey() of any text is a text", () => {
  fc.assert(fc.property(fc.string(), fc.nat({ max: 32 }), fc.nat({ max: 128 }), (text, n, m) => {
    assert.equal(typeof clientKey(text, n, m), "string");
  }));
});
