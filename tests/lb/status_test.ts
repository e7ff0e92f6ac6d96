import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import { backendStatuses, StatusReporter } from "../../lb/status.ts";
import type { EventStream, Scheduler } from "../../lib/core/mod.ts";
import { type Nanoseconds, NS_PER_S, parsePrefix } from "../../lib/base/mod.ts";
import { Monitor, settingsOf, type Snapshot } from "../../lib/observe/mod.ts";
import { logger, type LogOptions, startLogging, stopLogging } from "../../lib/cli/log.ts";
import { configOf } from "../support/config.ts";
import { acquire, open } from "../support/phases.ts";
import { schedulerOf } from "../support/scheduling.ts";

const ADDRESS = { host: "192.0.2.1", port: 9000 };

/** Snapshots of a scheduler, all taken at one moment. */
function snapshotsOf(scheduler: Scheduler, events: EventStream, now: Nanoseconds): () => Snapshot {
  const monitor = new Monitor(events);
  monitor.observe(scheduler, 0);
  return () => monitor.snapshot(now, { settings: settingsOf(configOf([ADDRESS])) });
}

/** Collects the lines of the log. */
function logged(options: LogOptions): string[] {
  const lines: string[] = [];
  startLogging(options, { out: (line) => lines.push(line), stdoutIsTerminal: false, color: false });
  return lines;
}

Deno.test("backendStatuses() returns the state, load, share and last probe of each backend", () => {
  const { scheduler, events } = schedulerOf({ backends: ["B1", "B2"] });
  const snapshot = snapshotsOf(scheduler, events, 5 * NS_PER_S);
  for (let i = 0; i < 3; i++) open(scheduler);
  scheduler.probed("B1", true, 4 * NS_PER_S, 2e6);
  scheduler.setMode("B2", "drain", 0);
  assert.deepEqual(backendStatuses(snapshot()), [
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
});

Deno.test("StatusReporter.logEvery() logs how many clients wait, and how many were refused", () => {
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval"] });
  try {
    const lines = logged({ level: "info", format: "auto" });
    const { scheduler, events } = schedulerOf({
      backends: [{ id: "B1", maxConnections: 1 }],
      queue: { length: 1, timeout: NS_PER_S },
      deny: [parsePrefix("10.0.0.9")],
    });
    const status = new StatusReporter(snapshotsOf(scheduler, events, 0));
    status.logEvery(NS_PER_S, logger("lb"));
    clock.tick(1000);
    open(scheduler);
    for (const client of ["10.0.0.1", "10.0.0.2", "10.0.0.9"]) acquire(scheduler, client, 0);
    clock.tick(1000);
    status.stop();
    stopLogging();
    const records = lines.map((line) => JSON.parse(line));
    assert.deepEqual(records.map(({ backend }) => backend), ["B1", "B1", undefined]);
    const { message, waiting, refused } = records[2];
    assert.equal(
      message,
      "1 waiting because every backend is full; refused since the start: 1 queue_full, 1 denied",
    );
    assert.deepEqual([waiting, refused], [1, { queue_full: 1, denied: 1 }]);
  } finally {
    clock.uninstall();
  }
});
