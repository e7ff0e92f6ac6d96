import assert from "node:assert/strict";
import { escapeAll, escapedJson, escapeLines, escapeText } from "../../../lib/base/escape.ts";

/** The codes of all characters that must not reach a terminal unescaped. */
const UNSAFE = [
  ...range(0x00, 0x1f),
  ...range(0x7f, 0x9f),
  0x061c,
  ...range(0x200e, 0x200f),
  ...range(0x2028, 0x202e),
  ...range(0x2066, 0x2069),
];

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

Deno.test("escapeText() escapes every control, bidirectional and line-separating character, and no other", () => {
  const unsafe = new Set(UNSAFE);
  for (let code = 0; code <= 0xffff; code++) {
    const character = String.fromCharCode(code);
    const shown = escapeText(`a${character}b`);
    if (unsafe.has(code)) assert.match(shown, /^a\\(?:[nrt]|u[0-9a-f]{4})b$/);
    else assert.equal(shown, `a${character}b`);
  }
});

Deno.test("escapeText() shows which characters it has escaped", () => {
  assert.equal(
    escapeText("\x1b]0;owned\x07\n\t\u009b31m\u202e"),
    "\\u001b]0;owned\\u0007\\n\\t\\u009b31m\\u202e",
  );
  assert.equal(escapeText("naïve 日本 👩‍👧 C:\\dir"), "naïve 日本 👩‍👧 C:\\dir");
});

Deno.test("escapeLines() keeps line feeds, and escapes all other control characters", () => {
  assert.equal(escapeLines("a\r\nb\x1b[2J\n"), "a\\r\nb\\u001b[2J\n");
});

Deno.test("escapedJson() is safe to show and parses to the same value", () => {
  const value = { [`k\u202e`]: String.fromCharCode(...UNSAFE), list: ["\u2028", 1, null] };
  const json = escapedJson(value);
  assert.equal(escapeText(json), json);
  assert.deepEqual(JSON.parse(json), value);
});

Deno.test("escapeAll() makes every text in a value safe, and keeps the rest", () => {
  const value = { "a\u202e": ["\x1b[2J", 1, null, { b: "\n" }], c: undefined, d: true };
  assert.deepEqual(escapeAll(value), {
    "a\\u202e": ["\\u001b[2J", 1, null, { b: "\\n" }],
    c: undefined,
    d: true,
  });
});
