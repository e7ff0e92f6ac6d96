import assert from "node:assert/strict";
import { BUFFER_SIZES, BufferPool, nextSizeClass } from "../../lb/buffers.ts";

Deno.test("BufferPool.take() lends buffers of the size that was asked for", () => {
  const pool = new BufferPool();
  for (const [sizeClass, size] of BUFFER_SIZES.entries()) {
    assert.equal(pool.take(sizeClass).length, size);
  }
  assert.equal(pool.lent, BUFFER_SIZES.length);
});

Deno.test("BufferPool.take() lends no byte twice", () => {
  const pool = new BufferPool();
  const buffers = BUFFER_SIZES.flatMap((_, sizeClass) =>
    Array.from({ length: 300 }, () => pool.take(sizeClass))
  );
  buffers.forEach((buffer, i) => buffer.fill(i % 251));
  for (const [i, buffer] of buffers.entries()) {
    assert.ok(buffer.every((byte) => byte === i % 251), `buffer ${i} is shared`);
  }
});

Deno.test("BufferPool.give() makes a buffer be used again", () => {
  const pool = new BufferPool();
  for (const sizeClass of BUFFER_SIZES.keys()) {
    const buffer = pool.take(sizeClass);
    pool.give(sizeClass, buffer);
    assert.equal(pool.take(sizeClass), buffer);
  }
  assert.equal(pool.lent, BUFFER_SIZES.length);
});

Deno.test("nextSizeClass() grows while reads fill the buffer, and waits small", () => {
  const classes = [0];
  const [small, middle, big] = BUFFER_SIZES;
  const counts = [10, small, middle, big, big, big - 1, middle, middle - 1, small, 3, 3];
  for (const count of counts) classes.push(nextSizeClass(classes.at(-1)!, count));
  assert.deepEqual(classes, [0, 0, 1, 2, 2, 2, 1, 2, 1, 1, 0, 0]);
});
