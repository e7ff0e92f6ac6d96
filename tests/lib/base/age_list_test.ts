import assert from "node:assert/strict";
import v8 from "node:v8";
import fc from "fast-check";
import { type Aged, AgeList } from "../../../lib/base/age_list.ts";

class Member implements Aged<Member> {
  older: Member | undefined;
  younger: Member | undefined;
}

Deno.test("AgeList keeps its members in the order in which they were added, while others are removed", () => {
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

Deno.test("AgeList: the current member can be removed during an iteration", () => {
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

/** A member that is so large that the size of the heap shows it. */
class BigMember extends Member {
  readonly ballast = new Array<number>(100).fill(0.5);
}

Deno.test("AgeList: members that were removed do not get into the old generation of the heap", () => {
  const list = new AgeList<Member>();
  const present: Member[] = [];
  const come = () => {
    const member = new BigMember();
    list.add(member);
    present.push(member);
  };
  for (let i = 0; i < 32; i++) come();
  // For a while, the members do not change. So they and the list get into the old generation.
  for (let i = 0; i < 50_000; i++) new BigMember();
  const before = oldGenerationBytes();
  let most = 0;
  for (let i = 0; i < 50_000; i++) {
    come();
    list.delete(present.shift()!);
    if (i % 1000 === 0) most = Math.max(most, oldGenerationBytes() - before);
  }
  // With a `Set`, it is more than ten million bytes.
  assert.ok(most < 2e6, `${most} bytes of 45 million got into the old generation`);
});

function oldGenerationBytes(): number {
  const spaces = v8.getHeapSpaceStatistics();
  return spaces.find(({ space_name }) => space_name === "old_space")!.space_used_size;
}
