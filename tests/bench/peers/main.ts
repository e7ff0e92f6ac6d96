/**
 * The cost of relaying: compares lbsim with other balancers on this machine, in CPU seconds and resident bytes of the
 * proxy's process per unit of work. All peers are measured in turns, so that other work of the machine affects all of
 * them equally. It installs nothing, and names the peers that are missing. Linux.
 *
 * All of it takes less than four minutes. Flags: `--quick` (less of everything, under a minute), `--only
 * lbsim,haproxy`, `--workloads short,idle`, `--rounds 3`, `--seconds 1`, `--json FILE`.
 */
import { parseArgs } from "node:util";
import { startBackends } from "./backends.ts";
import { type Peer, PEERS } from "./peers.ts";
import { descriptorLimit, isInstalled, listening, Process } from "./process.ts";
import { type Size, type Workload, WORKLOADS } from "./workloads.ts";

const BACKENDS = 3;
const BASELINE = "haproxy";
const IDLE_CONNECTIONS = 10_000;
/** Descriptors that a proxy needs for itself. */
const SPARE_DESCRIPTORS = 200;
const WARM_UP_SECONDS = 2;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    workloads: { type: "string" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    json: { type: "string" },
  },
});

/** A cost of a peer under a workload: one number for each round, in CPU seconds or bytes. */
interface Result {
  readonly peer: Peer;
  readonly workload: Workload;
  readonly costs: number[];
  /** Why later rounds have no number. */
  problem?: string;
}

/** A peer that takes part, with a port of its own. */
interface Contestant {
  readonly peer: Peer;
  readonly port: number;
  readonly command: readonly string[];
  process: Process;
}

/** The peers that take part in a workload. */
function inWorkload<T extends { readonly peer: Peer }>(all: readonly T[], name: string): T[] {
  return all.filter(({ peer }) => peer.against?.workloads.test(name) ?? true);
}

if (!await isInstalled("wrk")) {
  console.error("bench:peers needs wrk for the load (Debian: apt-get install wrk)");
  Deno.exit(1);
}

const rounds = Number(options.rounds ?? (options.quick ? 1 : 3));
const size: Size = {
  seconds: Number(options.seconds ?? 1),
  idleConnections: await affordableConnections(),
  settleMs: options.quick ? 1000 : 1500,
};
const workloads = chosen(WORKLOADS, options.workloads);
const directory = await Deno.makeTempDir({ prefix: "lbsim-peers-" });
// If root starts a server, its workers run as another user.
await Deno.chmod(directory, 0o755);
const running = new Set<Process>();
try {
  const results = await contest(await present(chosen(PEERS, options.only)));
  console.log(`\n${table(results)}`);
  if (options.json !== undefined) await Deno.writeTextFile(options.json, json(results));
} finally {
  await Promise.all([...running].map((process) => process.stop()));
  await Deno.remove(directory, { recursive: true });
}

async function contest(peers: readonly Peer[]): Promise<Result[]> {
  const [backendPorts, ports] = freePorts(BACKENDS, peers.length);
  running.add(await startBackends(backendPorts, await subdirectory("backends")));
  const contestants: Contestant[] = [];
  for (const [i, peer] of peers.entries()) {
    const port = ports[i]!;
    const folder = await subdirectory(peer.name);
    const command = await peer.command(port, backendPorts, folder);
    try {
      contestants.push({ peer, port, command, process: await start(command, port) });
      if (peer.beside !== undefined) running.add(new Process(await peer.beside(folder)));
    } catch (error) {
      console.log(`skipped ${peer.name}: ${(error as Error).message}`);
    }
  }
  const results: Result[] = [];
  for (const workload of workloads) {
    const present = inWorkload(contestants, workload.name);
    const rows = present.map(({ peer }) => ({ peer, workload, costs: [] }));
    results.push(...rows);
    await inTurns(workload, present, rows);
  }
  return results;
}

/** Measures every peer once in each round. */
async function inTurns(
  workload: Workload,
  contestants: readonly Contestant[],
  rows: readonly Result[],
): Promise<void> {
  if (!workload.fresh) {
    // One peer after the other: the warm-up of a peer must not depend on the number of peers.
    for (const { peer, process, port } of contestants) {
      progress(`${workload.name} warm-up ${peer.name}`);
      // An error of the warm-up comes again in the measurement, which reports it.
      await workload.measure(process, port, { ...size, seconds: WARM_UP_SECONDS }).catch(() => {});
    }
  }
  // A fresh process takes as much memory in every round.
  const count = workload.fresh ? 1 : rounds;
  for (let round = 1; round <= count; round++) {
    for (const [i, contestant] of contestants.entries()) {
      const row = rows[i]!;
      if (row.problem !== undefined) continue;
      progress(`${workload.name} ${round}/${count} ${row.peer.name}`);
      if (workload.fresh) await restart(contestant);
      try {
        row.costs.push(await workload.measure(contestant.process, contestant.port, size));
      } catch (error) {
        row.problem = (error as Error).message;
      }
    }
    progress("");
    console.log(`${workload.name} ${round}/${count}, ${roundLine(rows, workload)}`);
  }
}

/** `µs CPU/connection: lbsim 45.1, haproxy 33.0`: the measurements of this round. */
function roundLine(rows: readonly Result[], { cost }: Workload): string {
  const measured = rows.map(({ peer, costs, problem }) =>
    problem === undefined
      ? `${peer.name} ${(costs.at(-1)! * cost.scale).toPrecision(3)}`
      : `${peer.name} failed`
  );
  return `${cost.unit}: ${measured.join(", ")}`;
}

/** Shows the current step, if there is a terminal. */
function progress(text: string): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

/** Unused ports, as two lists. */
function freePorts(first: number, second: number): readonly [number[], number[]] {
  const listeners = Array.from(
    { length: first + second },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map(({ addr }) => addr.port);
  listeners.forEach((listener) => listener.close());
  return [ports.slice(0, first), ports.slice(first)];
}

async function start(command: readonly string[], port: number): Promise<Process> {
  const process = new Process(command);
  running.add(process);
  await Promise.race([listening(port), process.ended()]);
  return process;
}

async function restart(contestant: Contestant): Promise<void> {
  await contestant.process.stop();
  running.delete(contestant.process);
  contestant.process = await start(contestant.command, contestant.port);
}

async function subdirectory(name: string): Promise<string> {
  const path = `${directory}/${name}`;
  await Deno.mkdir(path);
  return path;
}

/** The peers that can take part. Prints the others, with the reason. */
async function present(peers: readonly Peer[]): Promise<Peer[]> {
  const found: Peer[] = [];
  for (const peer of peers) {
    const reason = await peer.missing();
    if (reason === undefined) found.push(peer);
    else console.log(`skipped ${peer.name}: ${reason}`);
  }
  console.log(`found ${found.map(({ name }) => name).join(", ")}`);
  return found;
}

/** A connection takes two descriptors of the proxy. */
async function affordableConnections(): Promise<number> {
  const affordable = Math.floor((await descriptorLimit() - SPARE_DESCRIPTORS) / 2);
  if (affordable >= IDLE_CONNECTIONS) return IDLE_CONNECTIONS;
  console.log(`only ${affordable} idle connections: ulimit -H -n allows no more`);
  return affordable;
}

function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  names: string | undefined,
): readonly T[] {
  if (names === undefined) return all;
  return names.split(",").map((name) => {
    const found = all.find((candidate) => candidate.name === name);
    if (found !== undefined) return found;
    console.error(`there is no ${name}: choose from ${all.map((one) => one.name).join(", ")}`);
    Deno.exit(2);
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The name of the peer with whose costs the costs of this peer are compared. */
function baselineOf({ against }: Peer): string {
  return against?.peer ?? BASELINE;
}

/**
 * The median over the rounds of the ratio to the baseline's cost in the same round; undefined if one of the two was not
 * measured.
 */
function ratio(result: Result, results: readonly Result[]): number | undefined {
  const wanted = baselineOf(result.peer);
  const baseline = results.find(({ peer, workload }) =>
    peer.name === wanted && workload === result.workload
  );
  const ratios = result.costs.flatMap((cost, round) => {
    const base = baseline?.costs[round];
    return base === undefined ? [] : [cost / base];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

/** The cost that a peer should not exceed; empty if there is no such limit. */
function wantedOf({ peer, workload: { wanted, cost } }: Result): string {
  if (peer.against !== undefined) return `≤ ${peer.against.ratio} × ${peer.against.peer}`;
  if (peer.name !== "lbsim") return "";
  return "ratio" in wanted
    ? `≤ ${wanted.ratio} × ${BASELINE}`
    : `≤ ${wanted.cost * cost.scale} ${cost.unit}`;
}

function table(results: readonly Result[]): string {
  const rows = results.map((result) => {
    const { peer, workload, costs, problem } = result;
    const cost = `${(median(costs) * workload.cost.scale).toPrecision(3)} ${workload.cost.unit}`;
    const measured = costs.length === 0
      ? `failed: ${problem}`
      : problem === undefined
      ? cost
      : `${cost}, then failed: ${problem}`;
    const times = ratio(result, results);
    return [
      workload.name,
      peer.name,
      measured,
      times === undefined
        ? ""
        : `${times.toFixed(peer.against === undefined ? 2 : 3)} × ${baselineOf(peer)}`,
      wantedOf(result),
    ];
  });
  return aligned([["workload", "peer", "cost (median)", "ratio", "wanted"], ...rows]);
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd())
    .join("\n");
}

function json(results: readonly Result[]): string {
  const rows = results.map((result) => ({
    workload: result.workload.name,
    peer: result.peer.name,
    unit: result.workload.cost.unit,
    costs: result.costs.map((cost) => cost * result.workload.cost.scale),
    median: result.costs.length === 0 ? null : median(result.costs) * result.workload.cost.scale,
    baseline: baselineOf(result.peer),
    ratio: ratio(result, results) ?? null,
    problem: result.problem ?? null,
  }));
  return `${
    JSON.stringify(
      { rounds, seconds: size.seconds, idle_connections: size.idleConnections, rows },
      null,
      2,
    )
  }\n`;
}
