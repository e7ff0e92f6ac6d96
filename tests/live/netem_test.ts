import assert from "node:assert/strict";
import { NS_PER_MS } from "../../lib/base/mod.ts";
import { parseConfig } from "../../lib/config/mod.ts";
import {
  clientArgs,
  Namespaces,
  netemConfig,
  type NetemMachine,
  removeStale,
  requireNetem,
} from "../../live/netem.ts";
import { netemOf, planNetem } from "../../live/netem_plan.ts";
import { lbsim } from "../support/process.ts";
import { studyFrom } from "../sim/study.ts";

const NONE = { kind: "deterministic", value: 0 } as const;
const MS = { kind: "deterministic", value: NS_PER_MS } as const;

Deno.test("planNetem() gives every machine a namespace, and adds the latency at both ends of each link", () => {
  const { commands, namespaces, clients, balancer, backends } = planNetem("t", ["B1", "B2"], {
    clientLatency: MS,
    backendLatency: { kind: "uniform", min: NS_PER_MS, max: 3 * NS_PER_MS },
  });
  assert.deepEqual(namespaces, ["t-0", "t-1", "t-2", "t-3", "t-4"]);
  assert.equal(balancer.address, "10.77.0.1");
  assert.equal(clients.address, "10.77.0.2");
  assert.deepEqual(backends.map(({ address }) => address), ["10.77.1.2", "10.77.2.2"]);
  const qdiscs = commands.filter((command) => command.includes("tc")).map((words) =>
    words.join(" ")
  );
  const netem = (namespace: string, device: string, delay: string) =>
    `netns exec ${namespace} tc qdisc add dev ${device} root netem limit 20000 delay ${delay}`;
  assert.deepEqual(qdiscs, [
    netem("t-1", "clients", "1000us"),
    netem("t-2", "eth0", "1000us"),
    netem("t-1", "backend1", "2000us 1000us"),
    netem("t-3", "eth0", "2000us 1000us"),
    netem("t-1", "backend2", "2000us 1000us"),
    netem("t-4", "eth0", "2000us 1000us"),
  ]);
  const added = commands.filter(([a, b]) => a === "netns" && b === "add").map(([, , name]) => name);
  assert.deepEqual(added, ["t-0", "t-1", "t-2", "t-3", "t-4"]);
  const addresses = commands.flatMap((words) =>
    words.includes("address") ? [words[words.indexOf("add") + 1]] : []
  );
  assert.equal(new Set(addresses).size, addresses.length, "every address is there once");
});

Deno.test("planNetem() adds no queueing discipline where there is no latency", () => {
  const { commands } = planNetem("t", ["B1"], { clientLatency: NONE, backendLatency: NONE });
  assert.ok(!commands.some((command) => command.includes("tc")));
});

Deno.test("netemOf() refuses laws that netem does not have, and names the laws that it has", () => {
  assert.throws(
    () => netemOf("client_latency", { kind: "exponential", mean: NS_PER_MS }),
    /`network\.client_latency` is exponential, and netem has a fixed latency or a uniform one/,
  );
});

/** A machine on which everything works. */
function machine(changes: Partial<NetemMachine> = {}): NetemMachine {
  return {
    ...{ os: "linux", uid: 0, ip: "/usr/sbin/ip", mayRunIp: true },
    run: () => Promise.resolve(""),
    ...changes,
  };
}

function failing(pattern: RegExp, message: string, done: string[] = []): NetemMachine {
  return machine({
    run: (command) => {
      done.push(command.join(" "));
      return pattern.test(command.join(" "))
        ? Promise.reject(new Error(message))
        : Promise.resolve("");
    },
  });
}

const REFUSED: readonly (readonly [what: string, machine: NetemMachine, says: RegExp])[] = [
  ["another system", machine({ os: "darwin" }), /namespaces are a part of Linux/],
  ["a user who is not root", machine({ uid: 1000 }), /only root/],
  ["a program that may not run ip", machine({ mayRunIp: false }), /no permission to run `ip`/],
  ["a machine without ip", machine({ ip: undefined }), /`ip` is not installed/],
  [
    "a system without namespaces",
    failing(/netns add/, "Operation not permitted"),
    /makes no network namespaces: Operation not permitted/,
  ],
  [
    "a kernel without netem",
    failing(/ netem delay/, "Error: Specified qdisc kind is unknown."),
    /this kernel has no netem/,
  ],
  [
    "a machine without tc",
    failing(/ netem delay/, 'exec of "tc" failed: No such file'),
    /`tc` fails/,
  ],
];

for (const [what, one, says] of REFUSED) {
  Deno.test(`requireNetem() refuses ${what}, and names the alternative`, async () => {
    await assert.rejects(
      requireNetem(one),
      (error: Error & { hint?: string; exitCode?: number }) => {
        assert.match(error.message, says);
        assert.match(error.hint!, /without --network netem, lbsim live delays the messages itself/);
        return error.exitCode === 2;
      },
    );
  });
}

Deno.test("requireNetem() removes the namespace in which it tries netem", async () => {
  const done: string[] = [];
  await assert.rejects(requireNetem(failing(/ netem delay/, "unknown", done)));
  assert.match(done.at(-1)!, /^netns del lbsim-netem-\d+-probe$/);
});

Deno.test("Namespaces.make() removes the namespaces that it has made if a command fails", async () => {
  const plan = planNetem("t", ["B1"], { clientLatency: MS, backendLatency: NONE });
  const present = new Set<string>();
  const run = (command: readonly string[]) => {
    const [first, second, name] = command;
    if (command.includes("tc")) return Promise.reject(new Error("no tc"));
    if (first === "netns" && second === "add") present.add(name!);
    if (first === "netns" && second === "del") present.delete(name!);
    return Promise.resolve([...present].map((one) => `${one} (id: 1)\n`).join(""));
  };
  await assert.rejects(Namespaces.make(plan, run), /the network could not be made: no tc/);
  assert.deepEqual([...present], []);
});

Deno.test("removeStale() removes the namespaces of runs that were killed, and no others", async () => {
  const removed: string[] = [];
  const list = "lbsim-netem-10-1 (id: 3)\nlbsim-netem-11-0\nlbsim-10-lb\nother\n";
  await removeStale((command) => {
    if (command[1] === "del") removed.push(command[2]!);
    return Promise.resolve(list);
  }, (pid) => pid === 11);
  assert.deepEqual(removed, ["lbsim-netem-10-1"]);
});

Deno.test("clientArgs() gives the client the same command line with the real network", () => {
  assert.deepEqual(
    clientArgs(["live", "s.yaml", "--network", "netem", "--json"], "/run/c.yaml"),
    ["live", "s.yaml", "--json", "--network", "real", "--config", "/run/c.yaml"],
  );
  assert.deepEqual(
    clientArgs(["live", "--network=netem", "s.yaml"], "c"),
    ["live", "s.yaml", "--network", "real", "--config", "c"],
  );
});

Deno.test("netemConfig() is a valid configuration of the scenario's balancer", () => {
  const study = studyFrom(
    "balancer: {backends: 2, algorithm: least-connections, retries: 1}\nduration: 1s\n",
  );
  const plan = planNetem("t", ["B1", "B2"], study.variants[0]!.scenario.network);
  const text = netemConfig(study, plan, "/run/token");
  const config = parseConfig({ file: "config.yaml", text });
  assert.equal(config.algorithm.name, "least-connections");
  assert.equal(config.retries, 1);
  assert.deepEqual(config.backends.map(({ id, address }) => [id, address.host]), [
    ["B1", "10.77.1.2"],
    ["B2", "10.77.2.2"],
  ]);
  assert.equal(config.admin.tokenFile, "/run/token");
});

const USAGE: readonly (readonly [flags: readonly string[], says: RegExp])[] = [
  [["--network", "netem"], /--network netem is not possible: .*\n.*without --network netem/],
  [["--network", "real"], /--network real needs --config/],
  [["--network", "netem", "--config", "config.yaml"], /it takes no --config/],
  [["--network", "netm"], /unknown --network "netm"\n.*did you mean "netem"/],
];

Deno.test("lbsim live refuses --network netem without permission for it, and options that have no effect", async () => {
  const file = new URL("../../examples/crash-and-return.yaml", import.meta.url).pathname;
  for (const [flags, says] of USAGE) {
    const { code, stdout, stderr } = await lbsim(["live", file, ...flags]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, says);
    assert.equal(stdout, "");
  }
});
