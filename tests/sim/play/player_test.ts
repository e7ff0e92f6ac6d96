/** The answers of the playground's worker to each command. No command waits for work that takes long. */
import assert from "node:assert/strict";
import type {
  Changed,
  Command,
  Exported,
  Opened,
  Sessions,
  Stepped,
  Why,
} from "../../../sim/play/mod.ts";
import { Failed, Playing, playing } from "./playing.ts";

const TEXT = `balancer:
  backends: [{id: B1}, {id: B2, weight: 3}, {id: B3, max_connections: 20}]
  sticky: {ttl: 1m}
duration: 8s
workload: {arrivals: {poisson: {load: 80%}}, clients: {count: 40}}
service: {exponential: {mean: 10ms}}
`;

const CONFIG = `listen: 127.0.0.1:8000
algorithm: least-connections
backends:
  - { id: web1, address: 127.0.0.1:9001 }
  - { id: web2, address: 127.0.0.1:9002, weight: 2 }
`;

/** About a million events. */
const LONG = `balancer: {backends: 3}
duration: 10m
warmup: 0s
workload: {arrivals: {poisson: {load: 60%}}}
service: {exponential: {mean: 5ms}}
`;

Deno.test("sessions: returns the session map at the present time, the whole map, a part, or one client", () => {
  const one = playing(TEXT);
  one.ask({ kind: "seek", at_ms: 4000 });
  const all = one.ask<Sessions>({ kind: "sessions", variant: 0, limit: 1000 });
  assert.ok(all.count > 20);
  assert.equal(all.sessions.length, all.count);
  for (const { backend, home, used_at_ms } of all.sessions) {
    assert.match(backend, /^B[123]$/);
    assert.match(home, /^B[123]$/);
    assert.ok(used_at_ms <= 4000);
  }
  const some = one.ask<Sessions>({ kind: "sessions", variant: 0, limit: 3 });
  assert.deepEqual([some.count, some.sessions], [all.count, all.sessions.slice(0, 3)]);
  const { client } = all.sessions[5]!;
  const own = one.ask<Sessions>({ kind: "sessions", variant: 0, limit: 3, client });
  assert.deepEqual(own.sessions, [all.sessions[5]]);
});

Deno.test("explain: returns the backend that a client would get now, and does not change the run", () => {
  const one = playing(TEXT);
  const without = one.ask<Exported>({ kind: "export" }).digest;
  one.ask({ kind: "seek", at_ms: 4000 });
  const { sessions } = one.ask<Sessions>({ kind: "sessions", variant: 0, limit: 1 });
  const { client, backend } = sessions[0]!;
  const pinned = one.ask<Why>({ kind: "explain", variant: 0, client });
  assert.equal(pinned.backend, backend);
  const stranger: Command = { kind: "explain", variant: 0, client: "192.0.2.77" };
  const first = one.ask<Why>(stranger);
  assert.equal(first.candidates.length, 3);
  assert.deepEqual(one.ask<Why>(stranger), first);
  assert.equal(one.ask<Exported>({ kind: "export" }).digest, without);
  assert.throws(() => one.ask({ kind: "explain", variant: 7, client }), /there is no variant 7/);
});

Deno.test("compare: runs other variants with the changes of the user, and then one variant again", () => {
  const one = playing(TEXT);
  one.ask({ kind: "seek", at_ms: 2000 });
  one.ask({ kind: "break", backend: "B2", fault: "crash" });
  const compare = { "balancer.algorithm": ["random", "least-connections", "round-robin", "p2c"] };
  assert.throws(() => one.ask({ kind: "compare", compare }), Failed);
  const names = compare["balancer.algorithm"].slice(0, 3);
  const opened = one.ask<Opened>({ kind: "compare", compare: { "balancer.algorithm": names } });
  assert.deepEqual(opened.variants.map(({ algorithm }) => algorithm), names);
  const { run, variants } = one.rest()!;
  assert.ok(Math.abs(run.at_ms - 2000) < 1);
  assert.ok(variants.every(({ truth }) => truth.faults[1] === "crash"));
  assert.equal(one.ask<Opened>({ kind: "compare", compare: {} }).variants.length, 1);
});

Deno.test("open: if there are more than three variants, only the setting with the most values is compared", () => {
  const one = new Playing();
  const namesOf = (compare: string) =>
    one.ask<Opened>({
      kind: "open",
      source: { file: "a.yaml", text: `${TEXT}compare: { ${compare} }\n` },
    }).variants.map(({ name }) => name);
  assert.deepEqual(
    namesOf("balancer.algorithm: [least-connections, random], load_balancers: [1, 4, 16]"),
    [1, 4, 16].map((count) => `least-connections, load_balancers=${count}`),
  );
  assert.deepEqual(
    namesOf("balancer.algorithm: [random, least-connections], load_balancers: [1, 2]"),
    ["random, load_balancers=1", "least-connections, load_balancers=1"],
  );
});

Deno.test("step: a step to a change of health states the change; a step to an event states its time", () => {
  const one = playing(TEXT);
  const step = (to: "event" | "health") => one.ask<Stepped>({ kind: "step", to });
  assert.match(step("event").text!, /^an event at 0\.\d{6} s$/);
  one.ask({ kind: "break", backend: "B2", fault: "crash" });
  assert.match(step("health").text!, /B2.*down/);
});

Deno.test("during the warm-up the sentence about the variants states when measuring begins", () => {
  const one = playing(
    `${TEXT}warmup: 3s\ncompare: { balancer.algorithm: [random, least-connections] }\n`,
  );
  const sentenceAt = (at_ms: number) => {
    one.ask({ kind: "seek", at_ms });
    return one.rest()!.statistics!.verdict.sentence;
  };
  assert.match(sentenceAt(2000), /^Too early to compare: .* is measured from 3\.0 s on\.$/);
  assert.match(sentenceAt(3100), /^Too early to compare: .* has measured too little so far\.$/);
});

Deno.test("the answers to repair and withdraw state in words what was repaired or withdrawn", () => {
  const one = playing(TEXT);
  const textOf = (command: Command) => one.ask<Changed>(command).text;
  one.ask({ kind: "seek", at_ms: 2000 });
  assert.equal(textOf({ kind: "break", backend: "B2", fault: "crash" }), "B2: crash");
  assert.equal(textOf({ kind: "repair", backend: "B2" }), "B2 is repaired");
  assert.equal(textOf({ kind: "withdraw", index: 0 }), "withdrawn: B2: crash");
  one.ask({ kind: "break", backend: "B1", fault: "hang" });
  assert.equal(textOf({ kind: "repair" }), "every backend is repaired");
});

Deno.test("a config.yaml becomes a scenario that extends it, and its export contains the config.yaml", () => {
  const one = new Playing();
  const source = { file: "config.yaml", text: CONFIG };
  const opened = one.ask<Opened>({ kind: "open", source });
  assert.equal(opened.was_config, true);
  assert.deepEqual(opened.backends.map(({ id, weight }) => [id, weight]), [["web1", 1], [
    "web2",
    2,
  ]]);
  assert.equal(opened.variants[0]!.algorithm, "least-connections");
  const { text, files } = one.ask<Exported>({ kind: "export" });
  assert.match(text, /^extends: "?config\.yaml"?/);
  assert.deepEqual(files, { "config.yaml": source });
  const wrong = CONFIG.replace("weight: 2", "weight: many");
  assert.throws(
    () => one.ask({ kind: "open", source: { file: "config.yaml", text: wrong } }),
    /^Error: config\.yaml:5:\d+: /,
  );
});

Deno.test("an export continues in the background and reports its progress, while the run continues and can be paused", () => {
  const one = playing(LONG);
  one.ask({ kind: "speed", speed: 10 });
  const request = one.send({ kind: "export" });
  let frames = 0;
  let last = 0;
  for (let i = 0; i < 200 && one.answerTo(request) === undefined; i++) {
    const before = one.messages.length;
    // Each look at the clock takes a millisecond, so that a tick ends.
    one.wall += 250;
    one.tickWithCost(12);
    for (const message of one.messages.slice(before)) {
      if (message.kind === "update") frames++;
      if (message.kind !== "progress") continue;
      assert.equal(message.request, request);
      assert.ok(message.share >= last && message.share <= 1);
      last = message.share;
    }
    if (i !== 10) continue;
    const pause = one.send({ kind: "speed", speed: 0 });
    assert.equal(one.answerTo(pause)!.kind, "reply", "at once");
  }
  assert.ok(frames > 5, `${frames} frames`);
  assert.ok(last > 0.02, `progress: ${last}`);
  const step = one.send({ kind: "step", to: "pick" });
  const seek = one.send({ kind: "seek", at_ms: 500 });
  for (let i = 0; i < 50; i++) one.tickWithCost(12);
  assert.equal(one.answerTo(step)!.kind, "reply");
  assert.equal(one.answerTo(seek)!.kind, "reply");
});

Deno.test("an export can be cancelled, and ends when another text is opened", () => {
  const one = playing(LONG);
  const first = one.send({ kind: "export" });
  one.tickWithCost(12);
  one.ask({ kind: "cancel export" });
  const failure = one.answerTo(first)!;
  assert.ok(failure.kind === "failed");
  assert.equal(failure.problem.message, "the export was cancelled");
  const second = one.send({ kind: "export" });
  one.tickWithCost(12);
  one.ask({ kind: "open", source: { file: "b.yaml", text: TEXT } });
  assert.equal(one.answerTo(second)!.kind, "failed");
  assert.match(one.ask<Exported>({ kind: "export" }).digest, /^[0-9a-f]{64}$/);
});

Deno.test("seek: ends a step that has not found its event yet", () => {
  const one = playing(LONG);
  const step = one.send({ kind: "step", to: "health" });
  one.tickWithCost(12);
  assert.equal(one.answerTo(step), undefined);
  one.ask({ kind: "seek", at_ms: 100 });
  assert.equal(one.answerTo(step)!.kind, "failed");
  assert.ok(Math.abs(one.rest()!.run.at_ms - 100) < 0.001);
});

Deno.test("changes are possible during a fault, with variants that have different faults, and during a seek", () => {
  const one = playing(`${TEXT}compare: {faults: [
    [{at: 1s, for: 4s, backend: B1, kind: hang}], [{at: 2s, backend: B2, kind: {slow: 5}}]]}\n`);
  one.ask({ kind: "seek", at_ms: 3000 });
  one.send({ kind: "seek", at_ms: 6000 });
  const { at_ms } = one.ask<Changed>({ kind: "change", set: { "balancer.retries": 1 } });
  assert.ok(Math.abs(at_ms - 6000) < 1);
  one.ask({ kind: "seek", at_ms: 3500 });
  one.ask({ kind: "change", set: { "balancer.algorithm": "random" } });
  assert.match(one.ask<Exported>({ kind: "export" }).digest, /^[0-9a-f]{64}$/);
});

Deno.test("statistics that were transferred to the page do not change the next statistics", () => {
  const one = playing(
    "balancer: {backends: 1}\nduration: 60s\nwarmup: 0s\nservice: {exponential: {mean: 10ms}}\n" +
      "workload: {arrivals: {poisson: {load: 50%}}}\n",
  );
  const theoryAt = (at_ms: number) => {
    one.ask({ kind: "seek", at_ms });
    const { theory } = one.rest()!.statistics!.variants[0]!;
    return structuredClone(theory, {
      transfer: [theory!.ccdf!.latency_ms.buffer, theory!.ccdf!.share.buffer] as ArrayBuffer[],
    });
  };
  const first = theoryAt(30_000);
  assert.equal(first!.model, "M/M/1");
  assert.ok(first!.ccdf!.share.length > 50);
  assert.deepEqual(theoryAt(40_000), first);
});

Deno.test("a run with 10,000 backends sends no events of their first probes", () => {
  const one = playing(
    "balancer: {backends: 10000}\nduration: 2s\nwarmup: 0s\nworkload: {arrivals: {poisson: 500/s}}\n",
  );
  one.ask({ kind: "seek", at_ms: 100 });
  const [variant] = one.rest()!.variants;
  assert.deepEqual([variant!.events.length, variant!.events_lost], [0, 0]);
  assert.equal(variant!.truth.ids.length, 10_000);
  assert.ok(one.ask<Why>({ kind: "why", variant: 0 }).backend !== null);
});

const WRONG: readonly (readonly [command: Command, words: RegExp])[] = [
  [{ kind: "speed", speed: NaN }, /NaN is not a number of at least 0/],
  [{ kind: "speed", speed: -1 }, /-1 is not a number of at least 0/],
  [{ kind: "seek", at_ms: -5 }, /-5 is not a number of at least 0/],
  [{ kind: "seed", seed: NaN }, /seed/],
  [{ kind: "seed", seed: -3 }, /seed/],
  [{ kind: "change", set: { "balancer.backends.B1.weight": NaN } }, /weight/],
  [{ kind: "change", set: { "balancer.backends.B1.weight": "-4" } }, /weight/],
  [{ kind: "change", set: { "workload.arrivals.load": "-10%" } }, /load/],
  [{ kind: "change", set: { "": 3 } }, /./],
  [{ kind: "change", set: { "servers.B9.speed": 3 } }, /B9/],
  [{ kind: "break", backend: "B1", fault: { slow: NaN } }, /slow/],
  [{ kind: "break", backend: "B1", fault: { slow: -1 } }, /slow/],
  [{ kind: "break", backend: "B1", fault: "explode" }, /explode|kind/],
  [{ kind: "break", backend: "B9", fault: "crash" }, /B9/],
  [{ kind: "break", fault: "lb-restart", load_balancer: 99, for_s: 2 }, /load_balancer|99/],
  [{ kind: "break", backend: "B1", fault: "crash", for_s: NaN }, /for/],
  [{ kind: "repair", backend: "B1" }, /B1 does not have a fault/],
  [{ kind: "withdraw", index: 4 }, /no change number 5/],
  [{ kind: "withdraw", index: NaN }, /change number/],
  [{ kind: "remove backend", id: "B9" }, /no backend "B9"/],
  [{ kind: "add backend", id: "B1" }, /already a backend "B1"/],
  [{ kind: "add backend", id: "no id" }, /id/],
  [{ kind: "add backend", backend: { weight: -2 } }, /weight/],
  [{ kind: "why", variant: NaN }, /no variant NaN/],
  [{ kind: "sessions", variant: 9, limit: 1 }, /no variant 9/],
  [{ kind: "explain", variant: 0, client: "not an address" }, /address/],
  [{ kind: "replay" }, /no recording/],
  [{ kind: "nonsense" } as unknown as Command, /no such command/],
];
Deno.test("each wrong command is answered with a message, and changes nothing", () => {
  const one = playing(TEXT);
  one.ask({ kind: "seek", at_ms: 1000 });
  const before = one.ask<Exported>({ kind: "export" });
  for (const [command, words] of WRONG) {
    const what = JSON.stringify(command);
    try {
      one.ask(command);
      assert.fail(`${what} is not refused`);
    } catch (error) {
      assert.ok(error instanceof Failed, `${what}: ${error}`);
      assert.match(error.message, words, what);
      assert.doesNotMatch(
        error.message,
        /undefined|\bat .*:\d+:\d+\)|Cannot read|is not a function/,
        what,
      );
    }
  }
  assert.deepEqual(one.ask<Exported>({ kind: "export" }), before);
});
