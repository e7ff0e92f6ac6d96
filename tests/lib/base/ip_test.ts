import assert from "node:assert/strict";
import { formatPrefix, parsePrefix } from "../../../lib/base/ip.ts";

Deno.test("formatPrefix() writes a prefix in the same way, whatever its spelling was", () => {
  const spellings = {
    "::ffff:10.0.0.0/104": "10.0.0.0/8",
    "::ffff:a00:0/104": "10.0.0.0/8",
    "::ffff:10.0.0.7": "10.0.0.7",
    "::ffff:0:0/96": "0.0.0.0/0",
    "10.1.2.3/8": "10.0.0.0/8",
    "2001:DB8:0::7/32": "2001:db8::/32",
    "FE80:0:0::1": "fe80::1",
    "::/0": "::/0",
  };
  for (const [written, canonical] of Object.entries(spellings)) {
    assert.equal(formatPrefix(parsePrefix(written)), canonical, written);
    assert.deepEqual(parsePrefix(canonical), parsePrefix(written), written);
  }
});
