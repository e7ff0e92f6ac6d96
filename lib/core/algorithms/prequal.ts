import {
  type Aged,
  AgeList,
  type Nanoseconds,
  NS_PER_MS,
  NS_PER_S,
  type Random,
} from "../../base/mod.ts";
import { LatencyByLoad } from "./_latency_by_load.ts";
import { Lottery } from "./_lottery.ts";
import { without } from "./_without.ts";
import { define } from "./_definition.ts";
import type { Algorithm, Candidate, PickDetails, PickTrace, Tried } from "./algorithm.ts";

/** The result of a backend's latest probe. */
class Probe implements Aged<Probe> {
  readonly candidate: Candidate;
  older: Probe | undefined;
  younger: Probe | undefined;
  isPooled = false;
  /** The pick that took it. */
  pick = 0;
  inFlight = 0;
  // Not numbers, but doubles: zeros would be kept as small integers until the first fraction came.
  /** In flight for its weight. */
  load = NaN;
  /** The latency of an answer at this number in flight. */
  latency = NaN;
  takenAt = NaN;
  /** How many more picks may use it. */
  uses = 0;

  constructor(candidate: Candidate) {
    this.candidate = candidate;
  }
}

const FEW_RESULTS = "fewer than two probe results: drawn at random, in proportion to weight";

/** The quantile of in flight above which a backend is hot: 2^−0.25. */
const HOT_QUANTILE = 1 / Math.sqrt(Math.SQRT2);
/** The number of latest probes that decide which results are hot. A power of two. */
const USUAL = 32;
/** How much faster the pool is refilled than it is used up: the paper's δ. */
const SURPLUS = 1;
/** The number of backends that are drawn with one random number. */
const DRAWS = 3;
/** If this pick has already probed the drawn backend, the draw is repeated, at most this many times. */
const REDRAWS = 8;
/** For how long a latency says something about its backend. */
const LATENCY_LIFE: Nanoseconds = 10 * NS_PER_S;

/** The parameters of `prequal`. */
export interface PrequalOptions {
  /** Probe results kept at most. */
  readonly pool: number;
  /** An older one is not used. */
  readonly age: Nanoseconds;
  /** Backends probed with each pick. */
  readonly probes: number;
}

/**
 * `prequal`: every pick probes a few distinct backends, and is made from the pool of the latest results: the
 * fastest backend among those that are not hot.
 *
 * Rule: a result is a backend's connections in flight, and the latency that answers have with so many in
 * flight. A result is hot if its in flight (for the weight) exceeds the 2^−0.25 quantile of the latest 32
 * results. Of the cold ones the least latency wins, of equals the least in flight; if all are hot, the least
 * in flight. With fewer than two results, a backend is drawn in proportion to weight. A pick that uses a
 * result adds one to its in flight. The pool has one result for a backend, the latest. A result is dropped
 * when it is older than `age`, when it has been used `max(1, (1 + δ) / ((1 − m/n) · probes − 1))` times, and
 * each pick drops one: the oldest and the worst in turn. The worst is the most loaded if it is hot, else the
 * slowest. Where the pool size `m` is not well below the number of backends `n`, that denominator is not
 * positive: so the pool has at most half the backends, or as many as a pick probes if that is more.
 *
 * Over opaque TCP no backend can be asked for its state, so a probe reads what this balancer knows of it.
 *
 * Source: B. Wydrowski et al., "Load is not what you should balance: introducing Prequal", NSDI 2024,
 * section 4.
 */
export class Prequal implements Algorithm {
  readonly #options: PrequalOptions;
  readonly #random: Random;
  readonly #lottery: Lottery;
  readonly #latencies = new LatencyByLoad(LATENCY_LIFE);
  /** By candidate index. */
  readonly #probes: Probe[] = [];
  readonly #pool = new AgeList<Probe>();
  /** A backend that may be in the pool has become unavailable. */
  #mayBeUnfit = false;
  /** The largest number of results in the pool, for the present number of backends. */
  #capacity = 2;
  /** How often each result may be used, and the chance of it being once more. */
  #uses = 1;
  #onceMore = 0;
  #members = 0;
  /** What the latest probes found in flight for the weight. */
  readonly #usual = new Float64Array(USUAL);
  #probed = 0;
  #picks = 0;
  #dropWorst = false;

  constructor(options: PrequalOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#lottery = new Lottery(random);
  }

  add(candidate: Candidate): void {
    this.#resize(this.#members + 1);
    this.#latencies.reset(candidate.index);
    this.#probes[candidate.index] = new Probe(candidate);
    this.#lottery.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#resize(this.#members - 1);
    this.#lottery.takeOut(candidate);
    this.#drop(this.#probes[candidate.index]!);
  }

  update(candidate: Candidate): void {
    this.#lottery.update(candidate);
    if (!candidate.available) this.#mayBeUnfit = true;
    const probe = this.#probes[candidate.index]!;
    probe.load = probe.inFlight / candidate.weight;
  }

  answered({ index }: Candidate, latency: Nanoseconds, others: number, now: Nanoseconds): void {
    this.#latencies.observe(index, latency, others, now);
  }

  unanswered({ index }: Candidate, waited: Nanoseconds, others: number, now: Nanoseconds): void {
    const latencies = this.#latencies;
    // A wait that is shorter than what an answer takes says nothing.
    if (waited <= latencies.estimate(index, others, now)) return;
    latencies.observeSilence(index, waited, now);
  }

  pick(_client: string, now: Nanoseconds, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    if (tried === undefined) return this.#pick(now, trace);
    for (const { index } of tried) this.#drop(this.#probes[index]!);
    return without(this.#lottery, tried, () => this.#pick(now, trace));
  }

  #pick(now: Nanoseconds, trace?: PickTrace): Candidate | undefined {
    this.#dropUnfit(now);
    const picked = this.#pool.size < 2
      ? this.#lottery.pick(FEW_RESULTS, trace)
      : this.#chosen(now, trace);
    if (picked === undefined) return undefined;
    this.#picks++;
    this.#dropOne();
    this.#probeSome(now);
    while (this.#pool.size > this.#capacity) this.#drop(this.#pool.oldest!);
    return picked;
  }

  details(_client: string, now: Nanoseconds): PickDetails {
    const usable = [...this.#pool].filter(({ candidate, takenAt }) =>
      candidate.available && now - takenAt <= this.#options.age
    );
    return {
      kind: "pool",
      results: usable.map(({ candidate, inFlight, load, latency, takenAt }) => ({
        backend: candidate.id,
        in_flight: inFlight,
        latency_ms: latency / NS_PER_MS,
        age_ms: (now - takenAt) / NS_PER_MS,
        hot: !this.#isCold(load),
      })),
    };
  }

  /** The backend with the best result in the pool. */
  #chosen(now: Nanoseconds, trace?: PickTrace): Candidate {
    if (trace !== undefined) this.#explain(trace);
    const chosen = this.#choose();
    const { candidate } = chosen;
    chosen.uses--;
    if (chosen.uses <= 0) {
      this.#drop(chosen);
      return candidate;
    }
    // The backend has one more in flight when the next pick uses the same result.
    chosen.inFlight++;
    chosen.load = chosen.inFlight / candidate.weight;
    chosen.latency = this.#latencies.estimate(candidate.index, chosen.inFlight, now);
    return candidate;
  }

  /** The fastest that is not hot; if all are hot, the least loaded. */
  #choose(): Probe {
    let fastest = this.#fastestBelow(Infinity)!;
    // Seldom more than once or twice: cheaper than to sort. Every load that is not below a hot one is hot.
    while (!this.#isCold(fastest.load)) {
      const cooler = this.#fastestBelow(fastest.load);
      if (cooler === undefined) break; // All are hot, and this is the least loaded.
      fastest = cooler;
    }
    return fastest;
  }

  /** The one of least latency, of equals of least load, among the loads below a bound. */
  #fastestBelow(bound: number): Probe | undefined {
    let best: Probe | undefined;
    let bestLatency = Infinity;
    let bestLoad = Infinity;
    for (let probe = this.#pool.oldest; probe !== undefined; probe = probe.younger) {
      const { load, latency } = probe;
      if (load >= bound || latency > bestLatency) continue;
      if (latency === bestLatency && load >= bestLoad) continue;
      best = probe;
      bestLatency = latency;
      bestLoad = load;
    }
    return best;
  }

  /** Whether a load is at most the quantile of the usual: so many of them are no less. */
  #isCold(load: number): boolean {
    const usual = this.#usual;
    const known = Math.min(this.#probed, USUAL);
    let missing = known - Math.floor(HOT_QUANTILE * (known - 1));
    for (let i = 0; i < known; i++) {
      missing -= Number(usual[i]! >= load);
      if (missing === 0) return true;
    }
    return false;
  }

  #explain(trace: PickTrace): void {
    const usual = this.#usual.slice(0, Math.min(this.#probed, USUAL)).sort();
    const quantile = usual[Math.floor(HOT_QUANTILE * (usual.length - 1))]!;
    let areAllHot = true;
    for (const { candidate, load, latency } of this.#pool) {
      const isCold = load <= quantile;
      if (isCold) areAllHot = false;
      trace.considered(candidate, isCold ? latency : load);
    }
    trace.decided(
      areAllHot
        ? `least in flight, as all have more than ${quantile}`
        : `least latency among those with at most ${quantile} in flight`,
    );
  }

  #dropUnfit(now: Nanoseconds): void {
    const pool = this.#pool;
    while (pool.oldest !== undefined && now - pool.oldest.takenAt > this.#options.age) {
      this.#drop(pool.oldest);
    }
    if (!this.#mayBeUnfit) return;
    this.#mayBeUnfit = false;
    for (const probe of pool) if (!probe.candidate.available) this.#drop(probe);
  }

  /** Drops a result to make room for new ones: in turn the oldest and the worst. */
  #dropOne(): void {
    const { oldest } = this.#pool;
    if (oldest === undefined) return;
    this.#drop(this.#dropWorst ? this.#worst(oldest) : oldest);
    this.#dropWorst = !this.#dropWorst;
  }

  /** The most loaded if it is hot, else the slowest; of equals the oldest. */
  #worst(oldest: Probe): Probe {
    let hottest = oldest;
    let slowest = oldest;
    for (let probe = oldest.younger; probe !== undefined; probe = probe.younger) {
      if (probe.load > hottest.load) hottest = probe;
      if (probe.latency > slowest.latency) slowest = probe;
    }
    return this.#isCold(hottest.load) ? slowest : hottest;
  }

  /** Probes `probes` distinct backends, or all if there are fewer. */
  #probeSome(now: Nanoseconds): void {
    const lottery = this.#lottery;
    const { probes } = this.#options;
    for (let probed = 0; probed < probes; probed++) {
      let candidate = probed % DRAWS === 0 ? lottery.draw() : lottery.drawAgain();
      let redraws = 0;
      while (candidate !== undefined && this.#probes[candidate.index]!.pick === this.#picks) {
        if (redraws++ === REDRAWS) return;
        candidate = lottery.draw();
      }
      if (candidate === undefined) return;
      this.#probe(this.#probes[candidate.index]!, now);
    }
  }

  #probe(probe: Probe, now: Nanoseconds): void {
    const { candidate } = probe;
    this.#drop(probe);
    probe.isPooled = true;
    probe.pick = this.#picks;
    probe.inFlight = candidate.inFlight;
    probe.load = candidate.inFlight / candidate.weight;
    probe.latency = this.#latencies.estimate(candidate.index, candidate.inFlight, now);
    probe.takenAt = now;
    this.#usual[this.#probed++ & (USUAL - 1)] = probe.load;
    probe.uses = this.#uses;
    if (this.#onceMore > 0 && this.#random.next() < this.#onceMore) probe.uses++;
    this.#pool.add(probe);
  }

  #resize(members: number): void {
    const { pool, probes } = this.#options;
    this.#members = members;
    const half = Math.max(Math.floor(members / 2), Math.min(probes, members));
    this.#capacity = Math.max(2, Math.min(pool, half));
    const left = (1 - this.#capacity / members) * probes - 1;
    const uses = left > 0 ? Math.max(1, (1 + SURPLUS) / left) : 1;
    this.#uses = Math.floor(uses);
    this.#onceMore = uses - this.#uses;
  }

  /** Takes a result out of the pool, if it is in it. */
  #drop(probe: Probe): void {
    if (!probe.isPooled) return;
    probe.isPooled = false;
    this.#pool.delete(probe);
  }
}

/** The parameters of `prequal`, and the function that creates it. */
export const prequal = define({
  parameters: {
    pool: {
      kind: "integer",
      min: 2,
      max: 1000,
      default: 16,
      means: "the largest number of probe results that are kept",
    },
    age: {
      kind: "duration",
      of: "timer",
      default: NS_PER_S,
      means: "a probe result is removed at this age",
    },
    probes: { kind: "integer", min: 1, max: 100, default: 3, means: "probes for each pick" },
  },
  summary: () => "the fastest of a few recently probed backends that are not too busy",
  create: (options, random) => new Prequal(options, random),
});
