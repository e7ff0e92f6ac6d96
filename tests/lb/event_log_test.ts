import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import { logEvents } from "../../lb/event_log.ts";
import { StatusReporter } from "../../lb/status.ts";
import { Arrival, EventStream, NS_PER_S, parsePrefix } from "../../lib/core/mod.ts";
import { logger, type LogOptions, startLogging, stopLogging } from "../../lib/log.ts";
import { granted, open, schedulerOf, takeDown, waiting } from "../support/scheduling.ts";

/** Collects what is logged. */
function logged(options: LogOptions, color = false): string[] {
  const lines: string[] = [];
  startLogging(options, { out: (line) => lines.push(line), stdoutIsTerminal: false, color });
  return lines;
}

Deno.test("logEvents() writes one JSON object per event, with its numbers", () => {
  const lines = logged({ level: "info", format: "auto" });
  const { scheduler, events } = schedulerOf({ backends: ["B1", "B2"] });
  const end = logEvents(events, logger("lb"), { connections: true });
  const lease = granted(granted(scheduler.acquire("10.0.0.9", 1e6)).connectFailed("refused", 2e6));
  lease.connected(3e6);
  lease.release("closed", 9e6, { bytesToBackend: 10, bytesToClient: 2048 });
  takeDown(scheduler, "B1", 10e6);
  end();
  stopLogging();
  const records = lines.map((line) => JSON.parse(line));
  assert.deepEqual(records.map(({ level, event }) => [level, event]), [
    ["warning", "connect_failed"],
    ["info", "connection_opened"],
    ["info", "connection_closed"],
    ["warning", "backend_down"],
  ]);
  assert.deepEqual(records.map(({ message }) => message), [
    "#1 10.0.0.9 → B1 connect failed: refused (attempt 1)",
    "#1 10.0.0.9 → B2 (1 in flight, connect 1.0 ms)",
    "#1 10.0.0.9 → B2 closed after 7.0 ms (10 B in, 2.0 KB out)",
    "B1 is down after 3 bad probes: connect: refused; 0 connections still on it; active: B2",
  ]);
  assert.equal(records[2].bytes_to_client, 2048);
  assert.match(records[0].time, /^\d{4}-\d\d-\d\dT/);
});

Deno.test("logEvents() tells of those who wait, and of those who waited in vain", () => {
  const lines = logged({ level: "info", format: "auto" });
  const { scheduler, events } = schedulerOf({
    backends: [{ id: "B1", maxConnections: 1 }],
    queue: { length: 2, timeout: NS_PER_S },
  });
  const lease = open(scheduler, "10.0.0.1");
  const end = logEvents(events, logger("lb"), { connections: true });
  waiting(scheduler.acquire("10.0.0.2", 0));
  waiting(scheduler.acquire("10.0.0.3", 0));
  scheduler.acquire("10.0.0.4", 0);
  lease.release("closed", NS_PER_S / 2);
  scheduler.passTime(NS_PER_S);
  end();
  stopLogging();
  assert.deepEqual(lines.map((line) => JSON.parse(line).message), [
    "#2 10.0.0.2 waits: every backend is full (1 waiting)",
    "#3 10.0.0.3 waits: every backend is full (2 waiting)",
    "#4 10.0.0.4 refused: every backend is full, and as many clients as may wait do so",
    "#1 10.0.0.1 → B1 closed after 500 ms (0 B in, 0 B out)",
    "#2 10.0.0.2 → B1 has room after 500 ms (1 waiting)",
    "#3 10.0.0.3 refused: no backend had room for it in time",
  ]);
});

Deno.test("logEvents() without connections does not even have them made", () => {
  logged({ level: "info", format: "json" });
  const events = new EventStream();
  const end = logEvents(events, logger("lb"), { connections: false });
  for (
    const type of ["connection_opened", "connection_closed", "session_pinned", "probe"] as const
  ) {
    assert.equal(events.wanted[type], false, type);
  }
  assert.equal(events.wanted.backend_down, true);
  end();
  stopLogging();
});

Deno.test("logEvents() tells of every probe at level debug", () => {
  const lines = logged({ level: "debug", format: "pretty" });
  const { scheduler, events } = schedulerOf({ backends: ["B1"] });
  const end = logEvents(events, logger("lb"), { connections: true });
  scheduler.probed("B1", false, 1e6, 2e6, 'got "{x}"');
  end();
  stopLogging();
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^\d\d:\d\d:\d\d\.\d{3} debug {3}probe of B1 failed: got "\{x\}"$/);
});

Deno.test("startLogging() colours what is pretty, if it may", () => {
  const lines = logged({ level: "info", format: "pretty" }, true);
  logger("lb").warn("careful");
  stopLogging();
  assert.ok(lines[0]!.includes("\x1b["));
});

Deno.test("StatusReporter.status() tells state, load, share and the last probe of each", () => {
  const { scheduler, events } = schedulerOf({ backends: ["B1", "B2"] });
  const status = new StatusReporter(scheduler, events, () => 5 * NS_PER_S);
  for (let i = 0; i < 3; i++) open(scheduler);
  scheduler.probed("B1", true, 4 * NS_PER_S, 2e6);
  scheduler.setMode("B2", "drain", 0);
  assert.deepEqual(status.status(), [
    {
      backend: "B1",
      state: "up",
      in_flight: 2,
      connections: 2,
      share: 2 / 3,
      last_probe_ok: true,
      last_probe_ms: 2,
      last_probe_ago_ms: 1000,
    },
    { backend: "B2", state: "drain", in_flight: 1, connections: 1, share: 1 / 3 },
  ]);
  status.stop();
});

Deno.test("logEvents() is not flooded by those who are turned away, and says how many it held back", () => {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const lines = logged({ level: "info", format: "auto" });
    const { scheduler, events } = schedulerOf({ deny: [parsePrefix("10.0.0.9")] });
    const end = logEvents(events, logger("lb"), { connections: true });
    const comes = (count: number) => {
      for (let i = 0; i < count; i++) scheduler.acquire("10.0.0.9", 0);
    };
    comes(500);
    clock.tick(1000);
    comes(2);
    clock.tick(1000);
    // A second in which nobody came.
    clock.tick(1000);
    comes(3);
    end();
    stopLogging();
    const records = lines.map((line) => JSON.parse(line));
    assert.deepEqual(records.map(({ event, held_back }) => [event, held_back]), [
      ["connection_refused", undefined],
      ["connections_refused", 499],
      ["connections_refused", 2],
      ["connection_refused", undefined],
      ["connections_refused", 2],
    ]);
    assert.equal(records[1].message, "499 more clients refused: its address is not let in");
  } finally {
    clock.uninstall();
  }
});

Deno.test("StatusReporter.logEvery() tells of those who wait, and of those who were turned away", () => {
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval"] });
  try {
    const lines = logged({ level: "info", format: "auto" });
    const { scheduler, events } = schedulerOf({
      backends: [{ id: "B1", maxConnections: 1 }],
      queue: { length: 1, timeout: NS_PER_S },
      deny: [parsePrefix("10.0.0.9")],
    });
    const status = new StatusReporter(scheduler, events, () => 0);
    status.logEvery(NS_PER_S, logger("lb"));
    clock.tick(1000);
    open(scheduler);
    for (const client of ["10.0.0.1", "10.0.0.2", "10.0.0.9"]) scheduler.acquire(client, 0);
    clock.tick(1000);
    status.stop();
    stopLogging();
    const records = lines.map((line) => JSON.parse(line));
    assert.deepEqual(records.map(({ backend }) => backend), ["B1", "B1", undefined]);
    const { message, waiting, refused } = records[2];
    assert.equal(
      message,
      "1 waiting for a backend to have room; refused since the start: 1 queue_full, 1 denied",
    );
    assert.deepEqual([waiting, refused], [1, { queue_full: 1, denied: 1 }]);
  } finally {
    clock.uninstall();
  }
});

Deno.test("logEvents() says where sessions are kept, and when they cannot be", () => {
  const lines = logged({ level: "info", format: "json" });
  const events = new EventStream();
  const end = logEvents(events, logger("lb"), { connections: true });
  const store = "Redis at 10.0.0.1:6379";
  events.emit({ type: "session_store_opened", at_ms: 1, store, restored: 0 });
  events.emit({ type: "session_store_opened", at_ms: 1, store, restored: 3 });
  events.emit({ type: "session_adopted", at_ms: 1, client: "10.0.0.9", backend: "B2" });
  const reason = "connection refused";
  events.emit({ type: "session_store_degraded", at_ms: 1, store, reason, sessions: 7 });
  events.emit({
    type: "session_store_recovered",
    at_ms: 1,
    store,
    degraded_ms: 12_345,
    written: 1,
  });
  events.emit({ type: "session_store_incomplete", at_ms: 1, store, unwritten: 2 });
  end();
  stopLogging();
  const records = lines.map((line) => JSON.parse(line));
  assert.deepEqual(records.map(({ level, message }) => [level, message]), [
    ["info", `sessions are kept in ${store}`],
    ["info", `sessions are kept in ${store}; 3 taken over from it`],
    ["info", "session of 10.0.0.9 taken over: another balancer has it on B2"],
    ["warning", `sessions are in memory only (7 now) until ${store} is usable: connection refused`],
    ["info", `sessions are kept in ${store} again after 12.3 s; 1 session written to it`],
    ["warning", `2 session changes not written to ${store}: lost`],
  ]);
  assert.equal(records[4].degraded_ms, 12_345);
});

Deno.test("logEvents() says once a second what is wrong with TLS handshakes", () => {
  const lines = logged({ level: "info", format: "auto" });
  const { scheduler, events } = schedulerOf({});
  const end = logEvents(events, logger("lb"), { connections: true });
  for (let i = 0; i < 10; i++) {
    const arrival = scheduler.arrive("10.0.0.9", i * 1e6);
    assert.ok(arrival instanceof Arrival);
    arrival.turnAway("bad_tls_handshake", i * 1e6, "the client hung up");
  }
  end();
  stopLogging();
  assert.deepEqual(lines.map((line) => JSON.parse(line).message), [
    "#1 10.0.0.9 refused: its TLS handshake failed: the client hung up",
    "9 more clients refused: its TLS handshake failed",
  ]);
});
