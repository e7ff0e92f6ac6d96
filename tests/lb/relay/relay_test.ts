import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type net from "node:net";
import FakeTimers from "@sinonjs/fake-timers";
import { NS_PER_S } from "../../../lib/base/mod.ts";
import { writeAll } from "../../../lib/base/lines.ts";
import { type RelayResult, Relays } from "../../../lb/relay/relay.ts";
import { abortable, readAll, socketPair } from "../../support/sockets.ts";

const HOUR = 3600 * NS_PER_S;
const MIB = 1024 * 1024;

/** The balancer's end of a connection, and a peer that can abort it. */
async function abortablePair(): Promise<readonly [Deno.TcpConn, net.Socket]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return await Promise.all([
    listener.accept(),
    abortable({ host: "127.0.0.1", port: listener.addr.port }),
  ]);
}

type Ended = (result: RelayResult) => void;

/** Relays whose owners are called when they end. */
function startRelays(idleTimeout = HOUR): Relays<Ended> {
  return new Relays<Ended>({ idleTimeout, ended: (end, result) => end(result) });
}

function run(
  relays: Relays<Ended>,
  client: Deno.TcpConn,
  backend: Deno.TcpConn,
): Promise<RelayResult> {
  return new Promise((resolve) => relays.start(client, backend, resolve));
}

/** A running relay, and the peers at its two ends. */
interface Rig {
  readonly relays: Relays<Ended>;
  readonly client: Deno.TcpConn;
  readonly backend: Deno.TcpConn;
  readonly result: Promise<RelayResult>;
}

async function rig(idleTimeout?: number): Promise<Rig> {
  const relays = startRelays(idleTimeout);
  const [front, client] = await socketPair();
  const [back, backend] = await socketPair();
  return { relays, client, backend, result: run(relays, front, back) };
}

/** Asserts that no relay and no buffer is left when the last relay has ended. */
function assertClean(relays: Relays<Ended>): void {
  assert.equal(relays.running, 0);
  assert.equal(relays.buffersLent, 0);
}

function writeText(connection: Deno.TcpConn, text: string): Promise<void> {
  return writeAll(connection, new TextEncoder().encode(text));
}

/** Reads as many bytes as the text has. */
async function assertReads(connection: Deno.TcpConn, text: string): Promise<void> {
  const wanted = new TextEncoder().encode(text).length;
  const bytes = new Uint8Array(wanted);
  for (let got = 0; got < wanted;) {
    const count = await connection.read(bytes.subarray(got));
    assert.ok(count !== null, `ended after ${got} of ${wanted} bytes`);
    got += count;
  }
  assert.equal(new TextDecoder().decode(bytes), text);
}

async function assertEnded(connection: Deno.TcpConn): Promise<void> {
  assert.equal((await readAll(connection)).length, 0);
}

/** Sends `length` bytes in pieces of many sizes, closes its sending side, and returns the checksum. */
async function sendStream(connection: Deno.TcpConn, length: number, salt: number): Promise<string> {
  const hash = createHash("sha256");
  const noise = new Uint8Array(257 * 1021).map((_, i) => (i * i * 31 + i * salt) >> 3);
  for (let sent = 0, piece = 1; sent < length; piece = (piece * 7 + salt) % noise.length + 1) {
    const bytes = noise.subarray(0, Math.min(piece, length - sent));
    hash.update(bytes);
    await writeAll(connection, bytes);
    sent += bytes.length;
  }
  await connection.closeWrite();
  return hash.digest("hex");
}

/** Receives until the end, and returns the checksum. */
async function receiveStream(connection: Deno.TcpConn): Promise<string> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(100_003);
  for (let count; (count = await connection.read(buffer)) !== null;) {
    hash.update(buffer.subarray(0, count));
  }
  return hash.digest("hex");
}

/** Waits until a growing number has not changed for a hundred turns of the event loop. */
async function settled(value: () => number): Promise<number> {
  for (let last = -1, still = 0;; still++) {
    if (value() !== last) still = 0;
    if (still === 100) return last;
    last = value();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Like `rig`, with a client that can abort. */
async function abortableClient() {
  const relays = startRelays();
  const [front, client] = await abortablePair();
  const [back, backend] = await socketPair();
  const result = run(relays, front, back);
  return { relays, client, backend, result };
}

/** Like `rig`, with a backend that can abort. */
async function abortableBackend() {
  const relays = startRelays();
  const [front, client] = await socketPair();
  const [back, backend] = await abortablePair();
  const result = run(relays, front, back);
  return { relays, client, backend, result };
}

Deno.test("Relays.start() relays both ways, and reports the number of bytes", async () => {
  const { relays, client, backend, result } = await rig();
  await writeText(client, "question");
  await assertReads(backend, "question");
  await writeText(backend, "the answer");
  await assertReads(client, "the answer");
  assert.deepEqual(relays.traffic, { bytesToBackend: 8, bytesToClient: 10 });
  client.close();
  await assertEnded(backend);
  backend.close();
  const { bytesToBackend, bytesToClient, end } = await result;
  assert.deepEqual({ bytesToBackend, bytesToClient, end }, {
    bytesToBackend: 8,
    bytesToClient: 10,
    end: "closed",
  });
  assertClean(relays);
});

Deno.test("Relays.start() tells the backend that the client has finished, and the backend can still answer", async () => {
  const { relays, client, backend, result } = await rig();
  await writeText(client, "all of it");
  await client.closeWrite();
  await assertReads(backend, "all of it");
  await assertEnded(backend);
  await writeText(backend, "and now the answer");
  await assertReads(client, "and now the answer");
  assert.equal(relays.running, 1);
  backend.close();
  await assertEnded(client);
  client.close();
  assert.equal((await result).end, "closed");
  assertClean(relays);
});

Deno.test("Relays.start() tells the client that the backend has finished, and the client can still send", async () => {
  const { relays, client, backend, result } = await rig();
  await writeText(backend, "goodbye");
  await backend.closeWrite();
  await assertReads(client, "goodbye");
  await assertEnded(client);
  await writeText(client, "one more thing");
  await assertReads(backend, "one more thing");
  assert.equal(relays.running, 1);
  client.close();
  await assertEnded(backend);
  backend.close();
  assert.equal((await result).end, "closed");
  assertClean(relays);
});

Deno.test("Relays.start() ends when both sides finish at the same time", async () => {
  const { relays, client, backend, result } = await rig();
  await Promise.all([client.closeWrite(), backend.closeWrite()]);
  await Promise.all([assertEnded(client), assertEnded(backend)]);
  assert.equal((await result).end, "closed");
  client.close();
  backend.close();
  assertClean(relays);
});

Deno.test("Relays.start() closes the backend's connection at once when the client aborts", async () => {
  const { relays, client, backend, result } = await abortableClient();
  client.write("half a ques");
  await assertReads(backend, "half a ques");
  client.resetAndDestroy();
  assert.equal((await result).end, "client_aborted");
  await assertEnded(backend);
  backend.close();
  assertClean(relays);
});

Deno.test("Relays.start() closes the client's connection at once when the backend aborts", async () => {
  const { relays, client, backend, result } = await abortableBackend();
  backend.write("half an ans");
  await assertReads(client, "half an ans");
  backend.resetAndDestroy();
  assert.equal((await result).end, "backend_aborted");
  await assertEnded(client);
  client.close();
  assertClean(relays);
});

Deno.test("Relays.start() ends when a side aborts after the other has finished", async () => {
  const { relays, client, backend, result } = await abortableBackend();
  await client.closeWrite();
  await once(backend.resume(), "end");
  backend.resetAndDestroy();
  assert.equal((await result).end, "backend_aborted");
  await assertEnded(client);
  client.close();
  assertClean(relays);
});

Deno.test("Relays.start() ends when the backend aborts during an upload", async () => {
  const { relays, client, backend, result } = await abortableBackend();
  const block = new Uint8Array(MIB);
  const upload = (async () => {
    // The backend reads nothing, so this write blocks; then the relay closes the connection, and the write fails.
    await assert.rejects(async () => {
      while (true) await writeAll(client, block);
    });
  })();
  backend.pause();
  await settled(() => relays.traffic.bytesToBackend);
  backend.resetAndDestroy();
  assert.equal((await result).end, "backend_aborted");
  await upload;
  client.close();
  assertClean(relays);
});

Deno.test("Relays.start() slows the sender down to the pace of the reader", async () => {
  const { relays, client, backend, result } = await rig();
  let sent = 0;
  const block = new Uint8Array(MIB);
  const download = (async () => {
    await assert.rejects(async () => {
      while (true) sent += await backend.write(block);
    });
  })();
  // The bytes that the kernel holds in its socket buffers, and no more.
  const stuck = await settled(() => sent);
  assert.ok(stuck < 64 * MIB, `${stuck} bytes are under way`);
  assert.equal(relays.buffersLent, 2);

  const buffer = new Uint8Array(MIB);
  for (let received = 0; received < stuck / 2;) received += (await client.read(buffer))!;
  assert.ok(await settled(() => sent) > stuck, "it goes on when the reader does");

  // A write that waits for the reader does not delay the end.
  relays.closeAll("closed_by_balancer");
  assert.equal((await result).end, "closed_by_balancer");
  await download;
  client.close();
  backend.close();
  assertClean(relays);
});

Deno.test("Relays.start() relays 100 MB both ways at once, unchanged", async () => {
  const { relays, client, backend, result } = await rig();
  const length = 100_000_000;
  const [up, down, atBackend, atClient] = await Promise.all([
    sendStream(client, length, 17),
    sendStream(backend, length, 23),
    receiveStream(backend),
    receiveStream(client),
  ]);
  assert.equal(atBackend, up);
  assert.equal(atClient, down);
  assert.notEqual(up, down);
  client.close();
  backend.close();
  const { bytesToBackend, bytesToClient, end } = await result;
  assert.deepEqual([bytesToBackend, bytesToClient, end], [length, length, "closed"]);
  assertClean(relays);
});

Deno.test("Relays.start() survives thousands of short connections", async () => {
  const relays = startRelays();
  const perWorker = 100;
  const workers = 32;
  using backend = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using front = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ends: Promise<RelayResult>[] = [];

  async function echo(connection: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64);
    const count = await connection.read(buffer);
    await writeAll(connection, buffer.subarray(0, count!));
    connection.close();
  }
  async function serveBackend(): Promise<void> {
    const echoes: Promise<void>[] = [];
    for (let i = 0; i < workers * perWorker; i++) echoes.push(echo(await backend.accept()));
    await Promise.all(echoes);
  }
  async function serveFront(): Promise<void> {
    for (let i = 0; i < workers * perWorker; i++) {
      const client = await front.accept();
      const { port } = backend.addr;
      ends.push(run(relays, client, await Deno.connect({ hostname: "127.0.0.1", port })));
    }
  }
  async function connect(worker: number): Promise<void> {
    for (let i = 0; i < perWorker; i++) {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: front.addr.port });
      await writeText(connection, `${worker}/${i}`);
      await assertReads(connection, `${worker}/${i}`);
      await assertEnded(connection);
    }
  }

  await Promise.all([
    serveBackend(),
    serveFront(),
    ...Array.from({ length: workers }, (_, worker) => connect(worker)),
  ]);
  for (const { end } of await Promise.all(ends)) assert.equal(end, "closed");
  assertClean(relays);
});

Deno.test("Relays.start() closes a connection without bytes for the idle timeout", async () => {
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval"] });
  try {
    const { relays, client, backend, result } = await rig(8 * NS_PER_S);
    clock.tick(8000);
    assert.equal(relays.running, 1, "its last eighth is not over");
    clock.tick(1000);
    assert.equal((await result).end, "idle_timeout");
    await Promise.all([assertEnded(client), assertEnded(backend)]);
    client.close();
    backend.close();
    assertClean(relays);
    assert.equal(clock.countTimers(), 0, "no relay, no timer");
  } finally {
    clock.uninstall();
  }
});

Deno.test("Relays.start(): a byte in either direction restarts the idle timeout", async () => {
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval"] });
  try {
    const { relays, client, backend, result } = await rig(8 * NS_PER_S);
    for (let i = 0; i < 3; i++) {
      clock.tick(7000);
      await writeText(client, "still here");
      await assertReads(backend, "still here");
      clock.tick(7000);
      await writeText(backend, "so am I");
      await assertReads(client, "so am I");
    }
    assert.equal(relays.running, 1);
    clock.tick(9000);
    assert.equal((await result).end, "idle_timeout");
    client.close();
    backend.close();
    assertClean(relays);
  } finally {
    clock.uninstall();
  }
});

Deno.test("Relays.closeAll() closes open relays and nothing else", async () => {
  const relays = startRelays();
  relays.closeAll("closed_by_balancer");
  const [a, b, c, d] = await Promise.all([socketPair(), socketPair(), socketPair(), socketPair()]);
  const first = run(relays, a[0], b[0]);
  a[1].close();
  b[1].close();
  assert.equal((await first).end, "closed");
  const second = run(relays, c[0], d[0]);
  relays.closeAll("closed_by_balancer");
  relays.closeAll("closed_by_balancer");
  assert.equal((await second).end, "closed_by_balancer");
  await Promise.all([assertEnded(c[1]), assertEnded(d[1])]);
  c[1].close();
  d[1].close();
  assertClean(relays);
});

Deno.test("Relays.start() ends without an error if one of its connections has already been reset", async () => {
  const relays = startRelays();
  const [front, client] = await abortablePair();
  const [back, backend] = await socketPair();
  client.resetAndDestroy();
  await once(client, "close");
  assert.equal((await run(relays, front, back)).end, "client_aborted");
  await assertEnded(backend);
  backend.close();
  assertClean(relays);
});

/** Reads a little, sends an answer and closes with bytes unread, as a server that refuses an upload does. */
async function answerEarly(connection: Deno.TcpConn, answer: Uint8Array): Promise<void> {
  await connection.read(new Uint8Array(16));
  await writeAll(connection, answer);
  connection.close();
}

const BLOCK = new Uint8Array(MIB);

/** Sends bytes until the other side takes no more of them. */
async function sendAll(connection: Deno.TcpConn, length: number): Promise<void> {
  try {
    for (let sent = 0; sent < length; sent += MIB) {
      await writeAll(connection, BLOCK.subarray(0, length - sent));
    }
  } catch {
    // The other side has closed.
  }
}

const ANSWER = new Uint8Array(50_000).map((_, i) => i * i);

for (const early of ["backend", "client"] as const) {
  Deno.test(`Relays.start() delivers all bytes that the ${early} sent before it closed early`, async () => {
    for (let i = 0; i < 20; i++) {
      const { relays, client, backend, result } = await rig();
      const [closing, sending] = early === "backend" ? [backend, client] : [client, backend];
      const upload = sendAll(sending, 16 * MIB);
      await answerEarly(closing, ANSWER);
      assert.deepEqual(await readAll(sending), ANSWER);
      await upload;
      sending.close();
      assert.equal((await result).end, `${early}_aborted`);
      assertClean(relays);
    }
  });
}

Deno.test("Relays.start() delivers an early answer to a client that sends everything before it reads", async () => {
  const { relays, client, backend, result } = await rig();
  const answered = answerEarly(backend, ANSWER);
  await writeAll(client, new Uint8Array(16 * MIB));
  await answered;
  assert.deepEqual(await readAll(client), ANSWER);
  client.close();
  assert.equal((await result).end, "backend_aborted");
  assertClean(relays);
});

Deno.test("Relays.start() closes both connections in the end, although one side never stops sending", async () => {
  const { relays, client, backend, result } = await rig();
  const upload = sendAll(client, 1e12);
  await answerEarly(backend, ANSWER);
  assert.deepEqual(await readAll(client), ANSWER);
  assert.equal((await result).end, "backend_aborted");
  await upload;
  client.close();
  assertClean(relays);
});

Deno.test("Relays.start(): a connection whose write waits counts as idle only after the time in which even a slow reader reads", async () => {
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval"] });
  try {
    const { relays, client, backend, result } = await rig(NS_PER_S);
    const download = sendAll(backend, 64 * MIB);
    await settled(() => relays.traffic.bytesToClient);
    clock.tick(50_000);
    assert.equal(relays.running, 1, "its peer may be reading slowly");
    const buffer = new Uint8Array(MIB);
    for (let got = 0; got < 8 * MIB;) got += (await client.read(buffer))!;
    await settled(() => relays.traffic.bytesToClient);
    clock.tick(50_000);
    assert.equal(relays.running, 1, "it has read");
    clock.tick(11_000);
    assert.equal((await result).end, "idle_timeout");
    await download;
    client.close();
    backend.close();
    assertClean(relays);
  } finally {
    clock.uninstall();
  }
});

Deno.test("Relays.start() first sends the preamble, then the bytes of a read that is in progress", async () => {
  const relays = startRelays();
  const [front, client] = await socketPair();
  const [back, backend] = await socketPair();
  const bytes = new TextEncoder().encode("PROXY header, ");
  const buffer = new Uint8Array(100);
  const next = front.read(buffer).then((count) =>
    count === null ? null : buffer.subarray(0, count)
  );
  const result = new Promise<RelayResult>((resolve) =>
    relays.start(front, back, resolve, { bytes, next })
  );
  await assertReads(backend, "PROXY header, ");
  await writeText(client, "first, ");
  await assertReads(backend, "first, ");
  await writeText(client, "second");
  await assertReads(backend, "second");
  client.close();
  await assertEnded(backend);
  backend.close();
  assert.equal((await result).bytesToBackend, "PROXY header, first, second".length);
  assertClean(relays);
});

Deno.test("Relays.start() ends when the backend has reset before the preamble, although the client sends nothing more", async () => {
  const relays = startRelays();
  const [front, client] = await socketPair();
  const [back, backend] = await abortablePair();
  backend.resetAndDestroy();
  await once(backend, "close");
  const buffer = new Uint8Array(100);
  const next = front.read(buffer).then((count) =>
    count === null ? null : buffer.subarray(0, count)
  );
  const bytes = new TextEncoder().encode("what it sent while it waited");
  const result = new Promise<RelayResult>((resolve) =>
    relays.start(front, back, resolve, { bytes, next })
  );
  await assertEnded(client);
  assert.equal((await result).end, "backend_aborted");
  client.close();
  assertClean(relays);
});

Deno.test("Relays.start() reads and discards, in large pieces, the bytes that a client uploads after an early answer", async () => {
  let reads = 0;
  const relays = startRelays();
  const [front, client] = await socketPair();
  const [back, backend] = await socketPair();
  const counted = new Proxy(front, {
    get(target, key) {
      if (key === "read") reads++;
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const result = run(relays, counted, back);
  await Promise.all([answerEarly(backend, ANSWER), writeText(client, "a".repeat(16))]);
  assert.deepEqual(await readAll(client), ANSWER);
  await sendAll(client, 8 * MIB);
  client.close();
  await result;
  assert.ok(reads < 500, `${reads} reads`);
  assertClean(relays);
});
