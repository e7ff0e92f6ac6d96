/**
 * The cost of a pick: `deno task bench`.
 *
 * The state is steady: for each connection a backend is picked, the connection is counted and answered, and the oldest
 * open connection ends. So the time per connection is the whole cost of an algorithm, including the update of its data.
 * The number in brackets is the ratio to a plain scan over an array for the least loaded backend, in the same run. The
 * last column is the memory that a pick allocates, without the memory of the measurement itself: a number that is
 * returned and not inlined takes 16 bytes.
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
/**
 * So few connections that the garbage collector seldom runs between them. It would hide a part of
 * the allocated memory.
 */
const ALLOCATING = 1000;

/** The addresses are created before the measurement, so that their cost is not measured. */
const CLIENTS = Array.from({ length: 1024 }, (_, i) => `192.168.${i >> 8}.${i & 255}`);
/** The time from one connection to the next. */
const INTERVAL = 10 * NS_PER_US;
const LATENCIES = CLIENTS.map((_, i) => (1 + i % 7) * NS_PER_MS);

interface Counted extends Candidate {
  inFlight: number;
}

/** A plain scan: each pick reads every backend. No data must be updated. */
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

/** Connections that begin, are answered and end: whenever one begins, the oldest one ends. */
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

/** The cost of a connection. */
interface Cost {
  readonly ns: number;
  readonly bytes: number;
}

/**
 * The shortest time of several rounds, because noise only adds time; and the most memory that a
 * round allocated.
 */
function measure(algorithm: Algorithm, backends: readonly Counted[]): Cost {
  const traffic = new Traffic(algorithm, backends);
  let connections = 100;
  let best = Infinity;
  for (let round = 0; round < ROUNDS;) {
    const begun = performance.now();
    traffic.run(connections);
    const took = performance.now() - begun;
    if (took < ROUND_MS) {
      connections *= 2; // Warm-up, which also finds the number of connections in a round.
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

/** Measures each number of backends in turn. Their weights are 1 to `heaviest`. */
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

/** The global scope of a worker: its name states what it must measure. */
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
