import assert from "node:assert/strict";
import { BackendServer, type Behaviour } from "../../backend/server.ts";
import type { Address } from "../../lib/base/address.ts";
import { createRandom, NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import { writeAll } from "../../lib/base/lines.ts";
import { ask, eventually, freePort, readAll } from "../support/sockets.ts";

/** A backend named B1, for as long as the test lasts. */
function backend(behaviour: Behaviour = {}) {
  const server = new BackendServer("B1", behaviour, createRandom(1));
  const address = server.start({ host: "127.0.0.1", port: freePort() });
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

Deno.test("BackendServer reports each request to onRequest", async () => {
  const requests: string[] = [];
  const random = createRandom(1);
  const server = new BackendServer("B1", {
    onRequest: ({ client, line, took, failed }) =>
      requests.push(`${client.host} ${line} ${took >= 0} ${failed}`),
  }, random);
  const address = server.start({ host: "127.0.0.1", port: 0 });
  try {
    await ask(address, "a\nb\n");
    await ask(address, "GET /x HTTP/1.0\r\n\r\n");
  } finally {
    await server.kill();
  }
  assert.deepEqual(requests, [
    "127.0.0.1 a true false",
    "127.0.0.1 b true false",
    "127.0.0.1 GET /x HTTP/1.0 true false",
  ]);
});

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

Deno.test("BackendServer closes a connection with a line that does not end, and says why", async () => {
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
  [
    "HTTP/1.0 that asks to keep the connection",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    /keep-alive/,
  ],
  ["HEAD without a body", "HEAD / HTTP/1.1\r\n\r\n", /Content-Length: 14[^]*\r\n\r\n$/],
  ["POST with a body", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", /Hello from B1\n$/],
  [
    "POST with chunks",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    /Hello from B1\n$/,
  ],
  [
    "a chunk with an extension, and a trailer",
    "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n05;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    /^HTTP\/1\.1 200 OK[^]*Hello from B1\n$/,
  ],
  [
    "an Expect header and the body that follows",
    "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/,
  ],
  ["a length with a zero in front", "POST / HTTP/1.1\r\nContent-Length: 02\r\n\r\nhi", /200 OK/],
  [
    "an empty line before a request",
    "GET / HTTP/1.1\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    /(200[^]*){2}/,
  ],
  ["an unknown method", "Brew-It! /pot HTTP/1.1\r\n\r\n", /200 OK/],
  [
    "a Connection field that names close among others",
    "GET / HTTP/1.1\r\nConnection: te, Close\r\n\r\n",
    /Connection: close/,
  ],
  [
    "a Connection field with a name that only contains close",
    "GET / HTTP/1.1\r\nConnection: x-close\r\n\r\n",
    /keep-alive/,
  ],
];

for (const [what, request, expected] of REQUESTS) {
  Deno.test(`BackendServer answers HTTP: ${what}`, async () => {
    await using one = backend();
    assert.match(await ask(one.address, request).catch(() => ""), expected);
  });
}

const post = (fields: string, body = "") => `POST / HTTP/1.1\r\n${fields}\r\n${body}`;
const chunked = (body: string) => post("Transfer-Encoding: chunked\r\n", body);

/** Requests that two readers could understand in two ways, and requests without an end. */
const REFUSED: readonly (readonly [string, string, string])[] = [
  ...["0x5", "1e1", "+5", "-5", "", "5.0", "5 5", "5,5", "5;", "٥", "9007199254740992", "Infinity"]
    .map(
      (length) =>
        [`the length ${length}`, post(`Content-Length: ${length}\r\n`, "hello"), "400"] as const,
    ),
  ["two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), "400"],
  ["one length twice", post("Content-Length: 5\r\ncontent-length: 5\r\n", "hello"), "400"],
  [
    "a length and chunks",
    post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    "400",
  ],
  [
    "chunks and a length",
    post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
    "400",
  ],
  ...[
    "",
    "identity",
    "xchunked",
    "chunked x",
    "chunked;q=1",
    "chunked, gzip",
    "chunked, chunked",
    '"chunked"',
  ]
    .map((coding) =>
      [
        `the coding ${coding}`,
        post(`Transfer-Encoding: ${coding}\r\n`, "0\r\n\r\n"),
        "400",
      ] as const
    ),
  [
    "the coding chunked in two fields",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    "400",
  ],
  ["a coding before chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "501"],
  ["chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"],
  ...["5zz", "", "0x5", "+5", "-5", " 5", "5 ", "5 x", "g", "100000000000000", "5\r;x"].map(
    (size) =>
      [
        `the chunk size ${JSON.stringify(size)}`,
        chunked(`${size}\r\nhello\r\n0\r\n\r\n`),
        "400",
      ] as const,
  ),
  ["a chunk longer than its size", chunked("4\r\nhello\r\n0\r\n\r\n"), "400"],
  ["a chunk that ends with a bare LF", chunked("5\r\nhello\n0\r\n\r\n"), "400"],
  ["a chunk size that ends with a bare LF", chunked("5\nhello\r\n0\r\n\r\n"), "400"],
  ["endless extensions", chunked(`1;${"x".repeat(1000)}\r\na\r\n`.repeat(100)), "400"],
  ["an endless extension", chunked(`1;${"x".repeat(100_000)}`), "400"],
  ["endless trailers", chunked(`0\r\n${"X-Filler: yes\r\n".repeat(100_000)}`), "431"],
  ["a trailer that is no field", chunked("0\r\nGET / HTTP/1.1\r\n\r\n"), "400"],
  ["a folded field", "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", "400"],
  ["a field that begins with a space", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"],
  ["a space before the colon", post("Content-Length : 5\r\n", "hello"), "400"],
  ["a field without a colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", "400"],
  ["a field without a name", "GET / HTTP/1.1\r\n: a\r\n\r\n", "400"],
  ["a bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "400"],
  ["a bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "400"],
  ["a bare LF at the end of the header", "GET / HTTP/1.1\r\nHost: a\r\n\n", "400"],
  ["a bare CR in a field", "GET / HTTP/1.1\r\nX: a\rContent-Length: 5\r\n\r\n", "400"],
  ["a NUL in a field", "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", "400"],
  ["two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"],
  ["two spaces in the request line", "GET  / HTTP/1.1\r\n\r\n", "400"],
  ["a tab in the request line", "GET\t/ HTTP/1.1\r\n\r\n", "400"],
  ["a control character in the target", "GET /\x01 HTTP/1.1\r\n\r\n", "400"],
  ["another version", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"],
  ["a tunnel", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "501"],
  ["a second request that is not HTTP", "GET / HTTP/1.1\r\n\r\nhello\r\n", "400"],
  ["too many fields", `GET / HTTP/1.1\r\n${"X: y\r\n".repeat(101)}\r\n`, "431"],
  [
    "a header section that is too long",
    `GET / HTTP/1.1\r\n${`X: ${"y".repeat(2000)}\r\n`.repeat(40)}\r\n`,
    "431",
  ],
  ["a field that does not end", `GET / HTTP/1.1\r\nX: ${"y".repeat(200_000)}`, "431"],
  [
    "a field of nothing but spaces",
    `GET / HTTP/1.1\r\nX: ${`a${" ".repeat(60_000)}`}b\x01\r\n\r\n`,
    "400",
  ],
  [
    "a second request line that does not end",
    `GET / HTTP/1.1\r\n\r\n\r\nGET /${"y".repeat(200_000)}`,
    "414",
  ],
];

for (const [what, request, status] of REFUSED) {
  Deno.test(`BackendServer refuses HTTP with ${status} and closes: ${JSON.stringify(what)}`, async () => {
    await using one = backend();
    // If the first request were understood in another way, these bytes would be a second request.
    const answer = await ask(one.address, `${request}GET /smuggled HTTP/1.1\r\n\r\n`);
    const answers = [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, code]) => code);
    assert.equal(answers.at(-1), status, answer);
    assert.equal(answers.filter((code) => code !== "200").length, 1, answer);
    assert.match(answer, /Connection: close\r\n\r\nB1: [^\n]+\n$/);
    await eventually(() => one.server.connections === 0, "it is closed");
  });
}

for (const field of ["Content-Length: 5", "Content-Length: ", "Transfer-Encoding: chunked"]) {
  Deno.test(`BackendServer accepts only spaces and tabs around a value: ${field}`, async () => {
    await using one = backend();
    using connection = await connect(one.address);
    for (const byte of [0xa0, 0x85, 0x0b, 0x0c]) {
      const request = bytes(post(`${field}?\r\n`, "5\r\nhello\r\n0\r\n\r\n"));
      request[request.indexOf("?".charCodeAt(0))] = byte;
      using connection = await connect(one.address);
      await writeAll(connection, request);
      await connection.closeWrite();
      assert.match(new TextDecoder().decode(await readAll(connection)), /^HTTP\/1\.1 400 /);
    }
    await writeAll(
      connection,
      bytes(post("Connection: close \t\r\nContent-Length: \t5\t \r\n", "hello")),
    );
    assert.match(new TextDecoder().decode(await readAll(connection)), /^HTTP\/1\.1 200 /);
  });
}

Deno.test("BackendServer sends the whole answer to a refused client that continues to send", async () => {
  await using one = backend();
  using connection = await connect(one.address);
  await writeAll(connection, bytes(post("Content-Length: x\r\n")));
  // More bytes than the sockets can buffer: they can be sent only if the backend reads them.
  await writeAll(connection, new Uint8Array(500_000));
  await connection.closeWrite();
  assert.match(new TextDecoder().decode(await readAll(connection)), /^HTTP\/1\.1 400 Bad Request/);
});

Deno.test("BackendServer answers pipelined requests in order, with the correct lengths", async () => {
  await using one = backend();
  const answer = await ask(
    one.address,
    "GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" +
      "GET /3 HTTP/1.1\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\n\r\n",
  );
  assert.equal(answer.match(/HTTP\/1\.1 200 OK/g)!.length, 3, "nothing after the close");
  assert.match(head(answer), /Content-Length: 14/);
});

Deno.test("BackendServer serves as many requests at a time as it has slots; the others wait", async () => {
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

Deno.test("BackendServer with failRate lets requests fail", async () => {
  await using one = backend({ failRate: 1 });
  assert.equal(await ask(one.address, "hi\n"), "");
  assert.match(await ask(one.address, "GET / HTTP/1.1\r\n\r\n"), /500 Internal Server Error/);
});

/** What a client may send before it stops sending. */
const IDLERS: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["half a line", "he"],
  ["a line, and then nothing", "hi\n"],
  ["half a request line", "GET / HT"],
  ["half a header section", "GET / HTTP/1.1\r\nHost: a\r\n"],
  ["half a body", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhi"],
  ["half a chunk", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi"],
  ["a request, and then nothing", "GET / HTTP/1.1\r\n\r\n"],
];

for (const [what, request] of IDLERS) {
  Deno.test(`BackendServer disconnects a client that sends ${what} within its idle timeout`, async () => {
    await using one = backend({ idleTimeout: 30 * NS_PER_MS });
    using connection = await connect(one.address);
    await writeAll(connection, bytes(request));
    await readAll(connection).catch(() => {});
    await eventually(() => one.server.connections === 0, "it is closed");
  });
}

Deno.test("BackendServer disconnects a client that sends its header one byte at a time", async () => {
  await using one = backend({ idleTimeout: 50 * NS_PER_MS });
  using connection = await connect(one.address);
  await writeAll(connection, bytes("GET / HTTP/1.1\r\nX: "));
  const trickle = async () => {
    await eventually(() => one.server.connections > 0, "it is accepted");
    while (one.server.connections > 0) {
      await writeAll(connection, bytes("x"));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await trickle().catch(() => {}); // The last byte may be written to a closed socket.
  assert.equal(one.server.connections, 0);
});

Deno.test("BackendServer disconnects a client that does not read its answers", async () => {
  await using one = backend({ idleTimeout: 50 * NS_PER_MS });
  using connection = await connect(one.address);
  const line = bytes(`${"x".repeat(60_000)}\n`);
  const flood = async () => {
    while (true) await writeAll(connection, line);
  };
  await assert.rejects(flood());
  await eventually(() => one.server.connections === 0, "it is closed");
});

Deno.test("BackendServer does not count the time of its own work as idle", async () => {
  await using one = backend({ idleTimeout: 500 * NS_PER_MS, latency: () => 900 * NS_PER_MS });
  assert.equal(await ask(one.address, "hi\n"), "Hello from B1: hi\n");
  assert.match(await ask(one.address, "GET / HTTP/1.0\r\n\r\n"), /200 OK/);
});

Deno.test("BackendServer keeps a client whose body comes slowly", async () => {
  await using one = backend({ idleTimeout: 2 * NS_PER_S });
  using connection = await connect(one.address);
  const body = new Uint8Array(64 * 1024);
  await writeAll(
    connection,
    bytes(post(`Connection: close\r\nContent-Length: ${8 * body.length}\r\n`)),
  );
  for (let i = 0; i < 8; i++) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await writeAll(connection, body);
  }
  assert.match(new TextDecoder().decode(await readAll(connection)), /200 OK/);
});

Deno.test("BackendServer.kill() closes connections at once, and start() listens again", async () => {
  const { server, address } = backend({ latency: () => 60_000 * NS_PER_MS });
  using connection = await connect(address);
  await writeAll(connection, bytes("hi\n"));
  await eventually(() => server.totals.requests === 1, "it serves");
  await server.kill();
  assert.equal(server.connections, 0);
  assert.equal((await readAll(connection).catch(() => new Uint8Array())).length, 0);
  await assert.rejects(connect(address), Deno.errors.ConnectionRefused);
  assert.deepEqual(server.start(address), address);
  (await connect(address)).close();
  await server.kill();
});

Deno.test("BackendServer.stop() finishes requests that are being served, and closes idle connections", async () => {
  const { server, address } = backend({ latency: () => 50 * NS_PER_MS });
  using idle = await connect(address);
  using busy = await connect(address);
  await writeAll(busy, bytes("hi\n"));
  await eventually(() => server.totals.requests === 1, "it serves");
  const stopped = server.stop();
  assert.equal(new TextDecoder().decode(await readAll(busy)), "Hello from B1: hi\n");
  assert.equal((await readAll(idle)).length, 0);
  await stopped;
});
