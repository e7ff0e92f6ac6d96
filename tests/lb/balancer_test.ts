import assert from "node:assert/strict";
import { once } from "node:events";
import FakeTimers from "@sinonjs/fake-timers";
import { type Config, writtenConfig } from "../../lib/config/mod.ts";
import { NS_PER_MS, NS_PER_S, parsePrefix, VERSION } from "../../lib/base/mod.ts";
import { monotonicNow } from "../../lib/io/clock.ts";
import type { Address } from "../../lib/base/address.ts";
import { dial, DialFailure } from "../../lb/dial/dial.ts";
import { balance, TIMEOUTS, UNPROBED } from "../support/balance.ts";
import { configOf } from "../support/config.ts";
import { deadAddress } from "../support/ports.ts";
import { abortable, ask, eventually, readAll } from "../support/sockets.ts";
import { echo, say, TestServer } from "../support/test_server.ts";

Deno.test("Balancer sends connections to its backends in turn", async () => {
  await using one = new TestServer(say("B1"));
  await using two = new TestServer(say("B2"));
  await using lab = await balance([one.address, two.address]);
  const answers = [];
  for (let i = 0; i < 4; i++) answers.push(await ask(lab.balancer.address));
  assert.deepEqual(answers, ["B1", "B2", "B1", "B2"]);
});

Deno.test("Balancer.start() emits run_started before anything else", async () => {
  await using one = new TestServer(say("B1"));
  const before = Date.now();
  await using lab = await balance([one.address]);
  const [started, next] = lab.emitted;
  assert.equal(started?.type, "run_started");
  assert.equal(next?.type, "probe");
  const { version, seed, at_ms, epoch_ms, configuration } = started;
  assert.deepEqual([version, seed], [VERSION, 1]);
  const wall = epoch_ms + at_ms;
  assert.ok(before - 1 <= wall && wall <= Date.now() + 1, `it started at ${wall}`);
  assert.deepEqual(configuration, writtenConfig(lab.config));
  assert.equal(lab.of("run_started").length, 1);
});

Deno.test("Balancer probes every backend once before it listens", async () => {
  await using one = new TestServer(say("B1"));
  await using lab = await balance([deadAddress(), one.address]);
  assert.deepEqual(lab.balancer.scheduler.activeServers, ["B2"]);
  assert.deepEqual(lab.of("probe").map(({ backend, ok }) => [backend, ok]).toSorted(), [
    ["B1", false],
    ["B2", true],
  ]);
});

Deno.test("Balancer retries a refused connect on a backend that was not tried", async () => {
  await using one = new TestServer(say("B3"));
  await using lab = await balance([deadAddress(), deadAddress(), one.address], UNPROBED);
  for (let i = 0; i < 6; i++) assert.equal(await ask(lab.balancer.address), "B3");
  assert.deepEqual(
    new Set(lab.of("connect_failed").map(({ reason }) => reason)),
    new Set(["refused"]),
  );
  assert.ok(lab.of("connection_opened").some(({ attempt }) => attempt === 3));
});

Deno.test("Balancer refuses a client when every connect fails, and emits connection_refused", async () => {
  await using lab = await balance([deadAddress(), deadAddress()], UNPROBED);
  assert.equal(await ask(lab.balancer.address).catch(() => ""), "");
  const [refusal] = lab.of("connection_refused");
  assert.equal(refusal?.reason, "connects_failed");
  assert.equal(refusal?.attempts, 2);
  assert.equal(lab.balancer.scheduler.connections, 0);
});

Deno.test({
  name: "Balancer gives up a connect that gets no answer when its timeout has passed",
  // Only Linux leaves connects unanswered when a listener's queue is full.
  ignore: Deno.build.os !== "linux",
  fn: giveUpSilence,
});

async function giveUpSilence() {
  // A listener whose queue is full leaves further connects unanswered.
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = { host: "127.0.0.1", port: silent.addr.port };
  const fillers: Deno.TcpConn[] = [];
  for (let full = false; !full && fillers.length < 5000;) {
    const dialed = await dial(address, AbortSignal.timeout(1000));
    if (dialed instanceof DialFailure) full = true;
    else fillers.push(dialed);
  }
  await using one = new TestServer(say("B2"));
  const timeouts = { ...TIMEOUTS, connect: NS_PER_S };
  await using lab = await balance([address, one.address], { ...UNPROBED, timeouts });
  assert.equal(await ask(lab.balancer.address), "B2");
  assert.deepEqual(lab.of("connect_failed").map(({ backend, reason }) => [backend, reason]), [
    ["B1", "timeout"],
  ]);
  for (const filler of fillers) filler.close();
}

Deno.test("Balancer serves thousands of short connections, and none is lost", async () => {
  await using one = new TestServer(echo);
  await using two = new TestServer(echo);
  await using lab = await balance([one.address, two.address]);
  const total = 3000;
  let left = total;
  let right = 0;
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (left-- > 0) {
      const line = `line ${left}`;
      if (await ask(lab.balancer.address, line) === line) right++;
    }
  }));
  assert.equal(right, total);
  await eventually(() => lab.balancer.scheduler.connections === 0, "all connections have ended");
  assert.equal(lab.of("connection_opened").length, total);
  assert.equal(lab.of("connection_closed").filter(({ end }) => end === "closed").length, total);
});

Deno.test("Balancer ends the client's connection when its backend is killed during the transfer", async () => {
  const one = new TestServer(echo);
  await using lab = await balance([one.address]);
  const { host, port } = lab.balancer.address;
  using client = await Deno.connect({ hostname: host, port });
  await client.write(new Uint8Array([1]));
  await client.read(new Uint8Array(1));
  await one[Symbol.asyncDispose]();
  await client.write(new Uint8Array([2])).catch(() => {});
  await client.closeWrite().catch(() => {});
  await readAll(client).catch(() => {});
  await eventually(() => lab.of("connection_closed").length === 1, "the connection is closed");
});

Deno.test("Balancer distinguishes an abort by the client from a normal end", async () => {
  await using one = new TestServer(echo);
  await using lab = await balance([one.address]);
  const socket = await abortable(lab.balancer.address);
  socket.write("x");
  await once(socket, "data");
  socket.resetAndDestroy();
  await eventually(() => lab.of("connection_closed").length === 1, "the connection is closed");
  assert.equal(lab.of("connection_closed")[0]!.end, "client_aborted");
});

Deno.test("Balancer counts a connection while it is being opened", async () => {
  await using one = new TestServer(echo);
  await using lab = await balance([one.address], { limits: { connections: 1 } });
  const { host, port } = lab.balancer.address;
  using held = await Deno.connect({ hostname: host, port });
  await held.write(new Uint8Array([1]));
  await held.read(new Uint8Array(1));
  assert.equal(await ask(lab.balancer.address).catch(() => ""), "");
  assert.equal(lab.of("connection_refused")[0]!.reason, "connection_limit");
});

Deno.test("Balancer.stop() lets open connections finish", async () => {
  await using one = new TestServer(echo);
  const lab = await balance([one.address]);
  const { host, port } = lab.balancer.address;
  using client = await Deno.connect({ hostname: host, port });
  await client.write(new Uint8Array([1]));
  await client.read(new Uint8Array(1));
  const stopping = lab.balancer.stop();
  await client.write(new Uint8Array([2]));
  const buffer = new Uint8Array(1);
  assert.equal(await client.read(buffer), 1);
  assert.equal(buffer[0], 2);
  await client.closeWrite();
  await readAll(client);
  assert.deepEqual(await stopping, { finished: 1, closed: 0 });
  await assert.rejects(Deno.connect({ hostname: host, port }), Deno.errors.ConnectionRefused);
});

Deno.test("Balancer.stop() closes the remaining connections when the drain timeout has passed", async () => {
  await using one = new TestServer(echo);
  const lab = await balance([one.address], { timeouts: { ...TIMEOUTS, drain: 50 * NS_PER_MS } });
  using client = await come(lab.balancer.address);
  await client.read(new Uint8Array(1));
  assert.deepEqual(await lab.balancer.stop(), { finished: 0, closed: 1 });
  assert.equal((await readAll(client)).length, 0);
  assert.equal(lab.of("connection_closed")[0]!.end, "closed_by_balancer");
});

Deno.test("Balancer.stop() does not wait for open connections when `hurry` is aborted", async () => {
  await using one = new TestServer(echo);
  const lab = await balance([one.address], { timeouts: { ...TIMEOUTS, drain: 3600 * NS_PER_S } });
  using client = await come(lab.balancer.address);
  await client.read(new Uint8Array(1));
  assert.deepEqual(await lab.balancer.stop(AbortSignal.abort()), { finished: 0, closed: 1 });
});

Deno.test("Balancer with sticky keeps a client on its backend", async () => {
  await using one = new TestServer(say("B1"));
  await using two = new TestServer(say("B2"));
  await using lab = await balance([one.address, two.address], {
    sticky: {
      by: "client-address",
      ipv4Prefix: 32,
      ipv6Prefix: 128,
      ttl: 600 * NS_PER_S,
      maxEntries: 10,
      onFailback: "return",
      drain: "move",
      store: "memory",
    },
  });
  for (let i = 0; i < 4; i++) assert.equal(await ask(lab.balancer.address), "B1");
  assert.deepEqual([...lab.balancer.scheduler.sessionMap], [["127.0.0.1", "B1"]]);
});

Deno.test("Balancer with on_down: close closes the connections of a backend that is marked as down", async () => {
  for (const onDown of ["keep", "close"] as const) {
    await using one = new TestServer(echo);
    await using two = new TestServer(echo);
    await using lab = await balance([one.address, two.address], { onDown, ...UNPROBED });
    const clients = await Promise.all([0, 1].map(async () => {
      const { hostname, port } = { hostname: lab.balancer.address.host, ...lab.balancer.address };
      const client = await Deno.connect({ hostname, port });
      await client.write(new TextEncoder().encode("x"));
      assert.equal(await client.read(new Uint8Array(1)), 1);
      return client;
    }));
    const { scheduler } = lab.balancer;
    for (let i = 0; i < 3; i++) scheduler.probed("B1", false, monotonicNow(), 0);
    if (onDown === "close") {
      assert.equal(await clients[0]!.read(new Uint8Array(1)), null);
      await eventually(() => lab.of("connection_closed").length === 1, "closed");
      assert.equal(lab.of("connection_closed")[0]!.end, "backend_down");
    }
    for (const client of clients.slice(onDown === "close" ? 1 : 0)) {
      await client.write(new TextEncoder().encode("y"));
      assert.equal(await client.read(new Uint8Array(1)), 1);
    }
    clients.forEach((client) => client.close());
  }
});

Deno.test("Balancer tells peak-ewma when a backend has sent its first byte", async () => {
  let now = 0;
  await using slow = new TestServer(async (conn) => {
    now += 60 * NS_PER_MS;
    await say("slow")(conn);
  });
  await using fast = new TestServer(say("fast"));
  const algorithm = { name: "peak-ewma", decay: 10 * NS_PER_S, initial: 30 * NS_PER_MS } as const;
  const overrides = { ...UNPROBED, algorithm };
  await using lab = await balance([slow.address, fast.address], overrides, undefined, () => now);
  const answers = [];
  for (let i = 0; i < 12; i++) answers.push(await ask(lab.balancer.address));
  assert.ok(answers.filter((answer) => answer === "slow").length <= 1, answers.join(" "));
});

Deno.test("Balancer closes the connection of a client that is on the list deny", async () => {
  await using one = new TestServer(say("B1"));
  for (const [deny, answer] of [["127.0.0.0/8", ""], ["10.0.0.0/8", "B1"]] as const) {
    const { groups, bits } = parsePrefix(deny);
    await using lab = await balance([one.address], { deny: [{ groups: [...groups], bits }] });
    assert.equal(await ask(lab.balancer.address), answer);
    assert.deepEqual(
      lab.of("connection_refused").map(({ reason }) => reason),
      answer === "" ? ["denied"] : [],
    );
  }
});

Deno.test("Balancer.reload() keeps open connections, adds new backends, and removes others", async () => {
  await using one = new TestServer(echo);
  await using two = new TestServer(say("B2"));
  await using lab = await balance([one.address]);
  const client = await Deno.connect({ hostname: "127.0.0.1", port: lab.balancer.address.port });
  await client.write(new TextEncoder().encode("x"));
  assert.equal(await client.read(new Uint8Array(1)), 1);
  const [moved] = configOf([two.address]).backends;
  await lab.balancer.reload(configOf([two.address], { backends: [{ ...moved!, id: "B2" }] }));
  assert.deepEqual(lab.balancer.scheduler.activeServers, ["B2"]);
  assert.equal(await ask(lab.balancer.address), "B2");
  await client.write(new TextEncoder().encode("y"));
  assert.equal(await client.read(new Uint8Array(1)), 1);
  assert.equal(lab.balancer.scheduler.connections, 1);
  // A backend with the same id and another address is another backend.
  await lab.balancer.reload(configOf([two.address], { backends: [{ ...moved!, id: "B1" }] }));
  assert.equal(await ask(lab.balancer.address), "B2");
  const changes = lab.of("config_reloaded").map(({ changes }) => changes.slice(0, 2));
  assert.match(changes[0]!.join(), /backend B1 removed,backend B2 added at 127/);
  client.close();
});

/** Sends these bytes, finishes, and reads the answer. */
async function tell({ host, port }: Address, bytes: Uint8Array): Promise<string> {
  const conn = await Deno.connect({ hostname: host, port });
  await conn.write(bytes);
  await conn.closeWrite();
  const answer = await readAll(conn);
  conn.close();
  return new TextDecoder().decode(answer);
}

const PROXIED = new TextEncoder().encode("PROXY TCP4 203.0.113.9 192.168.1.10 5000 8000\r\nhello");
const FROM_LOOPBACK = [{ groups: [0, 0, 0, 0, 0, 0xffff, 0x7f00, 0], bits: 104 }];

Deno.test("Balancer uses the client's address from a trusted proxy's header, and passes the client's bytes on", async () => {
  await using one = new TestServer(echo);
  await using lab = await balance([one.address], {
    proxyProtocol: { acceptFrom: FROM_LOOPBACK, timeout: NS_PER_S, send: "off" },
  });
  assert.equal(await tell(lab.balancer.address, PROXIED), "hello");
  assert.equal(lab.of("connection_opened")[0]!.client, "203.0.113.9");
});

Deno.test("Balancer does not interpret the PROXY header of a client that is not trusted", async () => {
  await using one = new TestServer(echo);
  await using lab = await balance([one.address], {
    proxyProtocol: { acceptFrom: [], timeout: NS_PER_S, send: "off" },
  });
  assert.match(await tell(lab.balancer.address, PROXIED), /^PROXY TCP4 .*hello$/s);
  assert.equal(lab.of("connection_opened")[0]!.client, "127.0.0.1");
});

Deno.test("Balancer refuses a malformed, an oversized and a slow PROXY header without harm", async () => {
  await using one = new TestServer(echo);
  await using lab = await balance([one.address], {
    proxyProtocol: { acceptFrom: FROM_LOOPBACK, timeout: 2 * NS_PER_S, send: "off" },
  });
  const { address } = lab.balancer;
  assert.equal(await tell(address, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")), "");
  assert.equal(await tell(address, new Uint8Array(10_000).fill(0x50)), "");
  assert.equal(await tell(address, PROXIED.subarray(0, 20)), "");
  const slow = await Deno.connect({ hostname: address.host, port: address.port });
  await slow.write(PROXIED.subarray(0, 20));
  assert.equal((await readAll(slow)).length, 0);
  slow.close();
  assert.deepEqual(
    lab.of("connection_refused").map(({ reason }) => reason),
    Array(4).fill("bad_proxy_header"),
  );
  assert.equal(await tell(address, PROXIED), "hello");
});

Deno.test("Balancer counts the client's bytes, and not the PROXY header that the balancer itself sends", async () => {
  await using one = new TestServer(echo);
  await using lab = await balance([one.address], {
    proxyProtocol: { acceptFrom: [], timeout: NS_PER_S, send: "v1" },
  });
  await ask(lab.balancer.address);
  await ask(lab.balancer.address, "hello");
  await eventually(() => lab.of("connection_closed").length === 2, "both have ended");
  assert.deepEqual(lab.of("connection_closed").map((event) => event.bytes_to_backend), [0, 5]);
});

Deno.test("Balancer distinguishes a probe that sends nothing from a missing PROXY header", async () => {
  await using one = new TestServer(echo);
  await using lab = await balance([one.address], {
    proxyProtocol: { acceptFrom: FROM_LOOPBACK, timeout: 2 * NS_PER_S, send: "off" },
  });
  const { host: hostname, port } = lab.balancer.address;
  (await Deno.connect({ hostname, port })).close();
  (await abortable(lab.balancer.address)).resetAndDestroy();
  await eventually(() => lab.of("connection_refused").length === 2, "both were refused");
  using silent = await Deno.connect({ hostname, port });
  assert.equal((await readAll(silent)).length, 0);
  assert.deepEqual(
    lab.of("connection_refused").map(({ reason }) => reason),
    ["sent_nothing", "sent_nothing", "bad_proxy_header"],
  );
});

Deno.test("Balancer counts connections whose PROXY header is awaited for limits.connections", async () => {
  await using one = new TestServer(echo);
  await using lab = await balance([one.address], {
    limits: { connections: 2 },
    proxyProtocol: { acceptFrom: FROM_LOOPBACK, timeout: 600 * NS_PER_S, send: "off" },
  });
  const { host, port } = lab.balancer.address;
  {
    using _first = await Deno.connect({ hostname: host, port });
    using _second = await Deno.connect({ hostname: host, port });
    using third = await Deno.connect({ hostname: host, port });
    assert.equal((await readAll(third)).length, 0);
    assert.deepEqual(lab.of("connection_refused").map(({ reason }) => reason), [
      "connection_limit",
    ]);
  }
  await eventually(() => lab.of("connection_refused").length === 3, "both are gone");
  assert.equal(await tell(lab.balancer.address, PROXIED), "hello");
});

Deno.test("Balancer sends its backends a PROXY header with the client's address", async () => {
  await using one = new TestServer(echo);
  for (const acceptFrom of [[], FROM_LOOPBACK]) {
    await using lab = await balance([one.address], {
      proxyProtocol: { acceptFrom, timeout: NS_PER_S, send: "v1" },
    });
    const got = await tell(lab.balancer.address, PROXIED);
    const source = acceptFrom.length > 0 ? "203\\.0\\.113\\.9" : "127\\.0\\.0\\.1";
    assert.match(got, new RegExp(`^PROXY TCP4 ${source} [\\d.]+ \\d+ \\d+\r\n`));
    assert.ok(got.endsWith("hello"));
  }
});

/** Backends with room for one connection each. */
function narrow(addresses: readonly Address[]): Partial<Config> {
  const backends = configOf(addresses).backends.map((backend) => ({
    ...backend,
    maxConnections: 1,
  }));
  return { backends };
}

/** A balancer with a queue, and one backend that has room for one client. */
function queueing(
  { address }: TestServer,
  queue: Config["queue"],
  overrides: Partial<Config> = {},
) {
  return balance([address], { ...narrow([address]), queue, ...overrides });
}

/** Connects and sends a byte without finishing. */
async function come({ host, port }: Address): Promise<Deno.TcpConn> {
  const client = await Deno.connect({ hostname: host, port });
  await client.write(new TextEncoder().encode("x"));
  return client;
}

Deno.test("Balancer lets clients wait while every backend is full, and serves them in order", async () => {
  await using one = new TestServer(echo);
  await using lab = await queueing(one, { length: 2, timeout: 60 * NS_PER_S });
  const { address, scheduler } = lab.balancer;
  const first = await come(address);
  await eventually(() => lab.of("connection_opened").length === 1, "the first is served");
  const waiters: Deno.TcpConn[] = [];
  for (const count of [1, 2]) {
    waiters.push(await come(address));
    await eventually(() => scheduler.waiting === count, `${count} wait`);
  }
  assert.equal(await tell(address, new Uint8Array(1)).catch(() => ""), "");
  assert.deepEqual(lab.of("connection_refused").map(({ reason }) => reason), ["queue_full"]);
  for (const client of [first, ...waiters]) {
    // The byte that a client sent while it waited is not lost.
    assert.equal(await client.read(new Uint8Array(1)), 1);
    client.close();
  }
  await eventually(() => scheduler.connections === 0, "all have left");
  assert.deepEqual(lab.of("connection_dequeued").map(({ connection }) => connection), [2, 3]);
});

Deno.test("Balancer closes the connection of a client that has waited for queue.timeout", async () => {
  await using one = new TestServer(echo);
  await using lab = await queueing(one, { length: 9, timeout: 50 * NS_PER_MS });
  using first = await come(lab.balancer.address);
  assert.equal(await first.read(new Uint8Array(1)), 1);
  using second = await come(lab.balancer.address);
  assert.equal((await readAll(second).catch(() => new Uint8Array())).length, 0);
  assert.deepEqual(lab.of("connection_refused").map(({ reason }) => reason), ["queue_timeout"]);
});

Deno.test("Balancer.stop() closes clients that wait at once", async () => {
  await using one = new TestServer(echo);
  const lab = await queueing(one, { length: 9, timeout: 60 * NS_PER_S });
  using first = await come(lab.balancer.address);
  assert.equal(await first.read(new Uint8Array(1)), 1);
  using second = await come(lab.balancer.address);
  await eventually(() => lab.balancer.scheduler.waiting === 1, "one waits");
  const stopped = lab.balancer.stop(AbortSignal.abort());
  assert.equal((await readAll(second).catch(() => new Uint8Array())).length, 0);
  await stopped;
  assert.deepEqual(lab.of("connection_refused").map(({ reason }) => reason), ["stopping"]);
});

Deno.test("Balancer.reload() to drain a backend: new clients go to another one, and an open connection stays", async () => {
  await using one = new TestServer(echo);
  await using two = new TestServer(echo);
  await using lab = await balance([one.address, two.address]);
  using client = await come(lab.balancer.address);
  assert.equal(await client.read(new Uint8Array(1)), 1);
  const config = configOf([one.address, two.address], { timeouts: TIMEOUTS });
  const [drained, ready] = config.backends;
  const backends = [{ ...drained!, mode: "drain" as const }, ready!];
  await lab.balancer.reload({ ...config, backends });
  for (let i = 0; i < 3; i++) await ask(lab.balancer.address);
  assert.deepEqual(lab.of("connection_opened").map(({ backend }) => backend), [
    ...["B1", "B2", "B2", "B2"],
  ]);
  assert.deepEqual(lab.of("config_reloaded").at(-1)!.changes, ["B1.mode: ready → drain"]);
  await client.write(new TextEncoder().encode("y"));
  assert.equal(await client.read(new Uint8Array(1)), 1);
});

Deno.test("Balancer with on_down: close does not close connections to a backend's former address", async () => {
  await using one = new TestServer(echo);
  await using lab = await balance([one.address], { onDown: "close" });
  using client = await come(lab.balancer.address);
  assert.equal(await client.read(new Uint8Array(1)), 1);
  const moved = configOf([deadAddress()], { timeouts: TIMEOUTS, onDown: "close" });
  await lab.balancer.reload(moved);
  assert.deepEqual(lab.of("backend_down").map(({ backend }) => backend), ["B1"]);
  await client.write(new TextEncoder().encode("y"));
  assert.equal(await client.read(new Uint8Array(1)), 1);
  assert.deepEqual(lab.of("connection_closed"), []);
});

Deno.test("Balancer.stop() and the PROXY header's timeout may close a client at the same time", async () => {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const lab = await balance([deadAddress()], {
      ...UNPROBED,
      proxyProtocol: { acceptFrom: FROM_LOOPBACK, timeout: NS_PER_S, send: "off" },
    });
    const { host, port } = lab.balancer.address;
    using silent = await Deno.connect({ hostname: host, port });
    while (clock.countTimers() === 0) await new Promise((resolve) => setImmediate(resolve));
    const stopped = lab.balancer.stop();
    clock.tick(1000);
    await stopped;
    assert.equal((await readAll(silent)).length, 0);
    assert.deepEqual(lab.of("connection_refused").map(({ reason }) => reason), ["stopping"]);
  } finally {
    clock.uninstall();
  }
});

for (const how of ["ends", "aborts"] as const) {
  Deno.test(`Balancer removes a client that ${how} while it waits from the queue`, async () => {
    await using one = new TestServer(echo);
    await using lab = await queueing(one, { length: 2, timeout: 60 * NS_PER_S });
    const { address, scheduler } = lab.balancer;
    const first = await come(address);
    assert.equal(await first.read(new Uint8Array(1)), 1);
    for (let i = 0; i < 5; i++) {
      const leaving = await abortable(address);
      leaving.write("x");
      await eventually(() => scheduler.waiting === 1, "it waits");
      if (how === "ends") leaving.end();
      else leaving.resetAndDestroy();
      await eventually(() => scheduler.waiting === 0, "it has left");
      leaving.destroy();
    }
    const living = await come(address);
    await eventually(() => scheduler.waiting === 1, "the next one waits");
    first.close();
    assert.equal(await living.read(new Uint8Array(1)), 1);
    living.close();
    await eventually(() => scheduler.connections === 0, "all have left");
    assert.deepEqual(lab.of("connection_left").map(({ phase }) => phase), Array(5).fill("waiting"));
    assert.deepEqual(lab.of("connection_refused"), []);
    assert.deepEqual(lab.of("connection_opened").map(({ connection }) => connection), [1, 7]);
  });
}

Deno.test("Balancer passes on all bytes that a client sends while it waits and later, in order", async () => {
  await using one = new TestServer(echo);
  await using lab = await queueing(one, { length: 2, timeout: 60 * NS_PER_S }, {
    proxyProtocol: { acceptFrom: FROM_LOOPBACK, timeout: NS_PER_S, send: "v1" },
  });
  const { address, scheduler } = lab.balancer;
  const holder = await Deno.connect({ hostname: address.host, port: address.port });
  await holder.write(PROXIED);
  await eventually(() => lab.of("connection_opened").length === 1, "the first is served");
  const noise = new Uint8Array(300_000).map((_, i) => i * i >> 3);
  using client = await Deno.connect({ hostname: address.host, port: address.port });
  await client.write(PROXIED);
  await eventually(() => scheduler.waiting === 1, "it waits");
  const sending = (async () => {
    for (let sent = 0; sent < noise.length; sent += 1000) {
      await client.write(noise.subarray(sent, sent + 1000));
      await new Promise((resolve) => setImmediate(resolve));
      if (sent === 200_000) holder.close();
    }
    await eventually(() => scheduler.waiting === 0, "it is served");
    await client.closeWrite();
  })();
  const answer = await readAll(client);
  await sending;
  const header = "PROXY TCP4 203.0.113.9 192.168.1.10 5000 8000\r\n";
  assert.equal(new TextDecoder().decode(answer.subarray(0, header.length)), header);
  assert.equal(
    new TextDecoder().decode(answer.subarray(header.length, header.length + 5)),
    "hello",
  );
  assert.deepEqual(answer.subarray(header.length + 5), noise);
});
