/** `lbsim live --network netem` without netem itself, because the kernels of many test machines do not have it. */
import assert from "node:assert/strict";
import { loadStudy } from "../../lib/files/load_study.ts";
import { type NetemMachine, runInNamespaces, thisMachine } from "../../live/netem.ts";
import { ioFor } from "../support/io.ts";
import { eventually } from "../support/sockets.ts";
import { whyNoLan } from "./network.ts";

const reason = await whyNoLan();
if (reason !== undefined) console.log(`skipped: netem: ${reason}`);

/**
 * This machine, as if its kernel had netem: commands for netem are not run, but added to `noted`.
 */
async function withoutDelay(noted: string[]): Promise<NetemMachine> {
  const machine = await thisMachine();
  return {
    ...machine,
    run: (command) => {
      if (!command.includes("netem")) return machine.run(command);
      noted.push(command.join(" "));
      return Promise.resolve("");
    },
  };
}

async function namespaces(): Promise<string[]> {
  const { run } = await thisMachine();
  const prefix = `lbsim-netem-${Deno.pid}`;
  return (await run(["netns", "list"])).split("\n").filter((line) => line.startsWith(prefix));
}

/** The numbers of the namespaces. */
const BALANCER = 1;
const CLIENTS = 2;

/**
 * The processes of lbsim in a namespace; none if it is not there. While a namespace is made, commands of `ip` are in
 * it for a moment.
 */
async function pidsOf(namespace: number): Promise<number[]> {
  const { run } = await thisMachine();
  const text = await run(["netns", "pids", `lbsim-netem-${Deno.pid}-${namespace}`]).catch(() => "");
  const pids = text.split("\n").filter((line) => line !== "").map(Number);
  const words = await Promise.all(pids.map(commandOf));
  return pids.filter((_, i) => words[i]!.includes("main.ts"));
}

/** The command line of a process; empty if it has ended. Deno itself reads /proc only with all permissions. */
async function commandOf(pid: number): Promise<string> {
  const { stdout } = await new Deno.Command("cat", {
    args: [`/proc/${pid}/cmdline`],
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test({
  name: "lbsim live --network netem runs a scenario in namespaces, and removes them",
  ignore: reason !== undefined,
  async fn(t) {
    const folder = await Deno.makeTempDir({ prefix: "lbsim-netem-" });
    const [file, page] = [`${folder}/scenario.yaml`, `${folder}/page.html`];
    const scenario = (duration: string) => `
balancer: {backends: 2, algorithm: round-robin, health_check: {interval: 200ms, timeout: 150ms, rise: 1}}
duration: ${duration}
warmup: 200ms
network: {latency: 1ms}
workload: {arrivals: {poisson: 20/s}}
service: 5ms
`;
    try {
      await t.step(
        "namespaces of a killed run are removed, those of another run stay",
        async () => {
          const { run } = await thisMachine();
          // No process has the number 99999999.
          const [killed, running] = ["lbsim-netem-99999999-0", `lbsim-netem-${Deno.ppid}-0`];
          for (const name of [killed, running]) await run(["netns", "add", name]);
          try {
            await Deno.writeTextFile(file, scenario("500ms"));
            const args = ["live", file, "--network", "netem", "--json"];
            const study = await loadStudy(file, ["replications=1"]);
            await runInNamespaces(ioFor([]), study, args, await withoutDelay([]));
            const present = await run(["netns", "list"]);
            assert.ok(!present.includes(killed), present);
            assert.ok(present.includes(running), present);
          } finally {
            for (const name of [killed, running]) await run(["netns", "del", name]).catch(() => {});
          }
        },
      );

      await t.step("the client writes the result of lbsim live", async () => {
        await Deno.writeTextFile(file, scenario("2s"));
        const noted: string[] = [];
        const args = ["live", file, "--network", "netem", "--html", page, "--no-expect"];
        const study = await loadStudy(file, ["replications=1"]);
        const code = await runInNamespaces(ioFor([]), study, args, await withoutDelay(noted));
        assert.equal(code, 0);
        assert.match(await Deno.readTextFile(page), /round-robin/);
        assert.equal(noted.filter((line) => line.includes("delay 1000us")).length, 6);
        assert.deepEqual(await namespaces(), []);
      });

      const start = async (signal: AbortSignal) => {
        await Deno.writeTextFile(file, scenario("60s"));
        const study = await loadStudy(file, ["replications=1"]);
        const args = ["live", file, "--network", "netem", "--json"];
        const io = ioFor([], { signal });
        const running = runInNamespaces(io, study, args, await withoutDelay([]));
        // A failure during the wait must not count as unhandled: the test awaits it later.
        running.catch(() => {});
        await eventually(async () => (await pidsOf(CLIENTS)).length > 0, "the client runs");
        return { running };
      };

      await t.step("Ctrl-C ends the run, and no namespace remains", async () => {
        const stop = new AbortController();
        const { running } = await start(stop.signal);
        stop.abort();
        assert.equal(await running, 130);
        assert.deepEqual(await namespaces(), []);
      });

      await t.step(
        "if the balancer ends, the run fails with this reason, and no namespace remains",
        async () => {
          const { running } = await start(new AbortController().signal);
          for (const pid of await pidsOf(BALANCER)) Deno.kill(pid, "SIGKILL");
          await assert.rejects(running, /the balancer has ended/);
          assert.deepEqual(await namespaces(), []);
        },
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
