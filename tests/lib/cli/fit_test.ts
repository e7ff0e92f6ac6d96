import assert from "node:assert/strict";
import { fitted } from "../../../lib/cli/fit.ts";

Deno.test("fitted() cuts a line that a terminal would wrap, and no other", () => {
  assert.equal(fitted("12345", 6), "12345");
  assert.equal(fitted("12345", 5), "123…");
  assert.equal(fitted("\x1b[32m12345\x1b[39m", 6), "\x1b[32m12345\x1b[39m");
  assert.equal(fitted("\x1b[32m12345\x1b[39m", 5), "123…");
  for (const columns of [0, 1, 2]) assert.ok(fitted("12345", columns).length <= columns);
});
