import assert from "node:assert/strict";
import { EventBalance, type LbEvent } from "../../../../lib/core/mod.ts";
import { acquire, open, waiting } from "../../../support/phases.ts";
import { schedulerOf } from "../../../support/scheduling.ts";
import { strictEventStream } from "../../../support/events.ts";

const ARRIVED: LbEvent = { type: "connection_arrived", at_ms: 0, connection: 1, client: "c" };
const OPENED: LbEvent = {
  type: "connection_opened",
  at_ms: 0,
  connection: 1,
  client: "c",
  backend: "B1",
  attempt: 1,
  connect_ms: 0,
  since_arrival_ms: 0,
  in_flight: 1,
};
const CLOSED: LbEvent = {
  type: "connection_closed",
  at_ms: 0,
  connection: 1,
  client: "c",
  backend: "B1",
  end: "closed",
  duration_ms: 0,
  since_arrival_ms: 0,
  bytes_to_backend: 0,
  bytes_to_client: 0,
  in_flight: 0,
};
const REFUSED: LbEvent = {
  type: "connection_refused",
  at_ms: 0,
  connection: 1,
  client: "c",
  reason: "denied",
  attempts: 0,
};

const UNBALANCED: Readonly<Record<string, readonly [events: readonly LbEvent[], why: RegExp]>> = {
  "arrives twice": [[ARRIVED, ARRIVED], /arrives once/],
  "ends without having arrived": [[REFUSED], /from its arrival to its end/],
  "ends twice": [[ARRIVED, REFUSED, REFUSED], /from its arrival to its end/],
  "is opened after its end": [[ARRIVED, REFUSED, OPENED], /from its arrival to its end/],
  "is closed without having been opened": [[ARRIVED, CLOSED], /only what is open is closed/],
  "is refused although it is open": [[ARRIVED, OPENED, REFUSED], /only what is open is closed/],
};

for (const [name, [emitted, why]] of Object.entries(UNBALANCED)) {
  Deno.test(`EventBalance finds a connection that ${name}`, () => {
    const events = strictEventStream();
    new EventBalance(events);
    assert.throws(() => emitted.forEach((event) => events.emit(event)), (error: Error) => {
      assert.match(String(error.cause ?? error), why);
      return true;
    });
  });
}

Deno.test("EventBalance counts connections from their arrival to their end", () => {
  const { scheduler, events } = schedulerOf({
    backends: [{ id: "B1", maxConnections: 1 }, { id: "B2", maxConnections: 1 }],
    queue: { length: 2, timeout: 1000 },
  });
  const balance = new EventBalance(events);
  const arriving = scheduler.acceptProxy("10.0.0.9", 0);
  const first = open(scheduler);
  const second = acquire(scheduler);
  const third = waiting(acquire(scheduler));
  const fourth = waiting(acquire(scheduler));
  assert.equal(acquire(scheduler).refusal, "queue_full");
  assert.equal(balance.present, 5);
  fourth.leave(1);
  arriving.leave(1);
  second.connectFailed("refused", 2);
  assert.deepEqual([second.phase, third.phase], ["waiting", "connecting"]);
  third.leave(3);
  first.close("closed", 4);
  second.refuse("local_shortage", 5);
  assert.equal(balance.present, 0);
});

Deno.test("events contain the time since a client arrived, also after waits and failovers", () => {
  const { scheduler, emitted } = schedulerOf({
    backends: [{ id: "B1", maxConnections: 1 }, { id: "B2", maxConnections: 1 }],
    queue: { length: 1, timeout: 1e9 },
  });
  const lasting = open(scheduler, "other", 0);
  const connection = scheduler.accept("c", 1e6);
  connection.assign(2e6);
  connection.connectFailed("timeout", 5e6);
  lasting.close("closed", 8e6);
  connection.connected(9e6);
  connection.close("closed", 20e6);
  const told = emitted.flatMap((event) =>
    "connection" in event && event.connection === connection.number
      ? [[
        event.at_ms,
        event.type,
        "connect_ms" in event ? event.connect_ms : undefined,
        "since_arrival_ms" in event ? event.since_arrival_ms : undefined,
      ]]
      : []
  );
  assert.deepEqual(told, [
    [1, "connection_arrived", undefined, undefined],
    [5, "connect_failed", 3, undefined],
    [5, "connection_queued", undefined, undefined],
    [8, "connection_dequeued", undefined, undefined],
    [9, "connection_opened", 1, 8],
    [20, "connection_closed", undefined, 19],
  ]);
});
