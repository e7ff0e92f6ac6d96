import assert from "node:assert/strict";
import { backendOf, EchoConnection, NoAnswer } from "../../client/connection.ts";
import { ClientSession } from "../../client/session.ts";
import { monotonicNow } from "../../lib/io/clock.ts";
import { NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import { deadAddress, eventually, readAll, TestServer } from "../support/sockets.ts";

/** Answers lines as a backend does, this many times; then closes the connection. */
function answers(id: string, times = Infinity) {
  return async (connection: Deno.TcpConn) => {
    const buffer = new Uint8Array(4096);
    for (let i = 0; i < times; i++) {
      const count = await connection.read(buffer);
      if (count === null) return;
      const line = new TextDecoder().decode(buffer.subarray(0, count));
      await connection.write(new TextEncoder().encode(`Hello from ${id}: ${line}`));
    }
  };
}

const SESSION = { timeout: NS_PER_S, newConnection: false, now: monotonicNow };

Deno.test("backendOf() returns the backend that an answer names", () => {
  assert.equal(backendOf("Hello from B1: hi"), "B1");
  assert.equal(backendOf("Hello from B1"), "B1");
  assert.equal(backendOf("something else"), undefined);
});

Deno.test("EchoConnection.open() says why there is no connection", async () => {
  await assert.rejects(
    EchoConnection.open(deadAddress(), NS_PER_S),
    (error) => error instanceof NoAnswer && error.reason === "refused",
  );
});

Deno.test("EchoConnection.ask() says when no answer came in time", async () => {
  await using silent = new TestServer(async (connection) => void await readAll(connection));
  const connection = await EchoConnection.open(silent.address, NS_PER_S);
  await assert.rejects(
    connection.ask("hi", 20 * NS_PER_MS),
    (error) => error instanceof NoAnswer && error.reason === "timeout",
  );
  assert.equal(connection.open, false);
});

Deno.test("EchoConnection reports lines without a request, and when it is closed", async () => {
  const told: string[] = [];
  const idle = {
    unasked: (line: string) => told.push(line),
    closed: () => told.push("closed"),
  };
  const go = Promise.withResolvers<void>();
  await using server = new TestServer(async (connection) => {
    await answers("B1", 1)(connection);
    await go.promise;
    await connection.write(new TextEncoder().encode("421 shutting down\n"));
  });
  const connection = await EchoConnection.open(server.address, NS_PER_S, undefined, idle);
  assert.equal(await connection.ask("a", NS_PER_S), "Hello from B1: a");
  assert.ok(connection.open);
  go.resolve();
  await eventually(() => told.includes("closed"), "it is closed");
  assert.equal(connection.open, false);
  assert.deepEqual(told, ["421 shutting down", "closed"]);
});

Deno.test("EchoConnection reports a line that arrives together with the answer, after it has given the answer", async () => {
  const told: string[] = [];
  const idle = {
    unasked: (line: string) => told.push(line),
    closed: () => told.push("closed"),
  };
  await using server = new TestServer(async (connection) => {
    await connection.read(new Uint8Array(10));
    await connection.write(new TextEncoder().encode("answer\nmore\n"));
  });
  const session = new ClientSession({ ...SESSION, address: server.address, idle });
  told.push((await session.send("a")).answer!);
  await eventually(() => told.includes("closed"), "it is closed");
  assert.deepEqual(told, ["answer", "more", "closed"]);
});

Deno.test("EchoConnection.close() is not reported as a close by the other side", async () => {
  let told = false;
  await using server = new TestServer(answers("B1"));
  const idle = { unasked: () => {}, closed: () => told = true };
  const connection = await EchoConnection.open(server.address, NS_PER_S, undefined, idle);
  connection.close();
  await eventually(() => !connection.open, "it is closed");
  await assert.rejects(connection.ask("a", NS_PER_S), /the connection is closed/);
  assert.equal(told, false);
});

Deno.test("EchoConnection.ask() gets an answer that arrives before the whole line is sent", async () => {
  await using server = new TestServer(async (connection) => {
    await connection.read(new Uint8Array(10));
    await connection.write(new TextEncoder().encode("too long\n"));
    await connection.closeWrite();
    await readAll(connection);
  });
  const connection = await EchoConnection.open(server.address, NS_PER_S);
  assert.equal(await connection.ask("x".repeat(5_000_000), 10 * NS_PER_S), "too long");
  connection.close();
});

Deno.test("ClientSession.send() keeps its connection; if that has ended, it reconnects before it sends", async () => {
  await using server = new TestServer(answers("B1", 2));
  const closed = Promise.withResolvers<void>();
  const idle = { unasked: () => {}, closed: () => closed.resolve() };
  const session = new ClientSession({ ...SESSION, address: server.address, idle });
  assert.equal((await session.send("a")).connection, 1);
  assert.equal((await session.send("b")).connection, 1);
  await closed.promise;
  const again = await session.send("c");
  assert.deepEqual([again.connection, again.answer], [2, "Hello from B1: c"]);
  session.close();
  assert.deepEqual([session.counts.lines, session.counts.answers], [3, 3]);
  assert.deepEqual([...session.backends], [["B1", 3]]);
});

Deno.test("ClientSession.send() reports that the connection has ended while it waited for an answer", async () => {
  await using server = new TestServer(async (connection) => {
    await connection.read(new Uint8Array(10));
  });
  const session = new ClientSession({ ...SESSION, address: server.address });
  const lost = await session.send("a");
  assert.deepEqual([lost.error, lost.answer], ["closed", undefined]);
  session.close();
});

Deno.test("ClientSession.send() with newConnection opens a connection for each line", async () => {
  await using server = new TestServer(answers("B1"));
  const session = new ClientSession({ ...SESSION, address: server.address, newConnection: true });
  for (let i = 1; i <= 3; i++) assert.equal((await session.send("x")).connection, i);
  session.close();
  assert.equal(server.accepted, 3);
});
