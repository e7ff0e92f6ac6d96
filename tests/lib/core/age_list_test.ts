import assert from "node:assert/strict";
import fc from "fast-check";
import { type Aged, AgeList } from "../../../lib/core/age_list.ts";

class Member implements Aged<Member> {
  older: Member | undefined;
  younger: Member | undefined;
}

Deno.test("AgeList keeps the order in which members came, whoever leaves", () => {
  const steps = fc.array(fc.nat({ max: 9 }), { maxLength: 100, size: "max" });
  fc.assert(fc.property(steps, (steps) => {
    const members = Array.from({ length: 10 }, () => new Member());
    const list = new AgeList<Member>();
    let expected: Member[] = [];
    for (const step of steps) {
      const member = members[step]!;
      if (expected.includes(member)) {
        list.delete(member);
        expected = expected.filter((other) => other !== member);
      } else {
        list.add(member);
        expected.push(member);
      }
      assert.ok([...list].every((other, i) => other === expected[i]));
      assert.equal([...list].length, expected.length);
      assert.equal(list.size, expected.length);
      assert.equal(list.oldest, expected[0]);
    }
  }));
});

Deno.test("AgeList can be walked while the member at hand leaves", () => {
  const members = Array.from({ length: 4 }, () => new Member());
  const list = new AgeList<Member>();
  for (const member of members) list.add(member);
  const seen: Member[] = [];
  for (const member of list) {
    seen.push(member);
    list.delete(member);
  }
  assert.equal(seen.length, 4);
  assert.equal(list.oldest, undefined);
});
