/** The effect of each control on clients, on real sockets. tests/lib/core tests the decisions in detail. */
import assert from "node:assert/strict";
import type { Config } from "../../lib/config/mod.ts";
import { NS_PER_S } from "../../lib/base/mod.ts";
import { monotonicNow } from "../../lib/io/clock.ts";
import type { Balancer } from "../../lb/balancer.ts";
import { balance, TIMEOUTS, UNPROBED } from "../support/balance.ts";
import { configOf } from "../support/config.ts";
import { deadAddress } from "../support/ports.ts";
import { ask, eventually, readAll } from "../support/sockets.ts";
import { echo, say, TestServer } from "../support/test_server.ts";

const HOUR = 3600 * NS_PER_S;

/** Backends are probed once at the start; later results come only from the test. */
const RARELY_PROBED = { healthCheck: { ...configOf([]).healthCheck, interval: HOUR } };

/** Two backends that answer with their ids, and a balancer with the configuration of the test. */
async function lab(overrides: (config: Config) => Partial<Config>) {
  const stack = new AsyncDisposableStack();
  const servers = ["B1", "B2"].map((id) => stack.use(new TestServer(say(id))));
  const addresses = servers.map(({ address }) => address);
  const config = { ...RARELY_PROBED, ...overrides(configOf(addresses)) };
  const running = stack.use(await balance(addresses, config));
  return { ...running, servers, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** The answers to this many clients, which come one after the other. */
async function answers({ address }: Balancer, count: number): Promise<string[]> {
  const all = [];
  for (let i = 0; i < count; i++) all.push(await ask(address).catch(() => ""));
  return all;
}

function probed({ scheduler }: Balancer, id: string, ok: boolean): void {
  for (let i = 0; i < 3; i++) scheduler.probed(id, ok, monotonicNow(), 0);
}

/** Asserts that an event came this much later, within a microsecond, because times in ms have rounding errors. */
function assertLater(event: { at_ms: number }, than: { at_ms: number }, ms: number): void {
  const later = event.at_ms - than.at_ms;
  assert.ok(Math.abs(later - ms) < 1e-3, `${later} ms later`);
}

Deno.test("slow_start: a backend that has recovered begins with almost no clients", async () => {
  await using world = await lab(() => ({ slowStart: { duration: HOUR, floor: 0.01 } }));
  const { balancer } = world;
  assert.deepEqual((await answers(balancer, 4)).toSorted(), ["B1", "B1", "B2", "B2"]);
  probed(balancer, "B1", false);
  probed(balancer, "B1", true);
  assert.deepEqual(await answers(balancer, 10), Array(10).fill("B2"));
});

Deno.test("slow_start: a backend that a reload adds, or gives another address, begins with almost no clients", async () => {
  await using world = await lab(({ backends: [, two] }) => ({
    backends: [two!],
    slowStart: { duration: HOUR, floor: 0.01 },
  }));
  const { balancer, config, servers } = world;
  const [one] = configOf([servers[0]!.address]).backends;
  await balancer.reload({ ...config, backends: [one!, ...config.backends] });
  assert.deepEqual(balancer.scheduler.activeServers, ["B1", "B2"]);
  assert.deepEqual(await answers(balancer, 10), Array(10).fill("B2"));
  await using other = new TestServer(say("B1"));
  const moved = { ...one!, address: other.address };
  await balancer.reload({ ...config, backends: [moved, ...config.backends] });
  assert.deepEqual(await answers(balancer, 10), Array(10).fill("B2"));
  assert.deepEqual(balancer.scheduler.backends.map(({ weight }) => weight), [0.01, 1]);
});

Deno.test("ejection: a backend whose connects fail gets no clients, and every client is answered", async () => {
  await using alive = new TestServer(say("B2"));
  await using world = await balance([deadAddress(), alive.address], {
    ...UNPROBED,
    ejection: { failures: 3, base: HOUR, max: HOUR, maxShare: 0.5 },
  });
  assert.deepEqual(await answers(world.balancer, 20), Array(20).fill("B2"));
  assert.equal(world.of("connect_failed").length, 3);
  assert.deepEqual(world.of("backend_ejected").map(({ backend }) => backend), ["B1"]);
});

Deno.test("ejection: ends at its time although no client comes, and the status does not show it any more", async () => {
  await using alive = new TestServer(say("B2"));
  await using world = await balance([deadAddress(), alive.address], {
    ...UNPROBED,
    ejection: { failures: 1, base: NS_PER_S / 5, max: HOUR, maxShare: 0.5 },
  });
  const { scheduler } = world.balancer;
  assert.equal(await ask(world.balancer.address), "B2");
  const [ejected] = world.of("backend_ejected");
  assert.equal(ejected!.backend, "B1");
  await eventually(() => world.of("backend_readmitted").length === 1, "the ejection ends");
  assertLater(world.of("backend_readmitted")[0]!, ejected!, 200);
  assert.deepEqual(scheduler.activeServers, ["B1", "B2"]);
});

Deno.test("ejection: when it ends, a client that waits is served, although no other client comes", async () => {
  const address = deadAddress();
  await using busy = new TestServer(echo);
  const [one, two] = configOf([address, busy.address]).backends;
  await using world = await balance([], {
    ...UNPROBED,
    backends: [one!, { ...two!, maxConnections: 1 }],
    ejection: { failures: 1, base: 3 * NS_PER_S, max: HOUR, maxShare: 0.5 },
    queue: { length: 10, timeout: HOUR },
  });
  const { host: hostname, port } = world.balancer.address;
  using held = await Deno.connect({ hostname, port });
  await held.write(new Uint8Array(1));
  await held.read(new Uint8Array(1));
  await using _alive = new TestServer(say("B1"), address.port);
  using waiting = await Deno.connect({ hostname, port });
  assert.equal(new TextDecoder().decode(await readAll(waiting)), "B1");
  assert.deepEqual(world.of("connection_dequeued").map(({ backend }) => backend), ["B1"]);
});

Deno.test("queue: a client that has waited for the timeout is refused at this time, and a stop leaves no timer behind", async () => {
  await using busy = new TestServer(echo);
  const [one] = configOf([busy.address]).backends;
  await using world = await balance([], {
    ...UNPROBED,
    backends: [{ ...one!, maxConnections: 1 }],
    queue: { length: 10, timeout: NS_PER_S / 5 },
  });
  const { host: hostname, port } = world.balancer.address;
  using held = await Deno.connect({ hostname, port });
  await held.write(new Uint8Array(1));
  await held.read(new Uint8Array(1));
  using waiting = await Deno.connect({ hostname, port });
  assert.deepEqual(await readAll(waiting), new Uint8Array(0));
  const [queued] = world.of("connection_queued");
  const [refused] = world.of("connection_refused");
  assert.equal(refused!.reason, "queue_timeout");
  assertLater(refused!, queued!, 200);
  const later = Deno.connect({ hostname, port });
  await eventually(() => world.of("connection_queued").length === 2, "another client waits");
  (await later).close();
});

Deno.test("limits: a backend that a reload removes and another one adds again is still full", async () => {
  await using server = new TestServer(echo);
  await using other = new TestServer(say("B2"));
  const [one, two] = configOf([server.address, other.address]).backends;
  const limited = { ...one!, maxConnections: 1 };
  await using world = await balance([], { ...UNPROBED, backends: [limited, two!] });
  const { balancer, config } = world;
  using held = await Deno.connect({ hostname: balancer.address.host, port: balancer.address.port });
  await held.write(new Uint8Array(1));
  await held.read(new Uint8Array(1));
  await balancer.reload({ ...config, backends: [two!] });
  await balancer.reload({ ...config, backends: [limited] });
  assert.equal(balancer.scheduler.connectionCount.get("B1"), 1);
  assert.equal(await ask(balancer.address).catch(() => ""), "");
  assert.equal(world.of("connection_refused")[0]!.reason, "all_backends_full");
});

Deno.test("weight 0: the backend gets no new client", async () => {
  await using world = await lab(({ backends: [one, two] }) => ({
    backends: [{ ...one!, weight: 0 }, two!],
  }));
  assert.deepEqual(await answers(world.balancer, 4), Array(4).fill("B2"));
});

Deno.test("backup: serves only while no primary can", async () => {
  await using world = await lab(({ backends: [one, two] }) => ({
    backends: [one!, { ...two!, backup: true }],
  }));
  const { balancer } = world;
  assert.deepEqual(await answers(balancer, 2), ["B1", "B1"]);
  probed(balancer, "B1", false);
  assert.deepEqual(await answers(balancer, 2), ["B2", "B2"]);
  probed(balancer, "B1", true);
  assert.deepEqual(await answers(balancer, 2), ["B1", "B1"]);
});

Deno.test("mode: a backend in maintenance by a reload gets no clients and no probes until this ends", async () => {
  await using world = await lab(() => ({
    healthCheck: { ...configOf([]).healthCheck, interval: NS_PER_S / 100, timeout: HOUR },
  }));
  const { balancer, config, of, servers } = world;
  const [one, two] = config.backends;
  await balancer.reload({ ...config, backends: [{ ...one!, mode: "maintenance" }, two!] });
  const knocks = servers[0]!.accepted;
  const probes = of("probe").length;
  await eventually(() => of("probe").length > probes + 5, "B2 goes on being probed");
  assert.deepEqual(await answers(balancer, 3), Array(3).fill("B2"));
  // A probe that had begun when the mode changed may still have arrived.
  assert.ok(servers[0]!.accepted <= knocks + 1);
  await balancer.reload(config);
  assert.ok((await answers(balancer, 4)).includes("B1"));
});

Deno.test("when_none_available: clients are refused, or sent to a backend that may be up", async () => {
  for (const whenNoneAvailable of ["refuse", "try-anyway"] as const) {
    await using world = await lab(() => ({ whenNoneAvailable }));
    const { balancer, of } = world;
    probed(balancer, "B1", false);
    probed(balancer, "B2", false);
    const got = await answers(balancer, 4);
    if (whenNoneAvailable === "refuse") {
      assert.deepEqual(got, ["", "", "", ""]);
      assert.equal(of("connection_refused")[0]!.reason, "no_backend_available");
    } else assert.deepEqual(got.toSorted(), ["B1", "B1", "B2", "B2"]);
  }
});

Deno.test("limits.per_client: limits the connections of a client and its rate", async () => {
  const limits = configOf([]).limits;
  await using world = await lab(() => ({ limits: { ...limits, perClient: { connections: 1 } } }));
  const { balancer, of, config } = world;
  const { host: hostname, port } = balancer.address;
  {
    using first = await Deno.connect({ hostname, port });
    await eventually(() => of("connection_opened").length === 1, "the first is served");
    assert.deepEqual(await answers(balancer, 1), [""]);
    await first.closeWrite();
    await eventually(() => balancer.scheduler.connections === 0, "it has left");
  }
  assert.notEqual((await answers(balancer, 1))[0], "");
  await balancer.reload({ ...config, limits: { ...limits, perClient: { rate: 1 / 3600 } } });
  const [allowed, ...refused] = await answers(balancer, 3);
  assert.deepEqual([allowed !== "", ...refused], [true, "", ""]);
  assert.deepEqual(of("connection_refused").map(({ reason }) => reason), [
    ...["client_connection_limit", "client_rate_limit", "client_rate_limit"],
  ]);
});

Deno.test("allow: clients that are not on the list are refused", async () => {
  for (const [groups, allowed] of [[[0x7f00, 0], true], [[0x0a00, 0], false]] as const) {
    const prefix = { groups: [0, 0, 0, 0, 0, 0xffff, ...groups], bits: 104 };
    await using world = await lab(() => ({ allow: [prefix], timeouts: TIMEOUTS }));
    assert.equal((await answers(world.balancer, 1))[0] !== "", allowed);
  }
});

Deno.test("pick_explained: says why a backend was picked, and why the others were not", async () => {
  await using world = await lab(() => ({ algorithm: { name: "least-connections" } }));
  probed(world.balancer, "B1", false);
  assert.deepEqual(await answers(world.balancer, 1), ["B2"]);
  const [why] = world.of("pick_explained");
  assert.equal(why!.backend, "B2");
  assert.deepEqual(why!.candidates.map(({ unavailable }) => unavailable), ["down", undefined]);
});
