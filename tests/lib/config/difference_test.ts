/** How a reload reports differences: in the notation of config.yaml. */
import assert from "node:assert/strict";
import { difference, writtenConfig } from "../../../lib/config/difference.ts";
import { parseConfig } from "../../../lib/config/mod.ts";

const ONE = "backends: [{id: B1, address: 10.0.0.1:80}]\n";

const parse = (text: string) => parseConfig({ file: "config.yaml", text });

/** The changes if a file with one backend gets this text in place of `before`. */
const changes = (text: string, before = "") =>
  difference(parse(ONE + before), parse(ONE + text)).changes;

Deno.test("difference() shows values of every kind in the notation of config.yaml", () => {
  assert.deepEqual(
    changes("health_check: {interval: 90s, jitter: 12.5%, status: [200-299, '304']}\n"),
    [
      "health_check.interval: 2s → 1m30s",
      "health_check.jitter: 10% → 12.5%",
      "health_check.status: [200-399] → [200-299, 304]",
    ],
  );
  assert.deepEqual(changes("deny: [10.0.0.7, 192.168.1.0/24, '2001:db8::/32', '::1']\n"), [
    "deny: off → [10.0.0.7, 192.168.1.0/24, 2001:db8::/32, ::1]",
  ]);
  assert.deepEqual(changes("limits: {per_client: {connections: 100, rate: 30/m}}\n"), [
    "limits.per_client: off → {connections: 100, rate: 0.5/s}",
  ]);
  assert.deepEqual(
    changes("slow_start: {floor: 7%}\n", "slow_start: {duration: 1m}\n"),
    ["slow_start.duration: 1m → 30s", "slow_start.floor: 10% → 7%"],
  );
});

Deno.test("difference() shows an algorithm by its name, and with its parameters only if one is not the default", () => {
  assert.deepEqual(changes("algorithm: maglev\n"), ["algorithm: round-robin → maglev"]);
  assert.deepEqual(changes("algorithm: {name: maglev, bounded_load: 1.25}\n"), [
    "algorithm: round-robin → {name: maglev, table_size: 65537, bounded_load: 1.25}",
  ]);
  assert.deepEqual(
    changes(
      "algorithm: {name: peak-ewma, decay: 5s}\n",
      "algorithm: {name: peak-ewma, decay: 1s}\n",
    ),
    ["algorithm.decay: 1s → 5s"],
  );
});

Deno.test("difference() lists the backends that are added, removed and changed", () => {
  const before = parse(
    "backends: [{id: B1, address: 10.0.0.1:80}, {id: B2, address: '[::1]:80'}]\n",
  );
  const after = parse(
    "backends: [{id: B2, address: '[::2]:80', weight: 2}, {id: B3, address: b:1}]\n",
  );
  assert.deepEqual(difference(before, after).changes, [
    "backend B1 removed",
    "B2.address: [::1]:80 → [::2]:80",
    "B2.weight: 1 → 2",
    "backend B3 added at b:1",
  ]);
});

Deno.test("difference() lists the changes that need a restart separately", () => {
  const { changes, ignored } = difference(
    parse(ONE),
    parse(`${ONE}listen: 127.0.0.1:81\nlog: {status_interval: 1m}\nretries: 1\n`),
  );
  assert.deepEqual(changes, ["retries: 3 → 1"]);
  assert.deepEqual(ignored, [
    "listen: 127.0.0.1:8000 → 127.0.0.1:81",
    "log.status_interval: 30s → 1m",
  ]);
});

Deno.test("difference() reports another session store as a change that needs a restart, and shows no password", () => {
  const of = (store: string) => parse(`${ONE}sticky: {ttl: 1m, store: ${store}}\n`);
  const before = of("{redis: 'redis://:s3cret@one'}");
  assert.deepEqual(difference(before, before), { changes: [], ignored: [] });
  assert.deepEqual(difference(before, of("{redis: 'redis://:0ther@two'}")), {
    changes: [],
    ignored: ["sticky.store.redis: redis://:******@one:6379/0 → redis://:******@two:6379/0"],
  });
  assert.deepEqual(difference(of("memory"), of("{sqlite: a.db}")), {
    changes: [],
    ignored: ["sticky.store: memory → {sqlite: a.db}"],
  });
  const off = parse(ONE);
  assert.deepEqual(difference(off, of("{sqlite: a.db}")).ignored, [
    "sticky.store: memory → {sqlite: a.db}",
  ]);
  assert.match(difference(off, of("memory")).changes.join(), /^sticky: off → \{.*ttl: 1m/);
  assert.deepEqual(difference(off, of("memory")).ignored, []);
  assert.deepEqual(difference(before, off).ignored, []);
  assert.deepEqual(difference(off, before, before).ignored, []);
  assert.deepEqual(difference(off, of("memory"), before).ignored, [
    "sticky.store: {redis: redis://:******@one:6379/0, timeout: 50ms} → memory",
  ]);
});

Deno.test("writtenConfig() writes a configuration with all defaults; parsed again, it is the same", () => {
  const config = parse(`${ONE}algorithm: {name: peak-ewma, decay: 5s}\nsticky: {ttl: 90s}\n`);
  const written = writtenConfig(config);
  assert.deepEqual([written.retries, written.listen], [3, "127.0.0.1:8000"]);
  assert.deepEqual(parse(JSON.stringify(written)), config);
});

Deno.test("writtenConfig() contains no password", () => {
  const password = `s3cret%40${"x".repeat(100)}`;
  const store = (credentials: string) =>
    `${ONE}sticky: {store: {redis: "rediss://${credentials}redis.lan:6380/2"}}\n`;
  const text = JSON.stringify(writtenConfig(parse(store(`user:${password}@`))));
  assert.ok(!text.includes("s3cret"), text);
  assert.ok(text.includes('"rediss://user:******@redis.lan:6380/2"'), text);
  const open = JSON.stringify(writtenConfig(parse(store(""))));
  assert.ok(open.includes('"rediss://redis.lan:6380/2"'), open);
});
