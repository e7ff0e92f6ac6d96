import assert from "node:assert/strict";
import { NS_PER_MS, NS_PER_S } from "../../../lib/base/mod.ts";
import { type EjectionRules, EventStream, Scheduler } from "../../../lib/core/mod.ts";
import {
  decodeFrame,
  encodeFrame,
  Monitor,
  type Settings,
  settingsOf,
} from "../../../lib/observe/mod.ts";
import { createRandom } from "../../../lib/base/random.ts";
import { acquire, connecting, retried } from "../../support/phases.ts";
import { configOf } from "../../support/config.ts";

const SETTINGS: Settings = settingsOf(configOf([
  { host: "192.0.2.1", port: 1 },
  { host: "192.0.2.2", port: 2 },
]));

/** A scheduler of two backends that are up, and its monitor. Times are in milliseconds. */
function observed(ejection?: EjectionRules) {
  const events = new EventStream((failure) => {
    throw failure;
  });
  const monitor = new Monitor(events);
  const config = configOf([{ host: "192.0.2.1", port: 1 }, { host: "192.0.2.2", port: 2 }]);
  const scheduler = new Scheduler({ ...config, ejection }, events, createRandom(1));
  monitor.observe(scheduler, 0);
  scheduler.probed("B1", true, 0, 2 * NS_PER_MS);
  scheduler.probed("B2", true, 0, 3 * NS_PER_MS);
  return {
    scheduler,
    monitor,
    events,
    at: (ms: number) => monitor.snapshot(ms * NS_PER_MS, { settings: SETTINGS }),
  };
}

Deno.test("snapshot() reports for each backend what happened to its connections", () => {
  const { scheduler, at } = observed();
  const first = connecting(acquire(scheduler, "192.0.2.9", 1 * NS_PER_MS));
  const second = connecting(acquire(scheduler, "192.0.2.9", 1 * NS_PER_MS));
  const third = connecting(acquire(scheduler, "192.0.2.9", 1 * NS_PER_MS));
  first.connected(3 * NS_PER_MS);
  first.asked(3 * NS_PER_MS);
  first.answered(9 * NS_PER_MS);
  second.connected(3 * NS_PER_MS);
  first.close("closed", 101 * NS_PER_MS, { bytesToBackend: 10, bytesToClient: 2000 });
  retried(third, 102 * NS_PER_MS).connected(104 * NS_PER_MS);

  const { connections, connection_count, backends, bytes_to_backends, bytes_to_clients } = at(200);
  assert.deepEqual(connection_count, { B1: 0, B2: 2 });
  assert.equal(connections.in_flight, 2);
  assert.equal(connections.in_flight_max, 3);
  assert.equal(connections.arrived, 3);
  assert.equal(connections.opened, 3);
  assert.equal(connections.retried, 1);
  assert.deepEqual([bytes_to_backends, bytes_to_clients], [10, 2000]);
  const [b1, b2] = backends;
  assert.equal(b1!.in_flight_max, 2);
  assert.equal(b1!.opened, 1);
  assert.equal(b1!.connects_failed, 1);
  assert.equal(b1!.retried, 0);
  assert.equal(b1!.first_byte.count, 1);
  assert.ok(Math.abs(b1!.first_byte.p50_ms! - 8) < 0.5, `${b1!.first_byte.p50_ms}`);
  assert.ok(Math.abs(b1!.connect.p99_ms! - 2) < 0.2, `${b1!.connect.p99_ms}`);
  assert.equal(b2!.retried, 1);
  assert.equal(b2!.first_byte.p50_ms, null);
  assert.equal(b2!.share, 2 / 3);
  assert.equal(b2!.bytes_to_client, 0);
});

Deno.test("snapshot() shows probed health and the operator's wish side by side", () => {
  const { scheduler, at } = observed();
  for (const ms of [1000, 2000, 3000]) {
    scheduler.probed("B1", false, ms * NS_PER_MS, 5 * NS_PER_MS, "connection refused");
  }
  scheduler.setMode("B1", "drain", 4000 * NS_PER_MS);
  const [b1, b2] = at(5000).backends;
  assert.equal(b1!.condition, "drain");
  assert.deepEqual(b1!.health, {
    state: "down",
    since_ms: 3000,
    last_probe: { at_ms: 3000, ok: false, duration_ms: 5, text: "connection refused" },
    streak: 0,
    probes: 4,
    failed_probes: 3,
    times_down: 1,
    down_ms: 2000,
  });
  assert.deepEqual(b1!.wish, {
    state: "drain",
    since_ms: 4000,
    file_state: "ready",
    file_weight: 1,
  });
  assert.equal(b2!.health.state, "up");
  assert.equal(b2!.health.last_probe!.text, "ok");
  scheduler.probed("B1", true, 6000 * NS_PER_MS, 5 * NS_PER_MS);
  scheduler.probed("B1", true, 8000 * NS_PER_MS, 5 * NS_PER_MS);
  const { health, wish } = at(9000).backends[0]!;
  assert.equal(health.state, "up");
  assert.equal(health.down_ms, 5000);
  assert.equal(wish.state, "drain");
});

Deno.test("snapshot() counts refusals by reason", () => {
  const { scheduler, at } = observed();
  scheduler.setMode("B1", "maintenance", 0);
  scheduler.setMode("B2", "maintenance", 0);
  assert.equal(acquire(scheduler, "192.0.2.9", NS_PER_MS).phase, "ended");
  const { refused, refused_by_reason } = at(2).connections;
  assert.equal(refused, 1);
  assert.deepEqual(refused_by_reason, { no_backend_available: 1 });
  assert.deepEqual(at(2).active_servers, []);
});

Deno.test("snapshot() has the rates and shares of the last ten seconds", () => {
  const { scheduler, monitor, at } = observed();
  for (let second = 1; second <= 30; second++) {
    monitor.advance(second * NS_PER_S);
    // The first 20 seconds have nine times the load of the last ten.
    for (let i = 0; i < (second <= 20 ? 90 : 10); i++) {
      const connection = connecting(acquire(scheduler, "192.0.2.9", second * NS_PER_S));
      connection.connected(second * NS_PER_S + 1);
      connection.close("closed", second * NS_PER_S + 2);
    }
  }
  const { connections, backends } = at(31_000);
  assert.equal(connections.opened, 1900);
  assert.ok(Math.abs(connections.opened_per_s - 10) < 1, `${connections.opened_per_s}`);
  assert.equal(backends[0]!.recent_share, 0.5);
});

Deno.test("snapshot() shows ejections", () => {
  const { scheduler, at } = observed({
    failures: 1,
    base: NS_PER_S,
    max: 10 * NS_PER_S,
    maxShare: 0.5,
  });
  const connection = connecting(acquire(scheduler, "192.0.2.9", NS_PER_MS));
  connection.connectFailed("timeout", 2 * NS_PER_MS);
  const b1 = at(3).backends[0]!;
  assert.equal(b1.condition, "ejected");
  assert.deepEqual(b1.ejection, { ejected: true, until_ms: 1002, failures: 1, times: 1 });
  assert.equal(at(2000).backends[1]!.ejection!.times, 0);
});

Deno.test("frame() is complete and numbered, and each mark is in one frame only", () => {
  const { scheduler, monitor } = observed();
  scheduler.setMode("B2", "drain", NS_PER_MS);
  const connection = connecting(acquire(scheduler, "192.0.2.9", 2 * NS_PER_MS));
  connection.connected(3 * NS_PER_MS);
  const first = monitor.frame(100 * NS_PER_MS, {});
  assert.equal(first.sequence, 1);
  assert.deepEqual(first.backends, ["B1", "B2"]);
  assert.deepEqual([...first.condition], [1, 4]);
  assert.deepEqual([...first.backend_in_flight], [1, 0]);
  assert.deepEqual(first.marks.map(({ type }) => type), [
    "backend_up",
    "backend_up",
    "backend_mode_changed",
  ]);
  const second = monitor.frame(200 * NS_PER_MS, {});
  assert.equal(second.sequence, 2);
  assert.deepEqual(second.marks, []);
  assert.ok(Number.isNaN(second.first_byte_p99_ms[0]));
});

Deno.test("decodeFrame() gives back what encodeFrame() was given", () => {
  const { monitor } = observed();
  const frame = monitor.frame(100 * NS_PER_MS, {});
  assert.deepEqual(decodeFrame(encodeFrame(frame)), frame);
});

Deno.test("EventStream.meter is the monitor until Monitor.stop()", () => {
  const { monitor, events } = observed();
  assert.equal(events.meter, monitor);
  assert.equal(events.wanted.connection_opened, false);
  assert.equal(events.wanted.connection_closed, false);
  monitor.stop();
  assert.equal(events.meter, undefined);
});
