import assert from "node:assert/strict";
import {
  BUFFER_SIZES,
  BufferPool,
  LARGEST_LENT_MAX,
  nextSizeClass,
  sizeClassOf,
} from "../../../lb/relay/buffers.ts";

Deno.test("BufferPool.take() lends buffers of the requested size", () => {
  const pool = new BufferPool();
  for (const [sizeClass, size] of BUFFER_SIZES.entries()) {
    const buffer = pool.take(sizeClass);
    assert.equal(buffer.length, size);
    assert.equal(sizeClassOf(buffer), sizeClass);
  }
  assert.equal(pool.lent, BUFFER_SIZES.length);
});

Deno.test("BufferPool.take() lends buffers that do not overlap", () => {
  const pool = new BufferPool();
  const buffers = BUFFER_SIZES.flatMap((_, sizeClass) =>
    Array.from({ length: sizeClass < 2 ? 300 : 40 }, () => pool.take(sizeClass))
  );
  buffers.forEach((buffer, i) => buffer.fill(i % 251));
  for (const [i, buffer] of buffers.entries()) {
    assert.ok(buffer.every((byte) => byte === i % 251), `buffer ${i} is shared`);
  }
});

Deno.test("BufferPool.give() lets a buffer be used again", () => {
  const pool = new BufferPool();
  for (const sizeClass of BUFFER_SIZES.keys()) {
    const buffer = pool.take(sizeClass);
    pool.give(buffer);
    assert.equal(pool.take(sizeClass), buffer);
  }
  assert.equal(pool.lent, BUFFER_SIZES.length);
});

Deno.test("BufferPool.take() lends a limited number of the largest buffers, then buffers of the class below", () => {
  const pool = new BufferPool();
  const largest = BUFFER_SIZES.length - 1;
  const lent = Array.from({ length: LARGEST_LENT_MAX }, () => pool.take(largest));
  assert.ok(lent.every((buffer) => sizeClassOf(buffer) === largest));
  const instead = pool.take(largest);
  assert.equal(sizeClassOf(instead), largest - 1);
  pool.give(lent[0]!);
  assert.equal(sizeClassOf(pool.take(largest)), largest);
  pool.give(instead);
  assert.equal(pool.lent, LARGEST_LENT_MAX);
});

Deno.test("nextSizeClass() grows while reads fill the buffer, and is small again when a read will wait", () => {
  const classes = [0];
  const [small, middle, big, largest] = BUFFER_SIZES;
  const counts = [10, small, middle, big, largest, largest, largest - 1, middle, big - 1, 3, 3];
  for (const count of counts) classes.push(nextSizeClass(classes.at(-1)!, count));
  assert.deepEqual(classes, [0, 0, 1, 2, 3, 3, 3, 1, 2, 1, 0, 0]);
});
