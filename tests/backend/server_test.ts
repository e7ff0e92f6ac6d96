import assert from "node:assert/strict";
import { BackendServer, type Behaviour } from "../../backend/server.ts";
import type { Address } from "../../lib/address.ts";
import { createRandom, NS_PER_MS } from "../../lib/core/mod.ts";
import { writeAll } from "../../lib/lines.ts";
import { ask, readAll } from "../support/sockets.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** A backend named B1, for as long as the test lasts. */
function backend(behaviour: Behaviour = {}) {
  const server = new BackendServer("B1", behaviour, createRandom(1));
  const address = server.start(LOOPBACK);
  return { server, address, [Symbol.asyncDispose]: () => server.kill() };
}

const connect = ({ host, port }: Address) => Deno.connect({ hostname: host, port });
const bytes = (text: string) => new TextEncoder().encode(text);
const head = (answer: string) => answer.split("\r\n\r\n")[0]!;

const CONVERSATIONS: readonly (readonly [string, string, string])[] = [
  ["a line", "hi\n", "Hello from B1: hi\n"],
  ["several lines at once", "a\nb\nc\n", "Hello from B1: a\nHello from B1: b\nHello from B1: c\n"],
  ["a line that ends with CRLF", "hi\r\n", "Hello from B1: hi\n"],
  ["a last line without an end", "hi", "Hello from B1: hi\n"],
  ["an empty line", "\n", "Hello from B1: \n"],
  ["a line in UTF-8", "grüß 你好\n", "Hello from B1: grüß 你好\n"],
  ["nothing", "", ""],
  ["a line that only looks like HTTP", "GET me a coffee\n", "Hello from B1: GET me a coffee\n"],
];

for (const [what, request, answer] of CONVERSATIONS) {
  Deno.test(`BackendServer answers ${what}`, async () => {
    await using one = backend();
    assert.equal(await ask(one.address, request), answer);
  });
}

Deno.test("BackendServer answers lines that come in pieces, across its buffers", async () => {
  await using one = backend();
  const long = "x".repeat(10_000);
  using connection = await connect(one.address);
  for (const piece of ["he", "llo\n", long, long, "\nlast"]) {
    await writeAll(connection, bytes(piece));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await connection.closeWrite();
  const answer = new TextDecoder().decode(await readAll(connection));
  assert.equal(
    answer,
    `Hello from B1: hello\nHello from B1: ${long}${long}\nHello from B1: last\n`,
  );
});

Deno.test("BackendServer ends a connection with a line that does not end, and says why", async () => {
  await using one = backend();
  using connection = await connect(one.address);
  const sending = writeAll(connection, bytes("x".repeat(100_000))).catch(() => {});
  const answer = new TextDecoder().decode(await readAll(connection).catch(() => new Uint8Array()));
  await sending;
  assert.match(answer, /^(B1: line longer than 65536 bytes; closing\n)?$/);
  assert.equal(await ask(one.address, "still there?\n"), "Hello from B1: still there?\n");
});

const REQUESTS: readonly (readonly [string, string, RegExp])[] = [
  [
    "GET, keeping the connection",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    /200 OK[^]*keep-alive[^]*\r\n\r\nHello from B1\n$/,
  ],
  ["HTTP/1.0 and closes", "GET / HTTP/1.0\r\n\r\n", /200 OK[^]*Connection: close/],
  ["HTTP/1.0 that asks to keep", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", /keep-alive/],
  ["HEAD without a body", "HEAD / HTTP/1.1\r\n\r\n", /Content-Length: 14[^]*\r\n\r\n$/],
  ["POST with a body", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", /Hello from B1\n$/],
  [
    "POST with chunks",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    /Hello from B1\n$/,
  ],
  ["a bad length", "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", /400 Bad Request/],
  [
    "a header section that is too long",
    `GET / HTTP/1.1\r\n${"X-Filler: yes yes yes\r\n".repeat(4000)}`,
    /431|^$/,
  ],
];

for (const [what, request, expected] of REQUESTS) {
  Deno.test(`BackendServer answers HTTP: ${what}`, async () => {
    await using one = backend();
    assert.match(await ask(one.address, request).catch(() => ""), expected);
  });
}

Deno.test("BackendServer answers pipelined requests in order, with lengths that are right", async () => {
  await using one = backend();
  const answer = await ask(
    one.address,
    "GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" +
      "GET /3 HTTP/1.1\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\n\r\n",
  );
  assert.equal(answer.match(/HTTP\/1\.1 200 OK/g)!.length, 3, "nothing after the close");
  assert.match(head(answer), /Content-Length: 14/);
});

Deno.test("BackendServer serves so many at a time, and the rest in the order they came", async () => {
  await using one = backend({ slots: 1, latency: () => 20 * NS_PER_MS });
  const ended: number[] = [];
  const begun = performance.now();
  await Promise.all([0, 1, 2, 3].map(async (i) => {
    assert.equal(await ask(one.address, `${i}\n`), `Hello from B1: ${i}\n`);
    ended.push(performance.now() - begun);
  }));
  // One slot: four services cannot overlap. Timers are never early by more than a millisecond.
  assert.ok(Math.max(...ended) >= 4 * 19, `${ended}`);
});

Deno.test("BackendServer fails the share of requests that it is told to", async () => {
  await using one = backend({ failRate: 1 });
  assert.equal(await ask(one.address, "hi\n"), "");
  assert.match(await ask(one.address, "GET / HTTP/1.1\r\n\r\n"), /500 Internal Server Error/);
});

Deno.test("BackendServer.kill() cuts connections at once, and start() brings it back", async () => {
  const { server, address } = backend({ latency: () => 60_000 * NS_PER_MS });
  using connection = await connect(address);
  await writeAll(connection, bytes("hi\n"));
  await new Promise((resolve) => setTimeout(resolve, 10));
  await server.kill();
  assert.equal(server.connections, 0);
  assert.equal((await readAll(connection).catch(() => new Uint8Array())).length, 0);
  await assert.rejects(connect(address), Deno.errors.ConnectionRefused);
  assert.deepEqual(server.start(address), address);
  (await connect(address)).close();
  await server.kill();
});

Deno.test("BackendServer.stop() finishes what it is serving and closes what is idle", async () => {
  const { server, address } = backend({ latency: () => 50 * NS_PER_MS });
  using idle = await connect(address);
  using busy = await connect(address);
  await writeAll(busy, bytes("hi\n"));
  await new Promise((resolve) => setTimeout(resolve, 10));
  const stopped = server.stop();
  assert.equal(new TextDecoder().decode(await readAll(busy)), "Hello from B1: hi\n");
  assert.equal((await readAll(idle)).length, 0);
  await stopped;
});
