/** Which clients are accepted, and how often. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Admission } from "../../../../lib/core/mod.ts";
import { isIn, NS_PER_S, parseIp, parsePrefix } from "../../../../lib/base/mod.ts";
import { acquire, connecting, open, retried } from "../../../support/phases.ts";
import { schedulerOf } from "../../../support/scheduling.ts";

function isInside(prefix: string, address: string): boolean {
  return isIn(parsePrefix(prefix), parseIp(address)!);
}

Deno.test("parseIp() parses IP addresses, and nothing else", () => {
  assert.deepEqual(parseIp("192.168.1.50"), [0, 0, 0, 0, 0, 0xffff, 0xc0a8, 0x0132]);
  assert.deepEqual(parseIp("::ffff:192.168.1.50"), parseIp("192.168.1.50"));
  assert.deepEqual(parseIp("::"), [0, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(parseIp("2001:db8::7"), [0x2001, 0xdb8, 0, 0, 0, 0, 0, 7]);
  assert.deepEqual(parseIp("fe80::1%eth0"), parseIp("fe80::1"));
  for (
    const text of [
      "",
      "1.2.3",
      "010.0.0.5",
      "10.0.0.05",
      "1.2.3.256",
      "1.2.3.4.5",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "g::",
      "B1",
      "1:2:3:4:5:6:7:8::",
      "::1.2.3.999",
      ":::",
    ]
  ) assert.equal(parseIp(text), undefined, text);
});

Deno.test("isIn() compares leading bits", () => {
  assert.ok(isInside("192.168.1.0/24", "192.168.1.255"));
  assert.ok(!isInside("192.168.1.0/24", "192.168.2.0"));
  assert.ok(isInside("192.168.1.128/25", "192.168.1.200"));
  assert.ok(!isInside("192.168.1.128/25", "192.168.1.127"));
  assert.ok(isInside("10.0.0.7", "10.0.0.7"));
  assert.ok(!isInside("10.0.0.7", "10.0.0.6"));
  assert.ok(isInside("0.0.0.0/0", "1.2.3.4"));
  assert.ok(!isInside("0.0.0.0/0", "2001:db8::1"), "IPv4 only");
  assert.ok(isInside("2001:db8::/33", "2001:db8:7fff::1"));
  assert.ok(!isInside("2001:db8::/33", "2001:db8:8000::1"));
  assert.ok(isInside("10.0.0.0/8", "::ffff:10.1.2.3"));
});

Deno.test("isIn() agrees with arithmetic on 32-bit numbers", () => {
  const byte = fc.nat(255);
  const address = fc.tuple(byte, byte, byte, byte);
  const number = ([a, b, c, d]: readonly number[]) => ((a! * 256 + b!) * 256 + c!) * 256 + d!;
  fc.assert(
    fc.property(address, address, fc.nat(32), fc.boolean(), (a, other, bits, near) => {
      // Two random addresses seldom share more than a few bits.
      const b = near ? [...a.slice(0, 3), other[3]] : other;
      const same =
        Math.floor(number(a) / 2 ** (32 - bits)) === Math.floor(number(b) / 2 ** (32 - bits));
      assert.equal(isInside(`${a.join(".")}/${bits}`, b.join(".")), same);
    }),
    { endOnFailure: true },
  );
});

Deno.test("parsePrefix() says what is wrong with a text", () => {
  assert.throws(() => parsePrefix("nobody"), /"nobody" is neither an address nor a prefix/);
  assert.throws(() => parsePrefix("10.0.0.0/33"), /must be the length of the prefix, 0 to 32 bits/);
  assert.throws(() => parsePrefix("10.0.0.0/"), /must be the length of the prefix/);
  assert.throws(() => parsePrefix("10.0.0.0/8/8"), /neither/);
});

Deno.test("Scheduler accepts clients that are allowed and not denied", () => {
  const { scheduler, emitted } = schedulerOf({
    allow: [parsePrefix("10.0.0.0/8"), parsePrefix("2001:db8::/32")],
    deny: [parsePrefix("10.6.6.0/24")],
  });
  for (const client of ["10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3"]) open(scheduler, client);
  for (const client of ["192.168.1.1", "10.6.6.6", "::ffff:10.6.6.6", "a name"]) {
    assert.equal(acquire(scheduler, client, 0).refusal, "denied");
  }
  assert.equal(emitted.filter(({ type }) => type === "connection_refused").length, 4);
});

Deno.test("Scheduler limits the number of connections of each client", () => {
  const { scheduler } = schedulerOf({
    limits: { connections: 100, perClient: { connections: 2 } },
  });
  const first = open(scheduler, "10.0.0.1");
  const second = connecting(acquire(scheduler, "10.0.0.1", 0));
  assert.equal(acquire(scheduler, "10.0.0.1", 0).refusal, "client_connection_limit");
  open(scheduler, "10.0.0.2");
  // A retry does not count as a second connection.
  retried(second, 0);
  assert.equal(acquire(scheduler, "10.0.0.1", 0).refusal, "client_connection_limit");
  first.close("closed", 0);
  open(scheduler, "10.0.0.1");
});

Deno.test("Scheduler counts all IPv6 addresses in a /64 as one client", () => {
  const { scheduler } = schedulerOf({
    limits: { connections: 100, perClient: { connections: 1 } },
  });
  open(scheduler, "2001:db8::1");
  assert.equal(acquire(scheduler, "2001:db8::2", 0).phase, "ended");
  assert.equal(acquire(scheduler, "2001:db8:0:1::2", 0).phase, "connecting");
});

Deno.test("Scheduler limits the rate of each client, and accepts the connections of one second in one burst", () => {
  const { scheduler } = schedulerOf({ limits: { connections: 1e6, perClient: { rate: 5 } } });
  const cameIn = (at: number, attempts: number) => {
    let count = 0;
    for (let i = 0; i < attempts; i++) {
      if (acquire(scheduler, "10.0.0.1", at * NS_PER_S).phase === "connecting") count++;
    }
    return count;
  };
  assert.equal(cameIn(0, 20), 5);
  assert.equal(cameIn(0.2, 20), 1);
  assert.equal(cameIn(0.6, 20), 2);
  assert.equal(cameIn(60, 20), 5);
});

Deno.test("Admission never accepts more than rate · time + one burst", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.nat(300), { maxLength: 300, size: "max" }),
      (rate, gaps) => {
        const admission = new Admission({ perClient: { rate } });
        let now = 0;
        let admitted = 0;
        for (const gap of gaps) {
          now += gap * 1e6;
          if (admission.refusal("c", now) === undefined) admitted++;
        }
        assert.ok(admitted <= rate * now / NS_PER_S + Math.max(1, rate) + 1e-6, `${admitted}`);
      },
    ),
    { endOnFailure: true },
  );
});

Deno.test("Admission remembers a limited number of clients, and every client with a connection", () => {
  const admission = new Admission({ perClient: { connections: 1 } });
  admission.opened("10.0.0.1", 0);
  for (let i = 0; i < 250_000; i++) {
    admission.refusal(`11.${i >> 16}.${i >> 8 & 255}.${i & 255}`, i);
  }
  assert.equal(admission.size, 100_001);
  assert.equal(admission.refusal("10.0.0.1", 1), "client_connection_limit");
  admission.closed("10.0.0.1");
  assert.equal(admission.refusal("10.0.0.1", 1), undefined);
});

Deno.test("Scheduler.reconfigure() adds limits and removes them", () => {
  const { scheduler } = schedulerOf({});
  const options = {
    algorithm: { name: "round-robin" },
    backends: [{ id: "B1", weight: 1, backup: false }],
    healthCheck: { type: "tcp", interval: 1, jitter: 0, rise: 2, fall: 3 },
    retries: 0,
  } as const;
  const before = open(scheduler, "10.0.0.1");
  scheduler.reconfigure(
    { ...options, limits: { connections: 9, perClient: { connections: 1 } } },
    0,
  );
  const after = open(scheduler, "10.0.0.1");
  before.close("closed", 0);
  assert.equal(acquire(scheduler, "10.0.0.1", 0).phase, "ended", "the later one is still there");
  scheduler.reconfigure({ ...options, limits: { connections: 9 } }, 0);
  open(scheduler, "10.0.0.1");
  after.close("closed", 0);
});
