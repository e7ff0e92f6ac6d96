import assert from "node:assert/strict";
import { SessionKeeper } from "../../../lb/sessions/session_keeper.ts";
import type {
  SessionStore,
  StoredSession,
  StoreRules,
} from "../../../lb/sessions/session_store.ts";
import { monotonicNow } from "../../../lib/io/clock.ts";
import { NS_PER_MS, NS_PER_S } from "../../../lib/base/mod.ts";
import { open } from "../../support/phases.ts";
import { schedulerOf, type SchedulerOverrides, STICKY } from "../../support/scheduling.ts";
import { eventually } from "../../support/sockets.ts";

const TTL = 600 * NS_PER_S;

/** A store that works, fails or is silent, as the test sets it. */
class TestStore implements SessionStore {
  readonly name = "a test's store";
  readonly readTimeout: number | undefined;
  readonly pauseMs = 0;
  readonly sessions = new Map<string, StoredSession>();
  mode: "well" | "down" | "silent" = "well";
  reads = 0;
  batches = 0;
  rules: StoreRules | undefined;

  constructor(readTimeout?: number) {
    this.readTimeout = readTimeout;
  }

  async open(): Promise<readonly StoredSession[]> {
    await this.#happens();
    return this.readTimeout === undefined ? [...this.sessions.values()] : [];
  }

  async read(key: string): Promise<StoredSession | undefined> {
    this.reads++;
    await this.#happens();
    return this.sessions.get(key);
  }

  async write(sessions: readonly StoredSession[], rules: StoreRules): Promise<void> {
    await this.#happens();
    this.batches++;
    this.rules = rules;
    for (const session of sessions) this.sessions.set(session.key, session);
  }

  close(): void {}

  async #happens(): Promise<void> {
    if (this.mode === "down") throw new Error("it is down");
    if (this.mode === "silent") await new Promise(() => {});
  }
}

/** A scheduler whose sessions are kept in a store. */
async function keep(
  store: TestStore,
  rules = { ttl: TTL, maxEntries: 1000 },
  backends: SchedulerOverrides["backends"] = ["B1", "B2", "B3"],
) {
  const { scheduler, events, emitted } = schedulerOf({ sticky: { ...STICKY, ...rules }, backends });
  const keeper = new SessionKeeper({ scheduler, store, rules, events, now: monotonicNow });
  await keeper.start();
  return {
    scheduler,
    keeper,
    visit(client: string): string {
      const lease = open(scheduler, client, monotonicNow());
      lease.close("closed", monotonicNow());
      return lease.backend.id;
    },
    /** The events of the store. */
    get said() {
      return emitted.filter(({ type }) => type.startsWith("session_store_"));
    },
    get saidTypes() {
      return this.said.map(({ type }) => type.slice("session_store_".length));
    },
    [Symbol.asyncDispose]: () => keeper.stop(),
  };
}

/** A session in the store, from another balancer or an earlier run. */
function stored(key: string, backend: string, overrides: Partial<StoredSession> = {}) {
  const now = Date.now();
  return { key, backend, home: backend, changedAt: now - 1000, usedAt: now - 1000, ...overrides };
}

Deno.test("SessionKeeper writes sessions without delaying connections, and all of them before it stops", async () => {
  const store = new TestStore();
  const lab = await keep(store);
  const backend = lab.visit("10.0.0.1");
  assert.equal(store.sessions.size, 0, "the keeper did not wait for the store");
  await eventually(() => store.sessions.size === 1, "the session is written");
  const written = store.sessions.get("10.0.0.1")!;
  assert.deepEqual([written.backend, written.home], [backend, backend]);
  assert.ok(Math.abs(Date.now() - written.changedAt) < 60_000, "by the wall clock");
  for (let i = 0; i < 700; i++) lab.visit(`10.1.${i >> 8}.${i & 255}`);
  await lab.keeper.stop();
  assert.deepEqual(lab.saidTypes, ["opened"]);
  assert.equal(store.sessions.size, 701);
  assert.ok(store.batches >= 4, "not all at once");
  assert.equal(store.rules!.ttlMs, TTL / NS_PER_MS);
});

Deno.test("SessionKeeper treats a backend with another address as another backend, also if it is a session's home", async () => {
  const store = new TestStore();
  const backends = ["B1", "B2"].map((id, i) => ({ id, address: { host: "::1", port: 9001 + i } }));
  const moved = "B1@[::1]:8000";
  store.sessions.set("10.0.0.1", stored("10.0.0.1", "B1@[::1]:9001"));
  store.sessions.set("10.0.0.2", stored("10.0.0.2", moved));
  store.sessions.set("10.0.0.3", stored("10.0.0.3", "B2@[::1]:9002", { home: moved }));
  store.sessions.set("10.0.0.4", stored("10.0.0.4", "B2")); // In the form of an earlier version.
  await using lab = await keep(store, undefined, backends);
  assert.deepEqual(
    [...lab.scheduler.sessions].map(({ key, backend, home }) => [key, backend.id, home.id]),
    [["10.0.0.1", "B1", "B1"], ["10.0.0.3", "B2", "B2"], ["10.0.0.4", "B2", "B2"]],
  );
  lab.visit("10.0.0.2");
  await lab.keeper.stop();
  assert.match(store.sessions.get("10.0.0.2")!.backend, /^B[12]@\[::1\]:900[12]$/);
});

Deno.test("SessionKeeper restores the sessions of an earlier run", async () => {
  const store = new TestStore();
  store.sessions.set("10.0.0.1", stored("10.0.0.1", "B3"));
  store.sessions.set("10.0.0.2", stored("10.0.0.2", "gone"));
  store.sessions.set("10.0.0.3", stored("10.0.0.3", "B2", { usedAt: Date.now() - 700_000 }));
  await using lab = await keep(store);
  assert.deepEqual(lab.said.map((event) => ({ ...event, at_ms: 0 })), [{
    type: "session_store_opened",
    at_ms: 0,
    store: "a test's store",
    restored: 1,
  }]);
  assert.equal(lab.visit("10.0.0.1"), "B3");
  assert.equal(lab.keeper.ask("10.0.0.7"), undefined, "there is nothing to ask");
});

Deno.test("SessionKeeper.ask() reads the session of a client that another balancer has pinned", async () => {
  const store = new TestStore(NS_PER_S);
  await using lab = await keep(store);
  store.sessions.set("10.0.0.1", stored("10.0.0.1", "B3"));
  await lab.keeper.ask("10.0.0.1");
  const lease = open(lab.scheduler, "10.0.0.1", monotonicNow());
  assert.equal(lease.backend.id, "B3");
  assert.equal(lab.keeper.ask("10.0.0.1"), undefined, "it has a connection here");
  lease.close("closed", monotonicNow());
  assert.equal(store.reads, 1);
});

Deno.test("SessionKeeper.ask() waits for at most readTimeout, and then asks no more until the store works again", async () => {
  const store = new TestStore(20 * NS_PER_MS);
  await using lab = await keep(store);
  store.mode = "silent";
  await Promise.all(["a", "b", "c"].map((client) => lab.keeper.ask(client)));
  assert.equal(lab.keeper.ask("d"), undefined);
  assert.equal(store.reads, 3);
  assert.deepEqual(lab.saidTypes, ["opened", "degraded"]);
  const [, degraded] = lab.said;
  assert.ok(degraded!.type === "session_store_degraded");
  assert.equal(degraded.reason, "no answer within 20ms");
  store.mode = "well";
  await eventually(() => lab.keeper.ask("e") !== undefined, "it is asked again");
});

Deno.test("SessionKeeper.ask() lets at most a thousand clients wait at the same time", async () => {
  const store = new TestStore(20 * NS_PER_MS);
  await using lab = await keep(store);
  store.mode = "silent";
  const asked = Array.from({ length: 1001 }, (_, i) => lab.keeper.ask(`c${i}`));
  assert.equal(asked.filter((one) => one === undefined).length, 1);
  await Promise.all(asked);
});

Deno.test("SessionKeeper.stopAsking() ends the waits of clients", async () => {
  const store = new TestStore(3600 * NS_PER_S);
  await using lab = await keep(store);
  store.mode = "silent";
  const asked = lab.keeper.ask("a");
  lab.keeper.stopAsking();
  await asked;
  assert.equal(lab.keeper.ask("b"), undefined);
  assert.deepEqual(lab.saidTypes, ["opened"], "that is no fault of the store");
  store.mode = "well";
});

Deno.test("SessionKeeper reports once that the store is down, and once that it has received all changes again", async () => {
  const store = new TestStore();
  await using lab = await keep(store);
  for (let i = 0; i < 300; i++) lab.visit(`10.0.${i >> 8}.${i & 255}`);
  await eventually(() => store.sessions.size === 300, "all are written");
  store.mode = "down";
  lab.visit("10.9.0.1");
  await eventually(() => lab.saidTypes.includes("degraded"), "it is said");
  lab.visit("10.9.0.2");
  // The store was restarted, and has lost its sessions.
  store.sessions.clear();
  store.mode = "well";
  await eventually(() => lab.saidTypes.includes("recovered"), "it is said");
  assert.deepEqual(lab.saidTypes, ["opened", "degraded", "recovered"]);
  assert.equal(store.sessions.size, 302);
  const [, degraded, recovered] = lab.said;
  assert.ok(degraded!.type === "session_store_degraded");
  assert.deepEqual([degraded.reason, degraded.sessions], ["it is down", 301]);
  assert.ok(recovered!.type === "session_store_recovered");
  assert.equal(recovered.written, 302);
  assert.ok(recovered.degraded_ms > 0);
});

Deno.test("SessionKeeper starts although the store is down, and restores its sessions when it works", async () => {
  const store = new TestStore();
  store.sessions.set("10.0.0.1", stored("10.0.0.1", "B3"));
  store.mode = "down";
  await using lab = await keep(store);
  assert.deepEqual(lab.saidTypes, ["degraded"]);
  const mine = lab.visit("10.0.0.2");
  store.mode = "well";
  await eventually(() => lab.saidTypes.includes("recovered"), "it is said");
  assert.deepEqual(lab.saidTypes, ["degraded", "opened", "recovered"]);
  assert.equal(lab.visit("10.0.0.1"), "B3");
  assert.equal(lab.visit("10.0.0.2"), mine);
});

Deno.test("SessionKeeper writes sessions in use again, so that they do not expire in the store", async () => {
  const store = new TestStore();
  await using lab = await keep(store, { ttl: 100 * NS_PER_MS, maxEntries: 10 });
  const lease = open(lab.scheduler, "10.0.0.1", monotonicNow());
  await eventually(() => store.sessions.size === 1, "it is written");
  const { usedAt, changedAt } = store.sessions.get("10.0.0.1")!;
  const later = () => store.sessions.get("10.0.0.1")!;
  await eventually(() => later().usedAt > usedAt + 100, "it is written as used again");
  assert.equal(later().changedAt, changedAt);
  lease.close("closed", monotonicNow());
});

Deno.test("SessionKeeper.configure() applies another time to live", async () => {
  const store = new TestStore();
  await using lab = await keep(store);
  lab.keeper.configure({ ttl: 50 * NS_PER_MS, maxEntries: 10 });
  const lease = open(lab.scheduler, "10.0.0.1", monotonicNow());
  await eventually(() => store.batches >= 3, "it is refreshed as often as that needs");
  assert.equal(store.rules!.ttlMs, 50);
  lease.close("closed", monotonicNow());
});

Deno.test("SessionKeeper.stop() does not wait for a silent store, and reports the unwritten changes", async () => {
  const store = new TestStore();
  const lab = await keep(store);
  store.mode = "silent";
  lab.visit("10.0.0.1");
  lab.visit("10.0.0.2");
  await lab.keeper.stop();
  assert.equal(store.sessions.size, 0);
  assert.deepEqual(lab.saidTypes, ["opened", "degraded", "incomplete"]);
  const incomplete = lab.said.at(-1)!;
  assert.ok(incomplete.type === "session_store_incomplete");
  assert.equal(incomplete.unwritten, 2);
});

Deno.test("SessionKeeper recognises a client whose address was stored in another spelling", async () => {
  const store = new TestStore();
  const at = Date.now();
  for (const key of ["::ffff:a09:909", "2001:DB8:0:0::1"]) {
    store.sessions.set(key, { key, backend: "B2", home: "B2", changedAt: at, usedAt: at });
  }
  const { keeper, visit } = await keep(store);
  assert.deepEqual(["10.9.9.9", "2001:db8::1"].map(visit), ["B2", "B2"]);
  await keeper.stop();
});
