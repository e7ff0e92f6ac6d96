import assert from "node:assert/strict";
import { formatView, onViewChange, parseView } from "../../../web/dashboard/view_state.ts";

Deno.test("formatView() leaves out values that are defaults", () => {
  assert.equal(formatView(parseView("")), "");
});

Deno.test("parseView() reads what formatView() wrote", () => {
  const query =
    "theme=dark&backends=table&window=60&latency=p50&events=health,probes&search=B2+is&client=192.0.2.7";
  assert.equal(formatView(parseView(query)), query);
});

Deno.test("parseView() replaces unknown values by defaults", () => {
  const view = parseView("?theme=pink&window=7&events=health,gossip&more=1");
  assert.equal(formatView(view), "events=health");
});

Deno.test("parseView() and formatView() keep an empty list of kinds, because it is not the default", () => {
  const view = parseView("");
  view.kinds.value = [];
  assert.deepEqual(parseView(formatView(view)).kinds.value, []);
});

Deno.test("onViewChange() calls its function at once and at every change, until it is stopped", () => {
  const view = parseView("");
  const written: string[] = [];
  const end = onViewChange(view, (query) => written.push(query));
  view.search.value = "B1";
  end();
  view.search.value = "B2";
  assert.deepEqual(written, ["", "search=B1"]);
});
