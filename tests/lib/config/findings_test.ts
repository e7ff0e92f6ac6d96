import assert from "node:assert/strict";
import * as z from "zod";
import { salvage, validate } from "../../../lib/config/findings.ts";

Deno.test("validate() and salvage() check only the beginning of a long list of which nothing is right", () => {
  let checked = 0;
  const item = z.string().refine(() => {
    checked++;
    return false;
  });
  const schema = z.object({ list: z.array(item) });
  const data = { list: Array.from({ length: 50_000 }, (_, i) => `x${i}`) };
  const { findings } = validate(schema, data, () => []);
  assert.ok(findings.length >= 20);
  assert.equal(salvage(schema, data, findings), undefined);
  assert.ok(checked < 1000, `${checked} items were checked`);
});
