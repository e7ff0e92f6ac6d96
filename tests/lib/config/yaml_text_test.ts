import assert from "node:assert/strict";
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
