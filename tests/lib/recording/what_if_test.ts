import assert from "node:assert/strict";
import type { LbEvent } from "../../../lib/core/mod.ts";
import { parseStudy } from "../../../lib/scenario/mod.ts";
import {
  type RecordingHead,
  TRACE_NAME,
  type Wanted,
  WhatIfBuilder,
} from "../../../lib/recording/mod.ts";
import { NS_PER_MS } from "../../../lib/base/mod.ts";
import { HEAD } from "../../support/recorded_life.ts";

const CONFIGURATION = {
  listen: "127.0.0.1:0",
  algorithm: "source-hash",
  backends: [{ id: "B1", address: "10.0.0.1:80" }, { id: "B2", address: "10.0.0.2:80" }],
};
const BACKEND = { backend: "B1", active_servers: [] } as const;
const CLOSED = { end: "closed", bytes_to_backend: 0, bytes_to_client: 0, in_flight: 0 } as const;

/** Three connections: the second is refused, and the third does not end. B1 is down for a while. */
const EVENTS: readonly LbEvent[] = [
  {
    type: "run_started",
    at_ms: 100,
    version: "0",
    seed: 1,
    epoch_ms: 0,
    configuration: CONFIGURATION,
  },
  { type: "connection_arrived", at_ms: 110, connection: 1, client: "192.168.1.7" },
  {
    ...{ type: "connection_opened", at_ms: 111, connection: 1, client: "192.168.1.7" } as const,
    ...{ backend: "B1", attempt: 1, connect_ms: 1, since_arrival_ms: 1, in_flight: 1 },
  },
  {
    type: "probe",
    at_ms: 120,
    backend: "B1",
    ok: false,
    probe_ms: 2,
    reason: "refused",
    streak: 1,
  },
  { type: "connection_arrived", at_ms: 130, connection: 2, client: "192.168.1.8" },
  {
    ...{ type: "connection_refused", at_ms: 130, connection: 2, client: "192.168.1.8" } as const,
    ...{ reason: "all_backends_full", attempts: 0 } as const,
  },
  { type: "backend_down", at_ms: 140, ...BACKEND, probes: 3, reason: "refused", in_flight: 1 },
  {
    ...{ type: "connection_closed", at_ms: 141, connection: 1, client: "192.168.1.7" } as const,
    ...{ backend: "B1", duration_ms: 31, since_arrival_ms: 31, ...CLOSED },
  },
  { type: "probe", at_ms: 160, backend: "B1", ok: true, probe_ms: 1, streak: 1 },
  { type: "backend_up", at_ms: 170, ...BACKEND, probes: 2 },
  { type: "connection_arrived", at_ms: 180, connection: 3, client: "192.168.1.7" },
];

function whatIf(wanted: Partial<Wanted>, events = EVENTS, head = HEAD) {
  const builder = new WhatIfBuilder(head);
  for (const event of events) builder.read(event);
  const { scenario, trace, assumptions } = builder.build({
    algorithms: [],
    backends: [],
    ...wanted,
  });
  const files = { [TRACE_NAME]: { file: TRACE_NAME, text: trace } };
  return {
    study: parseStudy({ scenario: { file: "what if", text: scenario }, files, set: [] }),
    assumptions,
  };
}

Deno.test("WhatIfBuilder makes a scenario from the arrivals, clients, service times and outages", () => {
  const { study, assumptions } = whatIf({});
  const { workload, faults, balancer, service } = study.variants[0]!.scenario;
  assert.deepEqual(workload.arrivals, {
    kind: "trace",
    addresses: ["192.168.1.7", "192.168.1.8"],
    entries: [
      { at: 10 * NS_PER_MS, client: 0, work: 30 * NS_PER_MS },
      { at: 30 * NS_PER_MS, client: 1 },
      { at: 80 * NS_PER_MS, client: 0 },
    ],
  });
  assert.deepEqual(service, { kind: "empirical", values: [30 * NS_PER_MS] });
  // The outage began when the first failed probe began, and ended with the first successful probe.
  const [at, until] = [18 * NS_PER_MS, 60 * NS_PER_MS];
  assert.deepEqual(faults, [{ at, for: until - at, backend: 0, kind: { name: "crash" } }]);
  assert.equal(balancer.algorithm.name, "source-hash");
  const said = assumptions.join("\n");
  assert.match(
    said,
    /1 connection reached no backend: such a connection gets a service time drawn/,
  );
  assert.match(said, /1 connection had not ended at the end of the recording/);
  assert.match(said, /outages of backends and changes of their mode \(1\) come when/);
});

Deno.test("WhatIfBuilder compares algorithms and numbers of backends with the recorded ones", () => {
  const algorithms = whatIf({ algorithms: ["random", "source-hash"] }).study.variants;
  assert.deepEqual(algorithms.map(({ name }) => name), ["source-hash", "random"]);
  const { study, assumptions } = whatIf({ backends: [1, 4] });
  const ids = study.variants.map(({ scenario }) => scenario.balancer.backends.map(({ id }) => id));
  assert.deepEqual(ids, [["B1", "B2"], ["B1"], ["B1", "B2", "B3", "B4"]]);
  assert.match(assumptions.join("\n"), /a new backend is like the last recorded one/);
});

Deno.test("WhatIfBuilder names the outages that it leaves out, because a variant lacks their backend", () => {
  const events = EVENTS.map((event) =>
    "backend" in event && event.backend === "B1" ? { ...event, backend: "B2" } as LbEvent : event
  );
  const { study, assumptions } = whatIf({ backends: [1] }, events);
  assert.deepEqual(study.variants.map(({ scenario }) => scenario.faults.length), [0, 0]);
  const said = assumptions.join("\n");
  assert.match(said, /^outages and changes of mode \(1\) of B2 are left out of every variant/m);
  assert.doesNotMatch(said, /come when they were recorded/);
  assert.doesNotMatch(whatIf({ backends: [2, 3] }, events).assumptions.join("\n"), /left out of/);
});

Deno.test("WhatIfBuilder says that an algorithm hashes pseudonyms instead of addresses", () => {
  const said = (head: RecordingHead) => whatIf({}, EVENTS, head).assumptions.join("\n");
  assert.match(said({ ...HEAD, clients: "pseudonyms" }), /^clients have pseudonyms: an algorithm/m);
  assert.doesNotMatch(said(HEAD), /pseudonyms/);
});
