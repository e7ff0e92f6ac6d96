import assert from "node:assert/strict";
import type { Frame } from "../../../lib/observe/mod.ts";
import { History, HISTORY_S, MARKS_MAX } from "../../../web/dashboard/history.ts";
import { frameOf } from "./frames.ts";

const S = 1000;

function historyOf(...frames: readonly Frame[]): History {
  const history = new History();
  for (const frame of frames) history.add(frame);
  return history;
}

Deno.test("add() takes one sample a second", () => {
  const history = new History();
  const taken = Array.from({ length: 35 }, (_, i) => history.add(frameOf({ at_ms: 100 * i })));
  assert.equal(taken.filter((isTaken) => isTaken).length, 4);
  assert.deepEqual(history.times, [0, 1, 2, 3]);
});

Deno.test("add() keeps only the last minutes", () => {
  const history = new History();
  for (let s = 0; s < 3 * HISTORY_S; s++) history.add(frameOf({ at_ms: s * S }));
  assert.equal(history.times.length, HISTORY_S + 1);
  for (const metric of ["in_flight", "rate", "p50", "p99"] as const) {
    assert.equal(history.column("B1", metric).length, HISTORY_S + 1);
  }
});

Deno.test("add() makes a gap in the lines where frames are missing", () => {
  const history = historyOf(frameOf({ at_ms: 0 }), frameOf({ at_ms: 60 * S }));
  assert.deepEqual(history.times, [0, 1, 60]);
  assert.deepEqual(history.column("B1", "in_flight"), [1, null, 1]);
});

Deno.test("beginRun() continues the time axis after a restart of the balancer", () => {
  const history = new History();
  history.beginRun(1_000 * S);
  history.add(frameOf({ at_ms: 50 * S }));
  history.beginRun(1_052 * S);
  history.add(frameOf({ at_ms: 1 * S }));
  assert.deepEqual(history.times, [1050, 1053]);
});

Deno.test("add() removes all samples when time goes back, because another simulation has begun", () => {
  const history = historyOf(frameOf({ at_ms: 100 * S }), frameOf({ at_ms: 0 }));
  assert.deepEqual(history.times, [0]);
});

Deno.test("column() has one value for each time, also for a backend that joined later", () => {
  const history = historyOf(
    frameOf({ at_ms: 0 }),
    frameOf({ at_ms: 1 * S, backends: ["B1", "B2"] }),
    frameOf({ at_ms: 2 * S, backends: ["B2"] }),
  );
  assert.deepEqual(history.column("B1", "in_flight"), [1, 1, null]);
  assert.deepEqual(history.column("B2", "in_flight"), [null, 2, 1]);
  assert.deepEqual(history.column("B2", "p99"), [null, null, null]);
  assert.deepEqual(history.column("B3", "rate"), []);
});

Deno.test("marks are kept as long as the samples around them", () => {
  const mark = {
    type: "backend_readmitted",
    at_ms: 500,
    backend: "B1",
    active_servers: [],
  } as const;
  const history = historyOf(
    frameOf({ at_ms: 0 }),
    frameOf({ at_ms: 600, marks: [mark] }),
    frameOf({ at_ms: 2 * S }),
  );
  assert.deepEqual(history.marks, [{ time: 0.5, event: mark }]);
  history.add(frameOf({ at_ms: (HISTORY_S + 2) * S }));
  assert.deepEqual(history.marks, []);
});

Deno.test("the number of marks is limited: if a backend flaps all the time, the latest marks remain", () => {
  const history = historyOf(frameOf({ at_ms: 0 }));
  const frames = 100;
  for (let i = 1; i <= frames; i++) {
    const marks = Array.from({ length: 7 }, () => ({
      type: "backend_readmitted" as const,
      at_ms: i,
      backend: "B1",
      active_servers: [],
    }));
    history.add(frameOf({ at_ms: i, marks }));
  }
  assert.equal(history.marks.length, MARKS_MAX);
  assert.equal(history.marks.at(-1)!.event.at_ms, frames);
});
