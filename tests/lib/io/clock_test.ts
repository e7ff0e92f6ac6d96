import assert from "node:assert/strict";
import { timerDelay } from "../../../lib/io/clock.ts";

Deno.test("timerDelay() rounds up, and shortens a delay that is too long for a timer", () => {
  assert.deepEqual([-5, 0, 1, 1_000_000, 1_000_001].map(timerDelay), [0, 0, 1, 1, 2]);
  assert.equal(timerDelay(90 * 24 * 3600 * 1e9), 2 ** 31 - 1);
});
