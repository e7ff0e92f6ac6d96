import { PATHS } from "./backends.ts";
import { type Process, run } from "./process.ts";

/** A kind of traffic, and the unit of work for its cost. */
export interface Workload {
  readonly name: string;
  /** The unit of the cost that is shown, and the factor from seconds or bytes to this unit. */
  readonly cost: { readonly unit: string; readonly scale: number };
  /** The largest acceptable ratio to HAProxy, or, for memory, the largest acceptable cost. */
  readonly wanted: { readonly ratio: number } | { readonly cost: number };
  /** Whether each run needs a new process. */
  readonly fresh: boolean;
  /** Sends the traffic through a proxy, and returns the cost per unit of work: CPU seconds, or bytes of memory. */
  measure(proxy: Process, port: number, size: Size): Promise<number>;
}

/** The amount of the traffic. */
export interface Size {
  readonly seconds: number;
  readonly idleConnections: number;
  /** The wait after the last connection was opened, until the memory no longer changes. */
  readonly settleMs: number;
}

const CONNECTIONS = 32;
const BULK_CONNECTIONS = 4;
const MICRO = 1e6;
const KIB = 1024;
const GIB = 1024 ** 3;

export const WORKLOADS: readonly Workload[] = [
  {
    name: "kept-alive",
    cost: { unit: "µs CPU/request", scale: MICRO },
    wanted: { ratio: 1.15 },
    fresh: false,
    measure: (proxy, port, { seconds }) =>
      cpuPer("requests", proxy, [`-c${CONNECTIONS}`, `-d${seconds}s`, url(port, PATHS.small)]),
  },
  {
    name: "short",
    cost: { unit: "µs CPU/connection", scale: MICRO },
    wanted: { ratio: 1.4 },
    fresh: false,
    measure: (proxy, port, { seconds }) =>
      cpuPer("requests", proxy, [
        `-c${CONNECTIONS}`,
        `-d${seconds}s`,
        "-HConnection: close",
        url(port, PATHS.small),
      ]),
  },
  {
    name: "bulk",
    cost: { unit: "s CPU/GiB", scale: GIB },
    wanted: { ratio: 0.85 },
    fresh: false,
    measure: (proxy, port, { seconds }) =>
      cpuPer("bytes", proxy, [
        `-c${BULK_CONNECTIONS}`,
        `-d${seconds}s`,
        // Such a large answer may take long, and this is not an error.
        "--timeout=30s",
        url(port, PATHS.bulk),
      ]),
  },
  {
    name: "idle",
    cost: { unit: "KiB/connection", scale: 1 / KIB },
    wanted: { cost: 8 * KIB },
    fresh: true,
    measure: memoryPer,
  },
];

/** The report of wrk at its end, as `wrk_report.lua` writes it. */
interface WrkReport {
  readonly requests: number;
  readonly bytes: number;
  readonly errors: number;
}

async function cpuPer(
  unit: "requests" | "bytes",
  proxy: Process,
  args: readonly string[],
): Promise<number> {
  const before = await proxy.cpuSeconds();
  const { ok, stdout, stderr } = await run(["wrk", "-t1", "-s", beside("wrk_report.lua"), ...args]);
  const used = await proxy.cpuSeconds() - before;
  if (!ok) throw new Error(`wrk failed: ${stderr || stdout}`);
  const report = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as WrkReport;
  if (report[unit] === 0) throw new Error("nothing was answered");
  // The end of wrk may cut off its last requests. More errors show that the proxy fails.
  if (report.errors > report.requests / 1000) throw new Error(`wrk saw ${report.errors} errors`);
  return used / report[unit];
}

async function memoryPer(proxy: Process, port: number, size: Size): Promise<number> {
  const { idleConnections: connections, settleMs } = size;
  const before = await proxy.residentBytes();
  const clients = new Deno.Command("sh", {
    args: [
      "-c",
      'ulimit -n "$(ulimit -H -n)"; exec "$@"',
      "sh",
      Deno.execPath(),
      "run",
      "--allow-net=127.0.0.1",
      beside("idle_clients.ts"),
      `${port}`,
      `${connections}`,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = clients.stdout.getReader();
  try {
    const { value } = await reader.read();
    const { answered } = JSON.parse(new TextDecoder().decode(value)) as { answered: number };
    if (answered < connections) throw new Error(`only ${answered} of ${connections} were answered`);
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    return (await proxy.residentBytes() - before) / connections;
  } finally {
    await clients.stdin.close();
    await reader.cancel();
    await clients.status;
  }
}

function url(port: number, path: string): string {
  return `http://127.0.0.1:${port}${path}`;
}

function beside(name: string): string {
  return new URL(name, import.meta.url).pathname;
}
