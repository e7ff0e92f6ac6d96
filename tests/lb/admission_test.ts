/** The balancer first decides whether it accepts a client, and counts it while it waits for the session store. */
import assert from "node:assert/strict";
import { NS_PER_S, parsePrefix } from "../../lib/base/mod.ts";
import type { Config } from "../../lib/config/mod.ts";
import { balance, UNPROBED } from "../support/balance.ts";
import { STICKY } from "../support/config.ts";
import { askAs, TRUSTING } from "../support/proxied.ts";
import { SilentRedis } from "../support/silent_redis.ts";
import { ask, echo, eventually, say, TestServer } from "../support/sockets.ts";

function stickyIn(redis: SilentRedis, timeout: number): Pick<Config, "sticky"> {
  return { sticky: { ...STICKY, store: { redis: redis.address, timeout } } };
}

/** Waits until the store is open. The balancer serves before, and opening the store also sends requests to it. */
function storeOpened(lab: Awaited<ReturnType<typeof balance>>): Promise<void> {
  return eventually(() => lab.of("session_store_opened").length > 0, "the store is open");
}

/** A prefix in the form of the configuration. */
function prefix(text: string) {
  const { groups, bits } = parsePrefix(text);
  return { groups: [...groups], bits };
}

const PROXIED = { ...UNPROBED, ...TRUSTING };

const FORBIDDEN: Readonly<Record<string, Partial<Config>>> = {
  "is on the list deny": { deny: [prefix("127.0.0.0/8")] },
  "is not on the list allow": { allow: [prefix("10.0.0.0/8")] },
  "is at its own limit of connections": {
    limits: { connections: 100, perClient: { connections: 1 } },
  },
  "comes while the balancer is at its limit": { limits: { connections: 1 } },
};

for (const [who, overrides] of Object.entries(FORBIDDEN)) {
  Deno.test(`Balancer asks no store about a client that ${who}`, async () => {
    await using redis = new SilentRedis();
    await using backend = new TestServer(echo);
    await using lab = await balance([backend.address], {
      ...UNPROBED,
      ...stickyIn(redis, 10 * NS_PER_S),
      ...overrides,
    });
    await storeOpened(lab);
    const { host: hostname, port } = lab.balancer.address;
    // As many connections as a limit allows.
    using held = overrides.limits && await Deno.connect({ hostname, port });
    await held?.write(new Uint8Array(1));
    await held?.read(new Uint8Array(1));
    const before = redis.gets;
    for (let i = 0; i < 5; i++) assert.equal(await ask(lab.balancer.address).catch(() => ""), "");
    assert.equal(lab.of("connection_refused").length, 5);
    assert.equal(redis.gets, before);
  });
}

Deno.test("Balancer asks a store about a client behind a proxy only if this client is accepted", async () => {
  await using redis = new SilentRedis();
  await using backend = new TestServer(say("B1"));
  const sticky = stickyIn(redis, 10 * NS_PER_S);
  await using lab = await balance([backend.address], {
    ...PROXIED,
    ...sticky,
    deny: [prefix("203.0.113.0/24")],
  });
  await storeOpened(lab);
  const { address } = lab.balancer;
  const before = redis.gets;
  assert.equal(await askAs("203.0.113.7", address).catch(() => ""), "");
  assert.equal(redis.gets, before);
  assert.equal(await askAs("198.51.100.7", address), "B1");
  assert.equal(redis.gets, before + 1);
});

Deno.test("Balancer counts a client that waits for the store for limits.connections and limits.per_client", async () => {
  await using redis = new SilentRedis();
  await using backend = new TestServer(say("B1"));
  const sticky = stickyIn(redis, NS_PER_S);
  await using lab = await balance([backend.address], {
    ...PROXIED,
    ...sticky,
    limits: { connections: 2, perClient: { connections: 1 } },
  });
  await storeOpened(lab);
  const { address } = lab.balancer;
  const before = redis.gets;
  redis.silent = true;
  const waiting = ["198.51.100.1", "198.51.100.2"].map((client) => askAs(client, address));
  await eventually(() => redis.gets === before + 2, "both clients wait for the store");
  assert.equal(await ask(address).catch(() => ""), "", "the proxy's own connection counts, too");
  assert.deepEqual(lab.of("connection_refused").map(({ reason }) => reason), ["connection_limit"]);
  assert.deepEqual(await Promise.all(waiting), ["B1", "B1"], "the store is too slow: they go on");
});
