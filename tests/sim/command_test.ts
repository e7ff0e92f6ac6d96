import assert from "node:assert/strict";
import type { Io } from "../../lib/cli/io.ts";
import { UserError } from "../../lib/base/user_error.ts";
import { simCommand } from "../../sim/command.ts";

const MAIN = new URL("../../main.ts", import.meta.url).href;

const SCENARIO = `
balancer: {backends: 2}
duration: 2s
replications: 2
`;

/** Runs `lbsim sim` in this process, on a terminal that keeps its output. */
async function sim(args: readonly string[], signal = new AbortController().signal) {
  const out: string[] = [];
  const status: (string | undefined)[] = [];
  let exitCode = 0;
  const io: Io = {
    out: (line) => out.push(line),
    print: (text) => out.push(text),
    err: (line) => out.push(line),
    log: { out: (line) => out.push(line), stdoutIsTerminal: true, color: false },
    status: (line) => status.push(line),
    written: () => Promise.resolve(),
    stdoutIsTerminal: true,
    stdinIsTerminal: true,
    color: false,
    columns: 80,
    setExitCode: (code) => exitCode = code,
    signal,
    hurry: signal,
  };
  await simCommand(io, MAIN).exitOverride().parseAsync([...args], { from: "user" });
  return { out, status, exitCode };
}

/** Calls `run` with a scenario in a directory of its own. */
async function withScenario(text: string, run: (directory: string, file: string) => Promise<void>) {
  const directory = await Deno.makeTempDir();
  const file = `${directory}/scenario.yaml`;
  try {
    await Deno.writeTextFile(file, text);
    await run(directory, file);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("lbsim sim that is stopped ends with the message that there is no result", async () => {
  await withScenario(`${SCENARIO}compare: {duration: [900h]}\n`, async (_directory, file) => {
    const stopping = new AbortController();
    const running = sim([file, "--jobs", "1"], stopping.signal);
    setTimeout(() => stopping.abort());
    await assert.rejects(running, /^UserError: stopped before the end: there is no result$/);
  });
});

Deno.test("lbsim sim says what is wrong with a scenario whose run would never end", async () => {
  const endless = "workload: {arrivals: {closed: {clients: 9, think: 0s}}}\n" +
    "servers: {default: {queue: 1}}\n";
  await withScenario(SCENARIO + endless, async (_directory, file) => {
    await assert.rejects(sim([file, "--jobs", "1"]), (error) => {
      assert.ok(error instanceof UserError && error.exitCode === 2);
      assert.match(error.message, /virtual time does not advance/);
      assert.match(error.hint!, /set a longer `think` time/);
      return true;
    });
  });
});

Deno.test("lbsim sim reads the files that a scenario names from the scenario's directory", async () => {
  const text = "extends: lb.yaml\nduration: 10s\nreplications: 2\n" +
    "workload: {arrivals: {trace: visits.csv}}\nwarmup: 0s\n";
  await withScenario(text, async (directory, file) => {
    await Deno.writeTextFile(`${directory}/visits.csv`, "at\n1\n2\n3\n");
    const config = "backends: [{id: web, address: 10.0.0.1:80}]\n";
    await Deno.writeTextFile(`${directory}/lb.yaml`, config);
    const { out } = await sim([file, "--json"]);
    const { variants: [variant] } = JSON.parse(out[0]!);
    assert.deepEqual([variant.offered, variant.backends[0].id], [6, "web"]);
  });
});

Deno.test("lbsim sim --no-timing prints the same bytes, on one thread, on two, and in parts", async () => {
  await withScenario(SCENARIO, async (directory, file) => {
    const print = async (...args: string[]) => (await sim([...args, "--no-timing", "--json"])).out;
    const one = await print(file, "--jobs", "1");
    assert.deepEqual(await print(file, "--jobs", "2"), one);
    const parts = await Promise.all(["1/2", "2/2"].map(async (part, i) => {
      const { out } = await sim([file, "--shard", part]);
      await Deno.writeTextFile(`${directory}/${i}.json`, out[0]!);
      return `${directory}/${i}.json`;
    }));
    assert.deepEqual(await print("merge", ...parts), one);
    assert.notDeepEqual(await print(file, "--seed", "2"), one);
  });
});

Deno.test("lbsim sim sets the exit code to 1 when an expectation does not hold", async () => {
  await withScenario(`${SCENARIO}expect: ["mean_ms < 1us"]\n`, async (_directory, file) => {
    assert.equal((await sim([file])).exitCode, 1);
    assert.equal((await sim([file, "--set", "expect=[mean_ms > 1us]"])).exitCode, 0);
  });
});

Deno.test({
  name: "lbsim sim --html writes a page, and fails with a message if it cannot write it",
  // The plotting library leaves a timer of 16 ms behind, which does nothing. So this test is the last.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await withScenario(SCENARIO, async (directory, file) => {
      const { out } = await sim([file, "--html", `${directory}/report.html`]);
      assert.ok(out.includes(`report written to ${directory}/report.html`));
      const page = await Deno.readTextFile(`${directory}/report.html`);
      assert.match(page, /^<!doctype html>[^]*<svg[^]*<\/html>\n$/);
      assert.ok(page.includes(`lbsim sim ${file}`));
      await assert.rejects(
        sim([file, "--html", `${directory}/no/report.html`]),
        /^UserError: --html .*no\/report\.html: its directory does not exist$/,
      );
    });
  },
});
