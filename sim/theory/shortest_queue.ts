/** Exact results for clients that join the shortest of a few queues. */
import { exp, power } from "../../lib/base/mod.ts";
import { binomial, root, type Sojourn } from "./theory.ts";

/** The largest change from one sweep to the next at which the iteration ends. */
const CHANGE_MIN = 1e-14;
const SWEEPS_MAX = 20_000;

/**
 * Power of `choices` distinct servers among `servers`: the shortest queue wins, ties are broken evenly.
 * `choices` = 1 is random, `choices` = `servers` is join-the-shortest-queue. Poisson arrivals, exponential
 * service of mean 1, load `load` each.
 *
 * The servers are alike, so a state is how many of them have each number of clients. The chain is cut off at
 * `longest` clients per server and solved by Gauss–Seidel iteration. A client that joins a queue of m stays
 * for m + 1 services: the sojourn time is a mixture of Erlang distributions.
 */
export function shortestOf(
  servers: number,
  choices: number,
  load: number,
  longest = defaultLongest(servers),
): Sojourn {
  const joins = joinedQueueLengths(servers, choices, load, longest);
  const mean = joins.reduce((sum, chance, length) => sum + chance * (length + 1), 0);
  const tail = (t: number) => {
    let term = exp(-t);
    let below = 0;
    let sum = 0;
    joins.forEach((chance, length) => {
      below += term;
      sum += chance * below;
      term *= t / (length + 1);
    });
    return sum;
  };
  return { mean, quantile: (share) => root((t) => tail(t) - (1 - share), 0, 1) };
}

/** The probability that a client joins a queue of each length. */
function joinedQueueLengths(
  servers: number,
  choices: number,
  load: number,
  longest: number,
): number[] {
  const states = sortedStates(servers, longest);
  const index = new Map(states.map((state, i) => [key(state), i]));
  const at = (state: readonly number[]) => index.get(key([...state].sort((a, b) => b - a)))!;
  const rate = servers * load;
  // For each state: the states from which it is entered, and the rates.
  const into: { from: number; rate: number }[][] = states.map(() => []);
  const out = new Float64Array(states.length);
  const join = states.map((state) => joinChances(state, choices));
  const flow = (from: number, to: number, flowRate: number) => {
    into[to]!.push({ from, rate: flowRate });
    out[from] = out[from]! + flowRate;
  };
  states.forEach((state, from) => {
    state.forEach((length, server) => {
      const change = (by: number) => at(state.with(server, length + by));
      if (length > 0) flow(from, change(-1), 1);
      const chance = join[from]![server]!;
      if (chance > 0 && length < longest) flow(from, change(1), rate * chance);
    });
  });
  const jobs = states.map((state) => state.reduce((sum, length) => sum + length, 0));
  const stationary = solve(into, out, jobs);
  const joins = new Array<number>(longest + 1).fill(0);
  states.forEach((state, i) =>
    state.forEach((length, server) => joins[length]! += stationary[i]! * join[i]![server]!)
  );
  return joins;
}

/**
 * Gauss–Seidel on the balance equations: the flow into each state equals the flow out of it. The number of jobs
 * settles slowest. So after each sweep, all states with the same number of jobs are scaled: afterwards the flow up
 * from each number of jobs equals the flow down to it. This saves most of the sweeps.
 *
 * Source: J. R. Koury, D. F. McAllister and W. J. Stewart, "Iterative methods for computing stationary distributions
 * of nearly completely decomposable Markov chains", 1984.
 *
 * @param jobs The number of jobs of each state; a flow leads from one number of jobs to the next.
 */
function solve(
  into: readonly (readonly { from: number; rate: number }[])[],
  out: Float64Array,
  jobs: readonly number[],
): Float64Array {
  const size = out.length;
  const ends = new Int32Array(size);
  const froms = Int32Array.from(into.flatMap((flows) => flows.map(({ from }) => from)));
  const rates = Float64Array.from(into.flatMap((flows) => flows.map(({ rate }) => rate)));
  into.reduce((end, flows, i) => ends[i] = end + flows.length, 0);
  const order = Int32Array.from(jobs.keys()).sort((a, b) => jobs[a]! - jobs[b]!);
  const levels = 1 + jobs[order[size - 1]!]!;
  const chance = new Float64Array(size).fill(1 / size);
  const [up, down, scale] = [0, 0, 0].map(() => new Float64Array(levels)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    let change = 0;
    up.fill(0);
    down.fill(0);
    for (const i of order) {
      let flow = 0;
      for (let place = i === 0 ? 0 : ends[i - 1]!; place < ends[i]!; place++) {
        flow += chance[froms[place]!]! * rates[place]!;
      }
      const next = flow / out[i]!;
      change = Math.max(change, Math.abs(next - chance[i]!));
      chance[i] = next;
    }
    for (let i = 0; i < size; i++) {
      for (let place = i === 0 ? 0 : ends[i - 1]!; place < ends[i]!; place++) {
        const from = froms[place]!;
        const flow = chance[from]! * rates[place]!;
        if (jobs[from]! < jobs[i]!) up[jobs[from]!]! += flow;
        else down[jobs[from]!]! += flow;
      }
    }
    scale[0] = 1;
    for (let level = 1; level < levels; level++) {
      scale[level] = down[level] === 0 ? 1 : scale[level - 1]! * up[level - 1]! / down[level]!;
    }
    let total = 0;
    for (let i = 0; i < size; i++) total += chance[i]! *= scale[jobs[i]!]!;
    for (let i = 0; i < size; i++) chance[i]! /= total;
    if (change < CHANGE_MIN) break;
  }
  return chance;
}

/** For each server, longest queue first: the probability that the next client joins it. */
function joinChances(state: readonly number[], choices: number): number[] {
  const servers = state.length;
  const all = binomial(servers, choices);
  return state.map((length) => {
    const atLeast = state.filter((other) => other >= length).length;
    const longer = state.filter((other) => other > length).length;
    const shortest = (binomial(atLeast, choices) - binomial(longer, choices)) / all;
    return shortest / (atLeast - longer);
  });
}

/** Every way in which `servers` can have up to `longest` clients, longest queue first. */
function sortedStates(servers: number, longest: number): number[][] {
  if (servers === 0) return [[]];
  return Array.from(
    { length: longest + 1 },
    (_, first) => sortedStates(servers - 1, first).map((rest) => [first, ...rest]),
  ).flat();
}

function key(state: readonly number[]): string {
  return state.join();
}

/**
 * The longest queue in the chain. It is long enough that longer queues are very rare, and short enough that the
 * solution takes only a second or two.
 */
function defaultLongest(servers: number): number {
  return [0, 200, 70, 40, 25, 16, 12][servers] ?? 8;
}

/**
 * The mean sojourn time when each job joins the shortest of `choices` queues, drawn at random from
 * infinitely many servers with load `load`. The mean service time is 1.
 *
 * Source: M. Mitzenmacher, 2001: Σ load^((dⁱ − d) / (d − 1)), i from 1.
 */
export function manyServersSojourn(choices: number, load: number): number {
  if (choices === 1) return 1 / (1 - load);
  let sum = 0;
  let exponent = 0;
  for (let i = 1; i < 60; i++) {
    const term = power(load, exponent);
    exponent = choices * (exponent + 1);
    sum += term;
    if (term < 1e-16) break;
  }
  return sum;
}
