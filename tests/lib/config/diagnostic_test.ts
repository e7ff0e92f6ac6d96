import assert from "node:assert/strict";
import { render } from "../../../lib/config/diagnostic.ts";
import { escapeText } from "../../../lib/base/escape.ts";

Deno.test("render() puts the carets under the wrong text, even if that text is escaped", () => {
  for (const before of ["", "a: ", "\x1b[2J", "\u009b\u202e\x07: ", "\t"]) {
    for (const marked of ["value", "\x1b[31mred", "\u202e\u2066", "a\x00b\x7f"]) {
      const text = `first: 1\n${before}${marked} # \x1b]0;title\x07\nlast: 1\n`;
      const start = text.indexOf(marked, "first: 1\n".length + before.length);
      const message = `wrong: ${marked}\nforged`;
      const file = "x\x1b.yaml";
      const at = { start, end: start + marked.length };
      const lines = render({ message, at, hint: marked }, { file, text }).split("\n");
      const [head, excerpt, carets, hint, ...more] = lines;
      assert.equal(more.length, 0);
      assert.ok(head!.startsWith("x\\u001b.yaml:2:"));
      assert.ok(head!.endsWith(`wrong: ${escapeText(marked)}\\nforged`));
      assert.equal(hint, `  ${escapeText(marked)}`);
      const column = carets!.indexOf("^");
      assert.equal(excerpt!.slice(column, carets!.length), escapeText(marked));
      for (const line of lines) assert.equal(escapeText(line), line);
    }
  }
});
