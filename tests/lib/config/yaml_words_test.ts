/** Mistakes in YAML are reported in plain words, at the place that must be changed. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { DiagnosticsError, parseConfig } from "../../../lib/config/mod.ts";

function said(text: string): string {
  try {
    parseConfig({ file: "f", text });
  } catch (error) {
    if (error instanceof DiagnosticsError) return error.message;
    throw error;
  }
  return "";
}

const CASES: readonly (readonly [text: string, says: RegExp])[] = [
  ["a: 1\nb: [{c: 1}\nd: 3\n", /^f:2:4: not valid YAML: no \] closes this \[\n[^]*add the \]/],
  ["a: [{c: 1]\n", /^f:1:5: not valid YAML: no } closes this {/],
  ["a: [\n1\n]\n", /^f:1:4: .*\n[^]*each line of the list is indented deeper than its key/],
  ["a: {b: 1}}\n", /^f:1:10: not valid YAML: this } closes nothing/],
  ['a: "b\nc: d\n', /^f:1:4: not valid YAML: no " ends this text/],
  ["a: [b,, c]\n", /^f:1:7: not valid YAML: there is nothing between two commas/],
  ["a: [{b: 1 c: 2}]\n", /^f:1:9: not valid YAML: a comma is missing between two items/],
  ["a: [{b: [::1]:80}]\n", /goes in quotes: "\[::1\]:80"$/],
  ["a: b: c\n", /^f:1:4: not valid YAML: there is a second ": " in this line/],
  ["a: h: 80\n", /no space before the port: h:80$/],
  ["a: b\n  c: d\n", /^f:1:4: not valid YAML: the next line is indented deeper than its key/],
  ["a:\n  - b: 1\n   c: 2\n", /^f:3:1: not valid YAML: this line begins in another column/],
  ["  a: 1\nb: 2\n", /^f:2:1: not valid YAML: this line begins in another column/],
  ["a: 1\nb\n", /^f:2:1: not valid YAML: a colon is missing after the key/],
  ["a: b\n- c\n", /^f:2:1: not valid YAML: an item of a list stands where a key is expected/],
  ["a: - b\n", /^f:1:4: not valid YAML: a list with dashes begins on the line after its key/],
  ["a: 'b' c\n", /^f:1:8: not valid YAML: there is more text after the end of the value/],
  ["a: @b\n", /text cannot begin with @[^]*goes in quotes: "@b"$/],
  ["a: %b\n", /text cannot begin with %[^]*goes in quotes: "%b"$/],
  ['a: "\\q"\n', /^f:1:5: not valid YAML: \\q has no meaning in double quotes/],
  ["a: 'b'#c\n", /^f:1:7: not valid YAML: a space is missing before the #/],
  ["a: *\n", /^f:1:4: not valid YAML: a name is missing after \*/],
  ["%FOO\na: 1\n", /lines that begin with % are instructions to the YAML parser/],
  ["a: |x\n  b\n", /^f:1:5: not valid YAML: on this line nothing may follow \| or >/],
];

for (const [text, says] of CASES) {
  Deno.test(`parseConfig() reports a YAML mistake in plain words: ${JSON.stringify(text)}`, () => {
    assert.match(said(text), says);
  });
}

Deno.test("parseConfig() never uses the YAML parser's words", () => {
  const piece = fc.constantFrom(
    ..."a b: - [ ] { } , : # & * ! | > ' \" % @ ` ? \n \t".split(" "),
    ...["\n", "\n  ", " ", "\n- ", "\n   ", "a: 1\n", "b: ["],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const first = said(pieces.join("")).split("\n").filter((line) =>
        /^f[:\d]*: not valid/.test(line)
      );
      for (const line of first) {
        assert.doesNotMatch(
          line,
          /\b(flow|scalar|mappings?|sequence|implicit|token|block|indicator)\b/i,
        );
      }
    }),
    { numRuns: 2000 },
  );
});
