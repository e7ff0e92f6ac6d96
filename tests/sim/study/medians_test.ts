import assert from "node:assert/strict";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import type { ReplicationResult } from "../../../lib/metrics/mod.ts";
import { faultMedians } from "../../../sim/study/medians.ts";

Deno.test("faultMedians() returns medians over the runs in which a fault was detected", () => {
  const run = (detection: number | null) => ({
    faults: [{ backend: "B1", kind: "hang", at: 0, detection: [detection], failback: [] }],
  } as unknown as ReplicationResult);
  const medians = (...seconds: (number | null)[]) =>
    faultMedians([seconds.map((at) => run(at === null ? null : at * NS_PER_S))])[0]![0]!;
  assert.deepEqual(medians(9, null, 1, 2), { detection_ms: 2000, failback_ms: null });
  assert.equal(medians(1, 4).detection_ms, 2500);
  assert.equal(medians(null).detection_ms, null);
});
