import assert from "node:assert/strict";
import { BackendServer } from "../../backend/mod.ts";
import {
  run,
  SessionLoad,
  type SessionOptions,
  type SessionOutcome,
  type SessionRequest,
} from "../../bench/mod.ts";
import { createRandom, NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import type { Workload } from "../../lib/scenario/types.ts";
import { Demand } from "../../lib/workload/mod.ts";
import { simulate } from "../../sim/mod.ts";
import { studyFrom } from "../sim/study.ts";
import { observer } from "../support/events.ts";
import { loadParts, WORKLOAD } from "./loads.ts";

const NO_WORK = { kind: "deterministic", value: 0 } as const;
/** A trace ends before this; a closed loop does not. */
const RUN = { duration: NS_PER_S / 2, signal: new AbortController().signal };

function backend(): { server: BackendServer; port: number } {
  const server = new BackendServer("B1", { latency: () => 0 }, createRandom(1));
  return { server, port: server.start({ host: "127.0.0.1", port: 0 }).port };
}

Deno.test("SessionLoad sends each client's requests one after the other on its connection", async () => {
  const { server, port } = backend();
  const { clock, tally, options } = loadParts(port);
  const entries = Array.from({ length: 50 }, (_, i) => ({ at: i * 5 * NS_PER_MS }));
  const demand = new Demand({
    workload: {
      ...WORKLOAD,
      arrivals: { kind: "trace", entries },
      requestsPerConnection: { kind: "deterministic", value: 2 },
    },
    service: NO_WORK,
  }, 1);
  const ended: (SessionRequest & SessionOutcome)[] = [];
  const load = new SessionLoad({
    ...options,
    demand,
    retries: 0,
    attempted: (request, outcome) => ended.push({ ...request, ...outcome }),
  }, tally);
  await run(load, clock, { ...RUN, duration: Infinity });
  assert.equal(tally.answers, 100);
  assert.equal(tally.connections, 50);
  assert.deepEqual(tally.byBackend, [100]);
  assert.deepEqual(tally.names.names, ["B1"]);
  const first = ended.filter(({ nth }) => nth === 1).toSorted((a, b) => a.origin - b.origin);
  assert.deepEqual(first.map(({ due }) => due), entries.map(({ at }) => at));
  assert.ok(ended.every(({ error, backend, at, due }) => !error && backend === "B1" && at > due));
  await server.kill();
});

Deno.test("SessionLoad keeps a closed loop of clients, each waiting for its answer", async () => {
  const { server, port } = backend();
  const { clock, tally, options } = loadParts(port);
  const demand = new Demand({
    workload: { ...WORKLOAD, arrivals: { kind: "closed", clients: 3, think: NO_WORK } },
    service: NO_WORK,
  }, 1);
  const load = new SessionLoad({ ...options, demand, retries: 0 }, tally);
  await run(load, clock, RUN);
  assert.ok(tally.answers > 3);
  assert.equal(tally.connections, tally.answers);
  assert.equal(tally.unfinished, 0);
  await server.kill();
});

Deno.test("SessionLoad tries a failed request again, and counts it once", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { clock, tally, options } = loadParts(port);
  const attempts: number[] = [];
  const demand = new Demand({
    workload: {
      ...WORKLOAD,
      arrivals: { kind: "trace", entries: [{ at: 0 }, { at: 1 }] },
    },
    service: NO_WORK,
  }, 1);
  const attempted = ({ attempt }: SessionRequest) => attempts.push(attempt);
  const load = new SessionLoad({ ...options, demand, retries: 2, attempted }, tally);
  await run(load, clock, RUN);
  assert.deepEqual(attempts.toSorted(), [1, 1, 2, 2, 3, 3]);
  assert.deepEqual([...tally.errors], [["refused", 2]]);
  assert.equal(load.firstFailure, `nothing listens on 127.0.0.1:${port}`);
});

/** A load in controlled time: connections open at once, and nothing answers. */
function silentLoad(options: Partial<SessionOptions> & Pick<SessionOptions, "demand">) {
  const { tally, options: parts } = loadParts(1);
  const time = { now: 0, alarm: Infinity, ring: () => {} };
  const ended: (readonly [kind: string | undefined, attempt: number, at: number])[] = [];
  const load = new SessionLoad({
    ...parts,
    now: () => time.now,
    timers: (ring) => {
      time.ring = () => {
        time.alarm = Infinity;
        ring();
      };
      return { set: (at = Infinity) => time.alarm = at };
    },
    dial: () =>
      Promise.resolve({
        read: () => new Promise(() => {}),
        write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
        closeWrite: () => Promise.resolve(),
        close: () => {},
      }),
    retries: 0,
    attempted: ({ attempt }, { error, at }) => ended.push([error, attempt, at]),
    ...options,
  }, tally);
  return { load, tally, time, ended };
}

const demandOf = (arrivals: Workload["arrivals"], retries = WORKLOAD.retries) =>
  new Demand({ workload: { ...WORKLOAD, arrivals, retries }, service: NO_WORK }, 1);

Deno.test("SessionLoad gives up a request exactly at its deadline, and a client waits anew in each attempt", async () => {
  const { load, time, ended } = silentLoad({
    demand: demandOf({ kind: "trace", entries: [{ at: 100 }] }),
    timeout: 7000,
    retries: 1,
  });
  time.now = load.nextAt;
  load.ring(time.now);
  assert.equal(time.alarm, 7100);
  time.now = 7099;
  time.ring();
  assert.deepEqual(ended, []);
  time.now = 7100;
  time.ring();
  const again = 7100 + 10 * NS_PER_MS;
  assert.equal(load.nextAt, again);
  time.now = again;
  load.ring(time.now);
  assert.equal(time.alarm, again + 7000);
  time.now = time.alarm;
  time.ring();
  assert.deepEqual(ended, [["timeout", 1, 7100], ["timeout", 2, again + 7000]]);
  assert.equal(load.inFlight, 0);
  await load.close();
});

Deno.test("SessionLoad does not try a request again after retryUntil", async () => {
  const { load, time, ended } = silentLoad({
    demand: demandOf({ kind: "trace", entries: [{ at: 0 }] }),
    timeout: 1000,
    retries: 5,
    // The first pause is 10 ms long, the second 20 ms.
    retryUntil: 15 * NS_PER_MS,
  });
  load.ring(0);
  time.now = 1000;
  time.ring();
  time.now = load.nextAt;
  load.ring(time.now);
  time.now += 1000;
  time.ring();
  assert.deepEqual(ended.map(([, attempt]) => attempt), [1, 2]);
  assert.equal(load.inFlight, 0);
  assert.ok(load.isDone);
  await load.close();
});

Deno.test("SessionLoad ends after so many connections, and those of the warm-up do not count", async () => {
  for (
    const arrivals of [
      { kind: "trace", entries: [0, 10, 20, 30, 40, 50].map((at) => ({ at })) },
      { kind: "closed", clients: 2, think: { kind: "deterministic", value: 10 } },
    ] as const
  ) {
    const begun: number[] = [];
    let stops = 0;
    const { load, time } = silentLoad({
      demand: demandOf(arrivals),
      timeout: 1,
      pauseAfterFailure: 0,
      connections: 3,
      countedFrom: 15,
      began: ({ due }) => begun.push(due),
      stopped: () => stops++,
    });
    load.start();
    for (let i = 0; i < 100 && !load.isDone; i++) {
      time.now = Math.min(load.nextAt, time.alarm);
      if (time.alarm <= time.now) time.ring();
      else load.ring(time.now);
    }
    assert.ok(load.isStopped);
    assert.equal(stops, 1);
    assert.equal(begun.filter((due) => due >= 15).length, 3, `${arrivals.kind}: ${begun}`);
    assert.ok(begun.length > 3);
    await load.close();
  }
});

Deno.test("SessionLoad goes on with another demand, at the times of the simulator", async () => {
  const text = (rate: string) => `
balancer: {backends: 2}
workload: {arrivals: {poisson: ${rate}}}
service: 1us
warmup: 0s
duration: 4s
`;
  const CHANGED = 2 * NS_PER_S;
  const changed = studyFrom(
    `${text("50/s")}changes: [{at: 2s, set: {workload.arrivals: {poisson: 200/s}}}]\n`,
  ).variants[0]!.scenario;
  const expected: number[] = [];
  simulate({ ...changed, warmup: 0 }, 1, {
    observe: observer((event) => {
      if (event.type === "connection_arrived") expected.push(event.at_ms);
    }),
  });
  const demand = new Demand(changed, 1);
  const found: number[] = [];
  const { load, time } = silentLoad({
    demand,
    until: 4 * NS_PER_S,
    began: ({ due }) => found.push(due / NS_PER_MS),
  });
  for (; load.nextAt < CHANGED; load.ring(time.now)) time.now = load.nextAt;
  time.now = CHANGED;
  const after = new Demand(changed.changes![0]!.to, 1, { demand, at: CHANGED, change: 1 });
  load.change({ demand: after, timeout: Infinity, retries: 0 });
  for (; load.nextAt !== Infinity; load.ring(time.now)) time.now = load.nextAt;
  assert.ok(found.length > 300);
  assert.deepEqual(found, expected);
  await load.close();
});
