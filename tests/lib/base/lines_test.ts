import assert from "node:assert/strict";
import fc from "fast-check";
import { LineReader, LineTooLong } from "../../../lib/base/lines.ts";

/** A source of these pieces. A read returns one piece, or as much of it as the buffer holds. */
function sourceOf(pieces: readonly Uint8Array[]) {
  const rest = pieces.filter(({ length }) => length > 0);
  return {
    read(buffer: Uint8Array): Promise<number | null> {
      const piece = rest[0];
      if (piece === undefined) return Promise.resolve(null);
      const count = Math.min(piece.length, buffer.length);
      buffer.set(piece.subarray(0, count));
      if (count === piece.length) rest.shift();
      else rest[0] = piece.subarray(count);
      return Promise.resolve(count);
    },
  };
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("LineReader.next() gives the lines of a text, whatever the pieces in which it arrives", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom("a", "é", "\n", "\r\n", "x".repeat(700)) })),
      async (parts) => {
        const text = parts.join("");
        const expected = text.split("\n").map((line) => line.replace(/\r$/, ""));
        if (expected.at(-1) === "" && !text.endsWith("\r")) expected.pop();
        const reader = new LineReader(sourceOf(parts.map(bytes)), 1e6);
        const lines: string[] = [];
        for (let line; (line = await reader.next()) !== null;) {
          lines.push(new TextDecoder().decode(line));
        }
        assert.deepEqual(lines, expected);
      },
    ),
  );
});

Deno.test("LineReader.next() throws for a line that is too long, with or without a line end", async () => {
  for (const text of ["x".repeat(5000), `${"x".repeat(5000)}\n`]) {
    const reader = new LineReader(sourceOf([bytes(text)]), 4096);
    await assert.rejects(reader.next(), LineTooLong);
  }
});

Deno.test("LineReader.skip() skips bytes between lines", async () => {
  const reader = new LineReader(sourceOf([bytes("head\nabc"), bytes("defrest\n")]), 100);
  await reader.next();
  assert.equal(await reader.skip(6), true);
  assert.equal(new TextDecoder().decode((await reader.next())!), "rest");
  assert.equal(await reader.skip(1), false);
});
