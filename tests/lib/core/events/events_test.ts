import assert from "node:assert/strict";
import {
  type BackendModeChanged,
  EVENT_TYPES,
  EventStream,
  type LbEvent,
  toMs,
} from "../../../../lib/core/mod.ts";

function modeChanged(backend: string): BackendModeChanged {
  return { type: "backend_mode_changed", at_ms: 0, backend, mode: "drain", in_flight: 0 };
}

Deno.test("EventStream.emit() calls the readers of that kind, in the order in which they came", () => {
  const events = new EventStream();
  const heard: string[] = [];
  events.subscribe(["backend_mode_changed"], ({ backend }) => heard.push(`first ${backend}`));
  events.subscribe(["probe"], () => heard.push("probe"));
  events.subscribe(EVENT_TYPES, ({ type }) => heard.push(`all ${type}`));
  events.emit(modeChanged("B1"));
  assert.deepEqual(heard, ["first B1", "all backend_mode_changed"]);
});

Deno.test("EventStream.wanted says whether anybody reads a kind", () => {
  const events = new EventStream();
  assert.ok(EVENT_TYPES.every((type) => !events.wanted[type]));
  const stopReading = events.subscribe(["probe", "backend_up"], () => {});
  assert.deepEqual(EVENT_TYPES.filter((type) => events.wanted[type]), ["probe", "backend_up"]);
  stopReading();
  assert.ok(EVENT_TYPES.every((type) => !events.wanted[type]));
});

Deno.test("EventStream.subscribe() is undone for itself alone, even when one function reads twice", () => {
  const events = new EventStream();
  const heard: LbEvent[] = [];
  const reader = (event: LbEvent) => heard.push(event);
  const stopFirst = events.subscribe(["backend_mode_changed"], reader);
  events.subscribe(["backend_mode_changed", "probe"], reader);
  stopFirst();
  stopFirst();
  events.emit(modeChanged("B1"));
  assert.equal(heard.length, 1);
  assert.ok(events.wanted.probe);
});

Deno.test("EventStream.emit() finishes with the readers it began with when one of them leaves", () => {
  const events = new EventStream();
  const heard: string[] = [];
  const stopFirst = events.subscribe(["backend_mode_changed"], () => {
    heard.push("first");
    stopFirst();
  });
  events.subscribe(["backend_mode_changed"], () => heard.push("second"));
  events.emit(modeChanged("B1"));
  events.emit(modeChanged("B1"));
  assert.deepEqual(heard, ["first", "second", "second"]);
});

Deno.test("EVENT_TYPES names each kind once", () => {
  assert.equal(new Set(EVENT_TYPES).size, EVENT_TYPES.length);
});

Deno.test("toMs() keeps the fraction", () => {
  assert.equal(toMs(1_500_000), 1.5);
  assert.equal(toMs(1), 1e-6);
});
