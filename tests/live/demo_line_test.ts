import assert from "node:assert/strict";
import { liveLine } from "../../live/demo_line.ts";

const STATE = {
  at_ms: 3210,
  backends: [
    { id: "B1", up: true, in_flight: 3 },
    { id: "B2", up: false, in_flight: 0 },
    { id: "B3", up: true, in_flight: 12 },
  ],
  answers: 1204,
  errors: 1,
};

Deno.test("liveLine() has words for its bars and numbers", () => {
  assert.equal(
    liveLine(STATE, 100),
    "  3.2 s  in flight  B1 ███·····  3  B2 down         B3 ████████ 12  ·  1204 answered, 1 error",
  );
});

Deno.test("liveLine() fits into a narrow terminal: it shortens its bars, and then leaves counts out", () => {
  assert.match(liveLine(STATE, 80), /B1 ███····· {2}3 .* 12 {2}· {2}1 error$/);
  for (const columns of [20, 40, 60, 80]) {
    assert.ok(liveLine(STATE, columns).length <= columns, `${columns}`);
  }
  assert.match(liveLine(STATE, 60), /^ {2}3\.2 s {2}in flight {2}B1 /);
});
