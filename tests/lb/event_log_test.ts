import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import { logEvents, logReaderFailure } from "../../lb/event_log.ts";
import { type ConnectionEnd, EventStream, type LbEvent } from "../../lib/core/mod.ts";
import { NS_PER_S, parsePrefix } from "../../lib/base/mod.ts";
import { escapeText } from "../../lib/base/escape.ts";
import { logger, type LogOptions, startLogging, stopLogging } from "../../lib/cli/log.ts";
import { acquire, open, retried, waiting } from "../support/phases.ts";
import { schedulerOf, takeDown } from "../support/scheduling.ts";
import { strictEventStream } from "../support/events.ts";

/** Collects the lines of the log. */
function logged(options: LogOptions, color = false): string[] {
  const lines: string[] = [];
  startLogging(options, { out: (line) => lines.push(line), stdoutIsTerminal: false, color });
  return lines;
}

Deno.test("logEvents() writes one JSON object per event, with its numbers", () => {
  const lines = logged({ level: "info", format: "auto" });
  const { scheduler, events } = schedulerOf({ backends: ["B1", "B2"] });
  const end = logEvents(events, logger("lb"), { connections: true });
  const lease = retried(acquire(scheduler, "10.0.0.9", 1e6), 2e6);
  lease.connected(3e6);
  lease.close("closed", 9e6, { bytesToBackend: 10, bytesToClient: 2048 });
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
    "#1 10.0.0.9 → B2 ended normally after 7.0 ms (10 B to the backend, 2.0 KB to the client)",
    "B1 is down after 3 failed probes: connect: refused; 0 connections still open; active: B2",
  ]);
  assert.equal(records[2].bytes_to_client, 2048);
  assert.match(records[0].time, /^\d{4}-\d\d-\d\dT/);
});

Deno.test("logEvents() logs clients that wait, and clients that have waited for too long", () => {
  const lines = logged({ level: "info", format: "auto" });
  const { scheduler, events } = schedulerOf({
    backends: [{ id: "B1", maxConnections: 1 }],
    queue: { length: 2, timeout: NS_PER_S },
  });
  const lease = open(scheduler, "10.0.0.1");
  const end = logEvents(events, logger("lb"), { connections: true });
  waiting(acquire(scheduler, "10.0.0.2", 0));
  waiting(acquire(scheduler, "10.0.0.3", 0));
  acquire(scheduler, "10.0.0.4", 0);
  lease.close("closed", NS_PER_S / 2);
  scheduler.passTime(NS_PER_S);
  end();
  stopLogging();
  assert.deepEqual(lines.map((line) => JSON.parse(line).message), [
    "#2 10.0.0.2 waits: every backend is full (1 waiting)",
    "#3 10.0.0.3 waits: every backend is full (2 waiting)",
    "#4 10.0.0.4 refused: every backend and the queue are full",
    "#1 10.0.0.1 → B1 ended normally after 500 ms (0 B to the backend, 0 B to the client)",
    "#2 10.0.0.2 → B1 after 500 ms in the queue (1 waiting)",
    "#3 10.0.0.3 refused: no backend had a free place within queue.timeout",
  ]);
});

Deno.test("logEvents() without connections: events of connections are not even created", () => {
  logged({ level: "info", format: "json" });
  const events = strictEventStream();
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

Deno.test("logEvents() logs every probe at level debug", () => {
  const lines = logged({ level: "debug", format: "pretty" });
  const { scheduler, events } = schedulerOf({ backends: ["B1"] });
  const end = logEvents(events, logger("lb"), { connections: true });
  scheduler.probed("B1", false, 1e6, 2e6, 'got "{x}"');
  end();
  stopLogging();
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^\d\d:\d\d:\d\d\.\d{3} debug {3}probe of B1 failed: got "\{x\}"$/);
});

Deno.test("startLogging() colours pretty lines if colours are allowed", () => {
  const lines = logged({ level: "info", format: "pretty" }, true);
  logger("lb").warn("careful");
  stopLogging();
  assert.ok(lines[0]!.includes("\x1b["));
});

Deno.test("logEvents() does not log every refused client, and says how many lines it held back", () => {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const lines = logged({ level: "info", format: "auto" });
    const { scheduler, events } = schedulerOf({ deny: [parsePrefix("10.0.0.9")] });
    const end = logEvents(events, logger("lb"), { connections: true });
    const comes = (count: number) => {
      for (let i = 0; i < count; i++) acquire(scheduler, "10.0.0.9", 0);
    };
    comes(500);
    clock.tick(1000);
    comes(2);
    clock.tick(1000);
    // No client comes in this second.
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
    assert.equal(records[1].message, "499 more clients refused: address not allowed");
  } finally {
    clock.uninstall();
  }
});

Deno.test("logEvents() logs when the session store is opened, fails and works again", () => {
  const lines = logged({ level: "info", format: "json" });
  const events = strictEventStream();
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
    ["info", `sessions are stored in ${store}`],
    ["info", `sessions are stored in ${store}; 3 sessions read from it`],
    ["info", "session of 10.0.0.9 read from the store: another balancer pinned it to B2"],
    [
      "warning",
      `sessions are only in memory (7 now), because ${store} does not work: connection refused`,
    ],
    ["info", `sessions are stored in ${store} again after 12.3 s; 1 session written to it`],
    ["warning", `2 session changes lost: not written to ${store}`],
  ]);
  assert.equal(records[4].degraded_ms, 12_345);
});

Deno.test("logEvents() logs once a second why TLS handshakes fail", () => {
  const lines = logged({ level: "info", format: "auto" });
  const { scheduler, events } = schedulerOf({});
  const end = logEvents(events, logger("lb"), { connections: true });
  for (let i = 0; i < 10; i++) {
    const connection = scheduler.acceptProxy("10.0.0.9", i * 1e6);
    connection.refuse("bad_tls_handshake", i * 1e6, "the client hung up");
  }
  end();
  stopLogging();
  assert.deepEqual(lines.map((line) => JSON.parse(line).message), [
    "#1 10.0.0.9 refused: the TLS handshake failed: the client hung up",
    "9 more clients refused: the TLS handshake failed",
  ]);
});

/** Runs a test with a clock that moves only when the test calls `tick`. */
function withClock(run: (clock: { tick(ms: number): number }) => void): void {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  try {
    run(clock);
  } finally {
    stopLogging();
    clock.uninstall();
  }
}

const REPEATED: readonly { readonly name: string; readonly event: (i: number) => LbEvent }[] = [
  ...([
    "no_backend_available",
    "all_backends_full",
    "queue_full",
    "queue_timeout",
    "connection_limit",
    "connects_failed",
    "local_shortage",
    "denied",
    "bad_proxy_header",
    "bad_tls_handshake",
    "client_connection_limit",
    "client_rate_limit",
    "stopping",
  ] as const).map((reason) => ({
    name: `refusals: ${reason}`,
    event: (i: number): LbEvent => ({
      type: "connection_refused",
      at_ms: i,
      connection: i,
      client: `10.0.0.${i % 256}`,
      reason,
      attempts: 0,
    }),
  })),
  ...(["refused", "timeout", "unreachable", "tls", "other"] as const).map((reason) => ({
    name: `failed connects: ${reason}`,
    event: (i: number): LbEvent => ({
      type: "connect_failed",
      at_ms: i,
      connection: i,
      client: "10.0.0.9",
      backend: `B${i % 3}`,
      attempt: 1,
      connect_ms: 1,
      reason,
    }),
  })),
  {
    name: "session moves",
    event: (i) => ({
      type: "session_moved",
      at_ms: i,
      client: `10.0.0.${i % 256}`,
      from: "B1",
      to: "B2",
      why: "failover",
    }),
  },
  {
    name: "failures of a store",
    event: (i) => ({
      type: "session_store_degraded",
      at_ms: i,
      store: "Redis at 10.0.0.1:6379",
      reason: `failure ${i}`,
      sessions: 0,
    }),
  },
  {
    name: "recoveries of a store",
    event: (i) => ({
      type: "session_store_recovered",
      at_ms: i,
      store: "Redis at 10.0.0.1:6379",
      degraded_ms: 1,
      written: 0,
    }),
  },
  {
    name: "ejections",
    event: (i) => ({
      type: "backend_ejected",
      at_ms: i,
      backend: "B1",
      failures: 5,
      ejected_for_ms: 1,
      active_servers: [],
    }),
  },
];

for (const { name, event } of REPEATED) {
  Deno.test(`logEvents() writes one line per second for repeated events, and counts all: ${name}`, () => {
    withClock((clock) => {
      const lines = logged({ level: "info", format: "json" });
      const events = strictEventStream();
      const end = logEvents(events, logger("lb"), { connections: true });
      let count = 0;
      for (let second = 0; second < 4; second++) {
        for (let i = 0; i < 500; i++) events.emit(event(count++));
        clock.tick(1000);
      }
      end();
      const records = lines.map((line) => JSON.parse(line));
      assert.ok(records.length <= 5, `${records.length} lines in 4 s`);
      const counted = records.reduce((sum, { held_back = 1 }) => sum + held_back, 0);
      assert.equal(counted, count);
    });
  });
}

Deno.test("logEvents() names the backends of failed connects", () => {
  withClock((clock) => {
    const lines = logged({ level: "info", format: "json" });
    const events = strictEventStream();
    const end = logEvents(events, logger("lb"), { connections: true });
    for (let i = 0; i < 100; i++) {
      events.emit({
        type: "connect_failed",
        at_ms: i,
        connection: i,
        client: "10.0.0.9",
        backend: i % 4 === 0 ? "B2" : "B1",
        attempt: 1,
        connect_ms: 1,
        reason: "refused",
      });
    }
    clock.tick(1000);
    end();
    const [, summary] = lines.map((line) => JSON.parse(line));
    assert.equal(summary.message, "99 more connects failed: refused (B1 75, B2 24)");
    assert.deepEqual(
      [summary.event, summary.reason, summary.held_back, summary.backends],
      ["connects_failed", "refused", 99, { B1: 75, B2: 24 }],
    );
  });
});

/** Emits that a connection was opened, and that it was closed, with these numbers of bytes. */
function connection(
  events: EventStream,
  number: number,
  bytes: readonly [number, number],
  end: ConnectionEnd = "closed",
) {
  const both = { connection: number, client: "10.0.0.9", backend: "B1" };
  return {
    open: () =>
      events.emit({
        ...both,
        type: "connection_opened",
        at_ms: 1,
        attempt: 1,
        connect_ms: 1,
        since_arrival_ms: 1,
        in_flight: 1,
      }),
    close: () =>
      events.emit({
        ...both,
        type: "connection_closed",
        at_ms: 2,
        end,
        duration_ms: 1,
        since_arrival_ms: 2,
        bytes_to_backend: bytes[0],
        bytes_to_client: bytes[1],
        in_flight: 0,
      }),
  };
}

Deno.test("logEvents() logs a short connection without a byte only at level debug", () => {
  withClock((clock) => {
    for (const level of ["info", "debug"] as const) {
      const lines = logged({ level, format: "json" });
      const events = strictEventStream();
      const end = logEvents(events, logger("lb"), { connections: true });
      for (const [i, bytes] of ([[0, 0], [1, 0], [0, 1]] as const).entries()) {
        const { open, close } = connection(events, i, bytes);
        open();
        clock.tick(10);
        close();
      }
      events.emit({
        type: "connection_refused",
        at_ms: 1,
        connection: 4,
        client: "10.0.0.9",
        reason: "sent_nothing",
        attempts: 0,
      });
      end();
      stopLogging();
      const records = lines.map((line) => JSON.parse(line));
      const probe = [["debug", 0], ["debug", 0]];
      const others = [["info", 1], ["info", 1], ["info", 2], ["info", 2]];
      assert.deepEqual(
        records.map(({ level, connection }) => [level, connection]),
        level === "info" ? others : [...probe, ...others, ["debug", 4]],
      );
    }
  });
});

Deno.test("logEvents() logs a connection that carried no byte, if something other than its client ended it", () => {
  const lines = logged({ level: "info", format: "json" });
  const events = strictEventStream();
  const end = logEvents(events, logger("lb"), { connections: true });
  for (
    const [i, how] of (["client_aborted", "backend_aborted", "backend_down"] as const).entries()
  ) {
    const { open, close } = connection(events, i, [0, 0], how);
    open();
    close();
  }
  end();
  stopLogging();
  assert.deepEqual(lines.map((line) => JSON.parse(line).connection), [1, 1, 2, 2]);
});

Deno.test("logEvents() logs an opened connection without a byte later, with the time at which it was opened", () => {
  withClock((clock) => {
    const lines = logged({ level: "info", format: "json" });
    const events = strictEventStream();
    const end = logEvents(events, logger("lb"), { connections: true });
    const { open, close } = connection(events, 1, [0, 0]);
    clock.tick(50);
    open();
    clock.tick(99);
    assert.equal(lines.length, 0);
    clock.tick(101);
    assert.equal(lines.length, 1);
    clock.tick(60_000);
    close();
    end();
    const records = lines.map((line) => JSON.parse(line));
    assert.deepEqual(records.map(({ event }) => event), ["connection_opened", "connection_closed"]);
    assert.equal(records[0].time, "1970-01-01T00:00:00.050Z");
  });
});

Deno.test("logEvents() writes only the number of active servers if there are many", () => {
  const lines = logged({ level: "info", format: "json" });
  const events = strictEventStream();
  const end = logEvents(events, logger("lb"), { connections: true });
  const down = (active: number): LbEvent => ({
    type: "backend_down",
    at_ms: 1,
    backend: "B0",
    probes: 3,
    reason: "refused",
    in_flight: 0,
    active_servers: Array.from({ length: active }, (_, i) => `backend-${i + 1}`),
  });
  events.emit(down(499));
  events.emit(down(2));
  events.emit(down(0));
  end();
  stopLogging();
  assert.ok(lines[0]!.length < 300, lines[0]);
  const records = lines.map((line) => JSON.parse(line));
  assert.deepEqual(records.map(({ message }) => message.split("; ").at(-1)), [
    "active: 499 (backend-1 backend-2 backend-3 …)",
    "active: backend-1 backend-2",
    "active: none",
  ]);
  assert.deepEqual(
    records.map(({ active_count, active_servers }) => [active_count, active_servers]),
    [
      [499, undefined],
      [2, ["backend-1", "backend-2"]],
      [0, []],
    ],
  );
});

Deno.test("startLogging() escapes text from outside that could move the cursor or begin a line", () => {
  const nasty = "\x1b[2J\r\nfake\u009b31m\u202e\u2028";
  for (const format of ["pretty", "json"] as const) {
    const lines = logged({ level: "info", format });
    const events = strictEventStream();
    const end = logEvents(events, logger("lb"), { connections: true });
    events.emit({
      type: "session_store_degraded",
      at_ms: 1,
      store: "Redis",
      reason: nasty,
      sessions: 0,
    });
    events.emit({ type: "config_reloaded", at_ms: 1, changes: [nasty], ignored: [nasty] });
    end();
    stopLogging();
    for (const line of lines) assert.equal(escapeText(line), line);
    if (format === "json") assert.equal(JSON.parse(lines[0]!).reason, nasty);
    else assert.ok(lines[0]!.endsWith("\\u001b[2J\\r\\nfake\\u009b31m\\u202e\\u2028"));
  }
});

Deno.test("logEvents() first logs the version, the seed, the epoch and the configuration", () => {
  const lines = logged({ level: "info", format: "json" });
  const events = strictEventStream();
  const end = logEvents(events, logger("lb"), { connections: false });
  const run = { version: "1.2.3", seed: 7, epoch_ms: 1e12, configuration: { retries: 3 } };
  events.emit({ type: "run_started", at_ms: 5, ...run });
  end();
  stopLogging();
  const { time: _, ...record } = JSON.parse(lines[0]!);
  assert.deepEqual(record, {
    level: "info",
    message: "lbsim 1.2.3 starts; seed 7",
    event: "run_started",
    at_ms: 5,
    ...run,
  });
});

Deno.test("logReaderFailure() names a reader that failed, even if it is the log itself", () => {
  const lines = logged({ level: "info", format: "json" });
  const log = logger("lb");
  const events = new EventStream((failure) => logReaderFailure(log, failure));
  const end = logEvents(events, log, { connections: false });
  events.subscribe("recording", ["backend_mode_changed"], () => {
    throw new TypeError("a defect");
  });
  const mode = { type: "backend_mode_changed", at_ms: 0, backend: "B1", in_flight: 0 } as const;
  events.emit({ ...mode, mode: "drain" });
  events.emit({ ...mode, mode: "ready" });
  // The log's own reader fails at this event, because a property is missing.
  events.emit({ type: "config_reloaded", at_ms: 0 } as unknown as LbEvent);
  end();
  stopLogging();
  const records = lines.map((line) => JSON.parse(line));
  assert.deepEqual(records.map(({ level, event, reader }) => [level, event, reader]), [
    ["info", "backend_mode_changed", undefined],
    ["error", "reader_failed", "recording"],
    ["info", "backend_mode_changed", undefined],
    ["error", "reader_failed", "log"],
  ]);
  const [, { message, failed_with, error }] = records;
  assert.match(
    message,
    /^a defect of lbsim: the reader "recording" failed at an event backend_mode_/,
  );
  assert.deepEqual([failed_with, error], ["backend_mode_changed", "TypeError: a defect"]);
});
