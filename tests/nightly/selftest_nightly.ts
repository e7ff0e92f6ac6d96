import assert from "node:assert/strict";
import { byVariant, runStudy } from "../../sim/study/run_study.ts";
import { judge, selftestStudies } from "../../sim/theory/selftest.ts";
import { LocalExecutor } from "../sim/study.ts";

Deno.test("judge() finds that every study of the self-test agrees with theory", async () => {
  for (const study of selftestStudies()) {
    const results = byVariant(study, await runStudy(study, new LocalExecutor(study)));
    assert.deepEqual(judge(study, results).filter(({ holds }) => !holds), []);
  }
});
