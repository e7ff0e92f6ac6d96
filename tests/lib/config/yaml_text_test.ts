import assert from "node:assert/strict";
import { finished } from "../../../lib/base/mod.ts";
import { readYaml } from "../../../lib/config/yaml_text.ts";

Deno.test("readYaml() reads a long text in many short steps", () => {
  const backends = Array.from({ length: 10_000 }, (_, i) => `  - {id: B${i}, address: a:80}\n`);
  const steps = readYaml(`backends:\n${backends.join("")}`);
  let count = 1;
  while (!steps.next().done) count++;
  assert.ok(count > 100, `${count} steps`);
});

Deno.test("readYaml() stops where a text is nested too deep or has too many parts", () => {
  const reading = (text: string) => {
    const steps = readYaml(text);
    for (let count = 1;; count++) {
      const { done, value } = steps.next();
      if (done) return { count, ...value };
    }
  };
  const { count, isBroken, diagnostics: [deep] } = reading("[".repeat(1_000_000));
  assert.deepEqual([count, isBroken], [1, true]);
  assert.deepEqual(deep!.at, { start: 50, end: 51 });
  const long = reading("\n".repeat(1_000_000));
  assert.ok(long.count <= 1501, `${long.count} steps`);
  assert.match(long.diagnostics[0]!.message, /too many parts/);
});

Deno.test("readYaml() stops at the first mistake of a text that is one long mistake", () => {
  const first: Record<string, number> = {
    ["}".repeat(50_000)]: 0,
    [`a: "${"\\q".repeat(50_000)}"\n`]: 4,
    ['"'.repeat(50_000)]: 2,
    [`a: [${",".repeat(50_000)}]\n`]: 5,
    [`a: ${"'b' ".repeat(50_000)}\n`]: 7,
    [`a: b\n---\n${"---\n".repeat(50_000)}`]: 5,
  };
  for (const [text, start] of Object.entries(first)) {
    const { document, diagnostics, isBroken } = finished(readYaml(text));
    const name = text.slice(0, 10);
    assert.deepEqual([isBroken, diagnostics.length], [true, 1], name);
    assert.equal(diagnostics[0]!.at?.start, start, name);
    // Each error that the parser collects costs time.
    assert.ok(document.errors.length < 10, `${document.errors.length} errors of ${name}`);
  }
});
