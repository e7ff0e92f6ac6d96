import assert from "node:assert/strict";
import { Service, type ServiceOptions } from "../../backend/mod.ts";
import { createRandom, type Nanoseconds, NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import type { BackendFault, TraceEntry } from "../../lib/scenario/types.ts";
import { Histogram } from "../../lib/stats/mod.ts";
import { simulate } from "../../sim/mod.ts";
import { queueing, SINGLE } from "../sim/scenarios.ts";

const FIFO: ServiceOptions = { slots: 1, queue: Infinity, speed: 1, discipline: "fifo" };

/** 300 requests at random moments, with random work, at a load of about 90 % per slot. */
function randomTrace(seed: number, slots: number): TraceEntry[] {
  const random = createRandom(seed);
  let at = 0;
  return Array.from({ length: 300 }, () => {
    at += Math.round(random.next() * 22 * NS_PER_MS / slots);
    return { at, work: Math.round(random.next() * 20 * NS_PER_MS) };
  });
}

/** The sojourn times of a trace. Time passes only at the steps, and not at every end of a request. */
function served(
  options: ServiceOptions,
  trace: readonly TraceEntry[],
  speeds: readonly (readonly [at: Nanoseconds, share: number])[] = [],
  changes: readonly (readonly [at: Nanoseconds, to: ServiceOptions])[] = [],
): Histogram {
  const service = new Service(options);
  const sojourns = new Histogram();
  const steps = [
    ...trace.map(({ at, work }) => ({
      at,
      act: () => service.submit(work!, at, (_, end) => sojourns.record(end - at)),
    })),
    ...speeds.map(([at, share]) => ({ at, act: () => service.setSpeed(share, at) })),
    ...changes.map(([at, to]) => ({ at, act: () => service.change(to, at) })),
  ].toSorted((a, b) => a.at - b.at);
  for (const { at, act } of steps) {
    // Like a timer that is late: ends that were due earlier are noticed only now.
    service.passTime(at);
    act();
  }
  service.passTime(100 * NS_PER_S);
  return sojourns;
}

for (const discipline of ["fifo", "processor-sharing"] as const) {
  for (const slots of [1, 3]) {
    Deno.test(`Service gives the times of the simulator's server: ${discipline}, ${slots} slots`, () => {
      const options = { ...FIFO, discipline, slots };
      const entries = randomTrace(slots, slots);
      const slow: BackendFault = {
        backend: 0,
        at: NS_PER_S / 2,
        for: NS_PER_S / 2,
        kind: { name: "slow", factor: 3 },
      };
      const scenario = {
        ...queueing({ n: 1, arrivals: { kind: "trace", entries } }),
        servers: [{ ...SINGLE, ...options }],
        faults: [slow],
        end: { duration: 60 * NS_PER_S },
        warmup: 0,
      };
      const simulated = simulate(scenario, 1).sojourn;
      const real = served(options, entries, [[NS_PER_S / 2, 1 / 3], [NS_PER_S, 1]]);
      assert.equal(real.count, entries.length);
      assert.deepEqual(real.toData().buckets, simulated.buckets);
    });
  }
}

for (const discipline of ["fifo", "processor-sharing"] as const) {
  Deno.test(`Service.change() gives the times of the simulator's server: ${discipline}`, () => {
    const options = { ...FIFO, discipline, slots: 2 };
    const entries = randomTrace(5, 2);
    const steps = [
      [NS_PER_S / 2, { ...options, slots: 3 }],
      [NS_PER_S, { ...options, slots: 1, speed: 1.5 }],
      [2 * NS_PER_S, { ...options, speed: 1.2 }],
    ] as const;
    const scenario = {
      ...queueing({ n: 1, arrivals: { kind: "trace", entries } }),
      servers: [{ ...SINGLE, ...options }],
      end: { duration: 60 * NS_PER_S },
      warmup: 0,
    };
    const changes = steps.map(([at, to]) => ({
      at,
      to: { ...scenario, servers: [{ ...SINGLE, ...to }] },
    }));
    const simulated = simulate({ ...scenario, changes }, 1).sojourn;
    const real = served(options, entries, [], steps);
    assert.equal(real.count, entries.length);
    assert.deepEqual(real.toData().buckets, simulated.buckets);
  });
}

Deno.test("Service.meanSlots() weights each number of slots by the time for which it was valid", () => {
  const service = new Service({ ...FIFO, slots: 1 });
  service.change({ ...FIFO, slots: 3 }, 60);
  assert.equal(service.meanSlots(0, 60), 1);
  assert.equal(service.meanSlots(0, 120), 2);
  assert.equal(service.meanSlots(60, 120), 3);
});

Deno.test("Service has room for as many requests as it has slots and places in its queue", () => {
  const service = new Service({ ...FIFO, slots: 2, queue: 1 });
  const jobs = [1, 2, 3].map(() => {
    assert.ok(service.hasRoom);
    return service.submit(NS_PER_MS, 0, () => {});
  });
  assert.equal(service.hasRoom, false);
  assert.deepEqual([service.busy, service.waiting], [2, 1]);
  service.cancel(jobs[0]!, 0);
  assert.ok(service.hasRoom);
  assert.deepEqual([service.busy, service.waiting], [2, 0], "the next in the queue is served");
});

Deno.test("Service finishes no request while its speed is 0, and then continues where it stopped", () => {
  const service = new Service(FIFO);
  let doneAt: Nanoseconds | undefined;
  service.submit(10 * NS_PER_MS, 0, (_, at) => doneAt = at);
  service.setSpeed(0, 4 * NS_PER_MS);
  assert.equal(service.nextEnd, undefined);
  service.passTime(NS_PER_S);
  assert.equal(doneAt, undefined);
  service.setSpeed(1, NS_PER_S);
  assert.equal(service.nextEnd, NS_PER_S + 6 * NS_PER_MS);
  service.passTime(2 * NS_PER_S);
  assert.equal(doneAt, NS_PER_S + 6 * NS_PER_MS);
});

Deno.test("Service.clear() removes all requests", () => {
  const service = new Service(FIFO);
  service.submit(NS_PER_MS, 0, () => assert.fail("it was cleared"));
  service.submit(NS_PER_MS, 0, () => assert.fail("it was cleared"));
  service.clear(NS_PER_MS / 2);
  service.passTime(NS_PER_S);
  assert.deepEqual([service.busy, service.waiting, service.hasRoom], [0, 0, true]);
});
