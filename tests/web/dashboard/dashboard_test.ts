import assert from "node:assert/strict";
import type { LbEvent } from "../../../lib/core/mod.ts";
import { Dashboard } from "../../../web/dashboard/dashboard.ts";
import type { FrameSource, Operator, SourceReader } from "../../../web/dashboard/source.ts";
import { frameOf } from "./frames.ts";

/** A source whose calls a test makes itself. */
function handSource(operator?: Partial<Operator>) {
  let reader: SourceReader | undefined;
  const source: FrameSource = {
    start(started) {
      reader = started;
      return () => reader = undefined;
    },
    sessions: () => Promise.resolve({ count: 0, sessions: [] }),
    explain: () => Promise.reject(new Error("not here")),
    operator: operator as Operator | undefined,
  };
  return { source, reader: () => reader! };
}

Deno.test("Dashboard shows the frames of any source, and a frame with a change of state at once", () => {
  const { source, reader } = handSource();
  const dashboard = new Dashboard(source);
  const end = dashboard.start();
  reader().frame(frameOf({ at_ms: 0 }));
  const first = dashboard.frame.value;
  reader().frame(frameOf({ at_ms: 1 }));
  assert.equal(dashboard.frame.value, first, "numbers do not change faster than they can be read");
  const marks: LbEvent[] = [
    { type: "backend_mode_changed", at_ms: 2, backend: "B1", mode: "drain", in_flight: 3 },
  ];
  reader().frame(frameOf({ at_ms: 2, marks }));
  assert.equal(dashboard.frame.value?.at_ms, 2);
  assert.match(dashboard.announcement.value, /B1.*drain/);
  end();
  assert.equal(reader(), undefined);
});

Deno.test("operate() shows whether the change succeeded", async () => {
  const { source } = handSource({ needsToken: false });
  const dashboard = new Dashboard(source);
  assert.ok(await dashboard.operate("drain B1", () => Promise.resolve()));
  assert.deepEqual(dashboard.notice.value, { isError: false, text: "drain B1: done" });
  const isDone = await dashboard.operate("drain B9", () => Promise.reject(new Error("no B9")));
  assert.ok(!isDone);
  assert.deepEqual(dashboard.notice.value, { isError: true, text: "drain B9: no B9" });
});

Deno.test("operate() without a token asks for it and sends nothing", async () => {
  const { source } = handSource({ needsToken: true });
  const dashboard = new Dashboard(source);
  const isDone = await dashboard.operate("drain B1", () => Promise.reject(new Error("was sent")));
  assert.ok(!isDone);
  assert.equal(dashboard.notice.value?.text, "drain B1: enter the token first");
  assert.equal(dashboard.wantsToken.value, 1);
});
