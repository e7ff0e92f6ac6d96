import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import FakeTimers from "@sinonjs/fake-timers";
import { NS_PER_S } from "../../lib/core/mod.ts";
import { BUFFER_SIZES, BufferPool, nextSizeClass } from "../../lb/buffers.ts";
import { type RelayResult, Relays } from "../../lb/relay.ts";
import { writeAll } from "../../lib/lines.ts";
import { abortable, eventually, readAll, socketPair } from "../support/sockets.ts";

/** A client and a backend with a relay between them. */
async function relayed(idleTimeout = 60 * NS_PER_S) {
  const relays = new Relays({ idleTimeout });
  const [client, clientSide] = await socketPair();
  const [backendSide, backend] = await socketPair();
  const result: Promise<RelayResult> = relays.run(clientSide, backendSide);
  return { relays, client, backend, result };
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

Deno.test("Relays.run() relays bytes both ways and counts them", async () => {
  const { relays, client, backend, result } = await relayed();
  await writeAll(client, bytes("ping"));
  await client.closeWrite();
  assert.equal(text(await readAll(backend)), "ping");
  await writeAll(backend, bytes("pong!"));
  await backend.closeWrite();
  assert.equal(text(await readAll(client)), "pong!");
  const { end, bytesToBackend, bytesToClient } = await result;
  assert.deepEqual({ end, bytesToBackend, bytesToClient }, {
    end: "closed",
    bytesToBackend: 4,
    bytesToClient: 5,
  });
  assert.equal(relays.buffersLent, 0);
  assert.equal(relays.running, 0);
  client.close();
  backend.close();
});

Deno.test("Relays.run() passes a client's half-close on and lets the answer through", async () => {
  const { client, backend, result } = await relayed();
  await client.closeWrite();
  assert.equal((await readAll(backend)).length, 0);
  await writeAll(backend, bytes("late answer"));
  await backend.closeWrite();
  assert.equal(text(await readAll(client)), "late answer");
  assert.equal((await result).end, "closed");
  client.close();
  backend.close();
});

Deno.test("Relays.run() passes a backend's half-close on and lets the request through", async () => {
  const { client, backend, result } = await relayed();
  await writeAll(backend, bytes("greeting"));
  await backend.closeWrite();
  assert.equal(text(await readAll(client)), "greeting");
  await writeAll(client, bytes("more"));
  await client.closeWrite();
  assert.equal(text(await readAll(backend)), "more");
  assert.equal((await result).end, "closed");
  client.close();
  backend.close();
});

/** A relay whose client, or whose backend, can be reset. */
async function withAbortable(side: "client" | "backend") {
  const relays = new Relays({ idleTimeout: 60 * NS_PER_S });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [socket, near] = await Promise.all([
    abortable({ host: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  const [far, other] = await socketPair();
  const result = side === "client" ? relays.run(near, far) : relays.run(far, near);
  return { relays, socket, other, result };
}

for (const side of ["client", "backend"] as const) {
  Deno.test(`Relays.run() ends both sides at once when the ${side} aborts`, async () => {
    const { relays, socket, other, result } = await withAbortable(side);
    socket.resetAndDestroy();
    await once(socket, "close");
    assert.equal((await result).end, `${side}_aborted`);
    assert.equal((await readAll(other)).length, 0);
    assert.equal(relays.buffersLent, 0);
    other.close();
  });
}

Deno.test("Relays.run() stops a sender whose reader does not read", async () => {
  const { client, backend, result } = await relayed();
  const chunk = new Uint8Array(64 * 1024);
  let written = 0;
  let blocked = false;
  const sending = (async () => {
    while (true) {
      blocked = true;
      const count = await client.write(chunk);
      blocked = false;
      written += count;
    }
  })().catch(() => "cut");
  // Kernel buffers fill first; then nothing moves any more, for as long as nobody reads.
  let before = -1;
  while (before !== written || !blocked) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(written < 64 * 1024 * 1024, `${written} bytes went into the void`);
  backend.close();
  client.close();
  assert.equal(await sending, "cut");
  assert.notEqual((await result).end, "closed");
});

Deno.test("Relays.run() carries 100 MB each way at once, to the bit", async () => {
  const { client, backend, result } = await relayed();
  const size = 100 * 1024 * 1024;
  const block = randomBytes(1024 * 1024 + 13);
  const send = async (to: Deno.TcpConn) => {
    const hash = createHash("sha256");
    for (let sent = 0; sent < size;) {
      const part = block.subarray(0, Math.min(block.length, size - sent));
      hash.update(part);
      await writeAll(to, part);
      sent += part.length;
    }
    await to.closeWrite();
    return hash.digest("hex");
  };
  const receive = async (from: Deno.TcpConn) => {
    const hash = createHash("sha256");
    const buffer = new Uint8Array(256 * 1024);
    for (let count; (count = await from.read(buffer)) !== null;) {
      hash.update(buffer.subarray(0, count));
    }
    return hash.digest("hex");
  };
  const [up, down, upReceived, downReceived] = await Promise.all([
    send(client),
    send(backend),
    receive(backend),
    receive(client),
  ]);
  assert.equal(upReceived, up);
  assert.equal(downReceived, down);
  const { bytesToBackend, bytesToClient } = await result;
  assert.equal(bytesToBackend, size);
  assert.equal(bytesToClient, size);
  client.close();
  backend.close();
});

Deno.test("Relays closes a connection that is idle for as long as the timeout", async () => {
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval"] });
  try {
    const { relays, client, backend, result } = await relayed(80 * NS_PER_S);
    clock.tick(70_000);
    await writeAll(client, bytes("x"));
    await backend.read(new Uint8Array(1));
    await eventually(() => relays.running === 1, "the relay runs");
    clock.tick(70_000);
    assert.equal(relays.running, 1, "a byte starts the timeout anew");
    clock.tick(30_000);
    assert.equal((await result).end, "idle_timeout");
    assert.equal((await readAll(client)).length, 0);
    assert.equal(relays.buffersLent, 0);
    client.close();
    backend.close();
  } finally {
    clock.uninstall();
  }
});

Deno.test("Relays.closeAll() closes what is open, and says so", async () => {
  const { relays, client, backend, result } = await relayed();
  relays.closeAll();
  assert.equal((await result).end, "closed_by_balancer");
  assert.equal((await readAll(client)).length, 0);
  assert.equal((await readAll(backend)).length, 0);
  client.close();
  backend.close();
});

Deno.test("nextSizeClass() grows for a stream and shrinks for chat", () => {
  const [small, medium, large] = BUFFER_SIZES;
  assert.equal(nextSizeClass(0, small), 1);
  assert.equal(nextSizeClass(0, small - 1), 0);
  assert.equal(nextSizeClass(1, medium), 2);
  assert.equal(nextSizeClass(2, large), 2);
  assert.equal(nextSizeClass(2, medium / 2), 1);
  assert.equal(nextSizeClass(1, 10), 0);
});

Deno.test("BufferPool lends the same buffer again", () => {
  const pool = new BufferPool();
  const buffer = pool.take(0);
  assert.equal(buffer.length, BUFFER_SIZES[0]);
  pool.give(0, buffer);
  assert.equal(pool.take(0), buffer);
  assert.equal(pool.lent, 1);
});
