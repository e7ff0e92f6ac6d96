import type { Random } from "../random.ts";
import { type Nanoseconds, NS_PER_S } from "../time.ts";
import { PeakAverage } from "./_latency.ts";
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
  readonly #latencies: PeakAverage[] = [];
  /** The pool, oldest first; behind its end are answers to be overwritten. */
  readonly #pool: Probe[] = [];
  readonly #loads: Float64Array;
  #pooled = 0;
  #members = 0;
  #dropWorst = false;

  constructor(options: PrequalOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#lottery = new Lottery(random);
    this.#loads = new Float64Array(options.pool);
  }

  add(candidate: Candidate): void {
    this.#members++;
    this.#latencies[candidate.index] = new PeakAverage(LATENCY_DECAY);
    this.#lottery.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#members--;
    this.#lottery.takeOut(candidate);
    for (let i = this.#pooled - 1; i >= 0; i--) {
      if (this.#pool[i]!.candidate === candidate) this.#drop(i);
    }
  }

  update(candidate: Candidate): void {
    this.#lottery.update(candidate);
  }

  answered(candidate: Candidate, latency: Nanoseconds, now: Nanoseconds): void {
    this.#latencies[candidate.index]!.observe(latency, now);
  }

  pick(_client: string, now: Nanoseconds, trace?: PickTrace): Candidate | undefined {
    this.#dropUnfit(now);
    const chosen = this.#choose(trace);
    const picked = chosen?.candidate ?? this.#lottery.draw();
    if (picked === undefined) return undefined;
    if (chosen === undefined && trace !== undefined) {
      this.#lottery.forEach((candidate, chance) => trace.considered(candidate, chance));
      trace.decided("fewer than two probe results: drawn at random, in proportion to weight");
    }
    if (chosen !== undefined) {
      // It will have one more when the next client looks at the same answer.
      chosen.inFlight++;
      chosen.uses--;
      if (chosen.uses <= 0) this.#drop(this.#pool.indexOf(chosen));
    }
    this.#dropOne();
    for (let i = 0; i < this.#options.probes; i++) this.#probe(now);
    return picked;
  }

  #choose(trace?: PickTrace): Probe | undefined {
    if (this.#pooled < 2) return undefined;
    const hot = this.#hotAbove();
    let best: Probe | undefined;
    let bestIsCold = false;
    for (let i = 0; i < this.#pooled; i++) {
      const probe = this.#pool[i]!;
      const isCold = loadOf(probe) <= hot;
      trace?.considered(probe.candidate, isCold ? probe.latency : loadOf(probe));
      if (best !== undefined && bestIsCold && !isCold) continue;
      const better = best === undefined || isCold !== bestIsCold ||
        (isCold
          ? probe.latency < best.latency ||
            (probe.latency === best.latency && loadOf(probe) < loadOf(best))
          : loadOf(probe) < loadOf(best));
      if (!better) continue;
      best = probe;
      bestIsCold = isCold;
    }
    trace?.decided(
      bestIsCold
        ? `least latency among those with at most ${hot} in flight`
        : "all are hot: least in flight",
    );
    return best;
  }

  /** The number in flight above which a backend is hot. */
  #hotAbove(): number {
    const loads = this.#loads.subarray(0, this.#pooled);
    for (let i = 0; i < this.#pooled; i++) loads[i] = loadOf(this.#pool[i]!);
    loads.sort();
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
      for (let i = 1; i < this.#pooled; i++) {
        if (loadOf(this.#pool[i]!) > loadOf(this.#pool[worst]!)) worst = i;
      }
    }
    this.#dropWorst = !this.#dropWorst;
    this.#drop(worst);
  }

  #probe(now: Nanoseconds): void {
    const candidate = this.#lottery.draw();
    if (candidate === undefined) return;
    const capacity = this.#capacity;
    while (this.#pooled >= capacity) this.#drop(0);
    const probe = this.#pool[this.#pooled] ??= {
      candidate,
      inFlight: 0,
      latency: 0,
      takenAt: 0,
      uses: 0,
    };
    probe.candidate = candidate;
    probe.inFlight = candidate.inFlight;
    probe.latency = this.#latencies[candidate.index]!.at(now);
    probe.takenAt = now;
    probe.uses = this.#uses(capacity);
    this.#pooled++;
  }

  get #capacity(): number {
    return Math.max(2, Math.min(this.#options.pool, Math.floor(this.#members / 2)));
  }

  /** How often an answer may be used: the whole part, and by lot one more. */
  #uses(capacity: number): number {
    const left = (1 - capacity / this.#members) * this.#options.probes - 1;
    const reuse = left > 0 ? Math.max(1, (1 + SURPLUS) / left) : 1;
    return Math.floor(reuse) + (this.#random.next() < reuse % 1 ? 1 : 0);
  }

  /** Takes an answer out. Its object goes behind the end, to be used again. */
  #drop(at: number): void {
    const pool = this.#pool;
    const dropped = pool[at]!;
    pool.copyWithin(at, at + 1, this.#pooled);
    pool[--this.#pooled] = dropped;
  }
}

function loadOf({ inFlight, candidate }: Probe): number {
  return inFlight / candidate.weight;
}
