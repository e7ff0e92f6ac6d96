/** The command line as a table of cases: the arguments, the output and the exit code. */
import assert from "node:assert/strict";
import { formatAddress, parseAddress } from "../../lib/base/address.ts";
import { writeAll } from "../../lib/base/mod.ts";
import { addressOf, lbsim, RunningLbsim } from "../support/process.ts";
import { eventually, readAll, TestServer } from "../support/sockets.ts";

const VALID = `
listen: 127.0.0.1:0
admin: {listen: off}
backends:
  - {id: B1, address: 127.0.0.1:1}
timeouts: {drain: 200ms}
`;

interface Case {
  readonly name: string;
  /** The content of the file CONFIG in `args`. */
  readonly config?: string;
  readonly args: readonly string[];
  readonly stdin?: string;
  readonly code: 0 | 1 | 2;
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
}

const CASES: readonly Case[] = [
  { name: "--help", args: ["--help"], code: 0, stdout: /Commands:[\s\S]*\blb\b[\s\S]*\bup\b/ },
  { name: "help lb", args: ["help", "lb"], code: 0, stdout: /--algorithm/ },
  ...[
    "lb",
    "backend",
    "client",
    "bench",
    "up",
    "check",
    "init",
    "demo",
    "live",
    "compare",
    "calibrate",
    "sim",
  ]
    .map((
      command,
    ): Case => ({
      name: `${command} --help`,
      args: [command, "--help"],
      code: 0,
      stdout: new RegExp(`Usage: lbsim ${command}`),
    })),
  {
    name: "a simulation of the shipped config",
    args: ["sim", "--set", "duration=5s", "--replications", "3"],
    code: 0,
    stdout: /variant +mean ms[^]*power-of-two[^]*(beats|cannot be told apart)/,
  },
  {
    name: "a scenario whose expectation does not hold",
    args: ["sim", "--set", "duration=2s", "--replications", "2", "--set", "expect=[mean_ms < 1]"],
    code: 1,
    stdout: /✗ random: mean_ms < 1 \(measured: /,
  },
  {
    name: "a simulation as JSON",
    args: ["sim", "--json", "--set", "duration=2s", "--replications", "2", "--seed", "7"],
    code: 0,
    stdout:
      /^{"lbsim":"[\d.]+",.*"seed":7,"digest":"[0-9a-f]{64}","variants":\[{"name":"round-robin",.*"p999":{"value":.*"paired":\[.*"wall_s":[\d.]+,"events_per_s":[\d.]+}\n$/,
  },
  {
    name: "a simulation as CSV",
    args: ["sim", "--csv", "--set", "duration=2s", "--replications", "2"],
    code: 0,
    stdout: /^variant,balancer\.algorithm,replications,.*\nround-robin,round-robin,2,/,
  },
  ...[["sim"], ["sim", "merge", "deno.json"]].map((command): Case => ({
    name: `${command.join(" ")} in two formats`,
    args: [...command, "--json", "--csv"],
    code: 2,
    stderr: /^lbsim: --json and --csv: use only one of them\n$/,
  })),
  {
    name: "a scenario whose expectation is not checked",
    args: [
      ...["sim", "--set", "duration=2s", "--replications", "2", "--set", "expect=[mean_ms < 1]"],
      "--no-expect",
    ],
    code: 0,
    stdout: /^(?![^]*✗)[^]*digest/,
  },
  {
    name: "sim --html with a directory",
    args: ["sim", "--set", "duration=1s", "--replications", "1", "--html", "docs"],
    code: 1,
    stderr: /^lbsim: --html docs: it is a directory: name a file in it\n$/,
  },
  {
    name: "init with a directory",
    args: ["init", "docs"],
    code: 1,
    stderr: /^lbsim: docs: cannot be written: it is a directory: name a file in it\n$/,
  },
  ...[["lb", "--config"], ["up", "-c"], ["explain", "-c"], ["backend", "-c"]].map((args): Case => ({
    name: `${args.join(" ")} with an empty name`,
    args: [...args, ""],
    code: 2,
    stderr: /^lbsim: --config "": it must be the name of a file\n/,
  })),
  {
    name: "a flag without its value",
    args: ["lb", "-c"],
    code: 2,
    stderr: /^lbsim: --config needs a value: --config <file>\n/,
  },
  {
    name: "arguments that a command does not take",
    args: ["lb", "a", "b"],
    code: 2,
    stderr: /^lbsim: lb takes no arguments, but got: a, b\n/,
  },
  {
    name: "sim --shard with --html",
    args: ["sim", "--shard", "1/2", "--html", "page.html"],
    code: 2,
    stderr: /^lbsim: --shard prints a part of the result as JSON: use --html with `sim merge`\n$/,
  },
  {
    name: "a backend without a name",
    args: ["backend", "127.0.0.1:0", "--id", ""],
    code: 2,
    stderr: /^lbsim: --id "": it must be a name of letters/,
  },
  {
    name: "a backend at an unknown host name",
    args: ["backend", "backend.invalid:9000"],
    code: 1,
    stderr: /^lbsim: cannot listen on backend\.invalid:9000: the name is unknown; is /,
  },
  {
    name: "bench without a load",
    args: ["bench", "127.0.0.1:1"],
    code: 2,
    stderr: /^lbsim: the load is missing: use one of these flags: --rate, .*\n {2}lbsim bench /,
  },
  {
    name: "bench with two kinds of load",
    args: ["bench", "127.0.0.1:1", "--rate", "5", "--closed", "2"],
    code: 2,
    stderr: /^lbsim: --rate and --closed: use only one of them\n/,
  },
  {
    name: "bench of an address where nothing listens",
    args: ["bench", "127.0.0.1:1", "--rate", "5"],
    code: 1,
    stderr: /^lbsim: nothing listens on 127\.0\.0\.1:1\n$/,
  },
  {
    name: "bench from an address of another machine",
    args: ["bench", "127.0.0.1:1", "--rate", "5", "--from", "203.0.113.0/24"],
    code: 2,
    stderr: /^lbsim: --from: 203\.0\.113\.1 is not an address of this machine\n {2}it has /,
  },
  {
    name: "arrivals of an unknown kind",
    args: ["bench", "127.0.0.1:1", "--arrivals", "{poison: 5/s}"],
    code: 2,
    stderr: /--arrivals:2:[^]*poison[^]*poisson/,
  },
  {
    name: "sim merge without files",
    args: ["sim", "merge"],
    code: 2,
    stderr: /^lbsim: the argument <files> is missing\n {2}--help/,
  },
  {
    name: "help that shows defaults with their units, and no empty defaults",
    args: ["client", "--help"],
    code: 0,
    stdout: /^(?![^]*default: (false|\d+\)))[^]*default: 5s/,
  },
  {
    name: "an unknown algorithm in explain",
    args: ["explain", "-a", "maglevv"],
    code: 2,
    stderr: /^lbsim: unknown --algorithm "maglevv"\n {2}did you mean "maglev"\?\n$/,
  },
  {
    name: "an unknown log level",
    args: ["lb", "--log-level", "loud"],
    code: 2,
    stderr: /^lbsim: unknown --log-level "loud"\n {2}one of: debug, info, warning, error\n$/,
  },
  {
    name: "the help of sim merge, which lists its own options once, and no others of sim",
    args: ["sim", "merge", "--help"],
    code: 0,
    stdout: /^(?![^]*--json[^]*--json)(?![^]*--selftest)[^]*--json[^]*--version/,
  },
  {
    name: "sim merge of a file that is not a shard",
    args: ["sim", "merge", "deno.json"],
    code: 2,
    stderr: /^lbsim: deno\.json: was not written by `lbsim sim --shard`\n$/,
  },
  {
    name: "sim merge of a file that does not exist",
    args: ["sim", "merge", "part1.json"],
    code: 2,
    stderr:
      /^lbsim: part1\.json: there is no such file\n {2}name the files with the output of each --shard\n$/,
  },
  {
    name: "a shard of a study that ends when it is precise enough",
    args: ["sim", "--shard", "1/2", "--set", "precision={}"],
    code: 2,
    stderr: /known only at the end\n {2}use --replications/,
  },
  {
    name: "a wrong setting",
    args: ["sim", "--set", "workload.arrivals.rate=900"],
    code: 2,
    stderr: /^lbsim: --set workload\.arrivals\.rate=900: .*900 has no unit: write 900\/s\n$/,
  },
  {
    name: "a scenario that does not exist",
    args: ["sim", "nowhere.yaml"],
    code: 2,
    stderr: /^lbsim: nowhere\.yaml: there is no such file\n {2}name a scenario/,
  },
  {
    name: "a shard with a number above the number of shards",
    args: ["sim", "--shard", "4/3"],
    code: 2,
    stderr: /^lbsim: --shard 4\/3: it must be like 3\/10, which means the third of ten parts\n/,
  },
  { name: "--version", args: ["--version"], code: 0, stdout: /^\d+\.\d+\.\d+\n$/ },
  { name: "shell completions", args: ["complete", "bash"], code: 0, stdout: /lbsim/ },
  { name: "no arguments", args: [], code: 2, stderr: /Usage: lbsim/ },
  {
    name: "an unknown subcommand",
    args: ["clent"],
    code: 2,
    stderr: /^lbsim: unknown command "clent"\n {2}did you mean client\?\n/,
  },
  {
    name: "help of an unknown subcommand",
    args: ["help", "clent"],
    code: 2,
    stderr: /^lbsim: unknown command "clent"\n {2}did you mean "client"\?\n$/,
  },
  {
    name: "an unknown flag",
    args: ["lb", "--listn", "x"],
    code: 2,
    stderr: /^lbsim: unknown option "--listn"\n {2}did you mean --listen\?\n/,
  },
  {
    name: "an unknown algorithm",
    args: ["lb", "-a", "round-robbin"],
    code: 2,
    stderr: /^lbsim: unknown --algorithm "round-robbin"\n {2}did you mean "round-robin"\?\n$/,
  },
  {
    name: "a duration without a unit",
    args: ["demo", "--duration", "20"],
    code: 2,
    stderr: /^lbsim: --duration 20: 20 has no unit: write 20ms, 20s or 20m\n/,
  },
  {
    name: "a demo that is too short",
    args: ["demo", "--duration", "1s"],
    code: 2,
    stderr: /too short/,
  },
  {
    name: "a config that does not exist",
    args: ["check", "nowhere.yaml"],
    code: 2,
    stderr: /^lbsim: nowhere\.yaml: there is no such file/,
  },
  { name: "a config that is a directory", args: ["check", "/"], code: 2, stderr: /is a directory/ },
  {
    name: "check of the shipped config",
    args: ["check"],
    code: 0,
    stdout: /config\.yaml is valid/,
  },
  { name: "check --json", args: ["check", "--json"], code: 0, stdout: /"valid":true/ },
  {
    name: "an address that this machine does not have",
    args: ["lb"],
    code: 1,
    stderr:
      /config\.yaml:\d+:9: this machine does not have the address 192\.168\.1\.10\n.*\n +\| +\^+/,
  },
  {
    name: "up on a machine that has no address of the config",
    args: ["up"],
    code: 1,
    stderr:
      /no address in config\.yaml belongs to this machine\n.*127\.0\.0\.1.*192\.168\.1\.10:8000/,
  },
  {
    name: "a client of an address where nothing listens",
    args: ["client", "127.0.0.1:1", "hi"],
    code: 1,
    stderr: /no answer to "hi": nothing listens on 127\.0\.0\.1:1/,
  },
  {
    name: "a client without an address",
    args: ["client"],
    code: 2,
    stderr: /an address to connect to is missing/,
  },
  {
    name: "a client with an address without a port",
    args: ["client", "localhost"],
    code: 2,
    stderr: /the port is missing: write localhost:8000/,
  },
  {
    name: "a backend that is not in the config",
    args: ["backend", "--config", "config.yaml", "--id", "B9"],
    code: 2,
    stderr: /has no backend "B9"\n.*B1, B2, B3/,
  },
  {
    name: "a backend on an address that this machine does not have",
    args: ["backend", "192.168.250.250:9000"],
    code: 1,
    stderr: /^lbsim: cannot listen on 192\.168\.250\.250:9000: this machine has no address/,
  },
  {
    name: "an explanation",
    args: ["explain", "--state", "B1=down", "--client", "10.0.0.7"],
    code: 0,
    stdout:
      /^10\.0\.0\.7 goes to B[23]: .*\n\nbackend +weight +in flight +score\nB1 .*not available: down/,
  },
  {
    name: "an explanation as JSON",
    args: ["explain", "-a", "least-connections", "--state", "B1=3,B2=1,B3=2", "--json"],
    code: 0,
    stdout: /"backend":"B2","rule":.*"score":2/,
  },
  {
    name: "an explanation with the state of an unknown backend",
    args: ["explain", "--state", "B9=down"],
    code: 2,
    stderr: /there is no backend "B9"\n {2}did you mean "B1"\?/,
  },
  {
    name: "an explanation of a client whose address is not allowed",
    config: `${VALID}allow: [10.0.0.0/8]\n`,
    args: ["explain", "-c", "CONFIG", "--client", "192.168.1.50"],
    code: 0,
    stdout: /^192\.168\.1\.50 gets no backend: address not allowed\n\n.*\nB1 +1 +0 +-\n/,
  },
  {
    name: "an explanation of states that no client could cause",
    config: `backends: [{id: B1, address: 127.0.0.1:1, weight: 0}, {id: B2, address: 127.0.0.1:2}]
allow: [10.0.0.0/8]
`,
    args: ["explain", "-c", "CONFIG", "--client", "10.0.0.7", "--state", "B1=3,B2=2"],
    code: 0,
    stdout: /^10\.0\.0\.7 goes to B2: .*\nB1 +0 +3 .*weight 0\nB2 +1 +2 /s,
  },
  {
    name: "an explanation for a client that is not an IP address",
    args: ["explain", "--client", "foo"],
    code: 2,
    stderr: /--client: "foo" is not an IP address\n {2}write it like 192/,
  },
  {
    name: "check --json of a file with mistakes",
    config: "backends: [{id: B1, address: 10.0.0.1:80, wieght: 2}]\nqueue: {}\n",
    args: ["check", "CONFIG", "--json"],
    code: 2,
    stdout:
      /"valid":false,"diagnostics":\[\{.*wieght.*"line":1,"column":43\},\{.*"line":2,"column":1\}/,
  },
  {
    name: "sections without effect, and impossible times",
    config: `${VALID}queue: {}
proxy_protocol: {}
ejection: {base: 10m}
allow: [10.0.0.1, 10.0.0.2]
deny: [10.0.0.2]
limits: {per_client: {}}
`,
    args: ["check", "CONFIG"],
    code: 2,
    stderr: new RegExp(
      [
        ...["7:1: queue does nothing", "8:1: proxy_protocol does nothing"],
        ...["9:18: ejection.base \\(10m\\) is longer than its max \\(5m\\)"],
        ...["11:8: 10.0.0.2 is also on the list allow", "12:10: limits.per_client does nothing"],
      ].join(".*"),
      "s",
    ),
  },
  {
    name: "weight 0 of all backends",
    config: `backends:
  - {id: B1, address: 127.0.0.1:1, weight: 0}
  - {id: B2, address: 127.0.0.1:2, weight: 0, backup: true}
`,
    args: ["check", "CONFIG"],
    code: 2,
    stderr: /:2:3: every backend has weight 0: no backend would get a client\n/,
  },
  {
    name: "a primary of weight 0 with a backup",
    config: `backends:
  - {id: B1, address: 127.0.0.1:9001, weight: 0}
  - {id: B2, address: 127.0.0.1:9002, backup: true}
`,
    args: ["check", "CONFIG"],
    code: 0,
    stdout: /is valid\.[^]* backends +B1 .*weight 0 +0\.0 %\n +B2 .*backup/,
  },
  ...["first-available", "{name: first-available}"].map((algorithm): Case => ({
    name: `a slow start that ${algorithm} ignores`,
    config: `${VALID}algorithm: ${algorithm}\nslow_start: {}\n`,
    args: ["check", "CONFIG"],
    code: 2,
    stderr: /:8:1: slow_start does nothing: first-available does not use weights\n/,
  })),
  {
    name: "a slow start that join-idle-queue mostly ignores",
    config: `${VALID}algorithm: join-idle-queue\nslow_start: {}\n`,
    args: ["check", "CONFIG"],
    code: 0,
    stdout:
      /slow start .* in 30s\n +but an idle backend gets the next client, whatever its weight\n/,
  },
  {
    name: "an ejection that can never happen",
    config: `${VALID}ejection: {}\n`,
    args: ["check", "CONFIG"],
    code: 2,
    stderr: /:7:1: ejection does nothing: 50% of 1 backend is less than one\n[^]*at least 100%/,
  },
  {
    name: "an explanation with two states of one backend",
    args: ["explain", "--state", "B1=2,B1=down"],
    code: 2,
    stderr: /--state: B1 appears twice/,
  },
  {
    name: "a key that appears twice, after one without a value",
    config: `${VALID}tls:\nsticky: {}\nsticky: {}\n`,
    args: ["check", "CONFIG"],
    code: 2,
    stderr: /:9:1: "sticky" appears twice\n {2}9 \| sticky: \{\}\n {4}\| \^{6}\n/,
  },
  {
    name: "an explanation with an unknown state",
    args: ["explain", "--state", "B1=tired"],
    code: 2,
    stderr: /"B1=tired" is not a state of a backend/,
  },
];

const ROOT = `${import.meta.dirname}/../../`;

for (const { name, config, args, stdin, code, stdout, stderr } of CASES) {
  Deno.test(`lbsim exits with ${code} for ${name}`, async () => {
    const file = config && await Deno.makeTempFile({ suffix: ".yaml" });
    if (file) await Deno.writeTextFile(file, config);
    const given = args.map((arg) => arg === "CONFIG" ? file! : arg);
    const outcome = await lbsim(given, { cwd: ROOT, ...stdin !== undefined && { stdin } });
    if (file) await Deno.remove(file);
    assert.equal(outcome.code, code, outcome.stderr + outcome.stdout);
    if (stdout !== undefined) assert.match(outcome.stdout, stdout);
    if (stderr !== undefined) assert.match(outcome.stderr, stderr);
    assert.doesNotMatch(outcome.stdout + outcome.stderr, /^\s+at .*:\d+:\d+/m, "no stack trace");
    assert.doesNotMatch(outcome.stderr, /defect/);
  });
}

/** Runs a test in a directory with this config.yaml. */
async function withConfig(text: string, run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/config.yaml`, text);
    await run(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("lbsim client sends the lines of its standard input and prints the answers", async () => {
  await using backend = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "P1"]);
  const address = await addressOf(backend);
  const { code, stdout } = await lbsim(["client", address], { stdin: "one\ntwo\nthree" });
  assert.equal(code, 0);
  assert.equal(stdout, "Hello from P1: one\nHello from P1: two\nHello from P1: three\n");
});

Deno.test("lbsim lb says that a port is in use, in one line, and exits with 1", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await withConfig(VALID, async (cwd) => {
    const listen = `127.0.0.1:${taken.addr.port}`;
    const { code, stderr } = await lbsim(["lb", "--listen", listen], { cwd });
    assert.equal(code, 1);
    assert.match(
      stderr,
      new RegExp(`^lbsim: cannot listen on ${listen}: port .* is in use[^\\n]*\\n$`),
    );
  });
});

Deno.test("lbsim lb and explain check the algorithm of a flag as if the file named it", async () => {
  const slow = `${VALID}slow_start: {duration: 20s}\n`;
  const many = Array.from(
    { length: 110 },
    (_, i) => `  - {id: B${i}, address: 127.0.0.1:${i + 1}, weight: 256}\n`,
  );
  const heavy = `backends:\n${many.join("")}`;
  for (
    const [text, algorithm, message, hint] of [
      [
        slow,
        "first-available",
        "slow_start does nothing: first-available does not use weights",
        "remove it",
      ],
      [heavy, "ring-hash", "160 points for each of", "at most"],
    ] as const
  ) {
    await withConfig(text, async (cwd) => {
      assert.equal((await lbsim(["explain"], { cwd })).code, 0);
      for (const role of ["lb", "explain"]) {
        const { code, stderr } = await lbsim([role, "--algorithm", algorithm], { cwd });
        assert.equal(code, 2, stderr);
        const [first = "", second = ""] = stderr.split("\n");
        assert.ok(first.startsWith(`lbsim: --algorithm ${algorithm}: ${message}`), stderr);
        assert.ok(second.includes(hint), stderr);
      }
    });
  }
});

Deno.test("lbsim lb shows every mistake of a config at once, and exits with 2", async () => {
  const text =
    "listen: 1.2.3.4\nalgoritm: random\nbackends:\n  - {id: B1, address: 10.0.0.1:99999}\n";
  await withConfig(text, async (cwd) => {
    const { code, stderr } = await lbsim(["lb"], { cwd });
    assert.equal(code, 2);
    assert.match(stderr, /config\.yaml:1:9: .*port is missing/);
    assert.match(
      stderr,
      /config\.yaml:2:1: unknown key "algoritm"[\s\S]*did you mean "algorithm"\?/,
    );
    assert.match(stderr, /config\.yaml:4:23: .*99999 is out of range/);
  });
});

/** A test that sends lbsim a signal. On Windows, a signal ends a process at once. */
function signalTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os === "windows", fn });
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  signalTest(
    `lbsim lb stops on ${signal}: it drains, closes the remaining connections, and logs their number`,
    async () => {
      await using backend = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "B1"]);
      const text = VALID.replace("127.0.0.1:1}", `${await addressOf(backend)}}`);
      await withConfig(text, async (cwd) => {
        await using lb = new RunningLbsim(["lb"], { cwd });
        const [hostname, port] = (await addressOf(lb)).split(":");
        using client = await Deno.connect({ hostname: hostname!, port: Number(port) });
        await client.write(new TextEncoder().encode("hi\n"));
        await client.read(new Uint8Array(100));
        lb.kill(signal);
        await lb.line((line) => line.includes("1 open connection may finish within 200ms"));
        assert.equal(await lb.ended(), 0);
        assert.ok(lb.records.some(({ event, closed }) => event === "stopped" && closed === 1));
      });
    },
  );
}

/** A probe that takes longer than any test: it ends only if it is cancelled. */
const SLOW_PROBE = "health_check: {type: expect, expect: never, interval: 300s, timeout: 300s}\n";

signalTest("lbsim lb stops at once during its first probes", async () => {
  await using silent = new TestServer(async (connection) => void await readAll(connection));
  const text = VALID.replace("127.0.0.1:1}", `${formatAddress(silent.address)}}`) + SLOW_PROBE;
  await withConfig(text, async (cwd) => {
    await using lb = new RunningLbsim(["lb"], { cwd });
    await eventually(() => silent.accepted === 1, "the backend is probed");
    lb.kill("SIGINT");
    assert.equal(await lb.ended(), 0);
    assert.deepEqual(lb.records.map(({ event }) => event), ["run_started", "stopped"]);
  });
});

Deno.test("lbsim lb applies changes of its config that were made during its first probes", async () => {
  const { promise: edited, resolve: letGo } = Promise.withResolvers<void>();
  await using slow = new TestServer(() => edited);
  const text = VALID.replace("127.0.0.1:1}", `${formatAddress(slow.address)}}`) + SLOW_PROBE;
  await withConfig(text, async (cwd) => {
    await using lb = new RunningLbsim(["lb"], { cwd });
    await eventually(() => slow.accepted === 1, "the backend is probed");
    await Deno.writeTextFile(`${cwd}/config.yaml`, `${text}retries: 7\n`);
    letGo();
    await lb.line((line) => line.includes("retries: 3 → 7"));
  });
});

/** Starts a subcommand whose config comes through a pipe, and writes a part of it. lbsim then waits for the rest. */
async function startReading(
  command: string,
  cwd: string,
): Promise<{ lbsim: RunningLbsim; pipe: Deno.FsFile }> {
  const fifo = `${cwd}/fifo`;
  assert.ok((await new Deno.Command("mkfifo", { args: [fifo] }).output()).success);
  // The output of `cat` must not keep that of lbsim open.
  const prefix = ["bash", "-c", 'exec "$@" 3< <(cat fifo 2>/dev/null)', "bash"];
  const lbsim = new RunningLbsim([command, "--config", "/dev/fd/3"], { cwd, prefix });
  const pipe = await Deno.open(fifo, { write: true });
  // The pipes hold less than this, so the write ends only when lbsim reads.
  await writeAll(pipe, new TextEncoder().encode(`# ${"-".repeat(98)}\n`.repeat(5000)));
  return { lbsim, pipe };
}

signalTest(
  "lbsim lb survives a SIGHUP while it reads its config, and then reads it again",
  async () => {
    await withConfig(VALID, async (cwd) => {
      const { lbsim, pipe } = await startReading("lb", cwd);
      await using lb = lbsim;
      {
        using rest = pipe;
        lb.kill("SIGHUP");
        await writeAll(rest, new TextEncoder().encode(VALID));
      }
      await addressOf(lb);
      // The pipe is closed, so it cannot be read again.
      await lb.line((line) => line.includes("reload_failed"));
      lb.kill("SIGTERM");
      assert.equal(await lb.ended(), 0);
    });
  },
);

for (const command of ["lb", "up"]) {
  signalTest(`lbsim ${command} stops while it waits for the rest of its config`, async () => {
    await withConfig(VALID, async (cwd) => {
      const { lbsim, pipe } = await startReading(command, cwd);
      await using running = lbsim;
      using _ = pipe;
      running.kill("SIGTERM");
      assert.equal(await running.ended(), 0);
    });
  });
}

signalTest("lbsim lb stops at once during the probes of a reload", async () => {
  await using silent = new TestServer(async (connection) => void await readAll(connection));
  await withConfig(VALID, async (cwd) => {
    await using lb = new RunningLbsim(["lb"], { cwd });
    await addressOf(lb);
    const text = VALID.replace("127.0.0.1:1}", `${formatAddress(silent.address)}}`) + SLOW_PROBE;
    await Deno.writeTextFile(`${cwd}/config.yaml`, text);
    await eventually(() => silent.accepted === 1, "the backend is probed");
    lb.kill("SIGINT");
    assert.equal(await lb.ended(), 0);
    assert.equal(lb.records.at(-1)!.event, "stopped");
  });
});

signalTest("lbsim lb keeps running when its config is deleted", async () => {
  await withConfig(VALID, async (cwd) => {
    await using lb = new RunningLbsim(["lb"], { cwd });
    await addressOf(lb);
    await Deno.remove(`${cwd}/config.yaml`);
    lb.kill("SIGTERM");
    assert.equal(await lb.ended(), 0);
    await Deno.writeTextFile(`${cwd}/config.yaml`, VALID);
  });
});

signalTest(
  "lbsim lb applies a changed config, rejects an invalid one, and drops no connection",
  async () => {
    await using one = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "B1"]);
    await using two = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "B2"]);
    const [first, second] = [await addressOf(one), await addressOf(two)];
    const text = VALID.replace("127.0.0.1:1}", `${first}}`);
    await withConfig(text, async (cwd) => {
      await using lb = new RunningLbsim(["lb"], { cwd });
      const [hostname, port] = (await addressOf(lb)).split(":");
      const connect = async () => {
        const conn = await Deno.connect({ hostname: hostname!, port: Number(port) });
        return { conn, ask: () => exchange(conn), [Symbol.dispose]: () => conn.close() };
      };
      using before = await connect();
      assert.match(await before.ask(), /Hello from B1/);

      // A new file replaces the old one, as editors do it; no signal is sent.
      await Deno.writeTextFile(
        `${cwd}/new`,
        text.replace(first, second).replace("id: B1", "id: B2").replace("200ms", "300ms"),
      );
      await Deno.rename(`${cwd}/new`, `${cwd}/config.yaml`);
      await lb.line((line) => line.includes("config_reloaded"));
      const { changes } = lb.records.find(({ event }) => event === "config_reloaded")!;
      assert.deepEqual(changes, [
        "backend B1 removed",
        `backend B2 added at ${second}`,
        "timeouts.drain: 200ms → 300ms",
      ]);
      await lb.line((line) => line.includes("backend_up") && line.includes("B2"));
      using after = await connect();
      assert.match(await after.ask(), /Hello from B2/);
      assert.match(await before.ask(), /Hello from B1/);

      await Deno.writeTextFile(`${cwd}/config.yaml`, "backends: 7\n");
      await lb.line((line) => line.includes("reload_failed"));
      const { message } = lb.records.find(({ event }) => event === "reload_failed")!;
      assert.match(String(message), /configuration stays:\nconfig\.yaml:1:11: .*must be a list/);
      assert.match(await after.ask(), /Hello from B2/);
      lb.kill("SIGTERM");
      await lb.line((line) => line.includes("2 open connections may finish within 300ms"));
      await lb.ended();
    });
  },
);

signalTest("lbsim lb reads its config again on SIGHUP, and says what needs a restart", async () => {
  await withConfig(VALID, async (cwd) => {
    await using lb = new RunningLbsim(["lb"], { cwd });
    await addressOf(lb);
    lb.kill("SIGHUP");
    await lb.line((line) => line.includes("nothing changed"));
    await Deno.writeTextFile(
      `${cwd}/config.yaml`,
      `${VALID.replace(/^listen: .*$/m, "listen: 127.0.0.1:9")}retries: 7\n`,
    );
    await lb.line((line) =>
      line.includes("retries: 3 → 7") && line.includes("needs a restart: listen")
    );
    lb.kill("SIGTERM");
    assert.equal(await lb.ended(), 0);
  });
});

signalTest("lbsim does not wait for a FIFO beside its config, or in place of it", async () => {
  await withConfig(VALID, async (cwd) => {
    const fifo = `${cwd}/fifo`;
    await using lb = new RunningLbsim(["lb"], { cwd });
    await addressOf(lb);
    assert.ok((await new Deno.Command("mkfifo", { args: [fifo] }).output()).success);
    await Deno.writeTextFile(`${cwd}/config.yaml`, `${VALID}retries: 7\n`);
    await lb.line((line) => line.includes("retries: 3 → 7"));

    const noFile = /: is a pipe, a device or a socket, not a file$/;
    await using check = new RunningLbsim(["check", "fifo"], { cwd });
    await check.line((line) => noFile.test(line));
    assert.equal(await check.ended(), 2);

    await Deno.rename(fifo, `${cwd}/config.yaml`);
    await lb.line((line) => line.includes("reload_failed"));
    assert.match(String(lb.records.find(({ event }) => event === "reload_failed")!.reason), noFile);
    lb.kill("SIGTERM");
    assert.equal(await lb.ended(), 0);
  });
});

async function exchange(conn: Deno.Conn): Promise<string> {
  await conn.write(new TextEncoder().encode("hi\n"));
  const buffer = new Uint8Array(100);
  return new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
}

signalTest("lbsim lb logs connections and status, unless the config turns them off", async () => {
  await using backend = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "B1"]);
  const base = VALID.replace("127.0.0.1:1}", `${await addressOf(backend)}}`);
  for (const connections of [true, false]) {
    const text = `${base}log: {connections: ${connections}, status_interval: 100ms}\n`;
    await withConfig(text, async (cwd) => {
      await using lb = new RunningLbsim(["lb"], { cwd });
      const address = await addressOf(lb);
      await lbsim(["client", address, "hi"]);
      await lb.line((line) =>
        line.includes('"event":"status"') && line.includes('"connections":1')
      );
      lb.kill("SIGTERM");
      await lb.ended();
      const logged = lb.records.some(({ event }) => event === "connection_opened");
      assert.equal(logged, connections);
      const { message, refused, ...totals } = lb.records.find(({ event }) => event === "totals")!;
      assert.equal(message, "totals: 1 connection (B1 1)");
      assert.deepEqual(totals.connections_by_backend, { B1: 1 });
      assert.deepEqual(refused, {});
    });
  }
});

signalTest("lbsim lb --no-log-connections logs no connection", async () => {
  await using backend = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "B1"]);
  const config = VALID.replace("127.0.0.1:1}", `${await addressOf(backend)}}`);
  await withConfig(config, async (cwd) => {
    await using lb = new RunningLbsim(["lb", "--no-log-connections"], { cwd });
    await lbsim(["client", await addressOf(lb), "hi"]);
    lb.kill("SIGTERM");
    assert.equal(await lb.ended(), 0);
    assert.ok(!lb.records.some(({ event }) => String(event).startsWith("connection_")));
    assert.equal(lb.records.find(({ event }) => event === "totals")!.connections, 1);
  });
});

signalTest("lbsim backend prints its totals at the end", async () => {
  await using backend = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "B1"]);
  const address = await addressOf(backend);
  await lbsim(["client", address, "a", "b", "c"]);
  await lbsim(["client", address, "d"]);
  backend.kill("SIGTERM");
  assert.equal(await backend.ended(), 0);
  assert.equal(backend.lines.at(-1), "B1 stopped: 2 connections, 4 requests, 0 failed");
});

signalTest("lbsim backend --log-level debug logs each request", async () => {
  await using backend = new RunningLbsim([
    ...["backend", "127.0.0.1:0", "--id", "B1", "--log-level", "debug"],
  ]);
  await lbsim(["client", await addressOf(backend), "a b"]);
  await backend.line((line) =>
    /^[\d:.]+ debug {3}B1 answered "a b" from 127\.0\.0\.1:\d+ in \d+\.\d ms$/.test(line)
  );
  backend.kill("SIGTERM");
  assert.equal(await backend.ended(), 0);
});

signalTest(
  "lbsim up logs the requests of its backends at debug, and their totals at stop",
  async () => {
    const config = `${VALID}log: {level: debug}\n`.replace("127.0.0.1:1}", "127.0.0.1:PORT}");
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    await withConfig(config.replace("PORT", `${port}`), async (cwd) => {
      await using up = new RunningLbsim(["up"], { cwd });
      await lbsim(["client", await addressOf(up), "hi"]);
      await up.line((line) => line.includes(`B1 answered \\"hi\\"`));
      up.kill("SIGTERM");
      assert.equal(await up.ended(), 0);
      assert.match(
        String(up.records.at(-1)!.message),
        /^B1 stopped: \d+ connections?, \d+ request/,
      );
    });
  },
);

signalTest("lbsim lb --log-format pretty writes sentences and no JSON", async () => {
  await withConfig(VALID, async (cwd) => {
    await using lb = new RunningLbsim(["lb", "--log-format", "pretty"], { cwd });
    await lb.line((line) =>
      /^\d\d:\d\d:\d\d\.\d{3} warning B1 is down after 1 failed probe/.test(line)
    );
    lb.kill("SIGTERM");
    assert.equal(await lb.ended(), 0);
  });
});

Deno.test("lbsim demo prints each step and exits with 0", async () => {
  const { code, stdout } = await lbsim(["demo", "--duration", "4s"]);
  assert.equal(code, 0, stdout);
  for (
    const part of [
      "B2 is stopped",
      "marked as down",
      "marked as up",
      "gets connections again",
      "detection",
    ]
  ) {
    assert.ok(stdout.includes(part), `${part}: ${stdout}`);
  }
});

Deno.test("lbsim demo --json prints one object with units", async () => {
  const { code, stdout } = await lbsim([
    "demo",
    "--duration",
    "4s",
    "--json",
    "-a",
    "power-of-two",
  ]);
  assert.equal(code, 0, stdout);
  const summary = JSON.parse(stdout);
  assert.equal(summary.ok, true);
  assert.equal(summary.algorithm, "power-of-two");
  assert.ok(summary.detection_ms > 0 && summary.detection_ms <= summary.detection_bound_ms);
  assert.ok(summary.failback_ms > 0 && summary.failback_ms <= summary.failback_bound_ms);
  assert.equal(summary.client_errors, summary.client_errors_unavoidable);
});

signalTest("lbsim demo ends at Ctrl-C without an error message, with exit code 130", async () => {
  await using demo = new RunningLbsim(["demo"]);
  await demo.line((line) => line.includes("first answer"));
  demo.kill("SIGINT");
  assert.equal(await demo.ended(), 130);
  assert.ok(demo.lines.some((line) => line.includes("ended early")));
});

signalTest("lbsim demo --hold keeps balancer, backends and dashboard until Ctrl-C", async () => {
  await using demo = new RunningLbsim(["demo", "--duration", "4s", "--hold"]);
  await demo.line((line) => line.includes("the dashboard keep running"));
  const found = (pattern: RegExp) =>
    demo.lines.map((line) => pattern.exec(line)?.[1]).find((text) => text !== undefined)!;
  const url = found(/dashboard: (\S+)/);
  const response = await fetch(`${url}/api/backends/B3/fault`, {
    method: "PUT",
    headers: {
      "Authorization": `Bearer ${found(/token: (\S+)/)}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({ kind: { slow: 5 } }),
  });
  assert.equal((await response.json()).faults[0].fault, "slow 5x");
  demo.kill("SIGINT");
  assert.ok([0, 1].includes(await demo.ended()));
});

signalTest(
  "lbsim backend waits for the rest of a request when it stops, but not after a second signal",
  async () => {
    await using backend = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "B1"]);
    const { host, port } = parseAddress(await addressOf(backend));
    using client = await Deno.connect({ hostname: host, port });
    await client.write(new TextEncoder().encode("a\n"));
    await client.read(new Uint8Array(100));
    using half = await Deno.connect({ hostname: host, port });
    await half.write(new TextEncoder().encode("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    backend.kill("SIGTERM");
    // The close of the idle connection shows that the first signal has arrived.
    assert.equal(await client.read(new Uint8Array(100)), null);
    backend.kill("SIGTERM");
    assert.equal(await backend.ended(), 0);
    assert.equal(await half.read(new Uint8Array(100)).catch(() => null), null);
  },
);
