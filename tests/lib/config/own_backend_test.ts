import assert from "node:assert/strict";
import { parseAddress } from "../../../lib/base/address.ts";
import { arrivesAt } from "../../../lib/config/own_backend.ts";

const LOCAL = ["192.0.2.2", "fd00::2"];

Deno.test("arrivesAt() says whether a connect to an address arrives at the listener", () => {
  const cases: readonly (readonly [listen: string, target: string, boolean])[] = [
    ["192.0.2.2:80", "192.0.2.2:80", true],
    ["192.0.2.2:80", "192.0.2.2:81", false],
    ["192.0.2.2:80", "192.0.2.3:80", false],
    ["192.0.2.2:80", "127.0.0.1:80", false],
    ["127.0.0.1:80", "localhost:80", true],
    ["127.0.0.1:80", "127.0.0.2:80", false],
    ["127.0.0.1:80", "0.0.0.0:80", true],
    ["127.0.0.1:80", "[::ffff:127.0.0.1]:80", true],
    ["localhost:80", "[::1]:80", true],
    ["lab.local:80", "lab.local:80", true],
    ["0.0.0.0:80", "localhost:80", true],
    ["0.0.0.0:80", "127.9.9.9:80", true],
    ["0.0.0.0:80", "192.0.2.2:80", true],
    ["0.0.0.0:80", "192.0.2.3:80", false],
    ["0.0.0.0:80", "[::1]:80", false],
    ["0.0.0.0:80", "[fd00::2]:80", false],
    ["[::]:80", "[::1]:80", true],
    ["[::]:80", "[fd00::2%eth0]:80", true],
    ["[::]:80", "192.0.2.2:80", true],
    ["[::]:80", "[::]:80", true],
    ["[::]:80", "[fd00::3]:80", false],
  ];
  for (const [listen, target, expected] of cases) {
    const arrives = arrivesAt(parseAddress(listen), parseAddress(target), LOCAL);
    assert.equal(arrives, expected, `${target} with listen: ${listen}`);
  }
  assert.ok(!arrivesAt({ host: "0.0.0.0", port: 0 }, { host: "127.0.0.1", port: 0 }, LOCAL));
});
