/** `lbsim live --config` on machines of their own, which are network namespaces. */
import assert from "node:assert/strict";
import { LiveLab } from "../support/live_lab.ts";
import { Lan, whyNoLan } from "./network.ts";

const HOSTS = [
  { name: "balancer", address: "192.168.1.10" },
  { name: "B1", address: "192.168.1.11" },
  { name: "B2", address: "192.168.1.12" },
  { name: "client", address: "192.168.1.50" },
];

const reason = await whyNoLan();
if (reason !== undefined) console.log(`skipped: a scenario on the LAN: ${reason}`);

Deno.test({
  name: "lbsim live --config runs a scenario with a fault on a LAN of one machine per role",
  ignore: reason !== undefined,
  async fn(t) {
    await using lan = await Lan.create(HOSTS);
    await using lab = await LiveLab.start({
      balancer: "192.168.1.10",
      backends: ["192.168.1.11", "192.168.1.12"],
      proxy: "192.168.1.50",
      on: (role) => lan.on(role),
    });

    await t.step(
      "clients send PROXY headers with their addresses, and a fault is detected",
      async () => {
        const { code, stdout, stderr } = await lab.live({
          duration: "4s",
          workload: "{arrivals: {poisson: 20/s}, clients: {count: 30}, timeout: 2s}",
          balancer: "{algorithm: source-hash}",
          hash_placement: "fixed",
          faults: "[{at: 1s, for: 1500ms, backend: B2, kind: hang}]",
        }, "--json");
        assert.equal(code, 0, stderr);
        const { variants: [{ faults: [fault], backends }] } = JSON.parse(stdout);
        assert.ok(fault.detection_ms.value > 0, JSON.stringify(fault));
        assert.ok(fault.failback_ms.value > 0, JSON.stringify(fault));
        // If all clients had the same address, all of them would get the same backend.
        for (const { id, done } of backends) assert.ok(done.value > 5, `${id}: ${done.value}`);
      },
    );

    await t.step("every backend serves as before the run", () => {
      for (const id of ["B1", "B2"]) {
        const text = lab.process(id).lines.join("\n");
        assert.match(
          text,
          /serves the requests of a scenario[^]*serves as before the scenario\n?$/,
        );
        assert.doesNotMatch(text, /it was not asked again/);
      }
      assert.match(lab.process("B2").lines.join("\n"), /fault hang begins[^]*fault hang ends/);
    });

    await t.step(
      "a pulled cable ends the run, and the output names the settings that were not restored",
      async () => {
        await using live = await lab.startLive({
          duration: "60s",
          faults: "[{at: 200ms, backend: B1, kind: {slow: 2}}]",
        });
        await lab.process("B1").line((line) => line.includes("fault slow 2x begins"));
        await lan.cable("B1", false);
        assert.equal(await live.ended(), 1);
        assert.match(live.lines.join("\n"), /not restored: B1 keeps the fault slow/);
        assert.match(live.lines.join("\n"), /not restored: B1 continues to serve the scenario/);
        await lab.process("B1").line((line) => line.includes("it was not asked again"));
      },
    );
  },
});
