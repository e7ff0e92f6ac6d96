import type { Random } from "../random.ts";
import { type Nanoseconds, NS_PER_S } from "../time.ts";
import { PeakAverages } from "./_latency.ts";
import { Lottery } from "./_lottery.ts";
import type { Algorithm, Candidate, PickTrace } from "./algorithm.ts";

/** What a probe found. */
interface Probe {
  candidate: Candidate;
  inFlight: number;
  latency: Nanoseconds;
  takenAt: Nanoseconds;
  /** How often it may still be picked by. */
  uses: number;
}

/** The quantile of in flight in the pool above which a backend is hot. */
const HOT_QUANTILE = 2 ** -0.25;
/** How much more than it is spent the pool is refilled: the paper's δ. */
const SURPLUS = 1;
/** Of the average of a backend's latency. */
const LATENCY_DECAY: Nanoseconds = NS_PER_S;

/** What can be said of the pool. */
export interface PrequalOptions {
  /** Probe results kept at most. */
  readonly pool: number;
  /** An older one is not used. */
  readonly age: Nanoseconds;
  /** Backends probed with each pick. */
  readonly probes: number;
}

/**
 * `prequal`: a few backends are probed with every pick, and the pick is made from the pool of the latest
 * answers: the fastest among those that are not hot, and if all are hot the least loaded.
 *
 * Rule: a backend is hot if its in flight (for its weight) exceeds the 2^−0.25 quantile of the pool. Of
 * the cold ones the least latency wins, else the least in flight; with fewer than two answers it is drawn
 * by lot. An answer is dropped when it is older than `age`, when it has been used
 * `max(1, (1 + δ) / ((1 − m/n) · probes − 1))` times, and with each pick the oldest and the worst in turn.
 * Where `m` is not well below `n` that denominator is not positive: the pool is then half the backends.
 *
 * Over opaque TCP no backend can be asked how it is, so a probe reads what this balancer knows of it: its
 * connections in flight, and the average time to the first byte of an answer.
 *
 * Source: B. Wydrowski et al., "Load is not what you should balance: introducing Prequal", NSDI 2024.
 */
export class Prequal implements Algorithm {
  readonly #options: PrequalOptions;
  readonly #random: Random;
  readonly #lottery: Lottery;
  readonly #latencies = new PeakAverages(LATENCY_DECAY);
  /** The pool, oldest first; behind its end are answers to be overwritten. */
  readonly #pool: Probe[] = [];
  #pooled = 0;
  /** How many are pooled at most, and how often each may be used, with so many backends as there are. */
  #capacity = 2;
  #uses = 1;
  /** For the quantile: the loads in the pool, sorted. */
  readonly #loads: Float64Array;
  #members = 0;
  #dropWorst = false;

  constructor(options: PrequalOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#lottery = new Lottery(random);
    this.#loads = new Float64Array(options.pool);
  }

  add(candidate: Candidate): void {
    this.#resize(this.#members + 1);
    this.#latencies.reset(candidate.index);
    this.#lottery.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#resize(this.#members - 1);
    this.#lottery.takeOut(candidate);
    for (let i = this.#pooled - 1; i >= 0; i--) {
      if (this.#pool[i]!.candidate === candidate) this.#drop(i);
    }
  }

  update(candidate: Candidate): void {
    this.#lottery.update(candidate);
  }

  answered(candidate: Candidate, latency: Nanoseconds, now: Nanoseconds): void {
    this.#latencies.observe(candidate.index, latency, now);
  }

  pick(_client: string, now: Nanoseconds, trace?: PickTrace): Candidate | undefined {
    this.#dropUnfit(now);
    const at = this.#choose(trace);
    const picked = at < 0 ? this.#lottery.draw() : this.#pool[at]!.candidate;
    if (picked === undefined) return undefined;
    if (at < 0 && trace !== undefined) {
      this.#lottery.forEach((candidate, chance) => trace.considered(candidate, chance));
      trace.decided("fewer than two probe results: drawn at random, in proportion to weight");
    }
    if (at >= 0) {
      const chosen = this.#pool[at]!;
      // It will have one more when the next client looks at the same answer.
      chosen.inFlight++;
      chosen.uses--;
      if (chosen.uses <= 0) this.#drop(at);
    }
    this.#dropOne();
    this.#latencies.advance(now);
    for (let i = 0; i < this.#options.probes; i++) this.#probe(now);
    return picked;
  }

  /** The place in the pool of the answer to go by; −1 if there are too few. */
  #choose(trace?: PickTrace): number {
    if (this.#pooled < 2) return -1;
    const hot = this.#hotAbove();
    let best = -1;
    let bestLatency = Infinity;
    let bestLoad = Infinity;
    for (let i = 0; i < this.#pooled; i++) {
      const probe = this.#pool[i]!;
      const load = loadOf(probe);
      const isCold = load <= hot;
      // As if a hot one never answered: any cold one goes before it, and among hot ones the load decides.
      const latency = isCold ? probe.latency : Infinity;
      trace?.considered(probe.candidate, isCold ? latency : load);
      if (latency > bestLatency || (latency === bestLatency && load >= bestLoad)) continue;
      best = i;
      bestLatency = latency;
      bestLoad = load;
    }
    trace?.decided(
      bestLatency < Infinity
        ? `least latency among those with at most ${hot} in flight`
        : "all are hot: least in flight",
    );
    return best;
  }

  /** The number in flight above which a backend is hot. */
  #hotAbove(): number {
    const loads = this.#loads;
    // By insertion: there are few, and most are level.
    for (let i = 0; i < this.#pooled; i++) {
      const load = loadOf(this.#pool[i]!);
      let at = i;
      for (; at > 0 && loads[at - 1]! > load; at--) loads[at] = loads[at - 1]!;
      loads[at] = load;
    }
    return loads[Math.floor(HOT_QUANTILE * (this.#pooled - 1))]!;
  }

  #dropUnfit(now: Nanoseconds): void {
    for (let i = this.#pooled - 1; i >= 0; i--) {
      const { candidate, takenAt } = this.#pool[i]!;
      if (!candidate.available || now - takenAt > this.#options.age) this.#drop(i);
    }
  }

  /** Room for what is new: the oldest and the worst go in turn. */
  #dropOne(): void {
    if (this.#pooled === 0) return;
    let worst = 0;
    if (this.#dropWorst) {
      let worstLoad = loadOf(this.#pool[0]!);
      for (let i = 1; i < this.#pooled; i++) {
        const load = loadOf(this.#pool[i]!);
        if (load <= worstLoad) continue;
        worst = i;
        worstLoad = load;
      }
    }
    this.#dropWorst = !this.#dropWorst;
    this.#drop(worst);
  }

  #probe(now: Nanoseconds): void {
    const candidate = this.#lottery.draw();
    if (candidate === undefined) return;
    while (this.#pooled >= this.#capacity) this.#drop(0);
    const probe = this.#pool[this.#pooled] ??= {
      candidate,
      inFlight: 0,
      latency: 0,
      takenAt: 0,
      uses: 0,
    };
    probe.candidate = candidate;
    probe.inFlight = candidate.inFlight;
    probe.latency = this.#latencies.current(candidate.index);
    probe.takenAt = now;
    // The whole part, and by lot one more.
    probe.uses = Math.ceil(this.#uses - this.#random.next());
    this.#pooled++;
  }

  #resize(members: number): void {
    this.#members = members;
    this.#capacity = Math.max(2, Math.min(this.#options.pool, Math.floor(members / 2)));
    const left = (1 - this.#capacity / members) * this.#options.probes - 1;
    this.#uses = left > 0 ? Math.max(1, (1 + SURPLUS) / left) : 1;
  }

  /** Takes an answer out. Its object goes behind the end, to be used again. */
  #drop(at: number): void {
    const pool = this.#pool;
    const dropped = pool[at]!;
    this.#pooled--;
    for (let i = at; i < this.#pooled; i++) pool[i] = pool[i + 1]!;
    pool[this.#pooled] = dropped;
  }
}

function loadOf({ inFlight, candidate }: Probe): number {
  return inFlight / candidate.weight;
}
