/**
 * Exact results of queueing theory: closed forms, and Markov chains solved numerically. The simulator is
 * compared with them; nothing here depends on it. Times are in any unit, rates are per that unit.
 */
import { exp, ln, power } from "../../lib/base/mod.ts";

/** The distribution of a sojourn time, as far as it is known. */
export interface Sojourn {
  /** Waiting and service. */
  readonly mean: number;
  /** The value that a share of all sojourn times does not exceed. */
  quantile(share: number): number;
}

/** The probability that all `servers` are busy and a client is lost (Erlang's loss formula, M/G/c/c). */
export function erlangB(servers: number, offered: number): number {
  let blocking = 1;
  for (let n = 1; n <= servers; n++) blocking = offered * blocking / (n + offered * blocking);
  return blocking;
}

/** The probability that a client has to wait (Erlang's delay formula, M/M/c). */
export function erlangC(servers: number, offered: number): number {
  const blocking = erlangB(servers, offered);
  return blocking / (1 - offered / servers * (1 - blocking));
}

/** M/M/c: Poisson arrivals, exponential service, `servers` servers, one queue. */
export function mmc(servers: number, arrivalRate: number, serviceRate: number): Sojourn {
  const wait = erlangC(servers, arrivalRate / serviceRate);
  const drain = servers * serviceRate - arrivalRate;
  // P(T > t): service alone, or a wait of rate `drain` before it.
  const tail = (t: number) => {
    const service = exp(-serviceRate * t);
    if (Math.abs(drain - serviceRate) < 1e-9 * serviceRate) {
      return service * (1 + wait * serviceRate * t);
    }
    const both = (drain * service - serviceRate * exp(-drain * t)) / (drain - serviceRate);
    return (1 - wait) * service + wait * both;
  };
  return {
    mean: wait / drain + 1 / serviceRate,
    quantile: (share) => root((t) => tail(t) - (1 - share), 0, 1 / serviceRate),
  };
}

/** The share of clients that M/M/c/K refuses: `places` in all, those in service included. */
export function mmckLoss(
  servers: number,
  places: number,
  arrivalRate: number,
  serviceRate: number,
): number {
  // As in Erlang's recursion: the weights themselves are too large for thousands of servers.
  let loss = 1;
  for (let n = 1; n <= places; n++) {
    const ratio = arrivalRate / (serviceRate * Math.min(n, servers));
    loss = ratio * loss / (1 + ratio * loss);
  }
  return loss;
}

/**
 * The mean wait in M/G/1 (Pollaczek and Khinchine). `scv`: squared coefficient of variation of the service
 * time.
 */
export function mg1Wait(arrivalRate: number, meanService: number, scv: number): number {
  const load = arrivalRate * meanService;
  return load * meanService * (1 + scv) / (2 * (1 - load));
}

/**
 * The mean sojourn time in M/G/1 under processor sharing. It does not depend on the distribution of the
 * service time.
 */
export function sharedSojourn(arrivalRate: number, meanService: number): number {
  return meanService / (1 - arrivalRate * meanService);
}

/**
 * G/M/1: independent gaps between arrivals, exponential service. The sojourn time is exponential with rate
 * μ(1 − σ), where σ is the root in (0, 1) of σ = E[exp(−μ(1 − σ)·gap)].
 *
 * @param transform The gap's Laplace transform, s ↦ E[exp(−s·gap)].
 */
export function gm1(transform: (s: number) => number, serviceRate: number): Sojourn {
  let sigma = 0;
  for (let i = 0; i < 100_000; i++) {
    const next = transform(serviceRate * (1 - sigma));
    if (Math.abs(next - sigma) < 1e-15) break;
    sigma = next;
  }
  return exponentialSojourn(serviceRate * (1 - sigma));
}

/**
 * Each server of a round-robin over `servers`, with Poisson arrivals: it gets every `servers`-th client, so
 * its gaps have an Erlang distribution. `load` is the load of each server; service has mean 1.
 */
export function roundRobin(servers: number, load: number): Sojourn {
  const stageRate = servers * load;
  return gm1((s) => power(stageRate / (stageRate + s), servers), 1);
}

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

/** The largest change from one sweep to the next at which the iteration ends. */
const CHANGE_MIN = 1e-14;
const SWEEPS_MAX = 20_000;

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
  // By state: the states from which it is entered, and the rates.
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
 * Gauss–Seidel on the balance equations: the flow into each state equals the flow out of it. The number of
 * jobs settles slowest. So after each sweep all states with the same number of jobs are scaled such that as
 * much flows up from each number as flows down to it, which saves most of the sweeps.
 *
 * Source: J. R. Koury, D. F. McAllister and W. J. Stewart, "Iterative methods for computing stationary
 * distributions of nearly completely decomposable Markov chains", 1984.
 *
 * @param jobs By state; a flow leads from one number of jobs to the next.
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

/** By server, longest queue first: the probability that the next client joins it. */
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

/** Long enough that longer queues do not matter, short enough to solve in a second or two. */
function defaultLongest(servers: number): number {
  return [0, 200, 70, 40, 25, 16, 12][servers] ?? 8;
}

/**
 * Power of `choices` over infinitely many servers of load `load`: the mean sojourn time, with service of mean
 * 1.
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

/**
 * A closed loop: `clients` that think, and one server with exponential service (the machine repair model), by
 * mean value analysis.
 */
export function closedLoop(
  clients: number,
  meanThink: number,
  meanService: number,
): { readonly throughput: number; readonly response: number } {
  let queue = 0;
  let response = 0;
  for (let n = 1; n <= clients; n++) {
    response = meanService * (1 + queue);
    queue = n * response / (meanThink + response);
  }
  return { throughput: clients / (meanThink + response), response };
}

/**
 * A healthy backend whose probes fail by chance: for how many probes it is up between two times down, and for
 * what share of the time it is down.
 */
export function flapping(
  failure: number,
  fall: number,
  rise: number,
): { readonly probesUp: number; readonly downShare: number } {
  const success = 1 - failure;
  const probesUp = runLength(failure, fall);
  const probesDown = runLength(success, rise);
  return { probesUp, downShare: probesDown / (probesUp + probesDown) };
}

/** Mean number of trials until the first run of `length` events of probability `chance`. */
function runLength(chance: number, length: number): number {
  const run = power(chance, length);
  return (1 - run) / (run * (1 - chance));
}

/** The probability that all tried backends are dead: `dead` of `servers`, with `retries` further tries. */
export function failoverLoss(servers: number, dead: number, retries: number): number {
  return binomial(dead, retries + 1) / binomial(servers, retries + 1);
}

/** Ways to choose `k` of `n`; 0 if there are none. */
export function binomial(n: number, k: number): number {
  if (k > n) return 0;
  let ways = 1;
  for (let i = 1; i <= k; i++) ways = ways * (n - k + i) / i;
  return ways;
}

function exponentialSojourn(rate: number): Sojourn {
  return { mean: 1 / rate, quantile: (share) => -ln(1 - share) / rate };
}

/** The root of a decreasing function, to fifteen digits. */
function root(falling: (x: number) => number, from: number, step: number): number {
  let low = from;
  let high = from + step;
  while (falling(high) > 0) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (falling(middle) > 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
