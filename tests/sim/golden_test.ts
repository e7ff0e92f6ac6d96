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
  "fail-fast-sinkhole": "9c09daea0dbc2db8",
  "gray-failure": "f3a5b0e21346392f",
  "nat-and-stickiness": "edea6df213f53246",
  "retry-storm": "18ef4c343b0bceca",
  "stale-views": "16f2e7c8749a881a",
  "two-choices": "a5a20cfffaa839e7",
  "slow-server": "83973258f8701880",
  "stuck-on-backup": "e1a44a667ac9e92d",
  "returned-server": "a99ce8c3bd38cbbf",
  "coordinated-omission": "eed0795b1dabbe78",
  "slow-start": "c07c792e9c37269d",
  "busy-clients": "19d6c01e14f63dfa",
  "waiting-room": "b8194a370ec2868e",
  "passive-ejection": "d014b385e70f32fa",
  "rolling-restart": "d5e9fc670ee7e9a0",
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
