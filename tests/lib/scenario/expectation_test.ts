import assert from "node:assert/strict";
import {
  counterpartOf,
  holds,
  parseExpectation,
  variantsMeant,
} from "../../../lib/scenario/expectation.ts";

Deno.test("parseExpectation() reads metrics, backends, variants, units and multiples", () => {
  const read = (text: string) => {
    const { left, comparator, right } = parseExpectation(text);
    return [left, comparator, right];
  };
  const p99 = { metric: "p99_ms", variant: [] };
  assert.deepEqual(read("p99_ms < 80"), [p99, "<", { value: 80 }]);
  assert.deepEqual(read("p99_ms<=1.5s"), [p99, "<=", { value: 1500 }]);
  assert.deepEqual(read("errors < 0.1%"), [
    { metric: "errors", variant: [] },
    "<",
    { value: 0.001 },
  ]);
  assert.deepEqual(read("share( B1 )[a, b=1] >= 30%"), [
    { metric: "share", backend: "B1", variant: ["a", "b=1"] },
    ">=",
    { value: 0.3 },
  ]);
  assert.deepEqual(read("p99_ms[random] > 2.5 * p99_ms[power-of-two]"), [
    { metric: "p99_ms", variant: ["random"] },
    ">",
    { factor: 2.5, term: { metric: "p99_ms", variant: ["power-of-two"] } },
  ]);
});

const MISTAKES: readonly [text: string, message: RegExp][] = [
  ["p99_ms = 80", /has no comparison/],
  ["p99 < 80", /unknown metric "p99": did you mean "p99_ms"\?/],
  ["share < 5%", /share needs a backend: write it like share\(B1\)/],
  ["p99_ms(B1) < 5", /of the whole run, not of a backend/],
  ["p99_ms < 5%", /p99_ms has the unit ms, not "%"/],
  ["errors < 5", /errors is a share: write 5%/],
  ["p99_ms < fast", /unknown metric "fast"/],
];

for (const [text, message] of MISTAKES) {
  Deno.test(`parseExpectation() says what is wrong with "${text}"`, () => {
    assert.throws(() => parseExpectation(text), (error) => {
      assert.ok(error instanceof SyntaxError);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("holds() compares numbers, and is false if a number is missing", () => {
  for (const comparator of ["<", "<=", ">", ">="] as const) {
    assert.equal(holds(1, comparator, 2), comparator.startsWith("<"));
    assert.equal(holds(2, comparator, 2), comparator.endsWith("="));
    assert.equal(holds(NaN, comparator, 2), false);
  }
  assert.equal(holds(Infinity, "<", 7000), false);
  assert.equal(holds(Infinity, "<=", Infinity), false);
});

/** Every combination of labels. */
function variantsOf(...dimensions: readonly (readonly string[])[]) {
  return dimensions.reduce<{ labels: string[] }[]>(
    (all, values) =>
      all.flatMap(({ labels }) => values.map((value) => ({ labels: [...labels, value] }))),
    [{ labels: [] }],
  );
}

Deno.test("counterpartOf() finds the variant that has the labels in the bound, and otherwise the same labels", () => {
  const variants = variantsOf(["random", "maglev"], ["load=50%", "load=90%"], [
    "slots=1",
    "slots=2",
  ]);
  const counterparts = (text: string) => {
    const { left, right } = parseExpectation(text);
    assert.ok("term" in right);
    return variantsMeant(left, variants).map((own) => [
      own.labels.join(),
      counterpartOf(right.term, own, variants).labels.join(),
    ]);
  };
  assert.deepEqual(counterparts("p99_ms[random, slots=1] > p99_ms[maglev]"), [
    ["random,load=50%,slots=1", "maglev,load=50%,slots=1"],
    ["random,load=90%,slots=1", "maglev,load=90%,slots=1"],
  ]);
  assert.deepEqual(counterparts("p99_ms[load=90%, slots=1] > p99_ms[load=50%]"), [
    ["random,load=90%,slots=1", "random,load=50%,slots=1"],
    ["maglev,load=90%,slots=1", "maglev,load=50%,slots=1"],
  ]);
  assert.deepEqual(counterparts("p99_ms[random, slots=2] > p99_ms[load=50%, maglev]"), [
    ["random,load=50%,slots=2", "maglev,load=50%,slots=2"],
    ["random,load=90%,slots=2", "maglev,load=50%,slots=2"],
  ]);
  for (const [own, bound] of counterparts("p99_ms > mean_ms")) assert.equal(own, bound);
  assert.equal(counterparts("p99_ms > p99_ms[maglev]").length, 8);
});
