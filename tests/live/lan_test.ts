/**
 * `lbsim live --config`: runs a scenario on processes that are running already, through their admin
 * APIs.
 */
import assert from "node:assert/strict";
import { loadStudy } from "../../lib/files/load_study.ts";
import { Lan } from "../../live/lan.ts";
import { LiveLab, type Settings } from "../support/live_lab.ts";

/** Settings of a study that a LAN cannot have, and the error message. */
const IMPOSSIBLE: readonly (readonly [what: string, settings: Settings, says: RegExp])[] = [
  ["a partition", { faults: "[{at: 1s, backend: B1, kind: partition}]" }, /partition.*cut/],
  ["a restart of the balancer", { faults: "[{at: 1s, kind: lb-restart}]" }, /cannot restart it/],
  [
    "two faults of one kind at the same time",
    { faults: "[{at: 1s, backend: B1, kind: hang}, {at: 2s, backend: B1, kind: hang}]" },
    /two faults hang of B1 at the same time/,
  ],
  ["two balancers", { load_balancers: "2" }, /2 load balancers/],
  ["another network", { network: "{backend_latency: 1ms}" }, /`network`.*real network/],
  [
    "a setting that the API cannot change",
    { balancer: "{health_check: {interval: 1s}}" },
    /that the API cannot change .*: health_check\.interval: 200ms → 1s/,
  ],
  [
    "other backends",
    { balancer: "{backends: [{id: B1}, {id: B9}]}" },
    /the LAN has no B9, and the scenario has no B2/,
  ],
  [
    "clients with addresses of their own",
    { balancer: "{algorithm: source-hash}", hash_placement: "fixed" },
    /source-hash depends on the clients' addresses, but here all clients have the address 127\.0\.0\.1/,
  ],
  [
    "changes of settings",
    { changes: "[{at: 1s, set: {balancer.algorithm: random}}]" },
    /`changes`/,
  ],
];

/** Checks whether the lab can run a scenario. */
async function open(lab: LiveLab, settings: Settings = {}, file = lab.config): Promise<void> {
  const { signal } = new AbortController();
  const study = await loadStudy(await lab.scenario(settings), ["replications=1"]);
  await Lan.open({ file, signal, hurry: signal, warn: () => {} }, study);
}

Deno.test("lbsim live --config runs a scenario on a LAN through the admin APIs of the balancer and the backends", async (t) => {
  await using lab = await LiveLab.start();

  for (const [what, settings, says] of IMPOSSIBLE) {
    await t.step(`Lan.open() refuses ${what}`, async () => {
      await assert.rejects(open(lab, settings), (error: Error & { exitCode?: number }) => {
        assert.match(error.message, says);
        return error.exitCode === 2;
      });
    });
  }

  await t.step("Lan.open() refuses a wrong token", async () => {
    const wrong = `${lab.folder}/wrong.yaml`;
    const text = await Deno.readTextFile(lab.config);
    await Deno.writeTextFile(wrong, text.replace("admin.token", "wrong.token"));
    await Deno.writeTextFile(`${lab.folder}/wrong.token`, "another-token-than-that-of-the-lab");
    await assert.rejects(open(lab, {}, wrong), /refuses the token in .*wrong\.token/);
  });

  await t.step("Lan.open() refuses a file without the admin API of a backend", async () => {
    const other = `${lab.folder}/other.yaml`;
    const text = await Deno.readTextFile(lab.config);
    await Deno.writeTextFile(other, text.replace(/, admin: [^}]+/, ""));
    await assert.rejects(open(lab, {}, other), /no `admin` address for B1/);
  });

  await t.step(
    "Lan.open() refuses a balancer and a backend that an operator has changed",
    async () => {
      await lab.api("balancer", "PUT", "/api/algorithm", { algorithm: "random" });
      await assert.rejects(open(lab), /not those of its file: algorithm: round-robin → random/);
      await lab.api("balancer", "DELETE", "/api/wishes");
      await lab.api("B2", "PUT", "/api/fault", { kind: { slow: 2 } });
      await assert.rejects(open(lab), /B2 has the fault slow 2x/);
      await lab.api("B2", "DELETE", "/api/fault");
      await open(lab);
    },
  );

  await t.step("a run prints the result of lbsim live, and restores all settings", async () => {
    const { code, stdout, stderr } = await lab.live({
      faults: "[{at: 1s, for: 1s, backend: B2, kind: crash}, " +
        "{at: 2200ms, for: 400ms, backend: B1, kind: drain}]",
    }, "--json");
    assert.equal(code, 0, stderr);
    const { variants: [variant] } = JSON.parse(stdout);
    assert.equal(variant.name, "least-connections");
    assert.ok(variant.offered > 20, `${variant.offered} requests`);
    assert.deepEqual(variant.backends.map(({ id }: { id: string }) => id), ["B1", "B2"]);
    const [fault] = variant.faults;
    assert.ok(fault.detection_ms.value > 0, JSON.stringify(variant.faults));
    for (const backend of variant.backends) {
      assert.ok(backend.share.value > 0 && backend.utilisation.value > 0, JSON.stringify(backend));
    }
    assert.deepEqual(await lab.leftovers(), []);
    const modes = lab.process("balancer").records.filter(({ event }) =>
      event === "backend_mode_changed"
    );
    assert.deepEqual(modes.map(({ mode }) => mode), ["drain", "ready"]);
  });

  await t.step("Ctrl-C ends a run, which restores all settings", async () => {
    const served = lab.process("B2").lines.length;
    await using live = await lab.startLive({
      duration: "60s",
      faults: "[{at: 200ms, backend: B2, kind: {slow: 2}}]",
    });
    await lab.process("B2").line((line) =>
      line.includes("fault slow 2x begins") && lab.process("B2").lines.length > served
    );
    assert.notDeepEqual(await lab.leftovers(), []);
    live.kill("SIGINT");
    assert.equal(await live.ended(), 130);
    assert.match(live.lines.join("\n"), /stopped (after|before)/);
    assert.doesNotMatch(live.lines.join("\n"), /not restored/);
    assert.deepEqual(await lab.leftovers(), []);
  });

  await t.step(
    "a restart of the balancer ends the run, and the backends serve as before",
    async () => {
      await using live = await lab.startLive({
        duration: "60s",
        faults: "[{at: 200ms, backend: B1, kind: pause}]",
      });
      await lab.process("B1").line((line) => line.includes("fault pause begins"));
      const before = lab.process("balancer");
      before.kill("SIGKILL");
      await before.ended();
      await lab.startProcess("balancer");
      assert.equal(await live.ended(), 1);
      assert.match(
        live.lines.join("\n"),
        /closed the stream of its events: it was stopped or restarted/,
      );
      assert.deepEqual(await lab.leftovers(), []);
    },
  );

  await t.step(
    "a backend that does not answer is named, before a run and during a run",
    async () => {
      await using live = await lab.startLive({ duration: "3s" });
      const b2 = lab.process("B2");
      const scenarios = () =>
        b2.lines.filter((line) => line.includes("serves the requests of")).length;
      const before = scenarios();
      await b2.line(() => scenarios() > before);
      b2.kill("SIGKILL");
      await b2.ended();
      assert.equal(await live.ended(), 1);
      const text = live.lines.join("\n");
      assert.match(text, /not restored: B2 continues to serve the scenario/);
      assert.match(text, /no backend answers at/);
      await assert.rejects(open(lab), /no backend answers at/);
      assert.equal((await lab.api("B1", "GET", "/api/service")).service, null);
    },
  );
});
