import assert from "node:assert/strict";
import {
  type BackendModeChanged,
  EVENT_TYPES,
  EventStream,
  type LbEvent,
  ReaderFailure,
  REPLAY_TYPES,
  Scheduler,
  toMs,
} from "../../../../lib/core/mod.ts";
import { createRandom, NS_PER_S } from "../../../../lib/base/mod.ts";
import { strictEventStream } from "../../../support/events.ts";
import { open } from "../../../support/phases.ts";

function modeChanged(backend: string): BackendModeChanged {
  return { type: "backend_mode_changed", at_ms: 0, backend, mode: "drain", in_flight: 0 };
}

Deno.test("EventStream.emit() calls the readers of the event's type, in the order in which they subscribed", () => {
  const events = strictEventStream();
  const heard: string[] = [];
  events.subscribe(
    "test",
    ["backend_mode_changed"],
    ({ backend }) => heard.push(`first ${backend}`),
  );
  events.subscribe("test", ["probe"], () => heard.push("probe"));
  events.subscribe("test", EVENT_TYPES, ({ type }) => heard.push(`all ${type}`));
  events.emit(modeChanged("B1"));
  assert.deepEqual(heard, ["first B1", "all backend_mode_changed"]);
});

Deno.test("EventStream.wanted says whether a type of event has a reader", () => {
  const events = strictEventStream();
  assert.ok(EVENT_TYPES.every((type) => !events.wanted[type]));
  const stopReading = events.subscribe("test", ["probe", "backend_up"], () => {});
  assert.deepEqual(EVENT_TYPES.filter((type) => events.wanted[type]), ["probe", "backend_up"]);
  stopReading();
  assert.ok(EVENT_TYPES.every((type) => !events.wanted[type]));
});

Deno.test("EventStream.followsConnections is true if any usual event of connections has a reader", () => {
  const types = [...EVENT_TYPES, ...REPLAY_TYPES];
  /** The events of one connection that a reader of these types reads. */
  const readOfOne = (wanted: typeof types) => {
    const events = strictEventStream();
    const read: string[] = [];
    events.subscribe("test", wanted, ({ type }) => read.push(type));
    const options = {
      algorithm: { name: "random" },
      backends: [{ id: "B1", weight: 1, backup: false }],
      healthCheck: { type: "none", interval: NS_PER_S, jitter: 0, rise: 1, fall: 1 },
      retries: 0,
      limits: { connections: 1 },
    } as const;
    const connection = open(new Scheduler(options, events, createRandom(1)));
    connection.asked(1);
    connection.answered(2);
    connection.close("closed", 3);
    return { read, follows: events.followsConnections };
  };
  for (const type of types) {
    const usual = readOfOne(types).read.includes(type) && type !== "pick_explained";
    const { read, follows } = readOfOne([type]);
    if (usual) assert.deepEqual(read, [type]);
    assert.equal(follows, usual, type);
  }
});

Deno.test("EventStream.subscribe() returns a function that ends only this subscription of a reader that has two", () => {
  const events = strictEventStream();
  const heard: LbEvent[] = [];
  const reader = (event: LbEvent) => heard.push(event);
  const stopFirst = events.subscribe("test", ["backend_mode_changed"], reader);
  events.subscribe("test", ["backend_mode_changed", "probe"], reader);
  stopFirst();
  stopFirst();
  events.emit(modeChanged("B1"));
  assert.equal(heard.length, 1);
  assert.ok(events.wanted.probe);
});

Deno.test("EventStream.emit() still calls all readers of an event when one of them ends its subscription", () => {
  const events = strictEventStream();
  const heard: string[] = [];
  const stopFirst = events.subscribe("test", ["backend_mode_changed"], () => {
    heard.push("first");
    stopFirst();
  });
  events.subscribe("test", ["backend_mode_changed"], () => heard.push("second"));
  events.emit(modeChanged("B1"));
  events.emit(modeChanged("B1"));
  assert.deepEqual(heard, ["first", "second", "second"]);
});

Deno.test("EventStream.emit() detaches a reader that throws, reports it once, and serves the others", () => {
  const failures: ReaderFailure[] = [];
  const events = new EventStream((failure) => failures.push(failure));
  const heard: string[] = [];
  const defect = new TypeError("a defect");
  events.subscribe("first", ["probe", "backend_mode_changed"], () => {
    heard.push("first");
    throw defect;
  });
  events.subscribe("second", ["backend_mode_changed"], () => heard.push("second"));
  events.emit(modeChanged("B1"));
  events.emit(modeChanged("B1"));
  assert.deepEqual(heard, ["first", "second", "second"]);
  assert.deepEqual(failures.map(({ reader, event, cause }) => [reader, event, cause]), [
    ["first", "backend_mode_changed", defect],
  ]);
  assert.match(
    failures[0]!.message,
    /"first" failed at an event backend_mode_changed.*: a defect$/,
  );
  assert.ok(!events.wanted.probe, "it reads no other kind either");
});

Deno.test("EventStream.emit() isolates a reader that throws at an event which another reader has emitted", () => {
  const failures: ReaderFailure[] = [];
  const events = new EventStream((failure) => failures.push(failure));
  const heard: string[] = [];
  events.subscribe("outer", ["backend_mode_changed"], ({ backend }) => {
    if (backend === "B1") events.emit(modeChanged("B2"));
    heard.push(`outer ${backend}`);
  });
  events.subscribe("inner", ["backend_mode_changed"], ({ backend }) => {
    if (backend === "B2") throw new TypeError("a defect");
    heard.push(`inner ${backend}`);
  });
  events.emit(modeChanged("B1"));
  assert.deepEqual(heard, ["outer B2", "outer B1", "inner B1"]);
  assert.deepEqual(failures.map(({ reader }) => reader), ["inner"]);
});

Deno.test("EventStream.emit() throws the failure of a reader if onReaderFailed throws it", () => {
  const events = strictEventStream();
  events.subscribe("reader", ["backend_mode_changed"], () => {
    throw new TypeError("a defect");
  });
  assert.throws(() => events.emit(modeChanged("B1")), ReaderFailure);
  events.emit(modeChanged("B1"));
});

Deno.test("EVENT_TYPES names each kind once", () => {
  assert.equal(new Set(EVENT_TYPES).size, EVENT_TYPES.length);
});

Deno.test("toMs() keeps the fraction", () => {
  assert.equal(toMs(1_500_000), 1.5);
  assert.equal(toMs(1), 1e-6);
});
