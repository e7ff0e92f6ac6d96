import assert from "node:assert/strict";
import { createRandom } from "../../../lib/base/mod.ts";
import { warmupLength } from "../../../lib/stats/mser.ts";

function noise(length: number, seed: number): number[] {
  const random = createRandom(seed);
  return Array.from({ length }, () => random.next());
}

Deno.test("warmupLength() cuts off a start that is unlike the rest", () => {
  const values = noise(1000, 1).map((value, i) => value + (i < 100 ? 10 * (1 - i / 100) : 0));
  const length = warmupLength(values);
  assert.ok(length >= 80 && length <= 130, `${length}`);
});

Deno.test("warmupLength() cuts off little of a steady series", () => {
  const lengths = Array.from({ length: 20 }, (_, seed) => warmupLength(noise(1000, seed + 2)));
  const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  assert.ok(mean < 150, `${lengths}`);
});

Deno.test("warmupLength() never cuts off more than half", () => {
  assert.ok(warmupLength(Array.from({ length: 1000 }, (_, i) => 1000 - i)) <= 500);
  assert.equal(warmupLength([]), 0);
  assert.equal(warmupLength([1, 2, 3]), 0);
});
