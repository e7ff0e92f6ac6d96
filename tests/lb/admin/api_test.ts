import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { EVENT_TYPES } from "../../../lib/core/mod.ts";
import { decodeFrame } from "../../../lib/observe/mod.ts";
import { configOf, STICKY } from "../../support/config.ts";
import { adminLab } from "../../support/admin.ts";
import { eventually, TestServer } from "../../support/sockets.ts";

const THREE = [9, 10, 11].map((port) => ({ host: "127.0.0.1", port }));

/** The lowest free descriptor. It is higher if descriptors were leaked. */
function lowestFreeDescriptor(): number {
  const descriptor = openSync("/dev/null", "r");
  closeSync(descriptor);
  return descriptor;
}

/**
 * Reads server-sent events until `count` of them have come, or the stream ends.
 *
 * @param begun Called when the stream has begun.
 */
async function readEvents(
  url: string,
  count: number,
  headers: Record<string, string> = {},
  begun: () => void | Promise<void> = () => {},
) {
  const leaving = new AbortController();
  const timer = setTimeout(() => leaving.abort(new Error(`no ${count} events`)), 20_000);
  const response = await fetch(url, { headers, signal: leaving.signal });
  await begun();
  const found: { event: string; data: string; id: string | undefined }[] = [];
  let text = "";
  try {
    for await (const part of response.body!) {
      text += new TextDecoder().decode(part);
      const blocks = text.split("\n\n");
      text = blocks.pop()!;
      for (const block of blocks) {
        const field = (name: string) => block.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1];
        const event = field("event");
        if (event !== undefined) found.push({ event, data: field("data")!, id: field("id") });
      }
      if (found.length >= count) break;
    }
  } finally {
    clearTimeout(timer);
    leaving.abort();
  }
  return found;
}

Deno.test("GET /api/status counts what a client did", async () => {
  await using server = new TestServer(async (connection) => {
    const buffer = new Uint8Array(10);
    await connection.read(buffer);
    await connection.write(new TextEncoder().encode("hello"));
    await connection.read(buffer);
  });
  await using lab = await adminLab({ backends: [server.address] });
  const { host, port } = lab.balancer.address;
  const client = await Deno.connect({ hostname: host, port });
  await client.write(new Uint8Array(7));
  await client.read(new Uint8Array(10));
  const open = (await lab.get("/api/status")).json;
  assert.deepEqual(open.active_servers, ["B1"]);
  assert.deepEqual(open.connection_count, { B1: 1 });
  // Bytes of open connections count, too.
  assert.equal(open.bytes_to_backends, 7);
  assert.equal(open.bytes_to_clients, 5);
  assert.equal(open.backends[0].bytes_to_client, 5);
  assert.ok(open.process.descriptors > 3);
  client.close();
  await eventually(
    async () => (await lab.get("/api/status")).json.connection_count.B1 === 0,
    "the connection ends",
  );
  const { connections, backends, listen, uptime_ms } = (await lab.get("/api/status")).json;
  assert.deepEqual([connections.opened, connections.in_flight_max], [1, 1]);
  const [b1] = backends;
  assert.deepEqual([b1.opened, b1.bytes_to_backend, b1.bytes_to_client], [1, 7, 5]);
  assert.equal(b1.first_byte.count, 1);
  assert.ok(b1.connect.p99_ms > 0);
  assert.equal(listen, `${host}:${port}`);
  assert.ok(uptime_ms > 0);
});

/** A balancer to which the clients 10.0.0.1 to 10.0.0.5 are pinned. */
async function pinningLab() {
  const lab = await adminLab({ backends: THREE, config: { sticky: STICKY } });
  const { scheduler } = lab.balancer;
  for (let i = 1; i <= 5; i++) {
    const connection = scheduler.accept(`10.0.0.${i}`, 0);
    connection.assign(0);
    connection.leave(0);
  }
  return lab;
}

Deno.test("GET /api/sessions lists sessions: at most `limit` of them, or the one of a client", async () => {
  await using lab = await pinningLab();
  const { json } = await lab.get("/api/sessions?limit=3");
  assert.equal(json.count, 5);
  assert.deepEqual(json.sessions.map(({ client }: { client: string }) => client), [
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
  ]);
  const { sessions } = (await lab.get("/api/sessions?client=10.0.0.4")).json;
  assert.deepEqual(sessions.map(({ backend, home }: Record<string, string>) => [backend, home]), [
    ["B1", "B1"],
  ]);
  assert.deepEqual((await lab.get("/api/sessions?client=10.9.9.9")).json.sessions, []);
  for (const limit of ["0", "-1", "x", "1e3", "10001", ""]) {
    assert.equal((await lab.get(`/api/sessions?limit=${limit}`)).status, 400, limit);
  }
});

Deno.test("DELETE /api/sessions ends the session of a client, or all", async () => {
  await using lab = await pinningLab();
  const { scheduler } = lab.balancer;
  assert.deepEqual((await lab.change("DELETE", "/api/sessions/10.0.0.4")).json, { sessions: 1 });
  assert.deepEqual((await lab.change("DELETE", "/api/sessions/10.0.0.4")).json, { sessions: 0 });
  assert.equal(scheduler.sessionMap.has("10.0.0.4"), false);
  assert.deepEqual((await lab.change("DELETE", "/api/sessions")).json, { sessions: 4 });
  assert.equal(scheduler.sessionCount, 0);
});

Deno.test("a wish survives a reload, is shown as a difference from the file, and is withdrawn", async () => {
  await using lab = await adminLab({ backends: THREE });
  const { balancer, config } = lab;
  const drain = await lab.change("PUT", "/api/backends/B1/state", { state: "drain" });
  assert.deepEqual(drain.json, { wishes: ["B1.mode: ready → drain"] });
  await lab.change("PUT", "/api/backends/B2/weight", { weight: 5 });
  await lab.change("PUT", "/api/algorithm", { algorithm: "least-connections" });
  const wishes = [
    "B2.weight: 1 → 5",
    "B1.mode: ready → drain",
    "algorithm: round-robin → least-connections",
  ];
  const { backends } = configOf(THREE);
  const file = { ...config, retries: 7, backends: [...backends].reverse() };
  await balancer.reload(file, {});
  const status = (await lab.get("/api/status")).json;
  assert.deepEqual(status.wishes, wishes);
  assert.equal(status.algorithm, "least-connections");
  assert.deepEqual(status.active_servers, ["B3", "B2"]);
  const b1 = status.backends.find(({ id }: { id: string }) => id === "B1");
  assert.deepEqual([b1.condition, b1.wish.state, b1.wish.file_state], ["drain", "drain", "ready"]);
  const b2 = status.backends.find(({ id }: { id: string }) => id === "B2");
  assert.deepEqual([b2.weight, b2.wish.file_weight], [5, 1]);
  assert.equal(balancer.config.retries, 7);
  const shown = (await lab.get("/api/config")).json;
  assert.equal(shown.file.algorithm, "round-robin");
  assert.equal(shown.in_use.algorithm, "least-connections");
  assert.deepEqual(shown.wishes, wishes);

  await lab.change("DELETE", "/api/backends/B1/state");
  await lab.change("DELETE", "/api/backends/B2/weight");
  const last = await lab.change("DELETE", "/api/algorithm");
  assert.deepEqual(last.json, { wishes: [] });
  assert.equal(balancer.config.algorithm.name, "round-robin");
  assert.deepEqual(balancer.scheduler.activeServers, ["B3", "B2", "B1"]);
  await lab.change("PUT", "/api/backends/B3/state", { state: "maintenance" });
  assert.deepEqual((await lab.change("DELETE", "/api/wishes")).json, { wishes: [] });
});

Deno.test("a wish that cannot be applied is refused with the reason, and changes nothing", async () => {
  await using lab = await adminLab({ backends: THREE });
  for (
    const [path, body, status, error] of [
      ["/api/backends/B9/state", { state: "drain" }, 404, /no backend/],
      ["/api/backends/%ff/state", { state: "drain" }, 400, /percent/],
      ["/api/backends/B1/state", { state: "down" }, 400, /ready, drain or maintenance/],
      ["/api/backends/B1/state", { state: "drain", more: 1 }, 400, /more/],
      ["/api/backends/B1/state", [], 400, /expected object/],
      ["/api/backends/B1/weight", { weight: -1 }, 400, /at least 0/],
      ["/api/backends/B1/weight", { weight: 1.5 }, 400, /whole number/],
      ["/api/backends/B1/weight", { weight: 300 }, 400, /at most 256/],
      ["/api/algorithm", { algorithm: "fastest" }, 400, /algorithm/],
      ["/api/algorithm", { algorithm: { name: "power-of-two", choices: 9 } }, 409, /choices/],
    ] as const
  ) {
    const answer = await lab.change("PUT", path, body);
    assert.equal(answer.status, status, `${path} ${JSON.stringify(body)}: ${answer.text}`);
    assert.match(answer.json.error, error);
  }
  assert.deepEqual(lab.balancer.wishes, { backends: {} });
});

Deno.test("POST /api/reload says why the files were not applied", async () => {
  const reason = "config.yaml: no backends";
  const reasons = [undefined, reason];
  await using lab = await adminLab({ reload: () => Promise.resolve(reasons.shift()) });
  assert.deepEqual((await lab.change("POST", "/api/reload", {})).json, { reloaded: true });
  const { status, json } = await lab.change("POST", "/api/reload", {});
  assert.deepEqual([status, json], [409, { error: reason }]);
});

Deno.test("POST /api/explain shows the backend that a client would get, and changes no turn", async () => {
  await using lab = await adminLab({ backends: THREE });
  await lab.change("PUT", "/api/backends/B1/state", { state: "drain" });
  for (let i = 0; i < 3; i++) {
    const { json } = await lab.change("POST", "/api/explain", { client: "10.0.0.1" });
    assert.equal(json.backend, "B2");
    assert.equal(json.candidates[0].unavailable, "drain");
    assert.match(json.rule, /round-robin/);
  }
  assert.equal(lab.balancer.scheduler.connections, 0);
  assert.equal((await lab.change("POST", "/api/explain", { client: "x" })).status, 400);
});

Deno.test("GET /readyz is 503 while no backend is active", async () => {
  await using lab = await adminLab();
  assert.equal((await lab.get("/readyz")).status, 200);
  await lab.change("PUT", "/api/backends/B1/state", { state: "drain" });
  assert.equal((await lab.get("/readyz")).status, 503);
  assert.equal((await lab.get("/healthz")).status, 200);
});

Deno.test("GET /api/config shows no password", async () => {
  const redis = { host: "127.0.0.1", port: 1, password: "very-secret", database: 0 } as never;
  await using lab = await adminLab();
  const config = { ...lab.config, sticky: { ...STICKY, store: { redis, timeout: 1e6 } } };
  await lab.balancer.reload(config as never, {});
  const { text } = await lab.get("/api/config");
  assert.match(text, /\*{6}/);
  assert.doesNotMatch(text, /very-secret/);
  assert.equal(text.includes(lab.token), false);
});

Deno.test("GET /api/events sends events, and continues after the last event id", async () => {
  await using lab = await adminLab({ backends: THREE });
  const url = `${lab.url}/api/events`;
  const [first] = await readEvents(url, 1, {}, async () => {
    await lab.change("PUT", "/api/backends/B1/weight", { weight: 2 });
  });
  assert.equal(first!.event, "wishes_changed");
  await lab.change("PUT", "/api/backends/B1/state", { state: "drain" });
  const since = await readEvents(url, 2, { "Last-Event-ID": first!.id! });
  const [run, number] = first!.id!.split(":");
  assert.equal(since[0]!.id, `${run}:${Number(number) + 1}`);
  assert.deepEqual(since.map(({ event }) => event), ["backend_mode_changed", "wishes_changed"]);
});

Deno.test("GET /api/events tells a reader that it has missed events if its last event id is not of this run", async () => {
  await using lab = await adminLab({ backends: THREE });
  const { balancer } = lab;
  balancer.scheduler.setMode("B1", "drain", 1e9);
  for (const id of ["123:5", "nonsense", "-1", `${"9".repeat(30)}`]) {
    const [lost, next] = await readEvents(`${lab.url}/api/events`, 2, { "Last-Event-ID": id });
    assert.deepEqual([lost!.event, JSON.parse(lost!.data)], ["lost", { missed: null }], id);
    assert.equal(next!.event, "backend_mode_changed");
  }
});

Deno.test("GET /api/events sends events of single connections only on request, and otherwise they are not created", async () => {
  await using lab = await adminLab({ backends: THREE });
  // The log reads refusals in any case.
  for (
    const type of EVENT_TYPES.filter((type) => /^connection_|^session_(pin|adopt)|^pick/.test(type))
  ) {
    assert.equal(lab.events.wanted[type], type === "connection_refused", type);
  }
  const url = `${lab.url}/api/events?connections=true`;
  const connection = lab.balancer.scheduler.accept("10.0.0.1", 0);
  const [event] = await readEvents(url, 1, {}, () => {
    connection.assign(0);
    connection.connected(0);
  });
  assert.equal(event!.event, "connection_opened");
  connection.close("closed", 0);
});

Deno.test("GET /api/frames sends frames of which each is complete without the others", async () => {
  await using lab = await adminLab({ backends: THREE });
  const found = await readEvents(`${lab.url}/api/frames`, 3);
  const frames = found.map(({ data }) => decodeFrame(data));
  assert.deepEqual(frames.map(({ backends }) => backends), [1, 2, 3].map(() => ["B1", "B2", "B3"]));
  assert.deepEqual(frames.map(({ sequence }) => sequence), [1, 2, 3]);
  assert.deepEqual([...frames[0]!.condition], [1, 1, 1]);
});

Deno.test("the API does not wait for a reader that reads nothing, and tells it how many events it has missed", async () => {
  await using lab = await adminLab({ backends: THREE });
  const slow = await Deno.connect(lab.address);
  try {
    await slow.write(
      new TextEncoder().encode("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    );
    const buffer = new Uint8Array(100_000);
    await slow.read(buffer);
    const detail = "x".repeat(5000);
    const before = Deno.memoryUsage().rss;
    for (let i = 0; i < 200; i++) {
      for (let k = 0; k < 100; k++) {
        lab.events.emit({
          type: "shortage_began",
          at_ms: i,
          resource: "other",
          detail: `${i} ${detail}`,
          connections: 0,
        });
      }
      await new Promise((resolve) => setTimeout(resolve));
    }
    assert.ok(Deno.memoryUsage().rss - before < 200e6, "what it does not take is not kept for it");
    let text = "";
    while (!/event: lost\ndata: \{"missed":\d+\}/.test(text)) {
      const count = await slow.read(buffer);
      assert.notEqual(count, null, "it stays connected");
      text = text.slice(-200) + new TextDecoder().decode(buffer.subarray(0, count!));
    }
  } finally {
    slow.close();
  }
});

Deno.test("readers that disconnect leave no memory, descriptors or counts behind", async () => {
  await using lab = await adminLab({ backends: THREE });
  const paths = ["/api/events?connections=true", "/api/frames", "/api/status", "/metrics"];
  const vanish = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const connection = await Deno.connect(lab.address);
      const request = `GET ${paths[i % 4]} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      await connection.write(new TextEncoder().encode(request));
      // Some disconnect before the answer, some during it.
      if (i % 3 > 0) await connection.read(new Uint8Array(100));
      connection.close();
    }
  };
  await vanish(200);
  const before = Deno.memoryUsage();
  const free = lowestFreeDescriptor();
  await vanish(1000);
  await eventually(async () => {
    const text = await lab.get("/healthz").then(({ text }) => text, () => "");
    return text === "ok\n";
  }, "the API still answers");
  await eventually(
    () => lowestFreeDescriptor() <= free + 8,
    "the descriptors of those that vanished are free",
  );
  await eventually(() => lab.readers() === 0, "no feed keeps a reader that vanished");
  const { rss } = Deno.memoryUsage();
  assert.ok(rss - before.rss < 64e6, `${(rss - before.rss) / 1e6} MB more`);
  // At most 32 readers are accepted: if one of the 1200 were still counted, one of these would get 503.
  const held: Deno.Conn[] = [];
  try {
    for (let i = 0; i < 32; i++) {
      const connection = await Deno.connect(lab.address);
      held.push(connection);
      await connection.write(
        new TextEncoder().encode("GET /api/frames HTTP/1.1\r\nHost: localhost\r\n\r\n"),
      );
      const buffer = new Uint8Array(500);
      const count = await connection.read(buffer);
      assert.match(new TextDecoder().decode(buffer.subarray(0, count!)), /^HTTP\/1\.1 200 /);
    }
    const { status } = await lab.get("/api/events");
    assert.equal(status, 503);
  } finally {
    held.forEach((connection) => connection.close());
  }
});
