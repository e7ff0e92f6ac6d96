/** Loads of requests on a pool of connections, on real sockets. */
import assert from "node:assert/strict";
import {
  httpPayload,
  PooledLoad,
  type PooledOptions,
  rawPayload,
  run,
  type Tally,
} from "../../bench/mod.ts";
import { DialError } from "../../bench/drive/dialing.ts";
import { Sources } from "../../bench/drive/mod.ts";
import { createRandom, NS_PER_MS, parsePrefix } from "../../lib/base/mod.ts";
import { parseProxyHeader } from "../../lib/io/mod.ts";
import { createArrivals } from "../../lib/workload/mod.ts";
import { echo, TestServer } from "../support/test_server.ts";
import { loadParts } from "./loads.ts";

const SIGNAL = new AbortController().signal;
const encoder = new TextEncoder();

/** Sends `count` requests, a millisecond apart, and returns what became of them. */
async function load(
  server: TestServer,
  count: number,
  more: Partial<PooledOptions> = {},
): Promise<Tally> {
  const { clock, tally, options } = loadParts(server.address.port);
  const entries = Array.from({ length: count }, (_, i) => ({ at: i * NS_PER_MS }));
  const pooled = new PooledLoad({
    ...options,
    arrivals: createArrivals({ kind: "trace", entries }, createRandom(1)),
    connections: 4,
    isFilled: true,
    requestsPerConnection: Infinity,
    ...more,
  }, tally);
  await run(pooled, clock, { duration: Infinity, signal: SIGNAL });
  assert.equal(tally.offered, count);
  assert.equal(tally.unfinished, 0);
  return tally;
}

/** Answers each piece with a text. */
function answering(text: string) {
  return async (connection: Deno.TcpConn) => {
    const buffer = new Uint8Array(4096);
    while (await connection.read(buffer) !== null) await connection.write(encoder.encode(text));
  };
}

Deno.test("PooledLoad keeps its connections, and uses them in turn", async () => {
  await using server = new TestServer(answering("fine\n"));
  const tally = await load(server, 40);
  assert.equal(tally.answers, 40);
  assert.equal(server.accepted, 4);
  assert.equal(tally.lag.count, 40);
});

Deno.test("PooledLoad opens a connection for every request if it is told to", async () => {
  await using server = new TestServer(answering("fine\n"));
  const tally = await load(server, 20, { requestsPerConnection: 1, isFilled: false });
  assert.equal(tally.answers, 20);
  assert.equal(server.accepted, 20);
});

Deno.test("PooledLoad waits for a connection, and that is part of the corrected latency only", async () => {
  let asked = 0;
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  await using server = new TestServer(async (connection) => {
    const buffer = new Uint8Array(4096);
    while (await connection.read(buffer) !== null) {
      if (++asked === 1) await held;
      await connection.write(encoder.encode("fine\n"));
    }
  });
  const times = Array.from({ length: 30 }, (_, i) => i * NS_PER_MS);
  let next = 0;
  // The server answers after the planned start of the last request.
  const arrivals = {
    next: () => {
      if (next === times.length) release();
      return times[next++] ?? Infinity;
    },
  };
  const tally = await load(server, 30, { arrivals, connections: 1 });
  assert.equal(tally.answers, 30);
  assert.ok(tally.corrected.max >= 29 * NS_PER_MS);
  // Each but the first waited from its time to the release.
  assert.ok(tally.corrected.sum - tally.uncorrected.sum >= 28 * 29 / 2 * NS_PER_MS);
});

Deno.test("PooledLoad gives up requests that no connection becomes free for", async () => {
  await using server = new TestServer(async (connection) => {
    while (await connection.read(new Uint8Array(100)) !== null);
  });
  const tally = await load(server, 5, { connections: 1, timeout: 20 * NS_PER_MS });
  assert.equal(tally.errors.get("timeout")! + (tally.errors.get("not_sent") ?? 0), 5);
});

Deno.test("PooledLoad opens another connection where the server has closed one", async () => {
  await using server = new TestServer(async (connection) => {
    await connection.read(new Uint8Array(100));
    await connection.write(encoder.encode("fine\n"));
  });
  // So far apart that the end has arrived before the next request.
  const entries = Array.from({ length: 3 }, (_, i) => ({ at: i * 250 * NS_PER_MS }));
  const arrivals = createArrivals({ kind: "trace", entries }, createRandom(1));
  const tally = await load(server, 3, { arrivals, connections: 1 });
  assert.equal(tally.answers, 3);
  assert.equal(server.accepted, 3);
});

Deno.test("PooledLoad counts garbage as wrong answers, and closes without an answer as closed", async () => {
  await using garbage = new TestServer(answering("\x00\x01\x02\n\n"));
  const http = httpPayload("x", "/", 0, false);
  const first = await load(garbage, 5, { payload: http });
  assert.deepEqual([...first.errors], [["wrong_answer", 5]]);
  await using silent = new TestServer(async (connection) => {
    await connection.read(new Uint8Array(100));
  });
  const second = await load(silent, 5, { requestsPerConnection: 1, isFilled: false });
  assert.deepEqual([...second.errors], [["closed", 5]]);
});

Deno.test("PooledLoad reads HTTP answers and raw bytes of any size", async () => {
  const body = "x".repeat(100_000);
  await using web = new TestServer(
    answering(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
  );
  const pages = await load(web, 5, { payload: httpPayload("x", "/", 0, false) });
  assert.equal(pages.answers, 5);
  assert.ok(pages.bytesReceived > 5 * body.length);
  await using mirror = new TestServer(echo);
  const raw = await load(mirror, 5, { payload: rawPayload(300_000, 300_000) });
  assert.equal(raw.answers, 5);
  assert.equal(raw.bytesReceived, 5 * 300_000);
});

Deno.test("PooledLoad connects from several addresses, and a PROXY header states them", async () => {
  const peers: string[] = [];
  const stated: string[] = [];
  await using server = new TestServer(async (connection) => {
    const bytes = new Uint8Array(4096);
    const count = await connection.read(bytes);
    const header = parseProxyHeader(bytes.subarray(0, count!));
    peers.push((connection.remoteAddr as Deno.NetAddr).hostname);
    if (header.status === "complete") stated.push(header.endpoints!.source.host);
    await connection.write(encoder.encode("fine\n"));
    await connection.read(bytes);
  });
  const sources = new Sources(parsePrefix("127.0.0.0/24"));
  const tally = await load(server, 3, {
    from: (number) => sources.address(number),
    proxy: "v2",
    requestsPerConnection: 1,
    isFilled: false,
  });
  assert.equal(tally.answers, 3);
  assert.deepEqual(peers.sort(), ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
  assert.deepEqual(stated.sort(), peers);
});

Deno.test("Sources has the addresses of a prefix", () => {
  const sources = new Sources(parsePrefix("127.0.0.0/30"));
  assert.equal(sources.count, 2);
  assert.deepEqual([0, 1, 2].map((i) => sources.address(i)), [
    "127.0.0.1",
    "127.0.0.2",
    "127.0.0.1",
  ]);
  assert.equal(new Sources(parsePrefix("10.0.0.7")).address(5), "10.0.0.7");
  assert.equal(new Sources(parsePrefix("10.0.0.0/8")).address(256), "10.0.1.1");
  assert.equal(new Sources(parsePrefix("2001:db8::/64")).address(65536), "2001:db8::1:1");
});

Deno.test("run() ends at its signal while connections are still being opened", async () => {
  const { clock, tally, options } = loadParts(1);
  const stopping = new AbortController();
  const pooled = new PooledLoad({
    ...options,
    arrivals: createArrivals({ kind: "deterministic", rate: 10 }, createRandom(1)),
    connections: 2,
    isFilled: true,
    requestsPerConnection: Infinity,
    // A connect that ends only when it is given up.
    dial: (_options, _from, _client, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new DialError("unreachable", "given up")));
        if (tally.offered === 0) queueMicrotask(() => stopping.abort());
      }),
  }, tally);
  await run(pooled, clock, { duration: Infinity, signal: stopping.signal });
  assert.deepEqual([tally.offered, tally.connections], [0, 0]);
});
