import assert from "node:assert/strict";
import { Agenda } from "../../bench/core/agenda.ts";
import { Fifo } from "../../bench/core/fifo.ts";
import { createRandom } from "../../lib/base/mod.ts";

Deno.test("Agenda gives what is due, in order of time and then of entry", () => {
  const random = createRandom(1);
  const agenda = new Agenda<{ at: number; entry: number }>();
  const items = Array.from({ length: 1000 }, (_, entry) => ({
    at: Math.floor(random.next() * 50),
    entry,
  }));
  for (const item of items) agenda.add(item.at, item);
  assert.equal(agenda.take(-1), undefined);
  const expected = items.toSorted((a, b) => a.at - b.at || a.entry - b.entry);
  for (const item of expected) {
    assert.equal(agenda.next, item.at);
    assert.equal(agenda.take(item.at), item);
  }
  assert.deepEqual([agenda.size, agenda.next], [0, Infinity]);
});

Deno.test("Fifo gives its items in their order, also when it grows", () => {
  const fifo = new Fifo<number>();
  let [pushed, shifted] = [0, 0];
  for (let round = 1; round <= 100; round++) {
    for (let i = 0; i < round; i++) fifo.push(pushed++);
    for (let i = 0; i < round / 2; i++) {
      assert.equal(fifo.first, shifted);
      assert.equal(fifo.shift(), shifted++);
    }
    assert.equal(fifo.size, pushed - shifted);
  }
  while (fifo.size > 0) assert.equal(fifo.shift(), shifted++);
  assert.deepEqual([shifted, fifo.first, fifo.shift()], [pushed, undefined, undefined]);
});
