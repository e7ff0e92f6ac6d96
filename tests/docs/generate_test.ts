import assert from "node:assert/strict";
import { GENERATED, GENERATED_PARTS, withPart } from "../../docs/generate.ts";

const ROOT = new URL("../../", import.meta.url);

/** Formatters may pad the cells of a table. */
function withoutPadding(text: string): string {
  return text.replaceAll(/ +\|/g, " |").replaceAll(/-{3,}/g, "---");
}

for (const [path, text] of Object.entries(GENERATED)) {
  Deno.test(`${path} is up to date: run \`deno task generate\``, async () => {
    assert.equal(await Deno.readTextFile(new URL(path, ROOT)), text());
  });
}

for (const { path, name, text } of GENERATED_PARTS) {
  Deno.test(`${path} has the ${name} that is generated: run \`deno task generate\``, async () => {
    const document = await Deno.readTextFile(new URL(path, ROOT));
    assert.equal(withoutPadding(document), withoutPadding(withPart(document, name, text())));
  });
}

Deno.test("withPart() puts a text between its markers, and throws if the markers are missing", () => {
  const document = "a\n<!-- x:start -->\nold\n<!-- x:end -->\nb\n";
  const changed = withPart(document, "x", "new");
  assert.match(changed, /^a\n<!-- x:start -->[^]*\nnew\n[^]*<!-- x:end -->\nb\n$/);
  assert.doesNotMatch(changed, /old/);
  assert.throws(() => withPart("a", "x", "new"), /there is no <!-- x:start -->/);
});
