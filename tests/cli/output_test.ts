/** lbsim as a process whose output has a reader that stops reading, ends, or has no room; and signals. */
import assert from "node:assert/strict";
import { formatAddress, parseAddress } from "../../lib/base/address.ts";
import { writeConfig } from "../support/folder.ts";
import { addressOf, RunningLbsim } from "../support/process.ts";
import { ask, echo, eventually, freePort, say, TestServer } from "../support/sockets.ts";

/** Windows does not have these signals, FIFOs and terminals. */
const ignore = Deno.build.os === "windows";
/** `script`, which runs a command on a terminal, has other arguments on other systems. */
const noTerminal = Deno.build.os !== "linux";

function testOnTerminal(name: string, fn: () => Promise<void>): void {
  Deno.test(name, { ignore: noTerminal }, fn);
}

const ENDS_WITHIN_MS = 60_000;

/** A directory, in it a configuration with one backend, and a FIFO. */
async function lab(more = "") {
  const server = new TestServer(say("B1"));
  const directory = await Deno.makeTempDir();
  await writeConfig(
    directory,
    formatAddress(server.address),
    `health_check: {interval: 1s, timeout: 1s}
timeouts: {drain: 1s}
${more}`,
  );
  await run("mkfifo", `${directory}/fifo`);
  return {
    directory,
    fifo: `${directory}/fifo`,
    config: `${directory}/config.yaml`,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args }).output();
  assert.ok(success, `${program} ${args.join(" ")}`);
}

/** A command that runs lbsim with its standard output in a file. */
function writingTo(file: string): readonly string[] {
  return ["sh", "-c", `exec "$@" > '${file}'`, "sh"];
}

/** A command that runs lbsim on a terminal; its process id comes first. */
const ON_A_TERMINAL = [
  ...["sh", "-c"],
  `exec script -qefc 'echo pid=$$; exec '"$(printf "'%s' " "$@")" /dev/null`,
  "sh",
];

async function endsInTime(process: RunningLbsim): Promise<number> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) =>
    timer = setTimeout(() => reject(new Error("it goes on")), ENDS_WITHIN_MS)
  );
  try {
    return await Promise.race([process.ended(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Connects often enough that the log fills any pipe. Returns how many were answered. */
async function connectOften(address: string, times = 1000): Promise<number> {
  const { host: hostname, port } = parseAddress(address);
  let answered = 0;
  for (let i = 0; i < times; i++) {
    using client = await Deno.connect({ hostname, port });
    if (await client.read(new Uint8Array(16)) !== null) answered++;
  }
  return answered;
}

/** Reads a file until this text has come, and closes it. */
async function readUntil(path: string, text: string): Promise<void> {
  using file = await Deno.open(path, { read: true });
  const buffer = new Uint8Array(4096);
  const decoder = new TextDecoder();
  for (let read = ""; !read.includes(text);) {
    const count = await file.read(buffer);
    assert.ok(count !== null, `${path} ended without "${text}":\n${read}`);
    read += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}

/** Waits until a balancer answers. It may do so although its log cannot be written. */
async function serves(address: string): Promise<void> {
  await eventually(
    () => connectOften(address, 1).then((answered) => answered === 1, () => false),
    "the balancer serves",
  );
}

/** Runs the balancer of a lab at an address that is free now. */
function startBalancer({ config }: { readonly config: string }, prefix: readonly string[]) {
  const listen = `127.0.0.1:${freePort()}`;
  const process = new RunningLbsim(["lb", "-c", config, "-l", listen], { prefix });
  return {
    listen,
    process,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** Stops a balancer, and asserts that it ends without an error. */
async function stop(process: RunningLbsim): Promise<void> {
  process.kill("SIGTERM");
  assert.equal(await endsInTime(process), 0);
}

Deno.test("lbsim lb serves and stops while nothing reads its log", { ignore }, async () => {
  await using world = await lab();
  await using balancer = startBalancer(world, writingTo(world.fifo));
  const { listen, process } = balancer;
  using _reader = await Deno.open(world.fifo, { read: true });
  await serves(listen);
  assert.equal(await connectOften(listen), 1000);
  await stop(process);
  assert.match(process.lines.join(), /^lbsim: \d+ lines of the log not written$/);
});

Deno.test("lbsim lb serves and can be stopped while Ctrl-S has stopped its terminal", {
  ignore: noTerminal,
}, async () => {
  await using world = await lab();
  const listen = `127.0.0.1:${freePort()}`;
  const pidFile = `${world.directory}/pid`;
  const args = ["lb", "-c", world.config, "-l", listen];
  await using terminal = new RunningLbsim(args, {
    prefix: [
      ...["sh", "-c"],
      `(printf '\\023'; exec sleep 30 > /dev/null 2>&1) | exec script -qefc ` +
      `'echo $$ > ${pidFile}; exec '"$(printf "'%s' " "$@")" /dev/null`,
      "sh",
    ],
  });
  await serves(listen);
  assert.equal(await connectOften(listen), 1000);
  assert.deepEqual(terminal.lines, [], "the terminal shows nothing");
  const pid = Number(await Deno.readTextFile(pidFile));
  Deno.kill(pid, "SIGTERM");
  await eventually(() => !isRunning(pid), "the balancer ends");
});

Deno.test("lbsim lb logs how many log lines a slow reader has missed", { ignore }, async () => {
  await using world = await lab();
  await using balancer = startBalancer(world, writingTo(world.fifo));
  const reader = await Deno.open(world.fifo, { read: true });
  const { listen, process } = balancer;
  await serves(listen);
  assert.equal(await connectOften(listen, 4000), 4000);
  const text = new Response(reader.readable).text();
  await stop(process);
  const records = (await text).trimEnd().split("\n").map((line) => JSON.parse(line));
  const missed = records.filter(({ event }) => event === "log_lines_dropped");
  assert.equal(missed.length, 1);
  const connections = records.filter(({ event }) => /^connection_/.test(event));
  assert.ok(missed[0].count + connections.length >= 2 * 4001);
  assert.equal(records.at(-1).event, "stopped");
});

Deno.test(
  "lbsim lb without a terminal stops when its log has no reader any more",
  { ignore },
  async () => {
    await using world = await lab("log: {status_interval: 100ms}\n");
    await using process = new RunningLbsim(["lb", "-c", world.config], {
      prefix: writingTo(world.fifo),
    });
    await readUntil(world.fifo, "listening on");
    assert.equal(await endsInTime(process), 1);
    assert.deepEqual(process.lines, ["lbsim: no program reads the log any more: stopping"]);
  },
);

Deno.test("lbsim lb on a terminal continues when its log has no reader any more", {
  ignore: noTerminal,
}, async () => {
  await using world = await lab("log: {status_interval: 100ms}\n");
  await using balancer = startBalancer(world, [
    ...["sh", "-c"],
    `exec script -qefc 'echo pid=$$; exec '"$(printf "'%s' " "$@")"' > ${world.fifo}' /dev/null`,
    "sh",
  ]);
  const { listen, process } = balancer;
  await readUntil(world.fifo, "listening on");
  await process.line((line) => /no program reads the log any more, so the log ends/.test(line));
  assert.equal(await connectOften(listen, 20), 20);
  Deno.kill(pidOf(process), "SIGTERM");
  assert.equal(await endsInTime(process), 0);
});

testOnTerminal("lbsim lb continues when its log cannot be written", async () => {
  await using world = await lab();
  await using balancer = startBalancer(world, writingTo("/dev/full"));
  const { listen, process } = balancer;
  await process.line((line) => /the log cannot be written \(No space left/.test(line));
  await serves(listen);
  await stop(process);
  assert.match(process.lines.slice(1).join(), /^lbsim: \d+ lines of the log not written$/);
});

Deno.test("lbsim lb writes few lines for many clients that no backend serves", async () => {
  const directory = await Deno.makeTempDir();
  const dead = [1, 2, 3].map((i) => `{id: B${i}, address: "127.0.0.1:${freePort()}"}`);
  await Deno.writeTextFile(
    `${directory}/config.yaml`,
    `listen: 127.0.0.1:0
admin: {listen: off}
backends: [${dead.join(", ")}]
health_check: {type: none}
log: {format: json}
`,
  );
  {
    await using process = new RunningLbsim(["lb", "-c", `${directory}/config.yaml`]);
    const begun = performance.now();
    assert.equal(await connectOften(await addressOf(process), 1000), 0);
    await stop(process);
    const seconds = (performance.now() - begun) / 1000;
    const { records } = process;
    const about = (type: string, event: string) =>
      records.filter((record) => [type, event].includes(String(record.event)));
    const refused = about("connection_refused", "connections_refused");
    const failed = about("connect_failed", "connects_failed");
    const counted = (lines: typeof records) =>
      lines.reduce((sum, { held_back = 1 }) => sum + Number(held_back), 0);
    assert.deepEqual([counted(refused), counted(failed)], [1000, 3000]);
    // Both kinds have a first line, one line for each second that has begun, and one at the end.
    for (const lines of [refused, failed]) assert.ok(lines.length <= seconds + 3);
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("lbsim lb logs connections without a byte at debug only", { ignore }, async () => {
  await using echoes = new TestServer(echo);
  const directory = await Deno.makeTempDir();
  await writeConfig(
    directory,
    formatAddress(echoes.address),
    `log: {format: json}
`,
  );
  for (const level of ["info", "debug"]) {
    await using process = new RunningLbsim([
      ...["lb", "-c", `${directory}/config.yaml`, "--log-level", level],
    ]);
    const address = parseAddress(await addressOf(process));
    for (let i = 0; i < 5; i++) await ask(address);
    await ask(address, "hello");
    await stop(process);
    const of = (event: string) => process.records.filter((record) => record.event === event);
    const closed = of("connection_closed");
    const silent = closed.filter(({ bytes_to_backend }) => bytes_to_backend === 0);
    assert.equal(closed.length, silent.length + 1, "the one that said something is logged");
    assert.equal(of("connection_opened").length, closed.length);
    // Arrivals are logged at debug only.
    assert.equal(of("connection_arrived").length, level === "debug" ? 6 : 0);
    if (level === "debug") assert.equal(silent.length, 5);
    // On a busy machine, such a connection may last so long that it is logged like any other.
    else assert.ok(silent.every(({ duration_ms }) => Number(duration_ms) > 100));
  }
  await Deno.remove(directory, { recursive: true });
});

const SCENARIO =
  "balancer: {backends: 1}\nduration: 1s\nwarmup: 0s\nworkload: {arrivals: {poisson: {rate: 10/s}}}\n" +
  "service: 1ms\n";

Deno.test({
  name: "lbsim prints one clear line if its output could not be written",
  ignore: noTerminal,
  async fn(test) {
    await using world = await lab();
    await Deno.writeTextFile(`${world.directory}/scenario.yaml`, SCENARIO);
    const commands = [
      ["sim", `${world.directory}/scenario.yaml`],
      ["sim", `${world.directory}/scenario.yaml`, "--json"],
      ["check", world.config],
      ["--help"],
      ["--version"],
      ["complete", "bash"],
    ];
    for (const args of commands) {
      await test.step(args.join(" "), async () => {
        await using process = new RunningLbsim(args, { prefix: writingTo("/dev/full") });
        assert.equal(await endsInTime(process), 1);
        assert.deepEqual(process.lines, [
          "lbsim: the output could not be written: No space left on device",
        ]);
      });
    }
  },
});

testOnTerminal("lbsim up ends after a failure, although its log cannot be written", async () => {
  await using world = await lab();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const file = `${world.directory}/up.yaml`;
  await Deno.writeTextFile(
    file,
    `listen: 127.0.0.1:0\nadmin: {listen: off}\nbackends: [{id: B1, address: "127.0.0.1:${taken.addr.port}"}]\n`,
  );
  const prefix = writingTo("/dev/full");
  await using process = new RunningLbsim(["up", "-c", file], { prefix });
  assert.equal(await endsInTime(process), 1);
  assert.match(process.lines.join("\n"), /port \d+ is in use/);
});

Deno.test(
  "lbsim sim waits for the reader of its result, until it gets SIGTERM",
  { ignore },
  async () => {
    await using world = await lab();
    await Deno.writeTextFile(
      `${world.directory}/scenario.yaml`,
      `${SCENARIO}compare: {service: [${Array.from({ length: 60 }, (_, i) => `${i + 1}ms`)}]}\n`,
    );
    const args = ["sim", `${world.directory}/scenario.yaml`, "--json", "--jobs", "1"];
    await using process = new RunningLbsim(args, { prefix: writingTo(world.fifo) });
    using reader = await Deno.open(world.fifo, { read: true });
    assert.equal(await reader.read(new Uint8Array(1)), 1, "the result has begun");
    process.kill("SIGTERM");
    await endsInTime(process);
  },
);

Deno.test("lbsim client sends only what the reader of its output takes", { ignore }, async () => {
  await using world = await lab();
  const answers: number[] = [];
  await using server = new TestServer(async (connection) => {
    const buffer = new Uint8Array(64 * 1024);
    while (await connection.read(buffer) !== null) {
      answers.push(1);
      await connection.write(new TextEncoder().encode(`${"x".repeat(50_000)}\n`));
    }
  });
  const args = ["client", formatAddress(server.address), "hi", "-n", "100000"];
  await using process = new RunningLbsim(args, { prefix: writingTo(world.fifo) });
  using _reader = await Deno.open(world.fifo, { read: true });
  await eventually(() => answers.length > 0, "the client sends");
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(answers.length < 10, `${answers.length} lines were sent`);
  process.kill("SIGTERM");
  await endsInTime(process);
});

Deno.test("lbsim client ends when its answers have no reader any more", { ignore }, async () => {
  await using world = await lab();
  await using backend = new RunningLbsim(["backend", "127.0.0.1:0"]);
  const args = ["client", await addressOf(backend), "hi", "-n", "1000000"];
  await using process = new RunningLbsim(args, { prefix: writingTo(world.fifo) });
  const reader = await Deno.open(world.fifo, { read: true });
  await reader.read(new Uint8Array(1));
  reader.close();
  assert.equal(await endsInTime(process), 1);
  assert.deepEqual(process.lines, []);
});

for (const signal of ["SIGUSR1", "SIGUSR2"] as const) {
  for (const role of ["lb", "backend", "up"]) {
    Deno.test({
      name: `lbsim ${role} continues after ${signal}`,
      ignore,
      async fn() {
        await using world = await lab();
        const args = role === "backend" ? [role, "127.0.0.1:0"] : [role, "-c", world.config];
        if (role === "up") args.splice(1, 2, "-c", await labFile(world.directory));
        await using process = new RunningLbsim(args);
        await addressOf(process);
        // Deno handles SIGUSR1 only half a second after the start.
        await new Promise((resolve) => setTimeout(resolve, 700));
        process.kill(signal);
        await new Promise((resolve) => setTimeout(resolve, 300));
        process.kill("SIGTERM");
        assert.equal(await endsInTime(process), 0);
      },
    });
  }
}

async function labFile(directory: string): Promise<string> {
  const file = `${directory}/up.yaml`;
  await Deno.writeTextFile(
    file,
    `listen: 127.0.0.1:${freePort()}\nadmin: {listen: off}\nbackends: [{id: B1, address: "127.0.0.1:${freePort()}"}]\n`,
  );
  return file;
}

testOnTerminal("lbsim closes the port of the debugger that SIGUSR1 opens", async () => {
  await using world = await lab();
  await using process = new RunningLbsim(["lb", "-c", world.config, "--log-format", "json"], {
    prefix: ["sh", "-c", 'echo "pid=$$"; exec "$@"', "sh"],
  });
  await addressOf(process);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const pid = pidOf(process);
  assert.equal(await listeningPorts(pid), 1);
  process.kill("SIGUSR1");
  // No port opens if another process has the port of the debugger.
  await process.line((line) => line.startsWith("Debugger listening"), 10_000).catch(() => {});
  await eventually(async () => await listeningPorts(pid) === 1, "the port is closed");
});

/** The number of ports on which a process listens. */
async function listeningPorts(pid: number): Promise<number> {
  const table = (await output("cat", "/proc/net/tcp")).split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === "0A").map((columns) => `socket:[${columns[9]}]`);
  const descriptors = await output("ls", "-l", `/proc/${pid}/fd`);
  return table.filter((socket) => descriptors.includes(socket)).length;
}

async function output(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args }).output();
  return new TextDecoder().decode(stdout);
}

function pidOf(process: RunningLbsim): number {
  const line = process.lines.find((line) => line.includes("pid="));
  return Number(/pid=(\d+)/.exec(line ?? "")![1]);
}

function isRunning(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch {
    return false;
  }
}

testOnTerminal("lbsim lb stops when the terminal on which it was started is closed", async () => {
  await using world = await lab();
  await using terminal = new RunningLbsim(["lb", "-c", world.config], { prefix: ON_A_TERMINAL });
  await addressOf(terminal);
  const pid = pidOf(terminal);
  terminal.kill("SIGKILL");
  await eventually(() => !isRunning(pid), "the balancer ends");
});

Deno.test("lbsim lb on a terminal reads its configuration again at a SIGHUP", {
  ignore: noTerminal,
}, async () => {
  await using world = await lab();
  await using terminal = new RunningLbsim(["lb", "-c", world.config], { prefix: ON_A_TERMINAL });
  await addressOf(terminal);
  Deno.kill(pidOf(terminal), "SIGHUP");
  await terminal.line((line) => /configuration read again: nothing changed/.test(line));
  Deno.kill(pidOf(terminal), "SIGTERM");
  assert.equal(await endsInTime(terminal), 0);
});
