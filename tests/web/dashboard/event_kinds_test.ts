import assert from "node:assert/strict";
import { EVENT_TYPES } from "../../../lib/core/mod.ts";
import { EVENT_KINDS, kindOf } from "../../../web/dashboard/event_kinds.ts";

Deno.test("kindOf() puts all events of clients' connections into one group", () => {
  const types = EVENT_TYPES.filter((type) => type.startsWith("connection_"));
  assert.deepEqual([...new Set(types.map(kindOf))], ["clients"]);
});

Deno.test("kindOf() knows every type of event", () => {
  for (const type of EVENT_TYPES) assert.ok(EVENT_KINDS.includes(kindOf(type)), type);
});
