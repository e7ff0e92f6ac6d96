/**
 * Measures the cost of a simulation: the engine, with every feature compiled in, against minimal simulations of the
 * same system (in this process, in C, in SimPy). The system is power of two choices over ten single servers at a load
 * of 0.8. All are measured in turns, and the median counts. It installs nothing, and names the programs that are
 * missing. Flags: `--quick`, `--json FILE`.
 */
import { parseArgs } from "node:util";
import { parseStudy } from "../../../lib/scenario/study.ts";
import { type ReadyScenario, simulate } from "../../../sim/mod.ts";
import { WorkerPool } from "../../../sim/threads/workers.ts";
import { EVENTS_PER_REQUEST, minimalLoop } from "./minimal_loop.ts";

const HERE = import.meta.dirname!;
const MAIN = new URL("../../../main.ts", import.meta.url).href;
const SERVERS = 10;
const LOAD = 0.8;

const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, json: { type: "string" } },
});
const ROUNDS = options.quick ? 3 : 7;
const REQUESTS = options.quick ? 300_000 : 1_000_000;

/**
 * The scenario in virtual seconds: service has a mean of one. Which client comes does not matter, as in the minimal
 * loop.
 */
function study(backends: number, connections: number) {
  const text = `
balancer: {backends: ${backends}, algorithm: power-of-two, health_check: {type: none}}
connections: ${connections}
warmup: 0s
replications: 2
workload: {arrivals: {poisson: {load: ${LOAD * 100}%}}, clients: {count: 1}}
service: {exponential: {mean: 1s}}
`;
  return parseStudy({ scenario: { file: "bench", text }, files: {}, set: [] });
}

function scenario(backends: number, connections: number): ReadyScenario {
  return study(backends, connections).variants[0]!.scenario as ReadyScenario;
}

/** The seconds that a function takes. */
function seconds(run: () => void): number {
  const began = performance.now();
  run();
  return (performance.now() - began) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/**
 * The seconds that another program measured itself: the last number of its output. Undefined if the program is not
 * installed.
 */
async function foreign(command: string, args: readonly string[]): Promise<number | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args: [...args],
      stderr: "null",
    }).output();
    return success
      ? Number(new TextDecoder().decode(stdout).trim().split(/\s+/).at(-1))
      : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Compiles the loop in C, if there is a compiler. */
async function compiled(): Promise<string | undefined> {
  const program = await Deno.makeTempFile({ prefix: "lbsim-bench-" });
  for (const compiler of ["cc", "gcc", "clang"]) {
    const args = ["-O2", "-o", program, `${HERE}/minimal_loop.c`, "-lm"];
    try {
      const { success } = await new Deno.Command(compiler, { args, stderr: "null" }).output();
      if (success) return program;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  await Deno.remove(program);
  return undefined;
}

interface Rates {
  readonly engine: number[];
  readonly loop: number[];
  readonly c: number[];
  readonly simpy: number[];
}

/** Measures the requests per second of each simulation, in turns. */
async function rates(): Promise<Rates> {
  const all: Rates = { engine: [], loop: [], c: [], simpy: [] };
  const program = await compiled();
  const few = REQUESTS / 20;
  const ours = scenario(SERVERS, REQUESTS);
  for (let round = 0; round <= ROUNDS; round++) {
    const engine = REQUESTS / seconds(() => simulate(ours, round));
    const loop = REQUESTS / seconds(() => minimalLoop(SERVERS, LOAD, REQUESTS));
    if (round === 0) continue; // In the first round, the engine compiles the code.
    all.engine.push(engine);
    all.loop.push(loop);
    if (program !== undefined) {
      const took = await foreign(program, [SERVERS, LOAD, REQUESTS].map(String));
      if (took !== undefined) all.c.push(REQUESTS / took);
    }
    if (round > 3) continue;
    const took = await foreign("/usr/bin/python3", [
      `${HERE}/simpy_model.py`,
      ...[SERVERS, LOAD, few].map(String),
    ]);
    if (took !== undefined) all.simpy.push(few / took);
  }
  if (program !== undefined) await Deno.remove(program);
  return all;
}

/** The time of an event with a thousand backends, divided by the time with ten. */
function costOfThousand(): number {
  const cost = (backends: number) => {
    const one = scenario(backends, REQUESTS / 2);
    let events = 0;
    const took = seconds(() => events = simulate(one, 1).events);
    return took / events;
  };
  cost(1000);
  return median(Array.from({ length: 3 }, () => cost(1000) / cost(SERVERS)));
}

/** Resident memory after a few requests, and after many. */
function memoryGrowth(): { few_mb: number; many_mb: number } {
  const after = (connections: number) => {
    simulate(scenario(SERVERS, connections), 1);
    return Deno.memoryUsage().rss / 1e6;
  };
  return { few_mb: after(REQUESTS / 2), many_mb: after(REQUESTS * 5) };
}

/** The time of one thread divided by the time of two. The runs take longer than the compilation of their code. */
async function speedup(): Promise<number> {
  const two = study(SERVERS, REQUESTS * 6);
  const time = async (jobs: number) => {
    using pool = new WorkerPool(MAIN, jobs, two);
    const began = performance.now();
    await Promise.all([0, 1].map((replication) => pool.run({ variant: 0, replication })));
    return performance.now() - began;
  };
  const ratios: number[] = [];
  for (let round = 0; round < 5; round++) ratios.push(await time(1) / await time(2));
  return median(ratios);
}

const measured = await rates();
const [engine, loop] = [median(measured.engine), median(measured.loop)];
const c = measured.c.length > 0 ? median(measured.c) : undefined;
const simpy = measured.simpy.length > 0 ? median(measured.simpy) : undefined;
const thousand = costOfThousand();
const memory = memoryGrowth();
const jobs = await speedup();
const million = (requests: number) => `${(requests * EVENTS_PER_REQUEST / 1e6).toFixed(2)} M`;
const missing = [c === undefined ? "a C compiler" : "", simpy === undefined ? "SimPy" : ""]
  .filter((name) => name !== "");
if (missing.length > 0) console.log(`not found: ${missing.join(", ")}`);
console.log(`
power of two over ${SERVERS}, load ${LOAD}, ${REQUESTS} requests a run, median of ${ROUNDS} runs in turns
                          events a second   ratio   wanted
engine                    ${million(engine).padStart(15)}
minimal loop, same process${million(loop).padStart(15)}   ${
  (engine / loop).toFixed(2)
}    ≥ 0.4 × the loop`);
if (c !== undefined) {
  console.log(`minimal loop, C           ${million(c).padStart(15)}   ${(engine / c).toFixed(2)}`);
}
if (simpy !== undefined) {
  console.log(
    `SimPy (requests/s)        ${(simpy / 1e3).toFixed(1).padStart(13)} k   ${
      (engine / simpy).toFixed(0)
    }      ≥ 15 × SimPy in requests`,
  );
}
console.log(`a thousand backends: ${thousand.toFixed(2)} × the cost per event of ten (wanted ≤ 3)`);
console.log(`two jobs: ${jobs.toFixed(2)} × one (wanted ≥ 1.8)`);
console.log(
  `resident memory after ${REQUESTS / 2} requests ${memory.few_mb.toFixed(0)} MB, after ${
    REQUESTS * 5
  } ${memory.many_mb.toFixed(0)} MB`,
);
if (options.json !== undefined) {
  const result = {
    requests: REQUESTS,
    engine_events_per_s: engine * EVENTS_PER_REQUEST,
    loop_events_per_s: loop * EVENTS_PER_REQUEST,
    engine_over_loop: engine / loop,
    engine_over_c: c === undefined ? null : engine / c,
    engine_over_simpy_requests: simpy === undefined ? null : engine / simpy,
    thousand_over_ten_per_event: thousand,
    two_jobs_over_one: jobs,
    memory_mb: memory,
  };
  await Deno.writeTextFile(options.json, JSON.stringify(result, null, 2) + "\n");
}
