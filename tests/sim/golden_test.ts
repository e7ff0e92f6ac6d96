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

/** Algorithms that compute with more than counts, in a run in which each has something to learn. */
const BY_ALGORITHM: Readonly<Record<string, string>> = {
  "peak-ewma": "e0b7a8c34577a31f",
  "prequal": "2bc04a9f8da604a8",
  "source-hash": "de06fa3224931c1a",
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
