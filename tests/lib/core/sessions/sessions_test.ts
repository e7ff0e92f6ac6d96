import assert from "node:assert/strict";
import fc from "fast-check";
import { NS_PER_S } from "../../../../lib/base/mod.ts";
import { type Session, SessionMap } from "../../../../lib/core/mod.ts";

const TTL = 600 * NS_PER_S;

function sessions(maxEntries = 100): SessionMap<string> {
  return new SessionMap<string>({ ttl: TTL, maxEntries });
}

function keys(map: SessionMap<string>): string[] {
  return [...map.values()].map(({ key }) => key);
}

/** The keys of the sessions that were removed so far to make room. */
function evictionsOf(map: SessionMap<string>): string[] {
  const evicted: string[] = [];
  map.onEvict = ({ key }) => evicted.push(key);
  return evicted;
}

/** A connection of this client from `now` on, whose backend is `B1` if the client is new. */
function connect(map: SessionMap<string>, key: string, now: number): Session<string> {
  const session = map.find(key, now) ?? map.pin(key, "B1", now);
  map.opened(session, now);
  return session;
}

Deno.test("SessionMap.find() returns the session of this client, and of no other client", () => {
  const map = sessions();
  assert.equal(map.find("a", 0), undefined);
  const session = map.pin("a", "B1", 0);
  assert.equal(map.find("a", 0), session);
  assert.equal(map.find("b", 0), undefined);
  assert.deepEqual([session.backend, session.home, session.open], ["B1", "B1", 0]);
});

Deno.test("SessionMap.find() drops a session that was idle for longer than the time-to-live", () => {
  const map = sessions();
  const session = connect(map, "a", 0);
  map.closed(session, 100);
  assert.equal(map.find("a", 100 + TTL), session);
  assert.equal(map.find("a", 100 + TTL + 1), undefined);
  assert.equal(map.size, 0);
});

Deno.test("SessionMap.find() does not prolong a session: only connections do", () => {
  const map = sessions();
  const session = connect(map, "a", 0);
  map.closed(session, 0);
  // A client that asks for a backend and is refused has had no connection.
  assert.equal(map.find("a", TTL / 2), session);
  assert.equal(map.find("a", TTL + 1), undefined);
});

Deno.test("SessionMap keeps a session in use for as long as a connection is open", () => {
  const map = sessions();
  const session = connect(map, "a", 0);
  connect(map, "a", 1);
  map.closed(session, 2);
  assert.equal(session.open, 1);
  connect(map, "b", 10 * TTL); // Sweeps what has expired.
  assert.equal(map.find("a", 10 * TTL), session);
  map.closed(session, 11 * TTL);
  assert.equal(map.find("a", 12 * TTL), session);
  assert.equal(map.find("a", 12 * TTL + 1), undefined);
});

Deno.test("SessionMap.pin() drops all expired sessions", () => {
  const map = sessions();
  for (let i = 0; i < 10; i++) map.closed(connect(map, `old${i}`, i), i);
  connect(map, "open", 10);
  map.closed(connect(map, "young", TTL), TTL);
  connect(map, "new", TTL + 11);
  assert.deepEqual(keys(map).toSorted(), ["new", "open", "young"]);
});

Deno.test("SessionMap.pin() drops the least recently used session to make room", () => {
  const map = sessions(3);
  for (const [now, key] of ["a", "b", "c"].entries()) map.closed(connect(map, key, now), now);
  map.closed(connect(map, "a", 3), 3);
  const evicted = evictionsOf(map);
  map.pin("d", "B1", 4);
  assert.deepEqual(evicted, ["b"]);
  assert.deepEqual(keys(map), ["c", "a", "d"]);
  assert.equal(map.find("b", 4), undefined);
});

Deno.test("SessionMap.pin() evicts an idle client before a client with an open connection", () => {
  const map = sessions(2);
  connect(map, "talking", 0);
  map.closed(connect(map, "idle", 1), 2);
  const evicted = evictionsOf(map);
  map.pin("new", "B1", 3);
  assert.deepEqual(evicted, ["idle"]);
});

Deno.test("SessionMap.pin() evicts a client with open connections if all clients have some", () => {
  const map = sessions(2);
  const eldest = connect(map, "a", 0);
  connect(map, "b", 1);
  const evicted = evictionsOf(map);
  map.pin("c", "B1", 2);
  assert.deepEqual(evicted, ["a"]);
  // When its connections end, the session does not come back, and the client's next session does not change.
  const next = connect(map, "a", 3);
  map.closed(eldest, 4);
  assert.equal(eldest.open, 0);
  assert.equal(map.find("a", 4), next);
  assert.equal(next.open, 1);
  assert.equal(map.size, 2);
});

Deno.test("SessionMap.pin() never keeps more than max_entries", () => {
  for (const max of [1, 2, 7]) {
    const map = sessions(max);
    for (let i = 0; i < 50; i++) {
      connect(map, `c${i}`, i);
      assert.equal(map.size, Math.min(i + 1, max));
    }
  }
});

Deno.test("SessionMap.configure() with a smaller max_entries: the next session evicts all sessions beyond it", () => {
  const map = sessions(5);
  for (const [now, key] of ["a", "b", "c", "d", "e"].entries()) connect(map, key, now);
  const evicted = evictionsOf(map);
  map.configure({ ttl: TTL, maxEntries: 2 });
  map.adopt({ key: "f", backend: "B1", home: "B1", changedAt: 5, usedAt: 5 }, 5);
  assert.deepEqual(evicted, ["a", "b", "c", "d"]);
  assert.deepEqual(keys(map), ["f", "e"]);
});

Deno.test("SessionMap.forget() ends a backend's sessions, and no client returns to it", () => {
  const map = sessions();
  map.pin("here", "B1", 0);
  const moved = map.pin("moved", "B1", 0);
  moved.backend = "B2";
  const other = map.pin("other", "B2", 0);
  other.home = "B3";
  const talking = connect(map, "talking", 0);
  map.forget("B1");
  assert.deepEqual(keys(map), ["moved", "other"]);
  assert.deepEqual([moved.backend, moved.home], ["B2", "B2"]);
  assert.deepEqual([other.backend, other.home], ["B2", "B3"]);
  map.closed(talking, 1);
  assert.equal(map.find("talking", 1), undefined);
});

/** The same rules as those of `SessionMap`, by scans over a list. */
class Model {
  readonly clients: { key: string; open: number; usedAt: number; order: number }[] = [];
  #order = 0;

  find(key: string) {
    return this.clients.find((client) => client.key === key);
  }

  expire(now: number): void {
    for (const client of [...this.clients]) {
      if (client.open === 0 && now - client.usedAt > TTL) this.drop(client.key);
    }
  }

  drop(key: string): void {
    this.clients.splice(this.clients.findIndex((client) => client.key === key), 1);
  }

  oldest(): string | undefined {
    const idle = this.clients.filter(({ open }) => open === 0);
    const [oldest] = (idle.length > 0 ? idle : this.clients).toSorted((a, b) => a.order - b.order);
    return oldest?.key;
  }

  use(key: string, change: number, now: number): void {
    let client = this.find(key);
    if (client === undefined) this.clients.push(client = { key, open: 0, usedAt: 0, order: 0 });
    client.open += change;
    client.usedAt = now;
    client.order = ++this.#order;
  }
}

Deno.test("SessionMap does the same as scans over a list", () => {
  const step = fc.record({
    what: fc.constantFrom("open", "open", "close"),
    client: fc.nat({ max: 7 }),
    after: fc.constantFrom(0, 1, TTL / 3, TTL, TTL + 1),
  });
  const steps = fc.array(step, { maxLength: 200, size: "max" });
  fc.assert(fc.property(fc.integer({ min: 1, max: 6 }), steps, (maxEntries, steps) => {
    const map = sessions(maxEntries);
    const model = new Model();
    const open: Session<string>[] = [];
    let now = 0;
    for (const { what, client, after } of steps) {
      now += after;
      const key = `c${client}`;
      if (what === "close") {
        const [session] = open.splice(client, 1);
        if (session === undefined) continue;
        const live = map.find(session.key, now) === session;
        map.closed(session, now);
        if (live) model.use(session.key, -1, now);
        continue;
      }
      let session = map.find(key, now);
      if (session === undefined) {
        model.expire(now);
        assert.equal(model.find(key), undefined);
        const expected = model.clients.length >= maxEntries ? model.oldest() : undefined;
        const evicted = evictionsOf(map);
        session = map.pin(key, "B1", now);
        assert.deepEqual(evicted, expected === undefined ? [] : [expected]);
        if (expected !== undefined) model.drop(expected);
      }
      map.opened(session, now);
      model.use(key, 1, now);
      open.push(session);
      assert.ok(map.size <= maxEntries);
      model.expire(now);
      const present = [...map.values()].filter((s) => s.open > 0 || now - s.usedAt <= TTL);
      assert.deepEqual(
        present.map(({ key, open }) => `${key} ${open}`).toSorted(),
        model.clients.map(({ key, open }) => `${key} ${open}`).toSorted(),
      );
    }
  }));
});

Deno.test("SessionMap.adopt() adopts a session that is new, or newer than the one that is known", () => {
  const map = sessions();
  const record = { key: "a", backend: "B1", home: "B2", changedAt: 1e6, usedAt: 5e6 };
  assert.equal(map.adopt(record, 9e6), true);
  const session = map.find("a", 9e6)!;
  assert.deepEqual(
    [session.backend, session.home, session.changedAt, session.usedAt, session.open],
    ["B1", "B2", 1e6, 5e6, 0],
  );
  assert.equal(map.adopt(record, 9e6), false, "nothing changed");
  assert.equal(map.adopt({ ...record, backend: "B3", changedAt: 0 }, 9e6), false, "older");
  assert.equal(map.adopt({ ...record, backend: "B3", changedAt: 2e6 }, 9e6), true);
  assert.equal(map.find("a", 9e6), session);
  assert.equal(session.backend, "B3");
});

Deno.test("SessionMap.adopt() prefers the session of the store if both changed in the same millisecond", () => {
  const map = sessions();
  map.pin("a", "B1", 1_900_000);
  assert.equal(
    map.adopt({ key: "a", backend: "B2", home: "B2", changedAt: 1e6, usedAt: 1e6 }, 2e6),
    true,
  );
});

Deno.test("SessionMap.adopt() ignores an expired session, and keeps no more than max_entries", () => {
  const map = sessions(2);
  const record = { backend: "B1", home: "B1", changedAt: 0, usedAt: 0 };
  assert.equal(map.adopt({ key: "a", ...record }, TTL + 1), false);
  for (const key of "abc") assert.equal(map.adopt({ key, ...record }, TTL), true);
  assert.deepEqual(keys(map), ["b", "c"]);
  assert.equal(map.find("b", TTL + 1), undefined);
});

Deno.test("SessionMap.adopt() keeps sessions without a connection in the order in which they expire", () => {
  const map = sessions();
  map.closed(connect(map, "a", 100), 100);
  map.adopt({ key: "b", backend: "B1", home: "B1", changedAt: 0, usedAt: 50 }, 200);
  assert.equal(map.find("b", 200)!.usedAt, 100);
  map.adopt({ key: "c", backend: "B1", home: "B1", changedAt: 0, usedAt: 900 }, 200);
  assert.equal(map.find("c", 200)!.usedAt, 200, "another clock may be ahead");
});

Deno.test("SessionMap sets `dropped` of each session that it removes", () => {
  const map = new SessionMap<string>({ ttl: 10, maxEntries: 2 });
  const pin = (key: string, now: number) => map.pin(key, "B1", now);
  const [expired, evicted] = [pin("a", 0), pin("b", 5)];
  assert.equal(map.find("a", 11), undefined);
  pin("c", 12);
  pin("d", 12);
  const forgotten = map.find("c", 12)!;
  assert.deepEqual([expired, evicted, forgotten].map(({ dropped }) => dropped), [
    true,
    true,
    false,
  ]);
  map.forget("B1");
  const cleared = pin("e", 13);
  map.clear();
  assert.deepEqual([forgotten, cleared].map(({ dropped }) => dropped), [true, true]);
  assert.equal(map.size, 0);
});
