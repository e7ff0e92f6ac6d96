import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { createRandom } from "../../../../lib/base/mod.ts";
import { IndexList } from "../../../../lib/core/algorithms/_index_list.ts";

Deno.test("IndexList keeps the order in which indices were added, whichever are removed", () => {
  const random = createRandom(3);
  const list = new IndexList();
  let expected: number[] = [];
  for (let i = 0; i < 2000; i++) {
    const index = Math.floor(random.next() * (1 + i / 50));
    list.reserve(index + 1);
    if (expected.includes(index) || random.next() < 0.3) {
      list.delete(index);
      expected = expected.filter((other) => other !== index);
    } else {
      list.add(index);
      expected.push(index);
    }
    deepStrictEqual([...list], expected);
    strictEqual(list.size, expected.length);
    strictEqual(list.oldest, expected[0] ?? -1);
  }
});

Deno.test("IndexList allows an iteration to remove its present index", () => {
  const list = new IndexList();
  list.reserve(4);
  for (const index of [2, 0, 3]) list.add(index);
  for (const index of list) if (index !== 0) list.delete(index);
  deepStrictEqual([...list], [0]);
});
