import assert from "node:assert/strict";
import { stripVTControlCharacters } from "node:util";
import {
  type Action,
  firstView,
  keysIn,
  press,
  refreshed,
  screenLines,
  type View,
} from "../../ctl/view.ts";
import { backendSnapshot, snapshotOf } from "./snapshots.ts";

const MANY = snapshotOf(Array.from({ length: 50 }, (_, i) => backendSnapshot(`B${i + 1}`)));

/** The view after some keys, and the actions of these keys. */
function after(view: View, ...keys: readonly string[]): { view: View; actions: Action[] } {
  const actions: Action[] = [];
  for (const key of keys) {
    const pressed = press(view, key);
    view = pressed.view;
    if (pressed.action !== undefined) actions.push(pressed.action);
  }
  return { view, actions };
}

Deno.test("keysIn() names arrows and other keys of terminals, also if several come at once", () => {
  assert.deepEqual(keysIn("a\x1b[A\x1bOB+\x1b[5~\x1b[1~\r\x7f\x03ü\x1b"), [
    ...["a", "up", "down", "+", "page up", "home"],
    ...["enter", "backspace", "ctrl-c", "ü", "escape"],
  ]);
  assert.deepEqual(keysIn("\x1b[1;5C"), ["\x1b[1;5C"]);
});

Deno.test("press() selects a backend, and stops at the first and the last", () => {
  const selected = (...keys: string[]) => after(firstView(MANY), ...keys).view.selected;
  assert.equal(selected(), "B1");
  assert.equal(selected("up"), "B1");
  assert.equal(selected("down", "j", "k"), "B2");
  assert.equal(selected("page down"), "B11");
  assert.equal(selected("end", "down"), "B50");
  assert.equal(selected("end", "page up"), "B40");
  assert.equal(selected("end", "home"), "B1");
});

Deno.test("press() returns the action for d, r and m: drain, ready and maintenance", () => {
  assert.deepEqual(after(firstView(MANY), "d", "down", "r", "m").actions, [
    { kind: "state", backend: "B1", state: "drain" },
    { kind: "state", backend: "B2", state: "ready" },
    { kind: "state", backend: "B2", state: "maintenance" },
  ]);
});

Deno.test("press() changes a weight from the value that the previous key gave it, within the bounds of weights", () => {
  assert.deepEqual(after(firstView(MANY), "+", "+", "-", "-", "-", "-").actions, [
    ...[2, 3, 2, 1, 0].map((weight) => ({ kind: "weight", backend: "B1", weight }) as const),
  ]);
  const full = firstView(snapshotOf([backendSnapshot("B1", { weight: 256 })]));
  assert.deepEqual(after(full, "+").actions, []);
});

Deno.test("press() explains a client after its address was typed, but not after Escape or an empty line", () => {
  assert.deepEqual(after(firstView(MANY), "e", ..."10.0.x0.78", "backspace", "enter").actions, [
    { kind: "explain", client: "10.0.0.7" },
  ]);
  assert.deepEqual(after(firstView(MANY), "e", "1", "escape").actions, []);
  assert.deepEqual(after(firstView(MANY), "e", "enter").actions, []);
  // Typed characters are no commands.
  assert.deepEqual(after(firstView(MANY), "e", "d", "q").actions, []);
  assert.match(
    screenLines(after(firstView(MANY), "e", "1", "0").view, SIZE).join("\n"),
    /address of the client: 10_/,
  );
});

Deno.test("press() quits with q, except while an address is typed or a page is shown, and always with Ctrl-C", () => {
  const quit = [{ kind: "quit" }];
  assert.deepEqual(after(firstView(MANY), "q").actions, quit);
  assert.deepEqual(after(firstView(MANY), "ctrl-c").actions, quit);
  assert.deepEqual(after(firstView(MANY), "e", "ctrl-c").actions, quit);
  assert.deepEqual(after(firstView(MANY), "?", "q").actions, []);
});

Deno.test("press() shows the help, and any key returns", () => {
  const { view } = after(firstView(MANY), "?");
  assert.match(screenLines(view, SIZE).join("\n"), /d {3}drain: no new clients/);
  assert.doesNotMatch(screenLines(after(view, "d").view, SIZE).join("\n"), /no new clients/);
  assert.deepEqual(after(view, "d").actions, []);
});

Deno.test("press() returns no action if there is no backend", () => {
  const { view, actions } = after(firstView(snapshotOf([])), "d", "+", "down", "up");
  assert.deepEqual(actions, []);
  assert.equal(view.selected, undefined);
});

Deno.test("refreshed() keeps the selected backend; if it is gone, the one in its place is selected", () => {
  const { view } = after(firstView(MANY), "down", "down");
  const fewer = (...gone: string[]) =>
    refreshed(view, { ...MANY, backends: MANY.backends.filter(({ id }) => !gone.includes(id)) });
  assert.equal(fewer("B1").selected, "B3");
  assert.equal(fewer("B3").selected, "B4");
  assert.equal(refreshed(view, snapshotOf([])).selected, undefined);
  assert.equal(refreshed(refreshed(view, snapshotOf([])), MANY).selected, "B1");
});

const SIZE = { columns: 80, rows: 24, color: false };

Deno.test("screenLines() shows the part of the table with the selected backend", () => {
  const lines = screenLines(after(firstView(MANY), "page down", "page down").view, SIZE);
  assert.equal(lines.length, 24);
  assert.ok(lines.some((line) => line.startsWith("> B21 ")));
  assert.ok(lines.some((line) => line === "14 to 28 of 50"), lines.join("\n"));
  assert.match(lines.at(-1)!, /^d drain .* q quit$/);
});

Deno.test("screenLines() fits every size of a terminal", () => {
  for (const columns of [1, 10, 40, 60, 80, 200]) {
    for (const rows of [1, 2, 5, 8, 24, 100]) {
      for (const keys of [[], ["?"], ["end"], ["e"]]) {
        const { view } = after({ ...firstView(MANY), message: "m".repeat(100) }, ...keys);
        const lines = screenLines(view, { columns, rows, color: true });
        assert.ok(lines.length <= rows, `${lines.length} lines in ${rows} rows`);
        for (const line of lines) {
          assert.ok(stripVTControlCharacters(line).length <= Math.max(1, columns - 1), line);
        }
      }
    }
  }
});
