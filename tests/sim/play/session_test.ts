/** A run that is paused, stepped and moved back in time has the same result. */
import assert from "node:assert/strict";
import {
  type Command,
  type Exported,
  type PlayRun,
  type Result,
  RunDocument,
  Session,
  type Stepped,
  type Why,
} from "../../../sim/play/mod.ts";
import { Replicator } from "../../../sim/study/mod.ts";
import { playing } from "./playing.ts";

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

/** Everything that is drawn at a time, except the parts that depend on earlier frames. */
function picture(session: Session): unknown {
  session.finish();
  return session.frames().map(({ frame, truth, beliefs, counts, dots }) => ({
    frame: { ...frame, sequence: 0, marks: [] },
    ...{ truth, beliefs, counts, dots },
  }));
}

Deno.test("Session.step() and seek() give the result of simulate()", () => {
  const session = open();
  for (let i = 0; i < 3000; i++) session.step("event");
  session.step("pick");
  assert.notEqual(session.step("health"), undefined);
  session.seek(Infinity);
  session.finish();
  const replicator = new Replicator(session.document.study);
  session.runs.forEach((run, variant) =>
    assert.deepEqual((run as PlayRun).result(), replicator.run({ variant, replication: 0 }))
  );
});

Deno.test("Session.seek() shows the same picture of a time after it has gone back and forward", () => {
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

/** The digest that `lbsim sim` prints for a scenario. */
async function digestOnCommandLine(text: string): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, text);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "main.ts", "sim", file, "--json", "--no-timing"],
      env: { NO_COLOR: "1" },
    }).output();
    const [output, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.ok(output!.startsWith("{"), errors!);
    return JSON.parse(output!).digest;
  } finally {
    await Deno.remove(file);
  }
}

/** Sends commands to a player whose clock stands still, and returns its answers. */
function play(text: string) {
  const one = playing(text);
  return (command: Command): Result => one.ask(command);
}

const EXAMPLES = ["two-choices", "gray-failure", "retry-storm", "scale-out"];
for (const name of EXAMPLES) {
  Deno.test(`Player.take() exports ${name} with the digest of the command line`, async () => {
    const url = new URL(`../../../examples/${name}.yaml`, import.meta.url);
    const ask = play(await Deno.readTextFile(url));
    const { text, digest } = ask({ kind: "export" }) as Exported;
    assert.equal(digest, await digestOnCommandLine(text));
  });
}

Deno.test("Player.take() exports the changes of the user with the digest of the command line", async () => {
  const ask = play(TEXT);
  ask({ kind: "seek", at_ms: 1000 });
  ask({ kind: "change", set: { "workload.arrivals.load": "120%", "servers.B2.slots": 3 } });
  ask({ kind: "step", to: "pick" });
  ask({ kind: "break", backend: "B2", fault: { slow: 4 } });
  ask({ kind: "seek", at_ms: 2500 });
  ask({ kind: "add backend", backend: { weight: 2 } });
  ask({ kind: "repair", backend: "B2" });
  ask({ kind: "seek", at_ms: 4100 });
  ask({ kind: "remove backend", id: "B1" });
  ask({
    kind: "change",
    set: { "balancer.backends.B4.weight": 1, "balancer.sticky": { ttl: "1m" } },
  });
  // This change is at an earlier time than the others.
  ask({ kind: "seek", at_ms: 2000 });
  ask({ kind: "change", set: { "balancer.retries": 1 } });
  const { text, digest } = ask({ kind: "export" }) as Exported;
  assert.match(text, /changes:\n/);
  assert.equal(digest, await digestOnCommandLine(text));
});

Deno.test("Player.take() refuses a wrong change with the message of the command line, and changes nothing", () => {
  const ask = play(TEXT);
  ask({ kind: "seek", at_ms: 1000 });
  const before = (ask({ kind: "export" }) as Exported).text;
  assert.throws(
    () => ask({ kind: "change", set: { "balancer.algorithm": "fastest" } }),
    { message: /^test\.yaml:\d+:\d+: / },
  );
  assert.throws(
    () => ask({ kind: "change", set: { load_balancers: 2 } }),
    { message: /"load_balancers" cannot change during a run/ },
  );
  assert.equal((ask({ kind: "export" }) as Exported).text, before);
});

Deno.test("Player.take() explains a pick with the algorithm's rule and candidates", () => {
  const ask = play(TEXT);
  ask({ kind: "seek", at_ms: 4000 });
  const stepped = ask({ kind: "step", to: "pick" }) as Stepped;
  const again = ask({ kind: "why", variant: stepped.variant! }) as Why;
  assert.equal(again.backend, stepped.why!.backend);
  assert.equal(again.client, stepped.why!.client);
  assert.deepEqual(again.candidates, stepped.why!.candidates);
  assert.equal(again.candidates.length, 3);
});

Deno.test("Player.take() shows a change at once, although the run is paused", () => {
  const one = playing(TEXT);
  const broken = (command: Command) => {
    one.ask(command);
    return one.rest()?.variants.map(({ truth }) => truth.faults[1]);
  };
  one.ask({ kind: "seek", at_ms: 1000 });
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(broken({ kind: "break", backend: "B2", fault: "crash" }), ["crash", "crash"]);
    assert.deepEqual(broken({ kind: "repair", backend: "B2" }), ["", ""]);
  }
});
