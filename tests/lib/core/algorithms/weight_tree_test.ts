import assert from "node:assert/strict";
import fc from "fast-check";
import { WeightTree } from "../../../../lib/core/algorithms/_weight_tree.ts";

Deno.test("WeightTree.find() finds what a scan over the running sum finds", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: 40 }), fc.integer({ min: 0, max: 256 })), { minLength: 1 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (sets, share) => {
        const tree = new WeightTree();
        const weights: number[] = Array(41).fill(0);
        for (const [index, weight] of sets) {
          tree.set(index, weight);
          weights[index] = weight;
        }
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        assert.equal(tree.total, total);
        if (total === 0) return;
        let rest = share * total;
        const expected = weights.findIndex((weight) => (rest -= weight) < 0);
        assert.equal(tree.find(share * total), expected);
        assert.ok(weights[tree.find(share * total)]! > 0);
      },
    ),
  );
});

Deno.test("WeightTree.set() leaves nothing behind after fractions came and went", () => {
  const tree = new WeightTree();
  for (let i = 0; i < 1000; i++) tree.set(i % 7, (i % 13) / 10);
  for (let i = 0; i < 7; i++) tree.set(i, 0);
  assert.equal(tree.total, 0);
});
