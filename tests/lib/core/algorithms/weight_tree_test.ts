import assert from "node:assert/strict";
import fc from "fast-check";
import { WeightTree } from "../../../../lib/core/algorithms/_weight_tree.ts";

const sets = fc.array(fc.tuple(fc.nat({ max: 40 }), fc.integer({ min: 0, max: 256 })), {
  minLength: 1,
  maxLength: 100,
  size: "max",
});

/** The tree, and an array with the same weights. */
function treeAndArray(sets: readonly (readonly [number, number])[]) {
  const tree = new WeightTree();
  const weights = Array<number>(41).fill(0);
  for (const [index, weight] of sets) {
    tree.set(index, weight);
    weights[index] = weight;
  }
  return { tree, weights, total: weights.reduce((sum, weight) => sum + weight, 0) };
}

function scan(weights: readonly number[], point: number): number {
  let rest = point;
  return weights.findIndex((weight) => (rest -= weight) < 0);
}

Deno.test("WeightTree keeps the weights that were set, and their sum", () => {
  fc.assert(fc.property(sets, (sets) => {
    const { tree, weights, total } = treeAndArray(sets);
    assert.equal(tree.total, total);
    weights.forEach((weight, index) => assert.equal(tree.get(index), weight));
    assert.equal(tree.get(1e6), 0);
  }));
});

Deno.test("WeightTree.find() finds what a scan over the running sum finds", () => {
  const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(fc.property(sets, share, (sets, share) => {
    const { tree, weights, total } = treeAndArray(sets);
    if (total === 0) return;
    const index = tree.find(share * total);
    assert.equal(index, scan(weights, share * total));
    assert.equal(tree.rest, share * total - tree.below(index));
    assert.ok(tree.rest < tree.get(index));
  }));
});

Deno.test("WeightTree.find() gives each index exactly the points of its weight", () => {
  fc.assert(fc.property(sets, (sets) => {
    const { tree, weights, total } = treeAndArray(sets);
    const points = weights.map(() => 0);
    for (let point = 0; point < total; point++) {
      points[tree.find(point)]!++;
      assert.equal(tree.find(point + 0.999), tree.find(point));
    }
    assert.deepEqual(points, weights);
  }));
});

Deno.test("WeightTree.find() finds the last index for the largest number below 1", () => {
  const largest = 1 - 2 ** -53;
  for (let count = 1; count <= 70; count++) {
    const tree = new WeightTree();
    for (let index = 0; index < count; index++) tree.set(index, 1 + index % 3);
    assert.equal(tree.find(largest * tree.total), count - 1);
  }
});

Deno.test("WeightTree.set() leaves a total of exactly 0 when all fractions are set to 0 again", () => {
  const tree = new WeightTree();
  for (let i = 0; i < 1000; i++) tree.set(i % 7, (i % 13) / 10);
  for (let i = 0; i < 7; i++) tree.set(i, 0);
  assert.equal(tree.total, 0);
});

Deno.test("WeightTree.find() and below() are exact while all weights are equal", () => {
  const weight = fc.integer({ min: 1, max: 2 ** 24 }).map((grains) => grains / 65536);
  fc.assert(fc.property(weight, fc.integer({ min: 1, max: 300 }), (weight, count) => {
    const tree = new WeightTree();
    for (let index = 0; index < count; index++) tree.set(index, weight);
    for (let index = 0; index < count; index++) {
      const next = (index + 1) * weight;
      assert.equal(tree.below(index), index * weight);
      assert.equal(tree.find(index * weight), index);
      assert.equal(tree.find(next * (1 - 2 ** -53)), index);
    }
  }));
});

Deno.test("WeightTree.evenSize is 0 while weights differ, and correct when they are equal again", () => {
  const tree = new WeightTree();
  for (const index of [0, 1, 2]) tree.set(index, 1);
  assert.equal(tree.evenSize, 3);
  tree.set(1, 0);
  assert.equal(tree.evenSize, 0);
  assert.deepEqual([0, 1].map((point) => tree.find(point)), [0, 2]);
  assert.equal(tree.below(2), 1);
  tree.set(1, 1);
  assert.equal(tree.evenSize, 3);
  assert.deepEqual([0, 1, 2].map((point) => tree.find(point)), [0, 1, 2]);
  tree.set(2, 2);
  assert.equal(tree.evenSize, 0);
  assert.deepEqual([0, 1, 2, 3].map((point) => tree.find(point)), [0, 1, 2, 2]);
});
