import assert from "node:assert/strict";
import { UserError } from "../../../lib/base/mod.ts";
import { YamlFile } from "../../../lib/config/mod.ts";
import { loadStudy, studyOf } from "../../../lib/files/load_study.ts";

const TRACED = "balancer: {backends: 1}\nworkload: {arrivals: {trace: visits.csv}}\n";

Deno.test("studyOf() says which kind of file is missing", async () => {
  const of = (text: string) => studyOf(new YamlFile({ file: "s.yaml", text }), []);
  await assert.rejects(of(TRACED), (error) => {
    assert.ok(error instanceof UserError);
    assert.match(error.hint!, /CSV file with recorded arrivals/);
    return true;
  });
  await assert.rejects(of("extends: none.yaml\n"), (error) => {
    assert.ok(error instanceof UserError);
    assert.match(error.hint!, /names a config\.yaml/);
    return true;
  });
});

Deno.test("studyOf() reads a trace of more than a megabyte", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const rows = Array.from({ length: 200_000 }, (_, i) => `${i / 1000},${i % 100},0.005`);
    await Deno.writeTextFile(`${directory}/visits.csv`, `at,client,service\n${rows.join("\n")}\n`);
    const { variants } = await studyOf(
      new YamlFile({ file: `${directory}/s.yaml`, text: TRACED }),
      [],
    );
    const { arrivals } = variants[0]!.scenario.workload;
    assert.ok(arrivals.kind === "trace");
    assert.equal(arrivals.entries.length, 200_000);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("studyOf() names the flag if the file that the flag names is missing", async () => {
  const scenario = new YamlFile({ file: "s.yaml", text: "balancer: {backends: 1}\n" });
  for (const set of ["extends=none.yaml", "workload.arrivals.trace=none.csv"]) {
    await assert.rejects(studyOf(scenario, ["seed=1", set]), (error) => {
      assert.ok(error instanceof UserError);
      assert.ok(error.message.startsWith(`--set ${set}: none.`), error.message);
      return true;
    });
  }
});

Deno.test("loadStudy() compares all algorithms if the file is a balancer's configuration", async () => {
  const { pathname } = new URL("../../../config.yaml", import.meta.url);
  const { variants, inputs } = await loadStudy(pathname, []);
  assert.equal(variants.length, 11);
  assert.deepEqual(Object.keys(inputs.files), ["config.yaml"]);
});
