import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import { DialFailure } from "../../../lb/dial/dial.ts";
import { Dialer } from "../../../lb/dial/dialer.ts";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { deadAddress, say, TestServer } from "../../support/sockets.ts";

Deno.test("Dialer.dial() hands over a connection, or says why there is none", async () => {
  await using server = new TestServer(say("hi"));
  const dialer = new Dialer(NS_PER_S);
  const connection = await dialer.dial(server.address);
  assert.ok(!(connection instanceof DialFailure));
  connection.close();
  assert.deepEqual(await dialer.dial(deadAddress()), new DialFailure("refused"));
  dialer.close();
});

Deno.test("Dialer.close() gives up, now and from now on", async () => {
  await using server = new TestServer(say("hi"));
  const dialer = new Dialer(NS_PER_S);
  dialer.close();
  assert.deepEqual(await dialer.dial(server.address), new DialFailure("timeout"));
});

Deno.test("Dialer keeps no timer once there is nothing that it could time", async () => {
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval"] });
  try {
    await using server = new TestServer(say("hi"));
    const dialer = new Dialer(8 * NS_PER_S);
    for (let i = 0; i < 10; i++) {
      const connection = await dialer.dial(server.address);
      assert.ok(!(connection instanceof DialFailure));
      connection.close();
    }
    assert.equal(clock.countTimers(), 1, "one for all");
    clock.tick(8000);
    assert.equal(clock.countTimers(), 1, "a connect could still be under way");
    clock.tick(1000);
    assert.equal(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});
