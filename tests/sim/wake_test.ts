/** Changes that only time causes happen at their time in a simulated world, too, with or without clients. */
import assert from "node:assert/strict";
import type { LbEvent } from "../../lib/core/mod.ts";
import { NS_PER_S } from "../../lib/base/mod.ts";
import { simulate } from "../../sim/study/simulate.ts";
import { queueing } from "./scenarios.ts";
import { observer } from "../support/events.ts";

/** Few clients come, and some have to wait; B1 refuses connects for a while. */
function run(observe: (event: LbEvent) => void) {
  return simulate(
    queueing({
      n: 2,
      load: 0.5,
      balancer: {
        backends: ["B1", "B2"].map((id) => ({ id, weight: 1, backup: false, maxConnections: 1 })),
        ejection: { failures: 1, base: 7 * NS_PER_S, max: 300 * NS_PER_S, maxShare: 0.5 },
        slowStart: { duration: 5 * NS_PER_S, floor: 0.1 },
        queue: { length: 50, timeout: 3 * NS_PER_S },
      },
      faults: [{ at: 0, for: 100 * NS_PER_S, backend: 0, kind: { name: "crash" } }],
      end: { duration: 300 * NS_PER_S },
      warmup: 0,
    }),
    1,
    { checked: true, observe: observer(observe) },
  );
}

Deno.test("simulate() ends an ejection at its time, and a wait at the timeout of the queue", () => {
  const readmissions: number[] = [];
  const expected: number[] = [];
  const queuedAt = new Map<number, number>();
  const waits: number[] = [];
  run((event) => {
    if (event.type === "backend_ejected") {
      expected.push(Math.round(event.at_ms + event.ejected_for_ms));
    }
    if (event.type === "backend_readmitted") readmissions.push(Math.round(event.at_ms));
    if (event.type === "connection_queued") queuedAt.set(event.connection, event.at_ms);
    if (event.type === "connection_refused" && event.reason === "queue_timeout") {
      waits.push(event.at_ms - queuedAt.get(event.connection)!);
    }
  });
  assert.ok(readmissions.length > 3);
  assert.deepEqual(readmissions, expected.slice(0, readmissions.length));
  assert.ok(waits.length > 0);
  assert.deepEqual(new Set(waits.map((wait) => Math.round(wait))), new Set([3000]));
});

Deno.test("simulate() serves a waiting client at the moment when an ejection ends", () => {
  let readmittedAt = NaN;
  let servedThen = 0;
  run((event) => {
    if (event.type === "backend_readmitted") readmittedAt = event.at_ms;
    if (event.type === "connection_dequeued" && event.at_ms === readmittedAt) servedThen++;
  });
  assert.ok(servedThen > 0);
});
