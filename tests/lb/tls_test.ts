/** TLS with clients and with backends, on real sockets. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import type { Config } from "../../lib/config/mod.ts";
import type { LbEvent } from "../../lib/core/mod.ts";
import { NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import { acceptTls, serverContext } from "../../lb/accept/tls_accept.ts";
import { balance, TIMEOUTS, UNPROBED } from "../support/balance.ts";
import { CA, connectTls, ONE, pem, served, TWO } from "../support/certificates.ts";
import { configOf } from "../support/config.ts";
import { deadAddress } from "../support/ports.ts";
import { abortable, ask, eventually, readAll, socketPair } from "../support/sockets.ts";
import { echo, say, TestServer } from "../support/test_server.ts";

const TLS = { certificate: "one.pem", key: "one.key", timeout: 2 * NS_PER_S };
const FROM_LOOPBACK = [{ groups: [0, 0, 0, 0, 0, 0xffff, 0x7f00, 0], bits: 104 }];

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A balancer whose clients use TLS. */
function terminate(one: TestServer, overrides: Partial<Config> = {}) {
  return balance([one.address], { tls: TLS, ...overrides }, { listener: ONE });
}

/** A balancer that uses TLS with its backends. */
function originate(
  backends: readonly TestServer[],
  backendTls: Config["backendTls"] = { ca: "ca.pem" },
  overrides: Partial<Config> = {},
) {
  const addresses = backends.map(({ address }) => address);
  return balance(addresses, { ...UNPROBED, backendTls, ...overrides }, { backendCa: CA });
}

/** Sends a question with TLS, and returns the answer. */
async function askTls(address: { host: string; port: number }, question = ""): Promise<string> {
  using connection = await connectTls(address);
  if (question !== "") await connection.write(bytes(question));
  await connection.closeWrite();
  return text(await readAll(connection));
}

/** Reads until the end, and then sends the text back. */
async function answerAtTheEnd(connection: Deno.TcpConn): Promise<void> {
  const all = await readAll(connection);
  await writeAll(connection, bytes(`you said ${text(all)}`));
  await connection.closeWrite();
}

async function writeAll(to: Pick<Deno.Conn, "write">, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
}

async function digest(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource)).toHex();
}

function random(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, size)));
  }
  return bytes;
}

function refusals(
  lab: { of(type: "connection_refused"): Extract<LbEvent, { type: "connection_refused" }>[] },
) {
  return lab.of("connection_refused").map(({ reason, detail }) => `${reason}: ${detail}`);
}

Deno.test("Balancer uses TLS with clients, and each side can finish before the other", async () => {
  await using one = new TestServer(answerAtTheEnd);
  await using lab = await terminate(one);
  assert.equal(await askTls(lab.balancer.address, "hello"), "you said hello");
  await eventually(() => lab.of("connection_closed").length === 1, "the connection ended");
  const [closed] = lab.of("connection_closed");
  assert.deepEqual([closed!.end, closed!.bytes_to_backend, closed!.bytes_to_client], [
    "closed",
    5,
    14,
  ]);
});

Deno.test("Balancer passes on the bytes that a TLS client sends after its backend has finished", async () => {
  let heard: Promise<Uint8Array> | undefined;
  await using one = new TestServer(async (connection) => {
    await connection.write(bytes("bye"));
    await connection.closeWrite();
    await (heard = readAll(connection));
  });
  await using lab = await terminate(one);
  using connection = await connectTls(lab.balancer.address);
  assert.equal(text(await readAll(connection)), "bye");
  await connection.write(bytes("one more thing"));
  await connection.closeWrite();
  await eventually(() => heard !== undefined, "the backend has heard");
  assert.equal(text(await heard!), "one more thing");
  await eventually(() => lab.of("connection_closed").length === 1, "the connection ended");
  assert.equal(lab.of("connection_closed")[0]!.end, "closed");
});

for (const side of ["clients", "backends", "both"] as const) {
  Deno.test(`Balancer with TLS passes on 8 MB unchanged; TLS with: ${side}`, async () => {
    await using one = new TestServer(echo, 0, side === "clients" ? undefined : served(TWO));
    await using lab = await balance([one.address], {
      ...side !== "backends" && { tls: TLS },
      ...side !== "clients" && { backendTls: { ca: "ca.pem" } },
    }, {
      ...side !== "backends" && { listener: ONE },
      ...side !== "clients" && { backendCa: CA },
    });
    const { host, port } = lab.balancer.address;
    using connection = side === "backends"
      ? await Deno.connect({ hostname: host, port })
      : await connectTls(lab.balancer.address);
    const sent = random(8 * 1024 * 1024 + 12_345);
    const sending = writeAll(connection, sent).then(() => connection.closeWrite());
    const got = await readAll(connection);
    await sending;
    assert.equal(got.length, sent.length);
    assert.equal(await digest(got), await digest(sent));
  });
}

Deno.test("Balancer slows down a TLS client if its backend reads slowly", async () => {
  const read = Promise.withResolvers<void>();
  const got = Promise.withResolvers<string>();
  await using one = new TestServer(async (connection) => {
    await read.promise;
    got.resolve(await digest(await readAll(connection)));
  });
  await using lab = await terminate(one, UNPROBED);
  using connection = await connectTls(lab.balancer.address);
  const all = random(64 * 1024 * 1024);
  let sent = 0;
  const sending = (async () => {
    while (sent < all.length) sent += await connection.write(all.subarray(sent, sent + 65_536));
    await connection.closeWrite();
  })();
  let quiet = 0;
  let before = 0;
  await eventually(() => {
    quiet = sent > 0 && sent === before ? quiet + 1 : 0;
    before = sent;
    return quiet === 40 || sent === all.length;
  }, "the client stalls");
  // The kernel's buffers hold little; if the balancer read without limit, all bytes would be sent.
  assert.ok(sent < all.length / 2, `${sent} bytes were taken in`);
  read.resolve();
  await sending;
  assert.equal(await got.promise, await digest(all));
});

Deno.test("Balancer refuses clients that do not speak TLS, close early or do not trust the CA, and reports the reasons", async () => {
  await using one = new TestServer(say("B1"));
  await using lab = await terminate(one);
  const { address } = lab.balancer;
  await ask(address, "GET / HTTP/1.1\r\n\r\n").catch(() => {});
  await eventually(() => refusals(lab).length === 1, "the first was refused");
  await ask(address, "\x16").catch(() => {});
  await eventually(() => refusals(lab).length === 2, "the second was refused");
  await assert.rejects(connectTls(address, { ca: pem("other_ca.pem") }), /UnknownIssuer/);
  await eventually(() => refusals(lab).length === 3, "the third was refused");
  assert.deepEqual(refusals(lab), [
    "bad_tls_handshake: the client does not speak TLS",
    "bad_tls_handshake: the client closed during the handshake",
    "bad_tls_handshake: the client refused the handshake: the CA of the certificate is not trusted",
  ]);
  assert.equal(lab.balancer.scheduler.connections, 0);
  assert.equal(one.accepted, 1, "nothing but the probe has come so far");
  assert.equal(await askTls(address), "B1");
});

Deno.test("Balancer distinguishes a probe that sends nothing from a failed TLS handshake", async () => {
  await using one = new TestServer(say("B1"));
  await using lab = await terminate(one);
  await ask(lab.balancer.address).catch(() => {});
  const reset = await abortable(lab.balancer.address);
  reset.resetAndDestroy();
  await eventually(() => refusals(lab).length === 2, "both were refused");
  assert.deepEqual(refusals(lab), Array(2).fill("sent_nothing: undefined"));
});

Deno.test("Balancer serves other clients while it waits for a TLS handshake, and gives this handshake up in time", async () => {
  await using one = new TestServer(say("B1"));
  await using lab = await terminate(one, { tls: { ...TLS, timeout: 3 * NS_PER_S } });
  const { host, port } = lab.balancer.address;
  using silent = await Deno.connect({ hostname: host, port });
  assert.equal(await askTls(lab.balancer.address), "B1");
  assert.equal((await readAll(silent)).length, 0);
  assert.deepEqual(refusals(lab), ["bad_tls_handshake: it did not come in time"]);
});

Deno.test("Balancer counts TLS handshakes in progress for limits.connections", async () => {
  await using one = new TestServer(echo);
  await using lab = await terminate(one, {
    limits: { connections: 2 },
    tls: { ...TLS, timeout: 600 * NS_PER_S },
  });
  const { host, port } = lab.balancer.address;
  using open = await connectTls(lab.balancer.address);
  {
    using _silent = await Deno.connect({ hostname: host, port });
    await assert.rejects(connectTls(lab.balancer.address));
    assert.deepEqual(lab.of("connection_refused").map(({ reason }) => reason), [
      "connection_limit",
    ]);
  }
  await eventually(() => lab.of("connection_refused").length === 2, "the silent one is gone");
  await open.write(bytes("hello"));
  assert.equal(await open.read(new Uint8Array(10)), 5);
  assert.equal(await askTls(lab.balancer.address, "again"), "again");
});

Deno.test("Balancer does no TLS handshake with a client that is on the list deny", async () => {
  await using one = new TestServer(say("B1"));
  const deny = [{ groups: [0, 0, 0, 0, 0, 0xffff, 0x7f00, 0], bits: 104 }];
  await using lab = await terminate(one, { deny });
  await assert.rejects(connectTls(lab.balancer.address));
  assert.deepEqual(lab.of("connection_refused").map(({ reason }) => reason), ["denied"]);
});

Deno.test("Balancer counts TLS handshakes in progress for limits.per_client", async () => {
  await using one = new TestServer(say("B1"));
  await using lab = await terminate(one, {
    limits: { connections: 100, perClient: { connections: 2 } },
    tls: { ...TLS, timeout: 600 * NS_PER_S },
  });
  const { host, port } = lab.balancer.address;
  using _first = await Deno.connect({ hostname: host, port });
  {
    using _second = await Deno.connect({ hostname: host, port });
    await assert.rejects(connectTls(lab.balancer.address));
    assert.deepEqual(lab.of("connection_refused").map(({ reason }) => reason), [
      "client_connection_limit",
    ]);
  }
  await eventually(() => lab.of("connection_refused").length === 2, "the second is gone");
  assert.equal(await askTls(lab.balancer.address), "B1");
});

Deno.test("Balancer ends a TLS handshake in progress when it stops", async () => {
  await using one = new TestServer(say("B1"));
  const lab = await terminate(one, { tls: { ...TLS, timeout: 600 * NS_PER_S } });
  const { host, port } = lab.balancer.address;
  using silent = await Deno.connect({ hostname: host, port });
  // When a later client has been served, this one has been accepted.
  await askTls(lab.balancer.address);
  await lab.balancer.stop();
  assert.equal((await readAll(silent)).length, 0);
  assert.deepEqual(lab.of("connection_refused").map(({ reason }) => reason), ["stopping"]);
});

Deno.test("Balancer closes a backend's connection when a client closes its TCP connection without ending TLS", async () => {
  const over = Promise.withResolvers<void>();
  await using one = new TestServer(async (connection) => {
    await connection.write(bytes("hi"));
    await readAll(connection);
    over.resolve();
  });
  await using lab = await terminate(one);
  const connection = await connectTls(lab.balancer.address);
  assert.equal(await connection.read(new Uint8Array(2)), 2);
  connection.close();
  await over.promise;
});

Deno.test("Balancer lets a TLS client notice that the backend has closed its TCP connection without ending TLS", async () => {
  await using one = new TestServer(async (connection) => {
    const secure = await acceptTls(connection, serverContext(ONE), new Uint8Array(0), NS_PER_S);
    assert.ok(!("tlsFailure" in secure));
    await secure.write(bytes("half of"));
    secure.close();
  });
  await using lab = await balance(
    [one.address],
    { ...UNPROBED, tls: TLS, backendTls: { ca: "ca.pem" } },
    { listener: ONE, backendCa: CA },
  );
  using connection = await connectTls(lab.balancer.address);
  assert.equal(await connection.read(new Uint8Array(100)), "half of".length);
  await assert.rejects(connection.read(new Uint8Array(100)), Deno.errors.UnexpectedEof);
  await eventually(() => lab.of("connection_closed").length === 1, "the connection ended");
  assert.equal(lab.of("connection_closed")[0]!.end, "backend_aborted");
});

Deno.test("Balancer reads a PROXY header before the TLS handshake", async () => {
  await using one = new TestServer(echo);
  await using lab = await terminate(one, {
    proxyProtocol: { acceptFrom: FROM_LOOPBACK, timeout: NS_PER_S, send: "off" },
  });
  const first = bytes("PROXY TCP4 203.0.113.9 192.168.1.10 5000 8000\r\n");
  using connection = await connectTls(lab.balancer.address, { first });
  await connection.write(bytes("hello"));
  await connection.closeWrite();
  assert.equal(text(await readAll(connection)), "hello");
  assert.equal(lab.of("connection_opened")[0]!.client, "203.0.113.9");
});

Deno.test("acceptTls() uses the bytes that were read before it was called", async () => {
  const [near, far] = await socketPair();
  const client = await Deno.startTls(near, { hostname: "localhost", caCerts: [CA] });
  const shaking = client.handshake();
  const first = new Uint8Array(50);
  const count = await far.read(first);
  const server = await acceptTls(far, serverContext(ONE), first.subarray(0, count!), NS_PER_S);
  assert.ok(!("tlsFailure" in server));
  await shaking;
  await server.write(bytes("hello"));
  const answer = new Uint8Array(5);
  await client.read(answer);
  assert.equal(text(answer), "hello");
  client.close();
  assert.equal(await server.read(answer), null);
  server.close();
});

Deno.test("Balancer uses TLS with backends, and verifies server_name or the host of the address", async () => {
  await using one = new TestServer(answerAtTheEnd, 0, served(ONE));
  for (const serverName of [undefined, "one.test"]) {
    await using lab = await originate([one], { ca: "ca.pem", serverName });
    assert.equal(await ask(lab.balancer.address, "hello"), "you said hello");
  }
});

Deno.test("Balancer does not use a backend that it cannot verify, and tries another one", async () => {
  await using plain = new TestServer(echo);
  await using nobody = new TestServer(say("B2"), 0, served(TWO));
  await using good = new TestServer(say("B3"), 0, served(ONE));
  await using lab = await originate([plain, nobody, good], {
    ca: "ca.pem",
    serverName: "one.test",
  });
  for (let i = 0; i < 3; i++) assert.equal(await ask(lab.balancer.address), "B3");
  const failed = new Map(
    lab.of("connect_failed").map(({ backend, reason, detail }) => [backend, [reason, detail]]),
  );
  assert.deepEqual(failed.get("B1"), ["tls", "it does not speak TLS"]);
  const [reason, detail] = failed.get("B2")!;
  assert.equal(reason, "tls");
  assert.match(detail!, /^its certificate is not for one\.test, but for localhost, two\.test, /);
});

Deno.test("Balancer detects with probes that a backend has no valid certificate, and that it has one again", async () => {
  await using one = new TestServer(say("B1"), 0, served(ONE));
  const { healthCheck } = configOf([]);
  const overrides = { healthCheck, backendTls: { ca: "other_ca.pem" } };
  const wrong = { backendCa: pem("other_ca.pem") };
  await using lab = await balance([one.address], overrides, wrong);
  assert.deepEqual(lab.balancer.scheduler.activeServers, []);
  assert.equal(
    lab.of("probe")[0]!.reason,
    "connect: tls: its certificate is not signed by a CA that is trusted",
  );
  const rise = { ...healthCheck, rise: 1 };
  await lab.balancer.reload({ ...lab.config, healthCheck: rise }, { backendCa: CA });
  assert.deepEqual(lab.balancer.scheduler.activeServers, ["B1"]);
  assert.deepEqual(lab.of("config_reloaded")[0]!.changes, [
    "health_check.rise: 2 → 1",
    "other CAs for backends",
  ]);
});

for (
  const rules of [
    { type: "http" as const },
    { type: "expect" as const, send: "GET / HTTP/1.1\r\n\r\n", expect: "200 OK" },
  ]
) {
  Deno.test(`Balancer uses TLS in probes of type ${rules.type}`, async () => {
    await using one = new TestServer(
      async (connection) => {
        await connection.read(new Uint8Array(1000));
        await connection.write(bytes("HTTP/1.1 200 OK\r\n\r\n"));
      },
      0,
      served(ONE),
    );
    const healthCheck = { ...configOf([]).healthCheck, ...rules };
    await using lab = await originate([one], undefined, { healthCheck });
    assert.deepEqual(lab.balancer.scheduler.activeServers, ["B1"]);
  });
}

Deno.test("Balancer probes another port than the backend's own without TLS", async () => {
  await using one = new TestServer(say("B1"), 0, served(ONE));
  await using status = new TestServer(say("fine"));
  const healthCheck = {
    ...configOf([]).healthCheck,
    type: "expect" as const,
    expect: "fine",
    port: status.address.port,
  };
  await using lab = await originate([one], undefined, { healthCheck });
  assert.deepEqual(lab.balancer.scheduler.activeServers, ["B1"]);
});

Deno.test("Balancer gives up a backend that does not answer a TLS handshake", async () => {
  await using silent = new TestServer(async (connection) => void await readAll(connection));
  await using lab = await originate([silent], undefined, {
    timeouts: { ...TIMEOUTS, connect: 200 * NS_PER_MS },
  });
  await ask(lab.balancer.address).catch(() => "");
  assert.equal(lab.of("connect_failed")[0]!.reason, "timeout");
  assert.equal(lab.of("connection_refused")[0]!.reason, "connects_failed");
});

Deno.test("Balancer sends a backend the PROXY header before the TLS handshake", async () => {
  const headers: string[] = [];
  await using one = new TestServer(async (connection) => {
    let header = "";
    const byte = new Uint8Array(1);
    while (!header.endsWith("\r\n") && await connection.read(byte) !== null) header += text(byte);
    headers.push(header);
    const nothing = new Uint8Array(0);
    const secure = await acceptTls(connection, serverContext(ONE), nothing, NS_PER_S);
    assert.ok(!("tlsFailure" in secure));
    await echo(secure);
  });
  const lab = await originate([one], undefined, {
    healthCheck: configOf([]).healthCheck,
    proxyProtocol: { acceptFrom: [], timeout: NS_PER_S, send: "v1" },
  });
  assert.deepEqual(lab.balancer.scheduler.activeServers, ["B1"]);
  assert.equal(await ask(lab.balancer.address, "hello"), "hello");
  await lab.balancer.stop();
  assert.equal(headers[0], "PROXY UNKNOWN\r\n");
  assert.match(headers[1]!, /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n$/);
});

Deno.test("Balancer loses no connection while its certificate is replaced several times", async () => {
  await using one = new TestServer(echo);
  await using lab = await terminate(one);
  const { address } = lab.balancer;
  using early = await connectTls(address, { name: "one.test" });
  let going = true;
  let served = 0;
  const client = async () => {
    while (going) {
      assert.equal(await askTls(address, "hello"), "hello");
      served++;
    }
  };
  const clients = Array.from({ length: 4 }, client);
  for (let i = 0; i < 10; i++) {
    const [pair, name, other] = i % 2 === 0
      ? [TWO, "two.test", "one.test"] as const
      : [ONE, "one.test", "two.test"] as const;
    await lab.balancer.reload(lab.config, { listener: pair });
    const before = served;
    (await connectTls(address, { name })).close();
    await assert.rejects(connectTls(address, { name: other }), /not valid for name/);
    await eventually(() => served >= before + 8, "clients go on");
  }
  going = false;
  await Promise.all(clients);
  await early.write(bytes("still here"));
  await early.closeWrite();
  assert.equal(text(await readAll(early)), "still here");
  assert.deepEqual(lab.of("config_reloaded")[0]!.changes, [
    `another certificate, for ${TWO.names.join(", ")}, until 2099-12-31`,
  ]);
  // Only clients that asked for a name that the certificate did not contain were refused.
  assert.equal(new Set(refusals(lab)).size, 1);
  assert.equal(refusals(lab).length, 10);
});

Deno.test("Balancer turns TLS on and off while it runs", async () => {
  await using one = new TestServer(echo);
  await using lab = await balance([one.address]);
  const { address } = lab.balancer;
  assert.equal(await ask(address, "plain"), "plain");
  await lab.balancer.reload({ ...lab.config, tls: TLS }, { listener: ONE });
  assert.equal(await askTls(address, "secret"), "secret");
  await lab.balancer.reload(lab.config);
  assert.equal(await ask(address, "plain"), "plain");
});

Deno.test("Balancer neither starts nor continues without a certificate if the configuration has TLS", async () => {
  const defect = /there is a certificate if, and only if/;
  const nobody = [deadAddress()];
  await assert.rejects(balance(nobody, { tls: TLS }), defect);
  await using lab = await balance(nobody);
  await assert.rejects(lab.balancer.reload({ ...lab.config, tls: TLS }), defect);
});

/** A client's hello of this version, with one cipher suite and no extension. */
function helloOf(version: number): Uint8Array {
  const body = [3, version, ...Array(32).fill(7), 0, 0, 2, 0xc0, 0x13, 1, 0];
  return new Uint8Array([
    ...[22, 3, 1, 0, body.length + 4],
    ...[1, 0, 0, body.length],
    ...body,
  ]);
}

Deno.test("Balancer ends a handshake that cannot succeed with an alert, and reports the reason in words", async () => {
  await using one = new TestServer(say("B1"));
  await using lab = await terminate(one);
  const { host, port } = lab.balancer.address;
  const cases = [
    // TLS 1.0 and 1.1: protocol_version. TLS 1.2 without necessary extensions: handshake_failure.
    [helloOf(1), [21, 3, 1, 0, 2, 2, 70], "offers only versions of TLS below 1.2"],
    [helloOf(2), [21, 3, 2, 0, 2, 2, 70], "offers only versions of TLS below 1.2"],
    [helloOf(3), [21, 3, 3, 0, 2, 2, 40], "offers no signature scheme that is supported"],
    // A hello without its version, and one without its random bytes: decode_error.
    [
      new Uint8Array([22, 3, 1, 0, 4, 1, 0, 0, 0]),
      [21, 3, 3, 0, 2, 2, 50],
      "breaks the TLS protocol",
    ],
    [
      new Uint8Array([22, 3, 1, 0, 9, 1, 0, 0, 5, 3, 3, 0, 0, 0]),
      [21, 3, 3, 0, 2, 2, 50],
      "breaks the TLS protocol",
    ],
    // Data, and a change of cipher, before a hello: unexpected_message.
    [new Uint8Array([23, 3, 3, 0, 1, 7]), [21, 3, 3, 0, 2, 2, 10], "breaks the TLS protocol"],
    [new Uint8Array([20, 3, 3, 0, 1, 1]), [21, 3, 3, 0, 2, 2, 10], "breaks the TLS protocol"],
    [new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"), [], "does not speak TLS"],
  ] as const;
  for (const [bytes, alert, words] of cases) {
    using client = await Deno.connect({ hostname: host, port });
    await client.write(bytes);
    assert.deepEqual([...await readAll(client)], [...alert]);
    await eventually(
      () => refusals(lab).at(-1) === `bad_tls_handshake: the client ${words}`,
      words,
    );
  }
});

Deno.test("Balancer survives a handshake that fails because of the bytes that came together with the PROXY header", async () => {
  await using one = new TestServer(say("B1"));
  await using lab = await terminate(one, {
    proxyProtocol: { acceptFrom: FROM_LOOPBACK, timeout: NS_PER_S, send: "off" },
  });
  const { host, port } = lab.balancer.address;
  const header = bytes("PROXY TCP4 10.0.0.1 10.0.0.2 1000 443\r\n");
  const cases = [
    [helloOf(1), [21, 3, 1, 0, 2, 2, 70]],
    [bytes("GET / HTTP/1.0\r\n\r\n"), []],
  ] as const;
  for (const [hello, alert] of cases) {
    using client = await Deno.connect({ hostname: host, port });
    await client.write(new Uint8Array([...header, ...hello]));
    assert.deepEqual([...await readAll(client)], [...alert]);
  }
  await eventually(() => refusals(lab).length === cases.length, "both are refused");
});

Deno.test("Balancer closes a connection whose client sends data that cannot be decrypted", async () => {
  await using one = new TestServer(echo);
  await using lab = await terminate(one);
  const { host, port } = lab.balancer.address;
  const socket = net.connect(port, host);
  const secure = tls.connect({ socket, ca: CA, servername: "localhost" });
  secure.on("error", () => {});
  await once(secure, "secureConnect");
  const closed = once(socket, "close");
  // A data record with a wrong authentication code.
  socket.write(new Uint8Array([23, 3, 3, 0, 32, ...Array(32).fill(7)]));
  await closed;
  await eventually(() => lab.balancer.scheduler.connections === 0, "it has ended");
});

Deno.test("Balancer notices between two connects to backends that the client has reset its connection", async () => {
  const inHandshake: Deno.TcpConn[] = [];
  const silent = () =>
    new TestServer(async (connection) => {
      inHandshake.push(connection);
      while (await connection.read(new Uint8Array(4096)) !== null);
    });
  await using one = silent();
  await using two = silent();
  await using lab = await originate([one, two]);
  const leaving = await abortable(lab.balancer.address);
  await eventually(() => inHandshake.length === 1, "the first backend was tried");
  leaving.resetAndDestroy();
  await inHandshake[0]!.closeWrite();
  await eventually(() => inHandshake.length === 2, "the second backend was tried");
  await inHandshake[1]!.closeWrite();
  await eventually(() => lab.balancer.scheduler.connections === 0, "the client has left");
  assert.deepEqual(lab.of("connect_failed").map(({ backend }) => backend), ["B1"]);
  assert.deepEqual(lab.of("connection_left").map(({ phase }) => phase), ["connecting"]);
  assert.deepEqual(lab.of("connection_refused"), []);
});
