/**
 * The same seed gives the same bytes, on every platform and in every version that does not say otherwise:
 * digests of what came out when they were written down. A change that is meant to change results brings
 * new ones, printed by the test.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { loadStudy } from "../../lib/scenario/mod.ts";
import { Replicator } from "../../sim/replicator.ts";

/** By example: the digest of the first replication of every variant. */
const GOLDEN: Readonly<Record<string, string>> = {
  "fail-fast-sinkhole": "67ce1433966c9e08",
  "gray-failure": "ffb4300b3ffe5480",
  "nat-and-stickiness": "f5835d44e1f2f576",
  "retry-storm": "0876fc4c631fd5eb",
  "stale-views": "4249883e3a04d6be",
  "two-choices": "c9427f20e2330465",
  "slow-server": "f250efff3f7c79f8",
  "stuck-on-backup": "b57d1d93d5e35e68",
  "returned-server": "9d8d79db84774ffa",
  "coordinated-omission": "eed0795b1dabbe78",
  "slow-start": "a7c82bb2de42b9e6",
  "busy-clients": "49fe1fada8432083",
  "waiting-room": "57af57b5dfb1c155",
  "passive-ejection": "ab132113a1cb076c",
  "rolling-restart": "13037d570b48336d",
};

for (const [name, digest] of Object.entries(GOLDEN)) {
  Deno.test(`simulate() gives the bytes that it gave when ${name} was written down`, async () => {
    const { pathname } = new URL(`../../examples/${name}.yaml`, import.meta.url);
    const study = await loadStudy(pathname, []);
    const replicator = new Replicator(study);
    const hash = createHash("sha256");
    for (const variant of study.variants.keys()) {
      hash.update(JSON.stringify(replicator.run({ variant, replication: 0 })));
    }
    assert.equal(hash.digest("hex").slice(0, 16), digest);
  });
}
