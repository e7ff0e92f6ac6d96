/**
 * The same seed gives the same bytes, on every platform, and in every version unless a change of results is intended.
 * The digests are those of the results at the time when they were recorded. A change that is meant to change results
 * needs new digests, which the failed test prints.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Study } from "../../lib/scenario/mod.ts";
import { loadStudy } from "../../lib/files/load_study.ts";
import { Replicator } from "../../sim/study/replicator.ts";
import { studyFrom } from "./study.ts";

/** By example: the digest of the first replication of every variant. */
const GOLDEN: Readonly<Record<string, string>> = {
  "fail-fast-sinkhole": "3a267caa1a09756a",
  "gray-failure": "eb2ae2e8b95144ef",
  "nat-and-stickiness": "6b06eb5d2eef3308",
  "retry-storm": "9375a904186ffdfb",
  "stale-views": "162a793cf7d8dcd7",
  "two-choices": "680d5051a0ccffe7",
  "slow-server": "ff65c686f28f379c",
  "stuck-on-backup": "6773596a65949f1f",
  "returned-server": "f265fa3d836fdcd3",
  "coordinated-omission": "40912990fdbfe305",
  "slow-start": "c48ca2988d3fc3a3",
  "busy-clients": "c38ebf117f33c133",
  "waiting-room": "ce2028ddde0a4202",
  "passive-ejection": "588e7c422ebf54ad",
  "rolling-restart": "d727a0adcf0e006b",
};

/** Algorithms that compute with more than counts, in a run with faults and slow backends. */
const BY_ALGORITHM: Readonly<Record<string, string>> = {
  "peak-ewma": "23b46728adddc963",
  "prequal": "af922702c7680501",
  "source-hash": "4e8d5e9ac0e0d3c4",
};

for (const [name, digest] of Object.entries(BY_ALGORITHM)) {
  Deno.test(`simulate() with ${name} gives the recorded digest`, () => {
    const study = studyFrom(`
balancer:
  algorithm: ${name}
  backends: [{id: B1}, {id: B2, weight: 3}, {id: B3}, {id: B4, weight: 2}, {id: B5}, {id: B6}]
duration: 20s
service: {lognormal: {mean: 20ms, sigma: 1.5}}
servers: {default: {slots: 2}}
workload: {arrivals: {poisson: {load: 70%}}, clients: {count: 500}, timeout: 1s}
faults:
  - {at: 5s, for: 5s, backend: B1, kind: pause}
  - {at: 8s, for: 8s, backend: B2, kind: {slow: 4}}
`);
    assert.equal(digestOf(study), digest);
  });
}

for (const [name, digest] of Object.entries(GOLDEN)) {
  Deno.test(`simulate() of examples/${name}.yaml gives the recorded digest`, async () => {
    const { pathname } = new URL(`../../examples/${name}.yaml`, import.meta.url);
    assert.equal(digestOf(await loadStudy(pathname, [])), digest);
  });
}

/** Functions whose last bits ECMAScript leaves to the engine. */
const INEXACT = [
  ...["acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "exp"],
  ...["expm1", "hypot", "log", "log10", "log1p", "log2", "pow", "sin", "sinh", "tan", "tanh"],
] as const;

/**
 * The digest of the first replication of every variant. The runs must not call functions that
 * differ between engines.
 */
function digestOf(study: Study): string {
  const replicator = new Replicator(study);
  const hash = createHash("sha256");
  const own = Object.fromEntries(
    INEXACT.map((name) => [name, Object.getOwnPropertyDescriptor(Math, name)!]),
  );
  const banned = () => {
    throw new Error("a simulation calls a function that differs between engines");
  };
  for (const name of INEXACT) Object.defineProperty(Math, name, { ...own[name], value: banned });
  try {
    for (const variant of study.variants.keys()) {
      hash.update(JSON.stringify(replicator.run({ variant, replication: 0 })));
    }
  } finally {
    Object.defineProperties(Math, own);
  }
  return hash.digest("hex").slice(0, 16);
}
