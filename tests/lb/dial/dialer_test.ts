import assert from "node:assert/strict";
import FakeTimers from "@sinonjs/fake-timers";
import { DialFailure } from "../../../lb/dial/dial.ts";
import { Dialer } from "../../../lb/dial/dialer.ts";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { deadAddress, say, TestServer } from "../../support/sockets.ts";
import { stubConnect } from "../../support/stub_connect.ts";

Deno.test("Dialer.dial() returns a connection, or the reason why there is none", async () => {
  await using server = new TestServer(say("hi"));
  const dialer = new Dialer(NS_PER_S);
  const connection = await dialer.dial(server.address);
  assert.ok(!(connection instanceof DialFailure));
  connection.close();
  assert.deepEqual(await dialer.dial(deadAddress()), new DialFailure("refused"));
  dialer.close();
});

Deno.test("Dialer.close() makes all later connects fail", async () => {
  await using server = new TestServer(say("hi"));
  const dialer = new Dialer(NS_PER_S);
  dialer.close();
  assert.deepEqual(await dialer.dial(server.address), new DialFailure("timeout"));
});

Deno.test("Dialer keeps no timer when no connect is in progress", async () => {
  using clock = fakeTimeouts();
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
  clock.tick(10);
  assert.equal(clock.countTimers(), 0);
});

Deno.test("Dialer gives up each connect after its timeout, at most five milliseconds late", async () => {
  using clock = fakeTimeouts();
  const began: number[] = [];
  const given: number[] = [];
  using _stub = stubConnects((signal) => {
    const number = began.push(clock.now) - 1;
    signal.addEventListener("abort", () => given[number] = clock.now);
  });
  const dialer = new Dialer(NS_PER_S);
  const dials: Promise<unknown>[] = [];
  for (let i = 0; i < 300; i++) {
    dials.push(dialer.dial({ host: "192.0.2.1", port: 1 }));
    clock.tick(i % 7);
  }
  clock.tick(1010);
  for (const failure of await Promise.all(dials)) {
    assert.deepEqual(failure, new DialFailure("timeout"));
  }
  assert.equal(given.length, 300);
  given.forEach((at, i) => {
    const late = at - began[i]! - 1000;
    assert.ok(late >= 0 && late <= 5, `connect ${i} was given up ${late} ms late`);
  });
  assert.equal(clock.countTimers(), 0);
});

Deno.test("Dialer.close() stops its timers", async () => {
  using clock = fakeTimeouts();
  using _stub = stubConnects(() => {});
  const dialer = new Dialer(NS_PER_S);
  const dial = dialer.dial({ host: "192.0.2.1", port: 1 });
  dialer.close();
  assert.deepEqual(await dial, new DialFailure("timeout"));
  assert.equal(clock.countTimers(), 0);
});

function fakeTimeouts() {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  return Object.assign(clock, { [Symbol.dispose]: () => clock.uninstall() });
}

/** Connects that never end by themselves. */
function stubConnects(onConnect: (signal: AbortSignal) => void): Disposable {
  return stubConnect(({ signal }) => {
    onConnect(signal!);
    return new Promise((_, reject) => signal!.addEventListener("abort", reject));
  });
}
