import assert from "node:assert/strict";
import { createRandom } from "../../../lib/base/mod.ts";
import { SortedRows } from "../../../sim/import/sorted_rows.ts";
import { inFolder } from "../../support/folder.ts";

Deno.test("SortedRows sorts more rows than it keeps in memory, and keeps the order of equal ones", () =>
  inFolder(async (folder) => {
    const rows = new SortedRows(folder, 100);
    const random = createRandom(1);
    const all = Array.from({ length: 1050 }, (_, i) => ({
      at: Math.floor(random.next() * 300),
      client: `${i}`,
    }));
    for (const row of all) rows.add(row);
    assert.equal(rows.count, all.length);
    assert.equal((await Array.fromAsync(Deno.readDir(folder))).length, 10);
    assert.deepEqual([...rows], all.toSorted((a, b) => a.at - b.at));
  }));
