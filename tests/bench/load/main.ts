/**
 * `lbsim bench` against wrk, on the same nginx, in turns: requests per second of one generator on one core, its
 * CPU time per request, and the latencies that both report. wrk has only closed loops, so both run one. It
 * installs nothing. Linux.
 *
 * Answers at once show how fast a generator is; their latency is mostly the time that the generator itself takes for
 * its other connections. Answers after ten milliseconds fix the load, so both should report the same latency.
 *
 * `--rounds 3`, `--seconds 3`, `--json FILE`.
 */
import { parseArgs } from "node:util";
import { runFlags } from "../../../packaging/flags.ts";
import { PATHS, startBackends } from "../peers/backends.ts";
import { isInstalled, run } from "../peers/process.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    json: { type: "string" },
  },
});

for (const program of ["wrk", "nginx", "taskset"]) {
  if (await isInstalled(program)) continue;
  console.error(`bench:load needs ${program} (Debian: wrk, nginx, util-linux)`);
  Deno.exit(1);
}

const ROOT = new URL("../../../", import.meta.url).pathname;
/** The requested paths, and the number of connections. */
const LOADS = [
  { path: PATHS.small, connections: 32 },
  { path: PATHS.small, connections: 4 },
  { path: PATHS.delayed, connections: 32 },
] as const;
/** The cores of the server and of the generator. */
const [SERVER_CORE, GENERATOR_CORE] = ["0", "1"];

/** The measurements of a generator. */
interface Measured {
  readonly requests_per_s: number;
  readonly cpu_us_per_request: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

type Load = typeof LOADS[number];

/** A load generator: runs a closed loop. */
type Generator = (port: number, load: Load) => Promise<Measured>;

const GENERATORS: Readonly<Record<string, Generator>> = {
  async wrk(port, { path, connections }) {
    const script = new URL("wrk_latency.lua", import.meta.url).pathname;
    const command = ["wrk", "-t1", `-c${connections}`, `-d${options.seconds}s`, "-s", script];
    const { stdout, cpuSeconds } = await timed([...command, urlOf(port, path)]);
    const { requests, seconds, p50_us, p99_us } = JSON.parse(stdout.trim().split("\n").at(-1)!);
    return {
      requests_per_s: requests / seconds,
      cpu_us_per_request: cpuSeconds * 1e6 / requests,
      p50_ms: p50_us / 1000,
      p99_ms: p99_us / 1000,
    };
  },
  async lbsim(port, { path, connections }) {
    const command = [Deno.execPath(), "run", ...runFlags(), `${ROOT}main.ts`, "bench"];
    const load = ["--closed", `${connections}`, "--duration", `${options.seconds}s`];
    const { stdout } = await timed([
      ...[...command, `127.0.0.1:${port}`, "--http", path],
      ...[...load, "--json"],
    ]);
    const { answers_per_s, processors, latency_ms } = JSON.parse(stdout);
    return {
      requests_per_s: answers_per_s,
      // This leaves out the CPU time of the program's start, which does not matter in a longer run.
      cpu_us_per_request: processors * 1e6 / answers_per_s,
      p50_ms: latency_ms.corrected.p50,
      p99_ms: latency_ms.corrected.p99,
    };
  },
};

const directory = await Deno.makeTempDir({ prefix: "lbsim-load-" });
await Deno.chmod(directory, 0o755);
const port = freePort();
const server = await startBackends([port], directory);
try {
  await pin(port);
  const rows: Row[] = [];
  for (const load of LOADS) {
    const rounds: Record<string, Measured[]> = {};
    for (let round = 0; round < Number(options.rounds); round++) {
      for (const [name, generator] of Object.entries(GENERATORS)) {
        (rounds[name] ??= []).push(await generator(port, load));
      }
    }
    for (const [name, all] of Object.entries(rounds)) rows.push({ load, name, all });
  }
  console.log(table(rows));
  if (options.json !== undefined) {
    await Deno.writeTextFile(options.json, JSON.stringify(rows, null, 2));
  }
} finally {
  await server.stop();
  await Deno.remove(directory, { recursive: true });
}

/** Runs a generator on its core. Its CPU time includes its start. */
async function timed(command: readonly string[]) {
  const pinned = ["taskset", "-c", GENERATOR_CORE!, ...command];
  const quoted = pinned.map((word) => `'${word}'`).join(" ");
  const script = `TIMEFORMAT='cpu %U %S'; time ${quoted}`;
  const { ok, stdout, stderr } = await run(["bash", "-c", script]);
  if (!ok) throw new Error(stderr);
  const [, user, system] = /cpu ([\d.]+) ([\d.]+)/.exec(stderr)!;
  return { stdout, cpuSeconds: Number(user) + Number(system) };
}

/** Puts the server's processes on a core of their own. */
async function pin(port: number): Promise<void> {
  const { stdout } = await run(["pgrep", "-f", `nginx.*${directory}`]);
  const { stdout: workers } = await run(["pgrep", "-P", stdout.trim().split("\n").join(",")]);
  for (const pid of `${stdout}\n${workers}`.split("\n").filter((line) => line !== "")) {
    await run(["taskset", "-cp", SERVER_CORE!, pid]);
  }
  await fetch(urlOf(port, PATHS.small)).then((response) => response.text());
}

function urlOf(port: number, path: string): string {
  return `http://127.0.0.1:${port}${path}`;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

interface Row {
  readonly load: Load;
  readonly name: string;
  readonly all: readonly Measured[];
}

/** The median of each number, with the smallest and the largest, which show the error. */
function table(rows: readonly Row[]): string {
  const columns = ["requests_per_s", "cpu_us_per_request", "p50_ms", "p99_ms"] as const;
  const cells = rows.map(({ load: { path, connections }, name, all }) => [
    path,
    `${connections}`,
    name,
    ...columns.map((column) => {
      const sorted = all.map((measured) => measured[column]).toSorted((a, b) => a - b);
      const [low, middle, high] = [0, sorted.length >> 1, sorted.length - 1]
        .map((i) => sorted[i]!.toPrecision(3));
      return `${Number(middle)} (${Number(low)} – ${Number(high)})`;
    }),
  ]);
  const all = [["path", "connections", "generator", ...columns], ...cells];
  const widths = all[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  return all.map((row) => row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd())
    .join("\n");
}
