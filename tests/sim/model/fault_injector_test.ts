/** Faults, one at a time and two at once. */
import assert from "node:assert/strict";
import type { LbEvent } from "../../../lib/core/mod.ts";
import { NS_PER_MS, NS_PER_S } from "../../../lib/base/mod.ts";
import type { BackendFaultKind, Fault, TraceEntry } from "../../../lib/scenario/types.ts";
import { simulate } from "../../../sim/mod.ts";
import { PROBES, queueing, type QueueingOptions } from "../scenarios.ts";
import { observer } from "../../support/events.ts";

/** A fault of B1, in seconds. */
function fault(kind: BackendFaultKind, from: number, to = Infinity): Fault {
  return { at: from * NS_PER_S, for: (to - from) * NS_PER_S, backend: 0, kind };
}

/** Runs a scenario for a minute, and collects the events of the balancer. */
function run(options: QueueingOptions) {
  const events: LbEvent[] = [];
  const result = simulate(
    queueing({ n: 2, load: 0.1, end: { duration: 60 * NS_PER_S }, warmup: 0, ...options }),
    1,
    { checked: true, observe: observer((event) => void events.push(event)) },
  );
  return { ...result, events };
}

/** When connections ended, in seconds, and how. */
function ends(events: readonly LbEvent[]): { at: number; end: string }[] {
  return events.flatMap((event) =>
    event.type === "connection_closed" ? [{ at: event.at_ms / 1000, end: event.end }] : []
  );
}

/** One client that arrives at the start, with this many seconds of work. */
function oneClient(work: number, client: Partial<QueueingOptions["workload"]> = {}) {
  const entries: TraceEntry[] = [{ at: 0, client: 0, work: work * NS_PER_S }];
  return { n: 1, arrivals: { kind: "trace", entries }, workload: client } as const;
}

/**
 * Two wishes, each with its start and end in seconds, and the modes of the backend that follow from
 * them.
 */
const WISHES = [
  ["drain", 5, 15, "maintenance", 10, 30, "5 drain, 10 maintenance, 30 ready"],
  ["maintenance", 5, 15, "drain", 10, 30, "5 maintenance, 15 drain, 30 ready"],
  ["maintenance", 5, 30, "drain", 10, 20, "5 maintenance, 30 ready"],
  ["drain", 5, 30, "maintenance", 10, 20, "5 drain, 10 maintenance, 20 drain, 30 ready"],
  ["drain", 5, 15, "drain", 10, 30, "5 drain, 30 ready"],
  ["drain", 5, Infinity, "drain", 10, 20, "5 drain"],
] as const;

for (const [first, from, to, second, secondFrom, secondTo, expected] of WISHES) {
  const wishes = `${first} from ${from} to ${to}, ${second} from ${secondFrom} to ${secondTo}`;
  Deno.test(`simulate() sets a backend to the strictest mode that the operator wishes at the time: ${wishes}`, () => {
    const faults = [
      fault({ name: first }, from, to),
      fault({ name: second }, secondFrom, secondTo),
    ];
    const modes = run({ faults }).events.flatMap((event) =>
      event.type === "backend_mode_changed" ? [`${event.at_ms / 1000} ${event.mode}`] : []
    );
    assert.equal(modes.join(", "), expected);
  });
}

Deno.test("simulate() sends no clients to a drained backend, also after a restart of the balancer", () => {
  const { events } = run({
    load: 0.5,
    balancer: { healthCheck: PROBES },
    faults: [
      fault({ name: "drain" }, 10, 40),
      { at: 20 * NS_PER_S, for: NS_PER_S, loadBalancer: 0, kind: { name: "lb-restart" } },
    ],
  });
  const opened = events.filter((event) =>
    event.type === "connection_opened" && event.backend === "B1"
  ).map(({ at_ms }) => at_ms / 1000);
  assert.deepEqual(opened.filter((at) => at >= 10 && at < 40), []);
  assert.ok(opened.some((at) => at < 10) && opened.some((at) => at >= 40));
});

Deno.test("simulate() sends no probe to a backend in maintenance, as the live balancer does", () => {
  const { events, faults } = run({
    balancer: { healthCheck: PROBES },
    faults: [fault({ name: "maintenance" }, 10, 50), fault({ name: "crash" }, 12, 55)],
  });
  const probes = events.filter((event) => event.type === "probe" && event.backend === "B1")
    .map(({ at_ms }) => at_ms / 1000);
  assert.deepEqual(probes.filter((at) => at > 10 && at < 50), []);
  assert.ok(probes.some((at) => at < 10) && probes.some((at) => at > 50));
  const [{ detection: [detection] }] = faults as [typeof faults[0]];
  assert.ok(
    detection! >= 38 * NS_PER_S && detection! <= 39 * NS_PER_S,
    "the crash is detected after the maintenance",
  );
});

Deno.test("simulate() sends no probe to a backend that the file puts in maintenance", () => {
  const backend = { weight: 1, backup: false };
  const { events, requests } = run({
    balancer: {
      healthCheck: PROBES,
      backends: [{ id: "B1", ...backend, mode: "maintenance" }, { id: "B2", ...backend }],
    },
  });
  assert.ok(events.every((event) => event.type !== "probe" || event.backend === "B2"));
  assert.equal(requests.done, requests.offered);
});

Deno.test("simulate() measures a detection time of 0 if the backend was already marked as down when the fault began", () => {
  const { faults, falseDowns } = run({
    balancer: { healthCheck: PROBES },
    faults: [fault({ name: "crash" }, 10, 20), fault({ name: "hang" }, 18, 38)],
  });
  const [crash, hang] = faults;
  assert.ok(crash!.detection[0]! > 0);
  assert.equal(hang!.detection[0], 0);
  // The crash is over at 20 s, but the backend is back only when the hang is over, too.
  assert.ok(crash!.failback[0]! >= 18 * NS_PER_S && crash!.failback[0]! <= 19.5 * NS_PER_S);
  assert.equal(crash!.failback[0]! - hang!.failback[0]!, 18 * NS_PER_S);
  assert.equal(falseDowns, 0);
});

Deno.test("simulate() measures a failback time of 0 if the backend was marked as up before the fault ended", () => {
  // B1 fails every probe at first. From 20 s on, it has a gray failure, and all its probes succeed.
  const { faults } = run({
    balancer: { healthCheck: { ...PROBES, type: "http" } },
    faults: [
      fault({ name: "fail-rate", rate: 1 }, 10, 40),
      fault({ name: "gray", rate: 0, factor: 1 }, 20, 50),
    ],
  });
  assert.ok(faults[0]!.detection[0]! > 0);
  assert.equal(faults[0]!.failback[0], 0);
});

Deno.test("simulate(): if a probe that began during a fault fails after it, this belongs to the fault, and is no false alarm", () => {
  let late = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const { faults: [hang], falseDowns } = simulate(
      queueing({
        n: 2,
        arrivals: { kind: "poisson", rate: 0.1 },
        balancer: { healthCheck: { ...PROBES, jitter: 0.5 } },
        faults: [fault({ name: "hang" }, 10, 11.2)],
        end: { duration: 30 * NS_PER_S },
        warmup: 0,
      }),
      seed,
    );
    assert.equal(falseDowns, 0, `seed ${seed}`);
    const [detection] = hang!.detection;
    if (detection !== null && detection! > 1.2 * NS_PER_S) late++;
  }
  assert.ok(late > 0, "it happens");
});

for (
  const [name, cut, latency] of [
    ["partition", { name: "partition" }, 0],
    ["partition, slow network", { name: "partition" }, 10],
    ["hang", { name: "hang" }, 0],
    ["hang, slow network", { name: "hang" }, 10],
  ] as const
) {
  Deno.test(`simulate() holds resets and aborts back while messages cannot pass: ${name}`, () => {
    const network = { latency: { kind: "deterministic", value: latency * NS_PER_MS } } as const;
    // The process crashes while its machine cannot be reached. The balancer learns this when the machine can be reached
    // again.
    const reset = run({
      ...oneClient(40),
      ...network,
      faults: [fault(cut, 5, 20), fault({ name: "crash" }, 10, 12)],
    });
    assert.deepEqual(ends(reset.events), [{
      at: 20 + latency / 1000,
      end: "backend_aborted",
    }]);
    assert.equal(reset.requests.failed, 1);
    // The client gives up while its backend cannot be reached. The backend continues its work until it learns this.
    const abort = run({
      ...oneClient(40, { timeout: 10 * NS_PER_S }),
      ...network,
      server: { abandoned: "drop" },
      faults: [fault(cut, 5, 20)],
    });
    assert.equal(abort.requests.timedOut, 1);
    const busy = abort.backends[0]!.meanBusy * 60;
    assert.ok(Math.abs(busy - 20) < 0.1, `${busy} s`);
  });
}

Deno.test("simulate(): a crash also resets an idle connection; the reset arrives after messages that were sent before it", () => {
  const thinks = {
    requestsPerConnection: { kind: "deterministic", value: 2 },
    thinkTime: { kind: "deterministic", value: 30 * NS_PER_S },
  } as const;
  const latency = { kind: "deterministic", value: NS_PER_S } as const;
  // The backend crashes while the client thinks: the balancer learns this a second later.
  const idle = run({
    ...oneClient(1, thinks),
    latency,
    faults: [fault({ name: "crash" }, 20, 21)],
  });
  assert.deepEqual(ends(idle.events)[0], { at: 21, end: "backend_aborted" });
  assert.equal(idle.requests.done, 2, "the client connects again");
  // The backend crashes while its answer is on the way. The answer arrives before the reset.
  const [answered] = ends(run({ ...oneClient(1), latency }).events);
  const behind = run({
    ...oneClient(1, thinks),
    latency,
    faults: [fault({ name: "crash" }, answered!.at - 2.5, answered!.at - 2)],
  });
  assert.equal(behind.requests.failed, 0);
});

Deno.test("simulate(): a paused backend gives no answer, not even a refusal", () => {
  const second = { ...oneClient(2), workload: { timeout: 3 * NS_PER_S } };
  const fast = run({
    ...second,
    faults: [fault({ name: "fast-errors", rate: 1 }, 0), fault({ name: "pause" }, 0, 30)],
    workload: { timeout: Infinity },
  });
  assert.deepEqual(ends(fast.events).map(({ at }) => at), [30]);
  assert.equal(fast.requests.failed, 1);
  // Two connections with two requests each, for one slot without a queue: the second request of one
  // connection is refused.
  const full = run({
    n: 1,
    arrivals: {
      kind: "trace",
      entries: [{ at: 0, work: NS_PER_S }, { at: 2 * NS_PER_S, work: 10 * NS_PER_S }],
    },
    server: { queue: 0 },
    workload: {
      requestsPerConnection: { kind: "deterministic", value: 2 },
      thinkTime: { kind: "deterministic", value: 4 * NS_PER_S },
    },
    faults: [fault({ name: "pause" }, 4, 20)],
  });
  const refused = ends(full.events)[0]!.at;
  assert.equal(refused, 20);
});

Deno.test("simulate(): a crash ends all requests of a backend at once, also if one of them belongs to a probe", () => {
  // Both slots are always busy, so a probe waits when the backend crashes. The probe fails, and the
  // balancer closes its open connections to this backend at the same moment.
  for (let seed = 1; seed <= 20; seed++) {
    const { requests } = simulate(
      queueing({
        n: 1,
        arrivals: { kind: "poisson", rate: 20 },
        service: { kind: "deterministic", value: NS_PER_S },
        server: { slots: 2, abandoned: "drop" },
        balancer: {
          onDown: "close",
          healthCheck: { ...PROBES, type: "expect", interval: NS_PER_S / 10, jitter: 0.5 },
        },
        workload: { timeout: 2 * NS_PER_S },
        faults: [fault({ name: "flap", period: NS_PER_S, down: 0.1 }, 1)],
        end: { duration: 10 * NS_PER_S },
        warmup: 0,
      }),
      seed,
      { checked: true },
    );
    assert.equal(requests.unfinished, 0);
  }
});

/** Every kind of fault of a backend. */
const KINDS: readonly BackendFaultKind[] = [
  { name: "crash" },
  { name: "hang" },
  { name: "pause" },
  { name: "slow", factor: 3 },
  { name: "fail-rate", rate: 0.5 },
  { name: "fast-errors", rate: 0.5 },
  { name: "gray", rate: 0.5, factor: 2 },
  { name: "flap", period: 2 * NS_PER_S, down: 0.5 },
  { name: "partition" },
  { name: "drain" },
  { name: "maintenance" },
];
/**
 * During a fault in `NO_ANSWER`, no request gets an answer. During a fault in `NO_RESET`, no reset
 * arrives either.
 */
const NO_ANSWER = ["crash", "hang", "pause", "partition"];
const NO_RESET = ["hang", "partition"];

Deno.test("simulate(): of two faults at the same time, both have their effects, for any two kinds", () => {
  for (const a of KINDS) {
    for (const b of KINDS) {
      for (const [to, latency] of [[25, 0], [35, 0], [25, 1], [35, 1]] as const) {
        const pair = `${a.name} with ${b.name} until ${to} s, latency ${latency} ms`;
        const faults = [fault(a, 10, 30), fault(b, 20, to)];
        const { events, requests, backends } = run({
          n: 1,
          load: 2,
          faults,
          server: { slots: 2, queue: 4, abandoned: "drop" },
          service: { kind: "exponential", mean: NS_PER_S / 5 },
          latency: { kind: "deterministic", value: latency * NS_PER_MS },
          balancer: { healthCheck: PROBES, onDown: "keep", timeouts: { connect: 1e9, idle: 1e12 } },
          workload: {
            timeout: 20 * NS_PER_S,
            retries: { max: 2, backoff: 1e8, multiplier: 1, jitter: 0 },
          },
        });
        assert.equal(requests.unfinished, 0, pair);
        assert.ok(backends[0]!.done > 0, pair);
        for (const { at, end } of ends(events)) {
          for (const { at: from, for: length, kind } of faults) {
            const seconds = [from / NS_PER_S + latency / 500, (from + length) / NS_PER_S];
            if (at <= seconds[0]! || at >= seconds[1]!) continue;
            const answered = end === "closed" && NO_ANSWER.includes(kind.name);
            const reset = end === "backend_aborted" && NO_RESET.includes(kind.name);
            assert.ok(!answered && !reset, `${pair}: ${end} at ${at}`);
          }
        }
        const after = ends(events).filter(({ at, end }) => at > 50 && end === "closed");
        assert.ok(after.length > 0, `${pair}: after the faults, requests are answered again`);
      }
    }
  }
});

Deno.test("simulate() measures imbalance: it compares each backend with its share of the connections that came while it should get clients", () => {
  const backends = (backup: boolean) =>
    [1, 1, 2, 1].map((weight, i) => ({ id: `B${i + 1}`, weight, backup: backup && i === 3 }));
  const even = { maxOverMean: 1, coefficientOfVariation: 0 };
  const spread = (options: QueueingOptions, backup = false) => {
    const { imbalance } = run({
      n: 4,
      algorithm: { name: "round-robin" },
      arrivals: { kind: "deterministic", rate: 100 },
      service: { kind: "deterministic", value: NS_PER_MS },
      ...options,
      balancer: { backends: backends(backup), ...options.balancer },
    });
    return {
      maxOverMean: Math.round(imbalance.maxOverMean * 50) / 50,
      coefficientOfVariation: Math.round(imbalance.coefficientOfVariation * 50) / 50,
    };
  };
  assert.deepEqual(spread({}), even);
  assert.deepEqual(
    spread({}, true),
    even,
    "a backup should get no clients while other backends are up",
  );
  for (const name of ["drain", "maintenance"] as const) {
    assert.deepEqual(spread({ faults: [fault({ name }, 0)] }), even);
    assert.deepEqual(spread({ faults: [fault({ name }, 20, 50)] }), even);
  }
  const drained = backends(false).map((backend, i) =>
    i === 0 ? { ...backend, mode: "drain" as const } : backend
  );
  assert.deepEqual(spread({ balancer: { backends: drained } }), even);
  const crashed = spread({ faults: [fault({ name: "crash" }, 20, 50)] });
  assert.ok(
    crashed.maxOverMean > 1.1,
    "a crashed backend should still get clients, so the crash is imbalance",
  );
});
