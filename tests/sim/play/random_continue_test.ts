/** A user adds a backend to a run, in scenarios drawn at random. */
import assert from "node:assert/strict";
import { type PlayRun, RunDocument, Session } from "../../../sim/play/mod.ts";
import { Replicator } from "../../../sim/study/mod.ts";
import { askedSeed, newSeed } from "../../support/seeds.ts";
import { randomScenario } from "../random_scenarios.ts";

const SCENARIOS = 24;

/** Lets a backend join at some time. Returns whether the run continued. */
function joins(seed: number): boolean {
  const { text, trace } = randomScenario(seed);
  const files = { "t.csv": { file: "t.csv", text: trace } };
  const session = new Session(RunDocument.open({ file: "s.yaml", text }, files, []), () => 0);
  session.seek(session.length * (seed % 9 + 1) / 10);
  session.finish();
  const { runs } = session;
  const present = runs[0]!.backends.map(({ id, weight, backup, maxConnections }) => ({
    id,
    weight,
    backup,
    ...maxConnections !== undefined && { max_connections: maxConnections },
  }));
  session.show(session.document.withChange(Math.floor(session.at) + 1, {
    "balancer.backends": [...present, { id: "B77", weight: 2 }],
  }));
  const wentOn = session.runs === runs;
  session.finish();
  const replicator = new Replicator(session.document.study);
  session.runs.forEach((run, variant) =>
    assert.deepEqual((run as PlayRun).result(), replicator.run({ variant, replication: 0 }))
  );
  return wentOn;
}

Deno.test("Session.show() lets a backend join any run, with the result of a run that has this change from the start", () => {
  const asked = askedSeed();
  const first = asked ?? newSeed();
  const count = asked === undefined ? SCENARIOS : 1;
  console.log(`scenarios; seed: ${first}, and ${count - 1} after it`);
  let wentOn = 0;
  for (let seed = first; seed < first + count; seed++) {
    try {
      if (joins(seed)) wentOn++;
    } catch (error) {
      throw new Error(`LBSIM_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  assert.ok(wentOn > 0 || asked !== undefined);
});
