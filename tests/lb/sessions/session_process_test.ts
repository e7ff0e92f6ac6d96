/** Sessions in a file, with lbsim as a process that can be killed. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Address, formatAddress, parseAddress } from "../../../lib/base/address.ts";
import { RunningLbsim } from "../../support/process.ts";
import { askAs } from "../../support/proxied.ts";
import { eventually, say, TestServer } from "../../support/sockets.ts";
import { installed } from "../../support/tools.ts";

const CLIENTS = Array.from({ length: 12 }, (_, i) => `203.0.113.${i}`);

/** Three backends, a directory, and in it a configuration whose sessions are in a file. */
async function lab() {
  const servers = ["B1", "B2", "B3"].map((id) => new TestServer(say(id)));
  const directory = await Deno.makeTempDir();
  const file = `${directory}/sessions.db`;
  const backends = servers.map(({ address }, i) =>
    `  - {id: B${i + 1}, address: "${formatAddress(address)}"}\n`
  );
  await Deno.writeTextFile(
    `${directory}/config.yaml`,
    `listen: 127.0.0.1:0
admin: {listen: off}
backends:
${backends.join("")}sticky: {store: {sqlite: ${file}}}
proxy_protocol: {accept_from: [127.0.0.0/8]}
log: {format: json}
`,
  );
  return {
    directory,
    file,
    start: (prefix: readonly string[] = []) =>
      new RunningLbsim(["lb", "--config", `${directory}/config.yaml`], { prefix }),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** The address on which a balancer listens, as soon as it listens. */
async function listening(balancer: RunningLbsim): Promise<Address> {
  const line = await balancer.line((line) => line.includes('"event":"listening"'));
  return parseAddress(JSON.parse(line).address);
}

async function visits(address: Address, clients: readonly string[]): Promise<Map<string, string>> {
  const places = new Map<string, string>();
  for (const client of clients) places.set(client, await askAs(client, address));
  return places;
}

function said(balancer: RunningLbsim): Record<string, unknown>[] {
  return balancer.records.filter(({ event }) => String(event).startsWith("session_store_"));
}

/** The number of sessions in a file. It is counted in a copy, because the balancer locks the file. */
function countCopied(file: string): number {
  if (![...Deno.readDirSync(dirname(file))].some(({ name }) => name.endsWith(".db-wal"))) return 0;
  for (const end of ["", "-wal"]) Deno.copyFileSync(file + end, `${file}.copy${end}`);
  using database = new DatabaseSync(`${file}.copy`);
  return database.prepare("SELECT count(*) AS count FROM sessions").get()!.count as number;
}

Deno.test("lbsim lb has its sessions again after it was killed", async () => {
  await using here = await lab();
  let before: Map<string, string>;
  {
    await using balancer = here.start();
    before = await visits(await listening(balancer), CLIENTS);
    await eventually(() => countCopied(here.file) === CLIENTS.length, "all are written");
    balancer.kill("SIGKILL");
    await balancer.ended();
  }
  await using balancer = here.start();
  const after = await visits(await listening(balancer), CLIENTS.toReversed());
  assert.deepEqual(new Map([...after].reverse()), before);
  assert.deepEqual(said(balancer).map(({ event, restored }) => [event, restored]), [
    ["session_store_opened", CLIENTS.length],
  ]);
  balancer.kill();
  assert.equal(await balancer.ended(), 0);
});

Deno.test("lbsim lb creates its session file again after it was deleted, and writes all sessions to it", async () => {
  await using here = await lab();
  await using balancer = here.start();
  const address = await listening(balancer);
  await visits(address, CLIENTS.slice(1));
  await eventually(() => countCopied(here.file) === CLIENTS.length - 1, "all are written");
  for (const end of ["", "-wal"]) await Deno.remove(here.file + end);
  await visits(address, CLIENTS.slice(0, 1));
  await balancer.line((line) => line.includes("session_store_recovered"));
  assert.equal(countCopied(here.file), CLIENTS.length);
  assert.deepEqual(said(balancer).map(({ event, reason, written }) => [event, reason, written]), [
    ["session_store_opened", undefined, undefined],
    ["session_store_degraded", `${here.file} was deleted or replaced`, undefined],
    ["session_store_recovered", undefined, CLIENTS.length],
  ]);
  balancer.kill();
  assert.equal(await balancer.ended(), 0);
});

Deno.test("lbsim lb keeps sessions in memory while another process has locked its file, and reports this once", async () => {
  await using here = await lab();
  await using first = here.start();
  await listening(first);
  await using second = here.start();
  const address = await listening(second);
  const before = await visits(address, CLIENTS);
  assert.ok(!before.values().some((place) => place === ""), "no client waits for the lock");
  assert.deepEqual(await visits(address, CLIENTS.toReversed()), before);
  for (const balancer of [second, first]) {
    balancer.kill();
    assert.equal(await balancer.ended(), 0);
  }
  assert.deepEqual(
    said(second).map(({ event, reason, unwritten }) => [event, reason ?? unwritten]),
    [
      ["session_store_degraded", `${here.file} is locked by another process`],
      ["session_store_incomplete", CLIENTS.length],
    ],
  );
});

/** The beginning of a command that runs a shell script, which can make a directory read-only even for root. */
const READ_ONLY = ["unshare", "--mount", "sh", "-ec"];

function canMount(): boolean {
  if (Deno.build.os !== "linux" || installed("unshare") === undefined) return false;
  const [program, ...args] = [...READ_ONLY, "mount -t tmpfs none /mnt"];
  return new Deno.Command(program!, { args, stderr: "null" }).outputSync().success;
}

Deno.test({
  name:
    "lbsim lb serves although it cannot write its session file, and reports this once (needs root on Linux)",
  ignore: !canMount(),
  async fn() {
    await using here = await lab();
    {
      await using balancer = here.start();
      await visits(await listening(balancer), CLIENTS);
      balancer.kill();
      await balancer.ended();
    }
    const bytes = await Deno.readFile(here.file);
    const script = 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; exec "$@"';
    await using balancer = here.start([...READ_ONLY, script, here.directory]);
    const address = await listening(balancer);
    const first = await visits(address, CLIENTS);
    assert.deepEqual(await visits(address, CLIENTS), first);
    balancer.kill();
    assert.equal(await balancer.ended(), 0);
    assert.deepEqual(said(balancer).map(({ event, reason }) => [event, reason]), [[
      "session_store_degraded",
      `${here.file} cannot be opened for writing: may this user write to it and its directory?`,
    ], ["session_store_incomplete", undefined]]);
    assert.deepEqual(await Deno.readFile(here.file), bytes);
  },
});
