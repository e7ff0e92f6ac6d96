import assert from "node:assert/strict";
import { NS_PER_MS, NS_PER_S } from "../../../lib/base/mod.ts";
import { balance, TIMEOUTS } from "../../support/balance.ts";
import { configOf } from "../../support/config.ts";
import { abortable, echo, eventually, TestServer } from "../../support/sockets.ts";
import { stubConnect, systemError } from "../../support/stub_connect.ts";

for (
  const [code, resource] of [
    ["EADDRNOTAVAIL", "local_ports"],
    ["ENOBUFS", "memory"],
    ["EMFILE", "descriptors"],
  ] as const
) {
  Deno.test(`Balancer blames no backend while this machine lacks ${resource}`, async () => {
    await using one = new TestServer(echo);
    await using two = new TestServer(echo);
    const { healthCheck } = configOf([]);
    await using lab = await balance([one.address, two.address], {
      onDown: "close",
      healthCheck: {
        ...healthCheck,
        interval: 20 * NS_PER_MS,
        timeout: 60 * NS_PER_S,
        fall: 1,
        rise: 1,
      },
      ejection: { failures: 1, base: NS_PER_S, max: NS_PER_S, maxShare: 1 },
      timeouts: { ...TIMEOUTS, connect: 60 * NS_PER_S },
    });
    const held = await abortable(lab.balancer.address);
    await eventually(() => lab.of("connection_opened").length === 1, "one is served");
    const waiting = await (async () => {
      let connects = 0;
      using _stub = stubConnect(() => {
        connects++;
        return Promise.reject(systemError(code));
      });
      const client = await abortable(lab.balancer.address);
      client.write("x");
      await eventually(() => connects > 10, "probes and the client have tried");
      return client;
    })();
    // The client is served as soon as the resource is available again.
    await eventually(() => lab.of("connection_opened").length === 2, "the other is served, too");
    assert.deepEqual(lab.of("shortage_began").map((event) => event.resource), [resource]);
    assert.deepEqual(lab.of("shortage_began")[0]!.detail, `it failed (${code})`);
    for (const type of ["connect_failed", "backend_down", "backend_ejected"] as const) {
      assert.deepEqual(lab.of(type), []);
    }
    assert.deepEqual(lab.of("connection_closed"), []);
    held.destroy();
    waiting.destroy();
  });
}

Deno.test("Balancer refuses a client if a shortage lasts too long, and names the shortage", async () => {
  await using one = new TestServer(echo);
  await using lab = await balance([one.address], {
    healthCheck: { ...configOf([]).healthCheck, type: "none" },
    timeouts: { ...TIMEOUTS, connect: 200 * NS_PER_MS },
  });
  using _stub = stubConnect(() => Promise.reject(systemError("EADDRNOTAVAIL")));
  const client = await abortable(lab.balancer.address);
  await eventually(() => lab.of("connection_refused").length === 1, "it is refused");
  const [{ reason, detail } = { reason: "", detail: "" }] = lab.of("connection_refused");
  assert.equal(reason, "local_shortage");
  assert.equal(detail, "it failed (EADDRNOTAVAIL)");
  client.destroy();
});
