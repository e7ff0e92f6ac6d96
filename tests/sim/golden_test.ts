/**
 * The same seed gives the same bytes, on every platform and in every version that does not say otherwise:
 * digests of what came out when they were written down. A change that is meant to change results brings
 * new ones, printed by the test.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { loadStudy, type Study } from "../../lib/scenario/mod.ts";
import { Replicator } from "../../sim/replicator.ts";
import { studyFrom } from "./study.ts";

/** By example: the digest of the first replication of every variant. */
const GOLDEN: Readonly<Record<string, string>> = {
  "fail-fast-sinkhole": "524a8102b3e5ad2f",
  "gray-failure": "d29afb772beede4a",
  "nat-and-stickiness": "940140a35a0bf2a6",
  "retry-storm": "ec863b7846cb740d",
  "stale-views": "36b29ed3bf74d194",
  "two-choices": "42547300692be13e",
  "slow-server": "93f05b851ade87fe",
  "stuck-on-backup": "b96dade4f21556db",
  "returned-server": "80bc248d9305ffa3",
  "coordinated-omission": "40912990fdbfe305",
  "slow-start": "5af17e27ad4a09d3",
  "busy-clients": "ca17218c4cc21517",
  "waiting-room": "e104f1cd4330329c",
  "passive-ejection": "b63e0eb434851a45",
  "rolling-restart": "21f796bb0474f423",
};

/** Algorithms that compute with more than counts, in a run in which each has something to learn. */
const BY_ALGORITHM: Readonly<Record<string, string>> = {
  "peak-ewma": "56c0e7971c7230d8",
  "prequal": "1f3e284167a5a316",
  "source-hash": "66a84c6abdbe20db",
};

for (const [name, digest] of Object.entries(BY_ALGORITHM)) {
  Deno.test(`simulate() gives the bytes that it gave for ${name} when that was written down`, () => {
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
  Deno.test(`simulate() gives the bytes that it gave when ${name} was written down`, async () => {
    const { pathname } = new URL(`../../examples/${name}.yaml`, import.meta.url);
    assert.equal(digestOf(await loadStudy(pathname, [])), digest);
  });
}

/** Functions whose last bits ECMAScript leaves to the engine. */
const INEXACT = [
  ...["acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "exp"],
  ...["expm1", "hypot", "log", "log10", "log1p", "log2", "pow", "sin", "sinh", "tan", "tanh"],
] as const;

/** Of the first replication of every variant; none may call what differs between engines. */
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
