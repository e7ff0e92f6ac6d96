/**
 * What a pick costs: `deno task bench`.
 *
 * In a steady state, each connection is picked for, counted and answered, and the oldest of those open
 * ends: the time per connection is what an algorithm costs the balancer, upkeep included. In brackets the ratio to
 * finding the least loaded by a plain scan over an array, in the same run. The last column is what a pick
 * allocates, above what the measurement itself does: a number that is returned and not inlined takes 16 bytes.
 */
import {
  type Algorithm,
  ALGORITHM_NAMES,
  type AlgorithmOptions,
  type Candidate,
  createAlgorithm,
} from "../../lib/core/mod.ts";
import { createRandom, NS_PER_MS, NS_PER_US } from "../../lib/base/mod.ts";

const SCAN = "plain-scan";
const SIZES = [3, 10, 100, 1000];
const ROUNDS = 7;
const ROUND_MS = 15;
const OPEN_PER_BACKEND = 4;
/** Few enough that the collector seldom comes in between: it makes what was allocated look less. */
const ALLOCATING = 1000;

/** Addresses are there before the clock starts: making them is not what is measured. */
const CLIENTS = Array.from({ length: 1024 }, (_, i) => `192.168.${i >> 8}.${i & 255}`);
/** From one connection to the next, and until each is answered. */
const INTERVAL = 10 * NS_PER_US;
const LATENCIES = CLIENTS.map((_, i) => (1 + i % 7) * NS_PER_MS);

interface Counted extends Candidate {
  inFlight: number;
}

/** The plain way: look at every backend at each pick. It keeps no data that must be updated. */
class Scan implements Algorithm {
  readonly #candidates: Candidate[] = [];

  add(candidate: Candidate): void {
    this.#candidates.push(candidate);
  }

  remove(): void {}

  update(): void {}

  pick(): Candidate | undefined {
    let best: Candidate | undefined;
    let bestScore = Infinity;
    for (const candidate of this.#candidates) {
      if (!candidate.available) continue;
      const score = (candidate.inFlight + 1) / candidate.weight;
      if (score >= bestScore) continue;
      best = candidate;
      bestScore = score;
    }
    return best;
  }
}

function candidates(count: number, heaviest: number): Counted[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `B${index + 1}`,
    index,
    order: index,
    weight: 1 + index % heaviest,
    inFlight: 0,
    available: true,
  }));
}

/** Connections that come, are answered and go: the oldest ends whenever a new one is picked for. */
class Traffic {
  readonly #algorithm: Algorithm;
  readonly #open: Counted[];
  #oldest = 0;
  #client = 0;
  #now = 0;

  constructor(algorithm: Algorithm, backends: readonly Counted[]) {
    this.#algorithm = algorithm;
    for (const backend of backends) algorithm.add(backend);
    const length = OPEN_PER_BACKEND * backends.length;
    this.#open = Array.from({ length }, () => this.#connect());
  }

  run(connections: number): void {
    for (let i = 0; i < connections; i++) {
      const ended = this.#open[this.#oldest]!;
      ended.inFlight--;
      this.#algorithm.loadChanged?.(ended);
      this.#open[this.#oldest] = this.#connect();
      this.#oldest = (this.#oldest + 1) % this.#open.length;
    }
  }

  #connect(): Counted {
    const client = this.#client++ & 1023;
    this.#now += INTERVAL;
    const picked = this.#algorithm.pick(CLIENTS[client]!, this.#now) as Counted;
    picked.inFlight++;
    this.#algorithm.loadChanged?.(picked);
    this.#algorithm.answered?.(picked, LATENCIES[client]!, picked.inFlight - 1, this.#now);
    return picked;
  }
}

/** What a connection costs. */
interface Cost {
  readonly ns: number;
  readonly bytes: number;
}

/** The best of several rounds, as noise only ever adds; and the most that was allocated in one. */
function measure(algorithm: Algorithm, backends: readonly Counted[]): Cost {
  const traffic = new Traffic(algorithm, backends);
  let connections = 100;
  let best = Infinity;
  for (let round = 0; round < ROUNDS;) {
    const begun = performance.now();
    traffic.run(connections);
    const took = performance.now() - begun;
    if (took < ROUND_MS) {
      connections *= 2; // Warming up, and finding out how many make a round.
      continue;
    }
    best = Math.min(best, took * 1e6 / connections);
    round++;
  }
  const allocated = Array.from({ length: ROUNDS }, () => {
    const before = Deno.memoryUsage().heapUsed;
    traffic.run(ALLOCATING);
    return (Deno.memoryUsage().heapUsed - before) / ALLOCATING;
  });
  return { ns: best, bytes: Math.max(...allocated) };
}

/** Each size in turn, on backends that weigh 1 to `heaviest`. */
function measureAll(name: string, heaviest: number): Cost[] {
  return SIZES.map((size) => {
    const algorithm = name === SCAN
      ? new Scan()
      : createAlgorithm({ name } as AlgorithmOptions, createRandom(1));
    return measure(algorithm, candidates(size, heaviest));
  });
}

/** The same in a worker: like a balancer, it compiles its code for the one algorithm that it has. */
function measureApart(name: string, heaviest: number): Promise<Cost[]> {
  const worker = new Worker(import.meta.url, { type: "module", name: `${name} ${heaviest}` });
  return new Promise((resolve, reject) => {
    worker.onerror = reject;
    worker.onmessage = ({ data }) => {
      worker.terminate();
      resolve(data);
    };
  });
}

async function table(heaviest: number): Promise<void> {
  const weights = heaviest === 1 ? "all of weight 1" : `weights 1 to ${heaviest}`;
  console.log(`\nns per connection (× a plain scan), ${weights}`);
  console.log(line("backends", [...SIZES.map(String), "bytes"]));
  const scans = await measureApart(SCAN, heaviest);
  console.log(line(SCAN, scans.map(({ ns }) => ns.toFixed(0))));
  for (const name of ALGORITHM_NAMES) {
    const measured = await measureApart(name, heaviest);
    const cells = measured.map(({ ns }, i) =>
      `${ns.toFixed(0)} (${(ns / scans[i]!.ns).toFixed(2)})`
    );
    const bytes = Math.max(...measured.map(({ bytes }, i) => bytes - scans[i]!.bytes));
    console.log(line(name, [...cells, Math.max(0, bytes).toFixed(0)]));
  }
}

function line(name: string, cells: readonly string[]): string {
  return name.padEnd(20) + cells.map((cell) => cell.padStart(14)).join("");
}

/** What a worker knows of itself: its name says what it is to measure. */
const scope = globalThis as unknown as {
  readonly name?: string;
  postMessage(message: unknown): void;
};
if (scope.name) {
  const [name, heaviest] = scope.name.split(" ");
  scope.postMessage(measureAll(name!, Number(heaviest)));
} else {
  await table(1);
  await table(5);
}
