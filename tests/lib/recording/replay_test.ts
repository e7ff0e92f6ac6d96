import assert from "node:assert/strict";
import { recordedLife } from "../../support/recorded_life.ts";
import { replayLives, replayOf } from "../../support/replays.ts";

Deno.test("Replay repeats the decisions of random runs", () => replayLives(16));

Deno.test("Replay names the first event that differs", () => {
  const lines = recordedLife(1, 600);
  const at = lines.findIndex((line) => line.startsWith('{"type":"backend_picked"'));
  assert.ok(at > 0);
  const picked = JSON.parse(lines[at]!);
  const other = lines.with(at, JSON.stringify({ ...picked, backend: `not ${picked.backend}` }));
  const { difference, picks } = replayOf(`${other.join("\n")}\n`);
  assert.equal(picks, 0);
  assert.equal(difference?.pick, 1);
  assert.deepEqual(difference.place, { file: "test", line: at + 1 });
  assert.deepEqual(difference.replayed, picked);
  // If an event is removed, the first later event that depends on it differs.
  const { difference: missing } = replayOf(`${lines.toSpliced(at, 1).join("\n")}\n`);
  assert.ok(missing !== undefined && missing.place!.line >= at + 1);
});

Deno.test("Replay ends where lines are missing", () => {
  const lines = recordedLife(2, 100);
  const cut = lines.toSpliced(20, 5, JSON.stringify({ type: "lines_dropped", count: 5 }));
  const result = replayOf(`${cut.join("\n")}\n`);
  assert.equal(result.difference, undefined);
  assert.deepEqual(result.dropped, { file: "test", line: 21, count: 5 });
});
