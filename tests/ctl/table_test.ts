import assert from "node:assert/strict";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { age, clipped, duration, summaryLines, tableLines } from "../../ctl/table.ts";
import { backendSnapshot, snapshotOf } from "./snapshots.ts";

const PLAIN = { width: 79, color: false, bars: true };

/** Backends in every state. */
const MIXED = snapshotOf([
  backendSnapshot("B1", { in_flight: 5, limit: 10, recent_share: 0.25 }),
  backendSnapshot("B2", {
    condition: "down",
    health: {
      state: "down",
      since_ms: 48_000,
      last_probe: { at_ms: 59_500, ok: false, duration_ms: 1, text: "connect: refused" },
    },
    first_byte: { count: 0, p50_ms: null, p99_ms: null },
  }),
  backendSnapshot("B3", {
    condition: "drain",
    in_flight: 2,
    health: { state: "down" },
    wish: { state: "drain", since_ms: 57_000 },
  }),
  backendSnapshot("B4", { condition: "maintenance", health: { last_probe: null } }),
]);

Deno.test("tableLines() shows all columns within 80 characters, each as wide as necessary", () => {
  assert.deepEqual(tableLines(MIXED, { ...PLAIN, selected: "B2" }), [
    "  id  state         wt  last probe   in flight       rate  share   p99  changed",
    "  B1  up             1  ok 0.82ms         5/10 ██··  12/s    25%  12ms       1m",
    "> B2  down           1  connect: r…          0 ····  12/s    50%     –      12s",
    "  B3  drain*, down   1  ok 0.82ms            2 ██··  12/s    50%  12ms       3s",
    "  B4  maintenance    1  none                 0 ····  12/s    50%  12ms       1m",
  ]);
});

Deno.test("tableLines() leaves out the least important columns if there are only 60 characters", () => {
  assert.deepEqual(tableLines(MIXED, { ...PLAIN, width: 59 }), [
    "id  state        in flight       rate  share   p99  changed",
    "B1  up                5/10 ██··  12/s    25%  12ms       1m",
    "B2  down                 0 ····  12/s    50%     –      12s",
    "B3  drain*, do…          2 ██··  12/s    50%  12ms       3s",
    "B4  maintenance          0 ····  12/s    50%  12ms       1m",
  ]);
});

Deno.test("tableLines() cuts nothing if the width is infinite", () => {
  const lines = tableLines(MIXED, { width: Infinity, color: false, bars: false });
  assert.deepEqual(lines, [
    "id  state         wt  last probe        in flight  rate  share   p99  changed",
    "B1  up             1  ok 0.82ms              5/10  12/s    25%  12ms       1m",
    "B2  down           1  connect: refused          0  12/s    50%     –      12s",
    "B3  drain*, down   1  ok 0.82ms                 2  12/s    50%  12ms       3s",
    "B4  maintenance    1  none                      0  12/s    50%  12ms       1m",
  ]);
});

Deno.test("tableLines() marks a weight that differs from the file, and a slow start", () => {
  const snapshot = snapshotOf([
    backendSnapshot("B1", { weight: 3, effective_weight: 3 }),
    backendSnapshot("B2", { weight: 4, effective_weight: 1.5, wish: { file_weight: 4 } }),
  ]);
  const [, ...lines] = tableLines(snapshot, { ...PLAIN, width: Infinity, bars: false });
  assert.deepEqual(lines.map((line) => line.split(/\s+/)[2]), ["3*", "1.5/4"]);
});

Deno.test("tableLines() colours states and inverts the selected row; without colour it writes no escapes", () => {
  const colored = tableLines(MIXED, { ...PLAIN, color: true, selected: "B2" });
  assert.ok(colored[1]!.includes("\x1b[32mup"));
  assert.ok(colored[2]!.startsWith("\x1b[7m> B2"));
  assert.ok(colored[3]!.includes("\x1b[31mdrain"));
  const plain = tableLines(MIXED, { ...PLAIN, selected: "B2" });
  assert.deepEqual(colored.map((line) => stripVTControlCharacters(line).trimEnd()), plain);
});

Deno.test("tableLines() writes no line that is longer than the width", () => {
  const id = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/);
  fc.assert(fc.property(
    fc.uniqueArray(id, { minLength: 1, maxLength: 20 }),
    fc.integer({ min: 1, max: 130 }),
    fc.boolean(),
    fc.nat(1_000_000),
    (ids, width, color, in_flight) => {
      const backends = ids.map((id, i) =>
        backendSnapshot(id, { in_flight: in_flight * i, limit: i % 2 === 0 ? null : 1_000_000 })
      );
      const snapshot = snapshotOf(backends, { wishes: ids.map((id) => `${id}.weight: 1 → 2`) });
      const lines = tableLines(snapshot, { width, color, bars: true, selected: ids[0] });
      assert.equal(lines.length, ids.length + 1);
      for (const line of [...lines, ...summaryLines(snapshot, width)]) {
        assert.ok(stripVTControlCharacters(line).length <= width, line);
      }
    },
  ));
});

Deno.test("summaryLines() shows the state of the balancer, and how the wishes differ from the file", () => {
  const snapshot = snapshotOf([backendSnapshot("B1"), backendSnapshot("B2")], {
    wishes: ["B1.mode: ready → drain"],
    queue: { waiting: 3, waiting_max: 4, limit: 10, queued: 20 },
    sessions: { count: 1203, limit: 100_000, moved: 0, evicted: 0 },
  });
  assert.deepEqual(summaryLines(snapshot, 120), [
    "lbsim 1.2.3 on 127.0.0.1:8000  round-robin  up 1m",
    "5 in flight (max 12, limit 10,000)  25/s  refused 0  retried 0  waiting 3  sessions 1,203",
    "active: B1 B2",
    "set by the operator: B1.mode: ready → drain",
  ]);
  assert.equal(summaryLines(snapshotOf([], { active_servers: [] }), 80)[2], "active: none");
});

Deno.test("age(), duration() and clipped() return short texts", () => {
  assert.deepEqual([0, 59_999, 60_000, 3_600_000, 172_800_000].map(age), [
    "0s",
    "59s",
    "1m",
    "1h",
    "2d",
  ]);
  assert.deepEqual([0, 0.123, 1.26, 9.96, 123.4, 1234].map(duration), [
    "0ms",
    "0.12ms",
    "1.3ms",
    "10ms",
    "123ms",
    "1.2s",
  ]);
  assert.deepEqual([4, 3, 1, 0].map((width) => clipped("abcd", width)), ["abcd", "ab…", "…", ""]);
});
