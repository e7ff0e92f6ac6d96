/**
 * A run that continues after a change of the user gives the same result as a run whose scenario contains this change
 * from the start.
 */
import assert from "node:assert/strict";
import { type PlayRun, RunDocument, Session } from "../../../sim/play/mod.ts";
import { Replicator } from "../../../sim/study/mod.ts";

const TEXT = `balancer:
  backends: [{id: B1}, {id: B2, weight: 3}, {id: B3, max_connections: 20}]
  health_check: {type: http, interval: 500ms, timeout: 200ms}
duration: 8s
servers: {default: {slots: 2}}
network: {latency: 1ms}
workload: {arrivals: {poisson: {load: 90%}}, timeout: 1s, retries: {max: 2}}
faults: [{at: 1s, backend: B1, kind: hang}]
compare: {balancer.algorithm: [round-robin, least-connections]}
`;

type Edit = (document: RunDocument, at: number) => RunDocument;

function open(text = TEXT): Session {
  return new Session(RunDocument.open({ file: "test.yaml", text }, {}, []), () => 0);
}

/** Makes a change now. Returns whether the runs continued. */
function change(session: Session, edit: Edit): boolean {
  session.finish();
  const { runs } = session;
  session.show(edit(session.document, Math.floor(session.at) + 1));
  session.finish();
  return session.runs === runs;
}

/** Asserts that the complete runs have the results of `lbsim sim`. */
function assertSameAsStudy(session: Session): void {
  const replicator = new Replicator(session.document.study);
  session.runs.forEach((run, variant) =>
    assert.deepEqual((run as PlayRun).result(), replicator.run({ variant, replication: 0 }))
  );
}

const EDITS: Readonly<Record<string, Edit>> = {
  "a change": (document, at) =>
    document.withChange(at, { "workload.arrivals.load": "70%", "servers.B2.slots": 3 }),
  "a backend that leaves": (document, at) =>
    document.withChange(at, { "balancer.backends": [{ id: "B1" }, { id: "B3" }] }),
  "a backend that joins": (document, at) =>
    document.withChange(at, {
      "balancer.backends": [{ id: "B1" }, { id: "B3" }, { id: "B4", weight: 2 }],
      "servers.B4": { slots: 3, speed: 2 },
    }),
  "a fault of a backend that has joined": (document, at) =>
    document.withChange(at, { "balancer.backends": [{ id: "B1" }, { id: "B5" }] })
      .withFault(at + 5e8, { for: "1s", backend: "B5", kind: "crash" }),
  "a fault": (document, at) => document.withFault(at, { backend: "B2", kind: "crash" }),
  "a fault with an end": (document, at) =>
    document.withFault(at, { for: "1s", backend: "B3", kind: { flap: { period: "400ms" } } }),
  "a repair": (document, at) => document.withoutFaultsFrom(at, "B1"),
};

for (const [name, edit] of Object.entries(EDITS)) {
  Deno.test(`Session.show() continues the run after ${name}: the result is that of a run with this change from the start`, () => {
    const session = open();
    session.seek(2.5e9);
    assert.equal(change(session, edit), true);
    session.seek(4e9);
    session.finish();
    assertSameAsStudy(session);
  });
}

Deno.test("Session.show() applies the changes of the user also to the spare runs that it keeps for going back in time", () => {
  const session = open();
  for (const at of [1e9, 6e9, 2e9, 3e9]) {
    session.seek(at);
    session.finish();
  }
  for (const [name, edit] of Object.entries(EDITS)) {
    assert.equal(change(session, edit), true, name);
    session.step("event");
  }
  const text = session.csv();
  session.seek(1.5e9);
  session.finish();
  session.seek(session.length);
  session.finish();
  assert.ok(session.csv().startsWith(text.split("\n").slice(0, 20).join("\n")));
  assertSameAsStudy(session);
  const again = new Session(session.document, () => 0);
  again.seek(again.length);
  again.finish();
  assert.equal(session.csv(), again.csv());
});

Deno.test("Session.show() begins the run again if a change concerns the past", () => {
  const session = open();
  session.seek(3e9);
  assert.equal(change(session, (document) => document.withoutIntervention(0)), false);
  assert.equal(change(session, (document) => document.withSeed(2)), false);
  assertSameAsStudy(session);
});

for (const more of ["load_balancers: 2\n", "idle_reports: true\n"]) {
  Deno.test(`Session.show() begins the run again if a backend joins with ${more.trim()}`, () => {
    const session = open(more + TEXT.replace("least-connections", "join-idle-queue"));
    session.seek(3e9);
    assert.equal(change(session, EDITS["a backend that joins"]!), false);
    session.finish();
    assertSameAsStudy(session);
  });
}
