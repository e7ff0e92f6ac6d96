import assert from "node:assert/strict";
import { BackendFaults, BackendServer, type FaultChange } from "../../backend/mod.ts";
import type { Behaviour } from "../../backend/server.ts";
import { type Address, createRandom, NS_PER_MS } from "../../lib/base/mod.ts";
import type { ServerFault } from "../../lib/fault/mod.ts";
import { ask, eventually, readAll } from "../support/sockets.ts";

/** A backend named B1 with its faults, for as long as the test lasts. */
function backend(behaviour: Behaviour = {}) {
  const server = new BackendServer("B1", behaviour, createRandom(1));
  const address = server.start({ host: "127.0.0.1", port: 0 });
  const changes: FaultChange[] = [];
  const faults = new BackendFaults(server, { report: (change) => changes.push(change) });
  const stop = async () => {
    await faults.end();
    await server.kill();
  };
  return { server, address, faults, changes, [Symbol.asyncDispose]: stop };
}

const connect = ({ host, port }: Address, signal?: AbortSignal) =>
  Deno.connect({ hostname: host, port, ...signal !== undefined && { signal } });

const bytes = (text: string) => new TextEncoder().encode(text);

/** The answer to a line on a connection that stays open; null if the connection ends instead. */
async function say(connection: Deno.TcpConn, line: string): Promise<string | null> {
  await connection.write(bytes(`${line}\n`));
  return await answerOn(connection);
}

async function answerOn(connection: Deno.TcpConn): Promise<string | null> {
  const buffer = new Uint8Array(1000);
  const count = await connection.read(buffer);
  return count === null ? null : new TextDecoder().decode(buffer.subarray(0, count));
}

const HELLO = "Hello from B1: hi\n";
const GET = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
const PROBE = "GET / HTTP/1.1\r\nUser-Agent: lbsim\r\nConnection: close\r\n\r\n";

Deno.test("BackendFaults: crash ends connections and refuses connects until it ends", async () => {
  await using one = backend();
  using open = await connect(one.address);
  assert.equal(await say(open, "hi"), HELLO);
  const crash = await one.faults.begin({ name: "crash" });
  assert.equal(await answerOn(open), null);
  await assert.rejects(connect(one.address), Deno.errors.ConnectionRefused);
  await one.faults.end([crash]);
  assert.equal(await ask(one.address, "hi\n"), HELLO);
});

Deno.test({
  name: "BackendFaults: hang leaves connects without an answer, and work stops until it ends",
  // Other systems accept a connect to a full backlog.
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using one = backend();
    using open = await connect(one.address);
    assert.equal(await say(open, "hi"), HELLO);
    const hang = await one.faults.begin({ name: "hang" });
    await assert.rejects(connect(one.address, AbortSignal.timeout(50)), /timeout/);
    await open.write(bytes("hi\n"));
    const answer = answerOn(open);
    const connecting = connect(one.address);
    await one.faults.end([hang]);
    assert.equal(await answer, HELLO);
    // The client's system has tried the connect again.
    using late = await connecting;
    assert.equal(await say(late, "hi"), HELLO);
  },
});

Deno.test("BackendFaults: pause accepts connects, and answers when it ends", async () => {
  await using one = backend();
  const pause = await one.faults.begin({ name: "pause" });
  let answered = 0;
  using first = await connect(one.address);
  using second = await connect(one.address);
  const answers = [first, second].map((connection) =>
    say(connection, "hi").then((answer) => {
      answered++;
      return answer;
    })
  );
  await eventually(() => one.server.totals.requests === 2, "both requests have arrived");
  assert.equal(answered, 0);
  await one.faults.end([pause]);
  assert.deepEqual(await Promise.all(answers), [HELLO, HELLO]);
});

Deno.test("BackendFaults: refuse refuses connects, and open connections continue", async () => {
  await using one = backend();
  using open = await connect(one.address);
  await say(open, "hi");
  const refuse = await one.faults.begin({ name: "refuse" });
  await assert.rejects(connect(one.address), Deno.errors.ConnectionRefused);
  assert.equal(await say(open, "hi"), HELLO);
  await one.faults.end([refuse]);
  assert.equal(await ask(one.address, "hi\n"), HELLO);
});

Deno.test("BackendFaults: reset accepts connects, and resets them when data arrive", async () => {
  await using one = backend();
  using open = await connect(one.address);
  await say(open, "hi");
  const reset = await one.faults.begin({ name: "reset" });
  assert.equal(await answerOn(open), null);
  using next = await connect(one.address);
  await assert.rejects(say(next, "hi"), Deno.errors.ConnectionReset);
  using idle = await connect(one.address);
  await one.faults.end([reset]);
  await assert.rejects(answerOn(idle), Deno.errors.ConnectionReset);
  assert.equal(await ask(one.address, "hi\n"), HELLO);
});

Deno.test("BackendFaults: slow applies to requests that are already being served", async () => {
  const took: number[] = [];
  await using one = backend({
    latency: () => 40 * NS_PER_MS,
    onRequest: (request) => took.push(request.took / NS_PER_MS),
  });
  using open = await connect(one.address);
  const answer = say(open, "hi");
  await eventually(() => one.server.totals.requests === 1, "the request has arrived");
  const slow = await one.faults.begin({ name: "slow", factor: 1e6 });
  using next = await connect(one.address);
  const nextAnswer = say(next, "hi");
  await eventually(() => one.server.totals.requests === 2, "the next request has arrived");
  assert.deepEqual(took, []);
  await one.faults.end([slow]);
  assert.equal(await answer, HELLO);
  assert.equal(await nextAnswer, HELLO);
});

Deno.test("BackendFaults: slow makes a request take `factor` times as long, also without a service time", async () => {
  for (const latency of [undefined, () => 4 * NS_PER_MS]) {
    const took: number[] = [];
    await using one = backend({
      latency,
      onRequest: (request) => took.push(request.took / NS_PER_MS),
    });
    await one.faults.begin({ name: "slow", factor: 10 });
    await ask(one.address, "hi\n");
    // A timer may fire up to a millisecond early. Nothing limits how late it fires on a busy machine.
    assert.ok(took[0]! >= (latency === undefined ? 9 : 39), `${took} ms`);
  }
});

const ERRORS: readonly ServerFault[] = [
  { name: "fail-rate", rate: 1 },
  { name: "fast-errors", rate: 1 },
  { name: "gray", rate: 1, factor: 1 },
];

for (const fault of ERRORS) {
  Deno.test(`BackendFaults: ${fault.name} closes the connection after a line, and answers HTTP with 500`, async () => {
    await using one = backend();
    await one.faults.begin(fault);
    assert.equal(await ask(one.address, "hi\n"), "");
    assert.match(await ask(one.address, GET), /^HTTP\/1\.1 500 /);
    const probed = fault.name === "gray" ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 500 /;
    assert.match(await ask(one.address, PROBE), probed);
  });
}

Deno.test("BackendFaults: fail-rate and fast-errors fail their share of requests", async () => {
  for (const name of ["fail-rate", "fast-errors"] as const) {
    await using one = backend();
    await one.faults.begin({ name, rate: 0.3 });
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask(one.address, "hi\n")));
    const failed = answers.filter((answer) => answer === "").length;
    assert.equal(one.server.totals.failed, failed);
    assert.ok(failed > 30 && failed < 90, `${failed} of 200`);
  }
});

Deno.test("BackendFaults: flap makes the backend refuse connects and accept them again, several times", async () => {
  await using one = backend();
  await one.faults.begin({ name: "flap", period: 20 * NS_PER_MS, down: 0.5 });
  const isUp = () => ask(one.address, "hi\n").then((answer) => answer === HELLO, () => false);
  for (let flap = 0; flap < 3; flap++) {
    await eventually(async () => !await isUp(), "it is down");
    await eventually(isUp, "it is back");
  }
});

Deno.test("BackendFaults: a fault ends by itself, and its beginning and its end are reported", async () => {
  await using one = backend();
  await one.faults.begin({ name: "refuse" }, 20 * NS_PER_MS);
  assert.deepEqual(one.changes.map(({ type }) => type), ["begun"]);
  await eventually(() => one.changes.length === 2, "it has ended");
  const [begun, ended] = one.changes;
  assert.equal(ended!.type, "ended");
  assert.equal(ended!.fault, begun!.fault);
  assert.deepEqual(one.faults.active, []);
  await eventually(
    () => ask(one.address, "hi\n").then((answer) => answer === HELLO, () => false),
    "connects are accepted again",
  );
});

Deno.test("BackendFaults: simultaneous faults add up, and each lasts until its own end", async () => {
  await using one = backend();
  const crash = await one.faults.begin({ name: "crash" });
  const refuse = await one.faults.begin({ name: "refuse" });
  await one.faults.end([crash]);
  await assert.rejects(connect(one.address), Deno.errors.ConnectionRefused);
  await one.faults.end([crash]); // It has ended already.
  await one.faults.end([refuse]);
  assert.equal(await ask(one.address, "hi\n"), HELLO);
});

Deno.test("BackendFaults.replace() ends the other faults of the same kind", async () => {
  await using one = backend();
  await one.faults.begin({ name: "slow", factor: 2 });
  await one.faults.begin({ name: "fail-rate", rate: 0.5 });
  await one.faults.replace({ name: "slow", factor: 3 });
  assert.deepEqual(one.faults.active.map(({ fault }) => fault), [
    { name: "fail-rate", rate: 0.5 },
    { name: "slow", factor: 3 },
  ]);
});

Deno.test("BackendServer.stop() answers the requests that a hang or a pause has delayed", async () => {
  for (const name of ["hang", "pause"] as const) {
    const one = backend();
    using open = await connect(one.address);
    await say(open, "hi");
    await one.faults.begin({ name });
    await open.write(bytes("hi\n"));
    await eventually(() => one.server.totals.requests === 2, "the request has arrived");
    const answer = readAll(open);
    await one.server.stop();
    assert.equal(new TextDecoder().decode(await answer), HELLO);
    await one.faults.end();
  }
});

Deno.test("BackendFaults: a backend that cannot listen again ends with the reason", async () => {
  await using one = backend();
  const { accepting } = one.server;
  const crash = await one.faults.begin({ name: "crash" });
  using _other = Deno.listen({ hostname: one.address.host, port: one.address.port });
  const failed = assert.rejects(accepting, /port \d+ is in use/);
  await one.faults.end([crash]);
  await failed;
});

Deno.test("BackendFaults: after faults have begun and ended in quick succession, the backend has none", async () => {
  await using one = backend();
  const names = ["hang", "crash", "reset", "refuse", "reset", "hang", "pause"] as const;
  await Promise.all(names.map(async (name) => {
    const fault = await one.faults.begin({ name });
    await one.faults.end([fault]);
  }));
  assert.equal(await ask(one.address, "hi\n"), HELLO);
});
