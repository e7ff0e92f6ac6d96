import assert from "node:assert/strict";
import { formatView, onViewChange, parseView } from "../../../web/dashboard/view_state.ts";

Deno.test("formatView() states nothing of what is as usual", () => {
  assert.equal(formatView(parseView("")), "");
});

Deno.test("parseView() reads what formatView() wrote", () => {
  const query =
    "theme=dark&backends=table&window=60&latency=p50&events=health,probes&search=B2+is&client=192.0.2.7";
  assert.equal(formatView(parseView(query)), query);
});

Deno.test("parseView() takes what it does not know as usual", () => {
  const view = parseView("?theme=pink&window=7&events=health,gossip&more=1");
  assert.equal(formatView(view), "events=health");
});

Deno.test("an empty list of kinds is kept: it is not the usual one", () => {
  const view = parseView("");
  view.kinds.value = [];
  assert.deepEqual(parseView(formatView(view)).kinds.value, []);
});

Deno.test("onViewChange() calls at once and at every change, until it is ended", () => {
  const view = parseView("");
  const written: string[] = [];
  const end = onViewChange(view, (query) => written.push(query));
  view.search.value = "B1";
  end();
  view.search.value = "B2";
  assert.deepEqual(written, ["", "search=B1"]);
});
