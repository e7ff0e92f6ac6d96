import assert from "node:assert/strict";
import { createRandom } from "../../../../lib/base/mod.ts";
import {
  compareRendezvous,
  LOWEST,
  rendezvous,
} from "../../../../lib/core/algorithms/_rendezvous.ts";

const HIGHEST = -LOWEST - 1;

function assertAgrees(weightA: number, hashA: number, weightB: number, hashB: number): void {
  const expected = Math.sign(rendezvous(weightA, hashA) - rendezvous(weightB, hashB));
  const actual = Math.sign(compareRendezvous(weightA, hashA, weightB, hashB));
  assert.equal(actual, expected, `${weightA}, ${hashA}, ${weightB}, ${hashB}`);
}

Deno.test("compareRendezvous() agrees with the scores for any weights and hashes", () => {
  const random = createRandom(1);
  const hash = () => Math.floor(random.next() * 2 ** 32) + LOWEST;
  // In a pick, the compared hashes are high, because each is the highest of several.
  const high = () => HIGHEST - Math.floor(2 ** 32 * random.next() ** 8);
  for (let i = 0; i < 50_000; i++) {
    const [weightA, weightB] = [1 + Math.floor(random.next() * 256), 1 + random.next()];
    assertAgrees(weightA, hash(), weightB, hash());
    assertAgrees(weightA, high(), weightB, high());
  }
});

Deno.test("compareRendezvous() agrees with the scores where they are close", () => {
  const random = createRandom(2);
  for (let i = 0; i < 50_000; i++) {
    const [weightA, weightB] = [1 + Math.floor(random.next() * 9), 1 + random.next() * 9];
    const hashA = Math.floor(random.next() * 2 ** 32) + LOWEST;
    const uniform = ((hashA - LOWEST + 0.5) / 2 ** 32) ** (weightB / weightA);
    const level = Math.floor(uniform * 2 ** 32) + LOWEST;
    for (const hashB of [level - 1, level, level + 1]) {
      assertAgrees(weightA, hashA, weightB, Math.max(LOWEST, Math.min(HIGHEST, hashB)));
    }
  }
});

Deno.test("compareRendezvous() agrees with the scores at the ends of the range", () => {
  for (const hashA of [LOWEST, LOWEST + 1, 0, HIGHEST - 1, HIGHEST]) {
    for (const hashB of [LOWEST, LOWEST + 1, 0, HIGHEST - 1, HIGHEST]) {
      for (const weight of [0.001, 1, 1 + 2 ** -52, 2, 1e6]) assertAgrees(weight, hashA, 1, hashB);
    }
  }
});
