/** The permissions that each role still has when it runs. It is started with those that the `lbsim` task grants. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { backendCommand } from "../../backend/command.ts";
import { benchCommand } from "../../bench/command.ts";
import { clientCommand } from "../../client/command.ts";
import { playCommand } from "../../play/command.ts";
import { ctlCommand } from "../../ctl/command.ts";
import type { Io } from "../../lib/cli/io.ts";
import type { Config } from "../../lib/config/mod.ts";
import type { LoadedConfig } from "../../lib/files/mod.ts";
import { startLogging, stopLogging } from "../../lib/cli/log.ts";
import { FileWatch } from "../../lib/io/mod.ts";
import { serveBalancer } from "../../lb/serve.ts";
import { UNPROBED } from "../support/balance.ts";
import { configOf, STICKY } from "../support/config.ts";
import { deadAddress, eventually, TestServer } from "../support/sockets.ts";
import deno from "../../deno.json" with { type: "json" };

const { net, read, write, env, sys, run } = deno.permissions.default;
/**
 * The same permissions as those of the task, for one test only. `Deno.test` needs real paths. Only `lbsim play` can
 * start programs: for every other subcommand, main.ts first gives up the permission to run them.
 */
const STARTED = {
  net,
  read,
  write: write.map((path) => resolve(path)),
  env,
  sys,
} as unknown as Deno.PermissionOptionsObject;

const state = (descriptor: Deno.PermissionDescriptor) =>
  Deno.permissions.querySync(descriptor).state;

const granted = () =>
  (["net", "read", "write", "sys"] as const).filter((name) =>
    state({ name }) === "granted" ||
    (name === "write" && state({ name, path: resolve("/tmp") }) === "granted") ||
    (name === "sys" && state({ name, kind: "networkInterfaces" }) === "granted")
  );

/** Collects the lines that a role prints, until it is stopped. */
function ioFor(lines: string[], signal: AbortSignal): Io {
  return {
    out: (line: string) => lines.push(line),
    err: (line: string) => lines.push(line),
    log: (line: string) => lines.push(line),
    written: () => Promise.resolve(),
    status: () => {},
    stdoutIsTerminal: false,
    stdinIsTerminal: false,
    color: false,
    columns: 80,
    setExitCode: () => {},
    signal,
    hurry: signal,
  } as unknown as Io;
}

Deno.test("STARTED has the permissions that lbsim starts with", { permissions: STARTED }, () => {
  assert.deepEqual(granted(), ["net", "read", "write", "sys"]);
  assert.equal(state({ name: "run" }), "prompt");
  assert.equal(state({ name: "ffi" }), "prompt");
});

Deno.test("a backend that listens has no permission left, and answers", {
  permissions: STARTED,
}, async () => {
  const lines: string[] = [];
  const stopping = new AbortController();
  const running = backendCommand(ioFor(lines, stopping.signal)).parseAsync(
    ["127.0.0.1:0", "--latency", "exponential(1ms)"],
    { from: "user" },
  );
  await eventually(() => lines.length > 0, "it listens");
  assert.deepEqual(granted(), []);
  stopping.abort();
  await running;
});

Deno.test(
  "a client keeps the permission for the network only",
  { permissions: STARTED },
  async () => {
    let seen: string[] | undefined;
    await using server = new TestServer(async (connection) => {
      seen = granted();
      await connection.write(new TextEncoder().encode("Hello from B1: hi\n"));
    });
    const lines: string[] = [];
    const { host, port } = server.address;
    const io = ioFor(lines, new AbortController().signal);
    await clientCommand(io).parseAsync([`${host}:${port}`, "hi"], { from: "user" });
    assert.deepEqual(lines, ["Hello from B1: hi"]);
    assert.deepEqual(seen, ["net"]);
  },
);

Deno.test(
  "bench keeps the permission for the network only",
  { permissions: STARTED },
  async () => {
    let seen: string[] | undefined;
    await using server = new TestServer(async (connection) => {
      await connection.read(new Uint8Array(100));
      seen = granted();
      await connection.write(new TextEncoder().encode("fine\n"));
      await connection.read(new Uint8Array(100));
    });
    const lines: string[] = [];
    const { host, port } = server.address;
    const io = ioFor(lines, new AbortController().signal);
    const load = ["--rate", "10", "--connections", "1", "--duration", "10ms"];
    await benchCommand(io).parseAsync([`${host}:${port}`, ...load], { from: "user" });
    assert.match(lines.join("\n"), /^answers +1 /m);
    assert.deepEqual(seen, ["net"]);
  },
);

Deno.test("play gives up its permissions when it serves the playground", {
  permissions: { ...STARTED, run } as Deno.PermissionOptionsObject,
}, async () => {
  assert.equal(state({ name: "run", command: run[0]! }), "granted");
  assert.equal(state({ name: "run", command: "/bin/sh" }), "prompt");
  const lines: string[] = [];
  const stopping = new AbortController();
  const running = playCommand(ioFor(lines, stopping.signal)).parseAsync(["--no-open"], {
    from: "user",
  });
  await eventually(() => lines.length > 0, "it listens");
  // main.ts gives up the permissions that no role needs.
  assert.deepEqual(granted(), ["write", "sys"]);
  for (const command of run) assert.equal(state({ name: "run", command }), "prompt");
  stopping.abort();
  await running;
});

const CTL_CONFIG = resolve("/tmp", `lbsim-ctl-${crypto.randomUUID()}.yaml`);
// This is done after the tests, because the test itself has no permission to write any more.
Deno.test.afterAll(() => Deno.remove(CTL_CONFIG));

Deno.test("ctl keeps the permission for the network only", { permissions: STARTED }, async () => {
  let seen: string[] | undefined;
  await using server = new TestServer(async (connection) => {
    await connection.read(new Uint8Array(1024));
    seen = granted();
    await connection.write(
      new TextEncoder().encode(
        `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 17\r\n\r\n{"reloaded":true}`,
      ),
    );
  });
  await Deno.writeTextFile(
    CTL_CONFIG,
    `backends: [{id: B1, address: 127.0.0.1:9}]\nadmin: {listen: "127.0.0.1:${server.address.port}"}\n`,
  );
  const lines: string[] = [];
  const io = ioFor(lines, new AbortController().signal);
  await ctlCommand(io).parseAsync(["reload", "--config", CTL_CONFIG], { from: "user" });
  assert.deepEqual(lines, ["the balancer has read its configuration again"]);
  assert.deepEqual(seen, ["net"]);
});

/** Runs a balancer with a store while a test checks its permissions. */
async function serving(
  store: "memory" | { sqlite: string },
  look: () => void,
  admin: Config["admin"] = { listen: "off", hosts: [] },
): Promise<void> {
  const lines: string[] = [];
  startLogging({ level: "info", format: "json" }, ioFor(lines, new AbortController().signal));
  const stopping = new AbortController();
  const loaded: LoadedConfig = {
    config: configOf([deadAddress()], {
      ...UNPROBED,
      admin,
      sticky: { ...STICKY, store },
    }),
    certificates: {},
    expired: [],
  };
  const read = () => Promise.reject(new Error("not asked for"));
  const io = { signal: stopping.signal, hurry: stopping.signal };
  using watch = new FileWatch();
  const running = serveBalancer(loaded, io, { reload: { file: "config.yaml", read, watch } });
  try {
    await eventually(() => lines.some((line) => line.includes('"listening"')), "it listens");
    look();
  } finally {
    stopping.abort();
    await running;
    stopLogging();
  }
}

Deno.test(
  "a balancer without a store in a file cannot write",
  { permissions: STARTED },
  () =>
    serving("memory", () => {
      assert.deepEqual(granted(), ["net", "read", "sys"]);
    }),
);

Deno.test("a balancer with an admin API creates the token file before it gives up writing", {
  permissions: STARTED,
}, async () => {
  // This file stays after the test, which has lost the permission to remove it.
  const tokenFile = `${await Deno.makeTempDir()}/admin.token`;
  const listen = { host: "127.0.0.1", port: 0 };
  await serving("memory", () => {
    assert.deepEqual(granted(), ["net", "read", "sys"]);
    assert.equal(Deno.statSync(tokenFile).mode! & 0o777, 0o600);
    assert.throws(() => Deno.writeTextFileSync(tokenFile, ""), Deno.errors.NotCapable);
  }, { listen, tokenFile, hosts: [] });
});

Deno.test("a balancer with a store in a file writes to its directory and nowhere else", {
  permissions: STARTED,
}, async () => {
  // This directory stays after the test, which has lost the permission to remove it.
  const parent = await Deno.makeTempDir();
  const directory = `${parent}/store`;
  await Deno.mkdir(directory);
  await serving({ sqlite: `${directory}/sessions.db` }, () => {
    assert.equal(state({ name: "write", path: directory }), "granted");
    assert.equal(state({ name: "write", path: parent }), "prompt");
    assert.throws(() => Deno.writeTextFileSync(`${parent}/x`, ""), Deno.errors.NotCapable);
    assert.ok(Deno.statSync(`${directory}/sessions.db`).isFile, "the store is in use");
  });
});
