/** A run that is stopped, stepped and turned back is the same run. */
import assert from "node:assert/strict";
import { RunDocument, Session } from "../../../sim/play/mod.ts";
import { Replicator } from "../../../sim/study/mod.ts";

const TEXT = `balancer:
  backends: [{id: B1}, {id: B2, weight: 3}, {id: B3, max_connections: 20}]
  health_check: {type: http, interval: 500ms, timeout: 200ms}
duration: 8s
servers: {default: {slots: 2}}
network: {latency: 1ms}
workload: {arrivals: {poisson: {load: 90%}}, timeout: 1s, retries: {max: 2}}
faults: [{at: 3s, for: 2s, backend: B1, kind: hang}]
compare: {balancer.algorithm: [round-robin, least-connections]}
`;

function open(text = TEXT): Session {
  return new Session(RunDocument.open({ file: "test.yaml", text }, {}, []), () => 0);
}

/** Everything that is drawn at a time, but for what depends on the frame before. */
function picture(session: Session): unknown {
  session.finish();
  return session.frames().map(({ frame, truth, beliefs, counts, dots }) => ({
    frame: { ...frame, sequence: 0, marks: [] },
    ...{ truth, beliefs, counts, dots },
  }));
}

Deno.test("Session.step() and seek() make the run that simulate() makes", () => {
  const session = open();
  for (let i = 0; i < 3000; i++) session.step("event");
  session.step("pick");
  assert.notEqual(session.step("health"), undefined);
  session.seek(Infinity);
  session.finish();
  const replicator = new Replicator(session.document.study);
  session.runs.forEach((run, variant) =>
    assert.deepEqual(run.result(), replicator.run({ variant, replication: 0 }))
  );
});

Deno.test("Session.seek() shows the same after it has gone back and forward", () => {
  const session = open();
  const times = [1e9, 3.2e9, 5.5e9, 7.9e9];
  const first = times.map((at) => {
    session.seek(at);
    return picture(session);
  });
  for (const i of [1, 3, 0, 2, 0, 3]) {
    session.seek(times[i]!);
    assert.deepEqual(picture(session), first[i]);
  }
});
