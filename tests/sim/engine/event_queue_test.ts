import assert from "node:assert/strict";
import { createRandom } from "../../../lib/base/mod.ts";
import { EventQueue, MAX_KIND } from "../../../sim/engine/event_queue.ts";

Deno.test("EventQueue.next() returns events in the order of their times", () => {
  const queue = new EventQueue();
  for (const time of [5, 1, 4, 2, 3]) queue.push(time, 1, time * 10);
  const seen: number[] = [];
  while (queue.next()) {
    assert.equal(queue.subject, queue.time * 10);
    seen.push(queue.time);
  }
  assert.deepEqual(seen, [1, 2, 3, 4, 5]);
});

Deno.test("EventQueue.next() returns events of the same time in the order in which they were scheduled", () => {
  const queue = new EventQueue();
  const random = createRandom(1);
  for (let i = 0; i < 5000; i++) queue.push(Math.floor(random.next() * 5), 0, i);
  let lastTime = -1;
  let lastSequence = 0;
  while (queue.next()) {
    if (queue.time === lastTime) assert.ok(queue.sequence > lastSequence);
    else assert.ok(queue.time > lastTime);
    lastTime = queue.time;
    lastSequence = queue.sequence;
  }
});

Deno.test("EventQueue returns the same events as a sorted list, for random calls of push() and next()", () => {
  const random = createRandom(2);
  const single = 3;
  const queue = new EventQueue(undefined, single);
  let model: { time: number; kind: number; subject: number; sequence: number }[] = [];
  let now = 0;
  let longest = 0;
  let emptied = 0;
  for (let step = 0; step < 30_000; step++) {
    // The queue grows to about 150 events and shrinks to none, again and again: it is a list and a heap in turn.
    const isGrowing = step % 600 < 300;
    const pushes = isGrowing || random.next() < 0.3 ? Math.floor(random.next() * 4) : 0;
    for (let i = 0; i < pushes; i++) {
      const time = now + Math.floor(random.next() * 20);
      const kind = Math.floor(random.next() * (MAX_KIND + 1));
      if (kind === single && model.some((event) => event.kind === single)) continue;
      const subject = Math.floor(random.next() * 2 ** 26);
      model.push({ time, kind, subject, sequence: queue.push(time, kind, subject) });
    }
    assert.equal(queue.size, model.length);
    longest = Math.max(longest, model.length);
    if (model.length === 0) emptied++;
    assert.equal(queue.nextTime, Math.min(Infinity, ...model.map((event) => event.time)));
    const more = queue.next();
    assert.equal(more, model.length > 0);
    if (!more) continue;
    model.sort((a, b) => a.time - b.time || a.sequence - b.sequence);
    const [first, ...rest] = model;
    const { time, kind, subject, sequence } = queue;
    assert.deepEqual({ time, kind, subject, sequence }, first);
    now = time;
    model = rest;
  }
  assert.ok(longest > 100 && emptied > 10, `${longest}, ${emptied}`);
});

Deno.test("EventQueue.push() accepts only one event of the single kind at a time", () => {
  const queue = new EventQueue(undefined, 1);
  queue.push(5, 1, 0);
  assert.throws(() => queue.push(6, 1, 0), /one event of the single kind/);
  assert.equal(queue.next(), true);
  assert.equal(queue.size, 0);
  queue.push(7, 1, 0);
  assert.equal(queue.size, 1);
  assert.equal(queue.idle, false);
});

Deno.test("EventQueue.next() returns false when no event is left, and returns events again after a push", () => {
  const queue = new EventQueue();
  assert.equal(queue.next(), false);
  queue.push(1, 2, 3);
  assert.equal(queue.next(), true);
  assert.equal(queue.size, 0);
  assert.equal(queue.next(), false);
  queue.push(7, 2, 3);
  assert.equal(queue.next(), true);
  assert.equal(queue.time, 7);
  assert.equal(queue.scheduled, 2);
});

Deno.test("EventQueue.pushedAt() returns when an event was scheduled, for the latest events", () => {
  const queue = new EventQueue();
  const early = queue.push(5, 1, 1);
  assert.ok(Number.isNaN(queue.pushedAt(early)));
  queue.keepPushTimes(4);
  queue.next();
  const late = [1, 2, 3, 4].map((wait) => queue.push(queue.time + wait, 1, wait));
  assert.deepEqual(late.map((sequence) => queue.pushedAt(sequence)), [5, 5, 5, 5]);
  assert.ok(Number.isNaN(queue.pushedAt(early)));
  queue.next();
  queue.push(9, 1, 1);
  assert.ok(Number.isNaN(queue.pushedAt(late[0]!)));
});
