import assert from "node:assert/strict";
import { NS_PER_US } from "../../lib/base/mod.ts";
import { type Calibrate, calibrateCommand } from "../../live/calibrate_command.ts";
import { withOverheads } from "../../live/with_overheads.ts";
import { ioFor } from "../support/io.ts";
import { lbsim } from "../support/process.ts";

const OVERHEADS = {
  connect: 231 * NS_PER_US,
  relayConnection: 697 * NS_PER_US,
  relayRequest: 428 * NS_PER_US,
};

/** Measurements that take no time. */
const measured: Calibrate = () =>
  Promise.resolve({
    overheads: OVERHEADS,
    timerLateness: { p50: 0, p99: 0 },
    timeoutLateness: 0,
  });

const CASES: readonly (readonly [what: string, before: string, after: string])[] = [
  [
    "adds the block at the end, and keeps comments and layout",
    "# a lesson\nbalancer: {backends: 3}   # three\nduration:   10s\n# the end\n",
    "# a lesson\nbalancer: {backends: 3}   # three\nduration:   10s\n# the end\n\n" +
    "overheads:\n  connect: 231us\n  relay_connection: 697us\n  relay_request: 428us\n",
  ],
  [
    "adds a line end that is missing",
    "balancer: {backends: 3}",
    "balancer: {backends: 3}\n\n" +
    "overheads:\n  connect: 231us\n  relay_connection: 697us\n  relay_request: 428us\n",
  ],
  [
    "keeps the line ends of Windows",
    "balancer: {backends: 3}\r\n",
    "balancer: {backends: 3}\r\n\r\n" +
    "overheads:\r\n  connect: 231us\r\n  relay_connection: 697us\r\n  relay_request: 428us\r\n",
  ],
  [
    "replaces the values of an old block in their places",
    "overheads:\n    relay_request: 1ms # of May\n    # a laptop\n    connect: 0.2ms\n" +
    "    relay_connection: 2ms\nbalancer: {backends: 3}\n",
    "overheads:\n    relay_request: 428us # of May\n    # a laptop\n    connect: 231us\n" +
    "    relay_connection: 697us\nbalancer: {backends: 3}\n",
  ],
  [
    "replaces the values of a block in one line",
    "overheads: {connect: 1ms, relay_connection: '1ms', relay_request: 3us}\nbalancer: {backends: 3}\n",
    "overheads: {connect: 231us, relay_connection: 697us, relay_request: 428us}\nbalancer: {backends: 3}\n",
  ],
  [
    "adds keys that an old block does not have",
    "overheads:\n  # measured\n  connect: 1ms # slow\nbalancer: {backends: 3} # three\n",
    "overheads:\n  # measured\n  connect: 231us # slow\n  relay_connection: 697us\n" +
    "  relay_request: 428us\nbalancer: {backends: 3} # three\n",
  ],
  [
    "adds the keys to a scenario in one line",
    "{balancer: {backends: 3}, duration: 5s}\n",
    "{balancer: {backends: 3}, duration: 5s, " +
    "overheads: {connect: 231us, relay_connection: 697us, relay_request: 428us}}\n",
  ],
  [
    "does not add the block to a text at the end of the file",
    "balancer: {backends: 3}\ntitle: |+\n  a text\n",
    "balancer: {backends: 3}\ntitle: |\n  a text\n" +
    "overheads:\n  connect: 231us\n  relay_connection: 697us\n  relay_request: 428us\n",
  ],
];

for (const [what, before, after] of CASES) {
  Deno.test(`withOverheads() ${what}`, () => {
    assert.equal(withOverheads(before, OVERHEADS).text, after);
    assert.equal(withOverheads(after, OVERHEADS).text, after, "a second time changes nothing");
  });
}

/** Runs the command on a file with this text. */
async function write(text: string, ...flags: string[]) {
  const directory = await Deno.makeTempDir();
  const file = `${directory}/scenario.yaml`;
  try {
    await Deno.writeTextFile(file, text, { mode: 0o640 });
    const out: string[] = [];
    let failure: Error | undefined;
    let measurements = 0;
    const measure: Calibrate = (signal, progress) => {
      measurements++;
      return measured(signal, progress);
    };
    await calibrateCommand(ioFor(out), measure).exitOverride()
      .parseAsync(["--write", file, ...flags], { from: "user" })
      .catch((error) => failure = error);
    const left = [...Deno.readDirSync(directory)].map(({ name }) => name);
    const { mode } = await Deno.stat(file);
    return {
      ...{ out, failure, measurements, left, mode: mode! & 0o777, file },
      text: await Deno.readTextFile(file),
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const SCENARIO = "# mine\nbalancer: {backends: 3}\noverheads: {connect: 1ms}\n";

Deno.test("calibrate --write writes the measured keys, and prints what it changed", async () => {
  const { text, out, left, mode, file, failure } = await write(SCENARIO);
  assert.equal(failure, undefined);
  assert.match(text, /^# mine\nbalancer: .*connect: 231us, relay_connection: 697us/s);
  assert.deepEqual(out, [
    `wrote ${file}:`,
    "  overheads.connect: 1ms → 231us",
    "  overheads.relay_connection: not set → 697us",
    "  overheads.relay_request: not set → 428us",
  ]);
  assert.deepEqual(left, ["scenario.yaml"], "no other file is left");
  assert.equal(mode, 0o640, "the file keeps its permissions");
});

Deno.test("calibrate --write --json prints the measurements and the changes as one object", async () => {
  const { out, file } = await write(SCENARIO, "--json");
  const result = JSON.parse(out.join("\n"));
  assert.equal(result.connect_ms, 0.231);
  assert.equal(result.file, file);
  assert.equal(result.changes.length, 3);
});

const WRONG: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ["a mistake", "balancer: {backends: 3}\nduraton: 5s\n", /unknown key "duraton"/],
  [
    "the configuration of a balancer",
    "listen: 127.0.0.1:8000\nbackends: [{id: B1, address: 127.0.0.1:9001}]\n",
    /is the configuration of a balancer, not a scenario/,
  ],
  ["no YAML", "balancer: {backends: [3\n", /scenario\.yaml/],
  ["nothing", "", /no settings/],
  ["a list", "- 1\n", /scenario\.yaml/],
];

for (const [what, text, says] of WRONG) {
  Deno.test(`calibrate --write refuses a file with ${what} before it measures`, async () => {
    const result = await write(text);
    assert.match(String(result.failure?.message), says);
    assert.equal(result.measurements, 0);
    assert.equal(result.text, text);
  });
}

Deno.test("calibrate --write names a file that does not exist", async () => {
  const { code, stderr } = await lbsim(["calibrate", "--write", "/nowhere/scenario.yaml"]);
  assert.equal(code, 2);
  assert.match(stderr, /\/nowhere\/scenario\.yaml: there is no such file/);
});

Deno.test("calibrate --write writes through a symbolic link", {
  ignore: Deno.build.os === "windows",
}, async () => {
  const directory = await Deno.makeTempDir();
  try {
    const [real, link] = [`${directory}/scenario.yaml`, `${directory}/link.yaml`];
    await Deno.writeTextFile(real, SCENARIO);
    await Deno.symlink(real, link);
    await calibrateCommand(ioFor([]), measured).exitOverride()
      .parseAsync(["--write", link], { from: "user" });
    assert.match(await Deno.readTextFile(real), /relay_request: 428us/);
    assert.ok((await Deno.lstat(link)).isSymlink);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
