import assert from "node:assert/strict";
import { formatAge, formatBytes, formatMs, formatNumber } from "../../../web/dashboard/format.ts";

Deno.test("formatNumber() is short at every size", () => {
  const expected = ["0", "0.25", "3.4", "3", "12", "999", "1,000", "12,346", "123k", "–", "–"];
  const given = [0, 0.25, 3.4, 3, 12.2, 999, 999.6, 12_345.6, 123_456, NaN, null];
  assert.deepEqual(given.map(formatNumber), expected);
});

Deno.test("formatMs() shows the unit, or a dash if nothing was measured", () => {
  assert.deepEqual(
    [0.123, 1, 12.6, 999, 1500, NaN, null, undefined].map(formatMs),
    ["0.12 ms", "1 ms", "13 ms", "999 ms", "1.5 s", "–", "–", "–"],
  );
});

Deno.test("formatAge() and formatBytes() choose the unit", () => {
  assert.deepEqual(
    [-5, 0, 59_999, 60_000, 3_600_000, 172_800_000].map(formatAge),
    ["0 s", "0 s", "59 s", "1 min", "1 h", "2 d"],
  );
  assert.deepEqual([0, 512, 1536, 5e6, 2e13].map(formatBytes), [
    "0 B",
    "512 B",
    "1.5 KB",
    "4.8 MB",
    "18 TB",
  ]);
});
