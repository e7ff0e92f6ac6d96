/**
 * Exact results of queueing theory: closed forms, and Markov chains solved numerically. The simulator is
 * compared with them; nothing here depends on it. Times are in any unit, rates are per that unit.
 */
import { exp, ln, power } from "../../lib/base/mod.ts";

/** The known properties of the distribution of a sojourn time. */
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

/** The share of clients that M/M/c/K refuses. `places` includes the places in service. */
export function mmckLoss(
  servers: number,
  places: number,
  arrivalRate: number,
  serviceRate: number,
): number {
  // A recursion like Erlang's, because the weights themselves would be too large with thousands of
  // servers.
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
 * A healthy backend whose probes fail by chance: the mean number of probes from the moment when it is marked as up
 * until it is marked as down again, and the share of the time for which it is down.
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
export function root(falling: (x: number) => number, from: number, step: number): number {
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
