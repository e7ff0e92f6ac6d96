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
  "fail-fast-sinkhole": "f3794a28ab1ff785",
  "gray-failure": "a57821e9854dd792",
  "nat-and-stickiness": "13ab0801d8640d66",
  "retry-storm": "595d1c9c5873a63f",
  "stale-views": "aca5cf148c5e0a28",
  "two-choices": "c9cbdfd7c797a661",
  "slow-server": "67af5a8c3bf4efdf",
  "stuck-on-backup": "451c8b986bc4587b",
  "returned-server": "96cd7bb3d6b2bc65",
  "coordinated-omission": "eed0795b1dabbe78",
  "slow-start": "f585bd5634bc5b62",
  "busy-clients": "b0a1900eb64486a1",
  "waiting-room": "48ca1c91fb8614e6",
  "passive-ejection": "d77512968c95aa02",
  "rolling-restart": "eba2889030a79511",
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
