import assert from "node:assert/strict";
import { parseStudy } from "../../../lib/scenario/study.ts";
import { byVariant, runStudy } from "../../../sim/study/run_study.ts";
import { judge, selftestStudies, verdictLines } from "../../../sim/theory/selftest.ts";
import { LocalExecutor } from "../study.ts";

Deno.test("judge() finds that the simulator agrees with theory, and gives no verdict if the noise is too large", async () => {
  const [models] = selftestStudies();
  const short = (...set: string[]) => parseStudy({ ...models!.inputs, set });
  const verdicts = async (study: typeof models & object) =>
    judge(study, byVariant(study, await runStudy(study, new LocalExecutor(study))));
  const one = "compare={balancer: [{backends: 5, algorithm: least-connections}]}";
  const good = await verdicts(short(one, "duration=300s"));
  assert.deepEqual(good.map(({ metric, holds }) => [metric, holds]), [
    ["mean_ms", true],
    ["p99_ms", true],
  ]);
  const noisy = await verdicts(short(one, "duration=10s", "warmup=1s", "replications=16"));
  assert.ok(noisy.every(({ holds }) => !holds));
  const lines = verdictLines([...good, ...noisy]);
  assert.match(lines[1]!, /^JSQ\(5\) +mean_ms +13\.9 .* agrees$/);
  assert.match(lines[3]!, /TOO NOISY$/);
});
