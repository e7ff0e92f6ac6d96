/** Every scenario in examples/ is run, and what it expects is held. */
import assert from "node:assert/strict";
import { loadStudy } from "../../lib/files/load_study.ts";
import { byVariant, runStudy } from "../../sim/study/run_study.ts";
import { summarise } from "../../sim/study/summary.ts";
import { WorkerPool } from "../../sim/threads/workers.ts";

const MAIN = new URL("../../main.ts", import.meta.url).href;
const EXAMPLES = new URL("../../examples/", import.meta.url);
const FILES = [...Deno.readDirSync(EXAMPLES)].map(({ name }) => name)
  // A balancer's configuration is no scenario: tests/lb/init_command_test.ts tries it.
  .filter((name) => name.endsWith(".yaml") && name !== "local.yaml").toSorted();

Deno.test("examples/ has at least ten scenarios", () => {
  assert.ok(FILES.length >= 10, FILES.join());
});

for (const file of FILES) {
  Deno.test(`examples/${file} has what to watch and its source, and its expectations hold`, async () => {
    const { pathname } = new URL(file, EXAMPLES);
    const study = await loadStudy(pathname, []);
    const { title, watch, source, expect, inputs } = study;
    assert.ok(title !== undefined && watch !== undefined && source.length > 0 && expect.length > 0);
    assert.match(inputs.scenario.text, /^# yaml-language-server: \$schema=\.\.\/lib\/scenario\//);
    using pool = new WorkerPool(MAIN, 2, study);
    const { expectations } = summarise(study, byVariant(study, await runStudy(study, pool)));
    const broken = expectations.filter(({ holds }) => !holds);
    assert.deepEqual(broken, []);
  });
}
