/** A balancer's sessions in a store: which of them survive a restart, and how the balancer runs if the store fails. */
import assert from "node:assert/strict";
import { monotonicNow } from "../../../lib/io/clock.ts";
import type { Config } from "../../../lib/config/mod.ts";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { balance, UNPROBED } from "../../support/balance.ts";
import { STICKY } from "../../support/config.ts";
import { askAs, TRUSTING } from "../../support/proxied.ts";
import { RedisServer, testWithRedis } from "../../support/redis.ts";
import { eventually, say, TestServer } from "../../support/sockets.ts";

type Sticky = NonNullable<Config["sticky"]>;
type Store = Sticky["store"];

/** A balancer whose sessions are in a store. */
async function balanceBy(
  servers: readonly TestServer[],
  store: Store,
  onFailback: Sticky["onFailback"] = "return",
) {
  const lab = await balance(servers.map(({ address }) => address), {
    ...TRUSTING,
    ...UNPROBED,
    sticky: { ...STICKY, onFailback, store },
  });
  return {
    ...lab,
    ask: (client: string) => askAs(client, lab.balancer.address),
    get said() {
      return lab.emitted.map(({ type }) => type)
        .filter((type) => type.startsWith("session_store_"));
    },
  };
}

function servers() {
  const all = ["B1", "B2", "B3"].map((id) => new TestServer(say(id)));
  return {
    all,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(all.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}

const CLIENTS = Array.from({ length: 10 }, (_, i) => `203.0.113.${i}`);

/** Waits until the server has at least this many sessions. */
async function written(redis: RedisServer, count: number): Promise<void> {
  await eventually(async () => Number(await redis.command("dbsize")) >= count, "all are written");
}

/** The backend that each client's connection reached. */
async function visits(lab: { ask(client: string): Promise<string> }, clients = CLIENTS) {
  const places = new Map<string, string>();
  for (const client of clients) places.set(client, await lab.ask(client));
  return places;
}

Deno.test("Balancer has the same sessions after a restart, if they are in a SQLite file", async () => {
  const directory = await Deno.makeTempDir();
  await using backends = servers();
  const store = { sqlite: `${directory}/sessions.db` };
  let before: Map<string, string>;
  {
    await using lab = await balanceBy(backends.all, store);
    before = await visits(lab);
  }
  {
    await using lab = await balanceBy(backends.all, store);
    // The clients come in the other order, so round-robin alone would send them to other backends.
    assert.deepEqual(new Map([...await visits(lab, CLIENTS.toReversed())].reverse()), before);
    assert.deepEqual(
      lab.of("session_store_opened").map((event) => ({
        ...event,
        at_ms: 0,
      })),
      [{
        type: "session_store_opened",
        at_ms: 0,
        store: `SQLite file ${store.sqlite}`,
        restored: 10,
      }],
    );
  }
  {
    await using lab = await balanceBy(backends.all, "memory");
    assert.notDeepEqual(new Map([...await visits(lab, CLIENTS.toReversed())].reverse()), before);
    assert.deepEqual(lab.said, []);
  }
  await Deno.remove(directory, { recursive: true });
});

/** Asserts that stored sessions of B1 are not used if B1 has another address after a restart. */
async function forgetsTheMoved(store: Store, written: () => Promise<void>): Promise<void> {
  await using backends = servers();
  let before: Map<string, string>;
  {
    await using lab = await balanceBy(backends.all, store);
    before = await visits(lab);
    await written();
  }
  await using other = new TestServer(say("B1"));
  await using lab = await balanceBy([other, ...backends.all.slice(1)], store);
  const clients = [...before].filter(([, place]) => place === "B1").map(([client]) => client);
  assert.ok(clients.length > 0);
  for (const client of CLIENTS) await lab.ask(client);
  assert.deepEqual(lab.of("session_pinned").map(({ client }) => client), clients);
}

Deno.test("Balancer does not restore sessions of a backend whose address has changed between two runs", async () => {
  const directory = await Deno.makeTempDir();
  await forgetsTheMoved({ sqlite: `${directory}/sessions.db` }, () => Promise.resolve());
  await Deno.remove(directory, { recursive: true });
});

testWithRedis(
  "Balancer does not adopt sessions of a backend whose address has changed between two runs",
  async () => {
    await using redis = await new RedisServer().start();
    const store = { redis: redis.address, timeout: 5 * NS_PER_S };
    await forgetsTheMoved(store, () => written(redis, CLIENTS.length));
  },
);

Deno.test("Balancer serves although the file for its sessions belongs to another program, and reports this once", async () => {
  const directory = await Deno.makeTempDir();
  await using backends = servers();
  const file = `${directory}/diary.txt`;
  await Deno.writeTextFile(file, "dear diary");
  {
    await using lab = await balanceBy(backends.all, { sqlite: file });
    const first = await visits(lab);
    assert.deepEqual(await visits(lab), first, "sessions are kept in memory");
    assert.deepEqual(lab.said, ["session_store_degraded"]);
  }
  assert.equal(await Deno.readTextFile(file), "dear diary");
  await Deno.remove(directory, { recursive: true });
});

testWithRedis("Balancer shares its sessions with other balancers by Redis", async () => {
  await using redis = await new RedisServer().start();
  await using backends = servers();
  const store = { redis: redis.address, timeout: 5 * NS_PER_S };
  await using one = await balanceBy(backends.all, store);
  await using two = await balanceBy(backends.all, store);
  const before = await visits(one);
  await written(redis, CLIENTS.length);
  assert.deepEqual(new Map([...await visits(two, CLIENTS.toReversed())].reverse()), before);
  assert.equal(two.of("session_adopted").length, CLIENTS.length);
  // A third balancer, which has seen none of these clients, reads their sessions from the store, too.
  await using three = await balanceBy(backends.all, store);
  assert.deepEqual(new Map([...await visits(three, CLIENTS.toReversed())].reverse()), before);
});

testWithRedis("Balancer follows a client that another balancer has moved", async () => {
  await using redis = await new RedisServer().start();
  await using backends = servers();
  const store = { redis: redis.address, timeout: 5 * NS_PER_S };
  await using one = await balanceBy(backends.all, store, "stay");
  await using two = await balanceBy(backends.all, store, "stay");
  const [client] = CLIENTS;
  const from = await one.ask(client!);
  await written(redis, 1);
  assert.equal(await two.ask(client!), from);
  // From now on the second balancer cannot use this backend; the first one can.
  two.balancer.scheduler.setMode(from, "maintenance", monotonicNow());
  const to = await two.ask(client!);
  assert.notEqual(to, from);
  await eventually(async () => await one.ask(client!) === to, "the first has heard of it");
  assert.equal(await one.ask(client!), to);
});

testWithRedis(
  "Balancer.reload() gives a backend another address, and no stored session sends a client to it",
  async () => {
    await using redis = await new RedisServer().start();
    await using backends = servers();
    const store = { redis: redis.address, timeout: 5 * NS_PER_S };
    await using lab = await balanceBy(backends.all, store);
    const places = await visits(lab);
    await written(redis, CLIENTS.length);
    await using other = new TestServer(say("B1"));
    const { config, balancer } = lab;
    const [one, ...others] = config.backends;
    await balancer.reload({
      ...config,
      backends: [{ ...one!, address: other.address }, ...others],
    });
    const before = lab.emitted.length;
    const pinnedToB1 = [...places].filter(([, place]) => place === "B1").map(([client]) => client);
    for (const client of pinnedToB1) await lab.ask(client);
    const since = lab.emitted.slice(before).map(({ type }) => type);
    assert.ok(pinnedToB1.length > 0);
    assert.equal(since.filter((type) => type === "session_adopted").length, 0);
    assert.equal(since.filter((type) => type === "session_pinned").length, pinnedToB1.length);
  },
);

Deno.test("Balancer.stop() does not wait for a store that does not answer", async () => {
  let gets = 0;
  // The server answers while the store is opened, and then no more.
  await using silent = new TestServer(async (connection) => {
    const buffer = new Uint8Array(1000);
    for (let count; (count = await connection.read(buffer)) !== null;) {
      const text = new TextDecoder().decode(buffer.subarray(0, count));
      if (text.includes("GET") && gets++ === 0) {
        await connection.write(new TextEncoder().encode("$-1\r\n"));
      }
    }
  });
  await using backends = servers();
  const redis = { ...silent.address, tls: false, database: 0 };
  const lab = await balanceBy(backends.all, { redis, timeout: 3600 * NS_PER_S });
  await eventually(() => lab.said.includes("session_store_opened"), "the store is open");
  const answer = lab.ask("203.0.113.1").catch(() => "");
  await eventually(() => gets === 2, "a client waits for the store");
  assert.deepEqual(await lab.balancer.stop(), { finished: 0, closed: 0 });
  assert.equal(await answer, "");
  assert.deepEqual(
    lab.emitted.map((event) => event.type === "connection_refused" ? event.reason : event.type),
    ["run_started", "session_store_opened", "connection_arrived", "stopping"],
  );
});

/** Ways in which a Redis server can fail and come back. */
const OUTAGES: readonly [
  what: string,
  timeout: number,
  fail: (redis: RedisServer) => Promise<void> | void,
  recover: (redis: RedisServer) => Promise<unknown> | void,
  reason: RegExp,
][] = [
  [
    "is killed and comes back empty",
    5 * NS_PER_S,
    (redis) => redis.kill(),
    (redis) => redis.start(),
    /^connection (lost|refused)$/,
  ],
  [
    "stops answering for a while",
    2 * NS_PER_S, // On a busy machine, a Redis without a fault may also need some time to answer.
    (redis) => redis.signal("SIGSTOP"),
    (redis) => redis.signal("SIGCONT"),
    /^no answer within/,
  ],
];

for (const [what, timeout, fail, recover, reason] of OUTAGES) {
  testWithRedis(`Balancer under load serves every client when Redis ${what}`, async () => {
    await using redis = await new RedisServer().start();
    await using backends = servers();
    const store = { redis: redis.address, timeout };
    await using one = await balanceBy(backends.all, store);
    await using two = await balanceBy(backends.all, store);
    const labs = [one, two];
    await visits(one);
    await written(redis, CLIENTS.length);

    // Each client goes to either balancer in turn, without a pause.
    const counts = { asked: 0, failed: 0 };
    let leave = false;
    const load = CLIENTS.map(async (client) => {
      for (let i = 0; !leave; i++) {
        const answer = await labs[i % 2]!.ask(client).catch(() => "");
        counts.asked++;
        if (!/^B[123]$/.test(answer)) counts.failed++;
      }
    });
    const more = async () => {
      const until = counts.asked + 20 * CLIENTS.length;
      await eventually(() => counts.asked >= until, "more clients are served");
    };
    const saidByBoth = (kind: string) =>
      eventually(() => labs.every(({ said }) => said.includes(kind as never)), `both say ${kind}`);

    await more();
    await fail(redis);
    await saidByBoth("session_store_degraded");
    await more();
    // Meanwhile, the sessions of new clients are in memory.
    const newcomers = Array.from({ length: 5 }, (_, i) => `198.51.100.${i}`);
    const during = await visits(one, newcomers);
    assert.deepEqual(await visits(one, newcomers), during);
    await recover(redis);
    await saidByBoth("session_store_recovered");
    await more();
    leave = true;
    await Promise.all(load);

    assert.equal(counts.failed, 0);
    for (const lab of labs) {
      assert.deepEqual(lab.said, [
        "session_store_opened",
        "session_store_degraded",
        "session_store_recovered",
      ]);
      assert.match(lab.of("session_store_degraded")[0]!.reason, reason);
    }
    // The store has all sessions that it had missed, and both balancers agree again.
    await written(redis, CLIENTS.length + newcomers.length);
    assert.deepEqual(await visits(two, newcomers), during);
    const last = await visits(one);
    await written(redis, CLIENTS.length + newcomers.length);
    assert.deepEqual(await visits(two), last);
  });
}

Deno.test("Balancer.reload() reports that another store needs a restart, and keeps the present one", async () => {
  const directory = await Deno.makeTempDir();
  await using backends = servers();
  const store = { sqlite: `${directory}/sessions.db` };
  {
    await using lab = await balanceBy(backends.all, store);
    await lab.ask("203.0.113.1");
    const sticky = { ...lab.config.sticky!, ttl: 60 * NS_PER_S, store: "memory" as const };
    for (let i = 0; i < 2; i++) await lab.balancer.reload({ ...lab.config, sticky });
    const ignored = [`sticky.store: {sqlite: ${store.sqlite}} → memory`];
    assert.deepEqual(
      lab.of("config_reloaded").map(({ changes, ignored }) => [changes, ignored]),
      [[["sticky.ttl: 10m → 1m"], ignored], [[], ignored]],
    );
    await lab.ask("203.0.113.2");
  }
  {
    await using lab = await balanceBy(backends.all, store);
    assert.equal(lab.balancer.scheduler.sessionCount, 2);
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("Balancer.reload() continues with its store when `sticky` is removed and added again", async () => {
  const directory = await Deno.makeTempDir();
  await using backends = servers();
  const store = { sqlite: `${directory}/sessions.db` };
  {
    await using lab = await balanceBy(backends.all, store);
    const { sticky, ...without } = lab.config;
    for (const config of [without, lab.config]) await lab.balancer.reload(config);
    const other = { ...lab.config, sticky: { ...sticky!, store: "memory" as const } };
    for (const config of [without, other]) await lab.balancer.reload(config);
    assert.deepEqual(lab.of("config_reloaded").map(({ ignored }) => ignored), [
      [],
      [],
      [],
      [`sticky.store: {sqlite: ${store.sqlite}} → memory`],
    ]);
    await lab.ask("203.0.113.1");
  }
  {
    await using lab = await balanceBy(backends.all, store);
    assert.equal(lab.balancer.scheduler.sessionCount, 1);
  }
  await Deno.remove(directory, { recursive: true });
});
