import assert from "node:assert/strict";
import { failureInWords, REDIS_PREFIX, RedisStore } from "../../../lb/sessions/redis_store.ts";
import type { StoredSession } from "../../../lb/sessions/session_store.ts";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { TLS_FILES } from "../../support/certificates.ts";
import { RedisServer, testWithRedis } from "../../support/redis.ts";
import { deadAddress, eventually, TestServer } from "../../support/sockets.ts";

function rulesNow(ttlMs = 60_000) {
  return { ttlMs, maxEntries: 100, nowMs: Date.now() };
}

function session(key: string, backend: string, changedAt: number): StoredSession {
  return { key, backend, home: "B9", changedAt, usedAt: Date.now() };
}

/** The time at which sessions are read. */
const NOW = 5_000_000;

/** Reads a session. */
function found(store: RedisStore, key: string) {
  return store.read(key, NOW);
}

/** A store that is closed at the end of the test. */
function storeAt(redis: RedisServer) {
  const store = new RedisStore(redis.address, NS_PER_S);
  return Object.assign(store, { [Symbol.dispose]: () => store.close() });
}

/** A new server, and an open store in it. */
async function opened() {
  const redis = await new RedisServer().start();
  const store = storeAt(redis);
  await store.open();
  return {
    redis,
    store,
    [Symbol.asyncDispose]: async () => {
      store.close();
      await redis[Symbol.asyncDispose]();
    },
  };
}

testWithRedis("RedisStore shares sessions with other balancers", async () => {
  await using redis = await new RedisServer().start();
  using one = storeAt(redis);
  using two = storeAt(redis);
  assert.deepEqual(await one.open(), []);
  await two.open();
  assert.equal(one.name, `Redis at 127.0.0.1:${redis.address.port}`);
  assert.equal(await two.read("a", NOW), undefined);
  await one.write([session("a", "B1", 1000), session("2001:db8::/64", "B2", 1000)], rulesNow());
  assert.deepEqual(await found(two, "a"), {
    key: "a",
    backend: "B1",
    home: "B9",
    changedAt: 1000,
    usedAt: NOW,
  });
  assert.equal((await two.read("2001:db8::/64", NOW))?.backend, "B2");
});

testWithRedis("RedisStore keeps the later of two changes, in either order of arrival", async () => {
  await using lab = await opened();
  const { store } = lab;
  await store.write([session("a", "B1", 1000)], rulesNow());
  await store.write([session("a", "B2", 999)], rulesNow());
  assert.equal((await store.read("a", NOW))?.backend, "B1");
  await store.write([session("a", "B3", 1000)], rulesNow());
  assert.equal((await store.read("a", NOW))?.backend, "B1");
  await store.write([session("a", "B4", 1001)], rulesNow());
  assert.deepEqual(await found(store, "a"), {
    key: "a",
    backend: "B4",
    home: "B9",
    changedAt: 1001,
    usedAt: NOW,
  });
});

testWithRedis(
  "RedisStore lets a session expire when it was not used for the time to live",
  async () => {
    await using lab = await opened();
    const { redis, store } = lab;
    const left = async () => Number(await redis.command("pttl", `${REDIS_PREFIX}a`));
    const rules = rulesNow();
    await store.write([{ ...session("a", "B1", 1), usedAt: rules.nowMs - 20_000 }], rules);
    assert.ok(await left() > 30_000 && await left() <= 40_000);
    await store.write([{ ...session("a", "B1", 1), usedAt: rules.nowMs }], rules);
    assert.ok(await left() > 50_000 && await left() <= 60_000);
    // The client is still connected to another balancer.
    await store.write([{ ...session("a", "B1", 1), usedAt: rules.nowMs - 30_000 }], rules);
    assert.ok(await left() > 50_000);
    await store.write([{ ...session("b", "B1", 1), usedAt: rules.nowMs - 60_000 + 1 }], rules);
    for (let tries = 0; await store.read("b", NOW) !== undefined; tries++) {
      assert.ok(tries < 10_000);
    }
  },
);

testWithRedis("RedisStore does not change keys that are not sessions", async () => {
  await using lab = await opened();
  const { redis, store } = lab;
  await redis.command("rpush", `${REDIS_PREFIX}a`, "x");
  await redis.command("set", `${REDIS_PREFIX}b`, "x");
  assert.equal(await store.read("a", NOW), undefined);
  assert.equal(await store.read("b", NOW), undefined);
  await store.write([session("a", "B1", 1), session("b", "B1", 1)], rulesNow());
  assert.equal(await redis.command("lrange", `${REDIS_PREFIX}a`, "0", "-1"), "x");
  assert.equal((await store.read("b", NOW))?.backend, "B1");
});

testWithRedis("RedisStore uses a password and a database, and shows no password", async () => {
  await using redis = await new RedisServer("--requirepass", "s3cret").start();
  const { address } = redis;
  for (const [more, says] of [[{}, /NOAUTH/], [{ password: "0ther" }, /WRONGPASS/]] as const) {
    const store = new RedisStore({ ...address, ...more }, NS_PER_S);
    await assert.rejects(
      store.open(),
      ({ message }: Error) => says.test(message) && !/s3cret|0ther/.test(message),
    );
    store.close();
  }
  const store = new RedisStore({ ...address, password: "s3cret", database: 3 }, NS_PER_S);
  await store.open();
  await store.write([session("a", "B1", 1)], rulesNow());
  store.close();
  const keys = await redis.command("-a", "s3cret", "-n", "3", "keys", "*");
  assert.equal(keys, `${REDIS_PREFIX}a`);
});

testWithRedis("RedisStore.open() fails if the server permits PING but not GET", async () => {
  const rights = ["default", "on", "nopass", "~*", "&*", "+@all", "-get"];
  await using redis = await new RedisServer("--user", ...rights).start();
  using store = storeAt(redis);
  await assert.rejects(store.open(), /NOPERM/);
});

testWithRedis(
  "RedisStore fails at once when its server is killed, and can be opened again",
  async () => {
    await using lab = await opened();
    const { redis, store } = lab;
    await store.write([session("a", "B1", 1)], rulesNow());
    await redis.kill();
    await assert.rejects(store.read("a", NOW), /connection lost/);
    await assert.rejects(store.write([session("a", "B1", 1)], rulesNow()), /connection lost/);
    await assert.rejects(store.open(), /connection refused/);
    await redis.start();
    await store.open();
    assert.equal(await store.read("a", NOW), undefined);
  },
);

Deno.test("RedisStore reports that the connection is refused if no server listens", async () => {
  const store = new RedisStore({ ...deadAddress(), tls: false, database: 0 }, NS_PER_S);
  await assert.rejects(store.open(), /^Error: connection refused$/);
  await assert.rejects(store.read("a", NOW), /not connected|connection/);
  store.close();
});

Deno.test("RedisStore.close() cancels the wait for a server that does not answer", async () => {
  await using silent = new TestServer(async (connection) => {
    while (await connection.read(new Uint8Array(100)) !== null);
  });
  const store = new RedisStore({ ...silent.address, tls: false, database: 0 }, NS_PER_S);
  const opening = store.open();
  const over = opening.catch(({ message }: Error) => message);
  await eventually(() => silent.accepted === 1, "it is connected");
  store.close();
  assert.match(String(await over), /connection lost/);
});

Deno.test("RedisStore.close() cancels a connect in progress, and closes a connection that opens too late", async () => {
  let open = 0;
  await using silent = new TestServer(async (connection) => {
    open++;
    while (await connection.read(new Uint8Array(100)) !== null);
    open--;
  });
  const store = new RedisStore({ ...silent.address, tls: false, database: 0 }, NS_PER_S);
  let said = "";
  store.open().catch(({ message }: Error) => said = message);
  store.close();
  await eventually(() => said === "closed", "it gives up");
  assert.equal(silent.accepted, 0);
  // At every point of the connect.
  for (let turns = 0; turns < 20; turns++) {
    const opening = assert.rejects(store.open());
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    store.close();
    await opening;
  }
  await eventually(() => open === 0, "no connection is left");
});

testWithRedis("RedisStore uses TLS, and only with a server that it can verify", async () => {
  const file = (name: string) => `${TLS_FILES}/${name}`;
  const { port } = deadAddress();
  await using redis = await new RedisServer(
    ...["--tls-port", String(port), "--tls-auth-clients", "no"],
    ...["--tls-cert-file", file("one.pem"), "--tls-key-file", file("one.key")],
    ...["--tls-ca-cert-file", file("ca.pem")],
  ).start();
  for (const [tls, says] of [[true, /certificate/], [false, /connection lost/]] as const) {
    const store = new RedisStore({ ...redis.address, port, tls }, NS_PER_S);
    await assert.rejects(store.open(), says);
    store.close();
  }
});

Deno.test("failureInWords() reports a lost connection in the same words, however the system reports it", () => {
  const failure = (message: string, code?: string) => Object.assign(new Error(message), { code });
  for (
    const lost of [
      failure("read ECONNRESET", "ECONNRESET"),
      failure("write EPIPE", "EPIPE"),
      failure("Socket closed unexpectedly"),
      failure("The client is closed"),
    ]
  ) {
    assert.equal(failureInWords(lost), "connection lost", lost.message);
  }
  assert.equal(failureInWords(failure("", "ECONNREFUSED")), "connection refused");
  assert.equal(failureInWords(failure("", "ESOMETHING")), "ESOMETHING");
});
