import assert from "node:assert/strict";
import { NS_PER_MS } from "../../../lib/base/mod.ts";
import { probe, type ProbeRules } from "../../../lb/health/probe.ts";
import { configOf } from "../../support/config.ts";
import { deadAddress, readAll, say, TestServer } from "../../support/sockets.ts";

const RULES: ProbeRules = { ...configOf([]).healthCheck, timeout: 1000 * NS_PER_MS };

/** Answers a client that has sent a line. */
function answer(text: string) {
  return async (connection: Deno.TcpConn) => {
    await connection.read(new Uint8Array(1024));
    await connection.write(new TextEncoder().encode(text));
    await readAll(connection);
  };
}

const CASES: readonly {
  readonly name: string;
  readonly server: (connection: Deno.TcpConn) => Promise<void>;
  readonly rules: Partial<ProbeRules>;
  readonly reason?: RegExp;
}[] = [
  { name: "tcp: a connect is enough", server: say(""), rules: { type: "tcp" } },
  {
    name: "expect: a greeting without a request",
    server: say("220 ready\r\n"),
    rules: { type: "expect", expect: "220" },
  },
  {
    name: "expect: an answer to what was sent",
    server: answer("Hello from B1: ping\n"),
    rules: { type: "expect", send: "ping\n", expect: "Hello" },
  },
  {
    name: "expect: another answer",
    server: answer("go away\n"),
    rules: { type: "expect", send: "ping\n", expect: "Hello" },
    reason: /expected "Hello", got|no answer/,
  },
  {
    name: "expect: an end without an answer",
    server: say(""),
    rules: { type: "expect", expect: "x" },
    reason: /got nothing/,
  },
  {
    name: "http: 200",
    server: answer("HTTP/1.1 200 OK\r\n\r\n"),
    rules: { type: "http" },
  },
  {
    name: "http: 503",
    server: answer("HTTP/1.1 503 Busy\r\n\r\n"),
    rules: { type: "http" },
    reason: /HTTP status 503/,
  },
  {
    name: "http: 404 if it is in the ranges of `status`",
    server: answer("HTTP/1.1 404 Nope\r\n\r\n"),
    rules: { type: "http", status: [{ min: 200, max: 299 }, { min: 404, max: 404 }] },
  },
  {
    name: "http: an answer of another protocol",
    server: answer("SSH-2.0-OpenSSH\r\n"),
    rules: { type: "http" },
    reason: /not HTTP/,
  },
  {
    name: "http: a status without a reason, and a line that ends in LF",
    server: answer("HTTP/1.0 204\n"),
    rules: { type: "http" },
  },
  {
    name: "http: a status line that never ends",
    server: answer(`HTTP/1.1 200 ${"x".repeat(20_000)}`),
    rules: { type: "http" },
    reason: /status line does not end/,
  },
  {
    name: "http: a status line that is cut off",
    server: async (connection) => {
      await connection.read(new Uint8Array(1024));
      await connection.write(new TextEncoder().encode("HTTP/1.1 200 OK"));
      await connection.closeWrite();
      await readAll(connection);
    },
    rules: { type: "http" },
    reason: /not HTTP: got "HTTP\/1\.1 200 OK"/,
  },
  ...["HTTP/1.1 2000 OK", "HTTP/1.1 20 OK", "HTTP/2 200", "HTTP/1.1  200 OK", "http/1.1 200 OK"]
    .concat(["HTTP/1.1 200OK", "HTTP/1.1 999 No", "HTTP/1.1 200 O\u0000K", "\r\nHTTP/1.1 200 OK"])
    .map((line) => ({
      name: `http: ${JSON.stringify(line)}`,
      server: answer(`${line}\r\n\r\n`),
      rules: { type: "http" as const },
      reason: /not HTTP/,
    })),
  {
    name: "http: silence",
    server: async (connection) => void await readAll(connection),
    rules: { type: "http", timeout: 50 * NS_PER_MS },
    reason: /no answer in time/,
  },
];

for (const { name, server, rules, reason } of CASES) {
  Deno.test(`probe() ${reason === undefined ? "succeeds" : "fails"} with ${name}`, async () => {
    await using backend = new TestServer(server);
    const result = await probe(backend.address, { ...RULES, ...rules });
    assert.equal(result.ok, reason === undefined, JSON.stringify(result));
    if (result.ok === false) assert.match(result.reason, reason!);
  });
}

Deno.test("probe() fails with the reason if no server listens", async () => {
  assert.deepEqual(await probe(deadAddress(), RULES), { ok: false, reason: "connect: refused" });
});

Deno.test("probe() connects to the port that the rules name, if they name one", async () => {
  await using backend = new TestServer(say(""));
  const rules = { ...RULES, port: backend.address.port };
  assert.deepEqual(await probe(deadAddress(), rules), { ok: true });
});
