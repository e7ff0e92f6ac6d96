import type { Random } from "../random.ts";
import { type Nanoseconds, NS_PER_S } from "../time.ts";
import { PeakAverages } from "./_latency.ts";
import { Lottery } from "./_lottery.ts";
import type { Algorithm, Candidate, PickTrace } from "./algorithm.ts";

/** What a probe found. */
interface Probe {
  candidate: Candidate;
  inFlight: number;
  /** In flight for its weight. */
  load: number;
  latency: Nanoseconds;
  takenAt: Nanoseconds;
  /** How often it may still be picked by. */
  uses: number;
}

/** The quantile of in flight in the pool above which a backend is hot. */
const HOT_QUANTILE = 1 / Math.sqrt(Math.SQRT2);
/** How much more than it is spent the pool is refilled: the paper's δ. */
const SURPLUS = 1;
/** So many are drawn with one random number. */
const DRAWS = 3;
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
 * answers: the fastest among those that are not hot.
 *
 * Rule: a backend is hot if its in flight (for its weight) exceeds the 2^−0.25 quantile of the pool. Of
 * the cold ones the least latency wins, of equals the least in flight; with fewer than two answers it is
 * drawn by lot. An answer is dropped when it is older than `age`, when it has been used
 * `max(1, (1 + δ) / ((1 − m/n) · probes − 1))` times, and with each pick the oldest and the worst in turn.
 * Where `m` is not well below `n` that denominator is not positive: the pool is then half the backends.
 * The paper's rule for when all are hot is not needed: the quantile is of the pool itself.
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
  /** The pool: a ring, its oldest at `#head`. What lies outside are objects to be used again. */
  readonly #ring: Probe[] = [];
  readonly #mask: number;
  #head = 0;
  #pooled = 0;
  /** Somebody has become unavailable who may be in the pool. */
  #mayBeUnfit = false;
  /** How many are pooled at most, with so many backends as there are. */
  #capacity = 2;
  /** How often each may be used, and the chance of it being once more. */
  #uses = 1;
  #onceMore = 0;
  #members = 0;
  #dropWorst = false;

  constructor(options: PrequalOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#lottery = new Lottery(random);
    let size = 2;
    while (size < options.pool + options.probes) size *= 2;
    this.#mask = size - 1;
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
      if (this.#at(i).candidate === candidate) this.#drop(i);
    }
  }

  update(candidate: Candidate): void {
    this.#lottery.update(candidate);
    if (!candidate.available) this.#mayBeUnfit = true;
    for (let i = 0; i < this.#pooled; i++) {
      const probe = this.#at(i);
      if (probe.candidate === candidate) probe.load = probe.inFlight / candidate.weight;
    }
  }

  answered(candidate: Candidate, latency: Nanoseconds, now: Nanoseconds): void {
    this.#latencies.observe(candidate.index, latency, now);
  }

  pick(_client: string, now: Nanoseconds, trace?: PickTrace): Candidate | undefined {
    this.#dropUnfit(now);
    const picked = this.#pooled < 2 ? this.#drawn(trace) : this.#chosen(trace);
    if (picked === undefined) return undefined;
    this.#dropOne();
    this.#latencies.advance(now);
    const { probes } = this.#options;
    for (let i = 0; i < probes; i++) {
      this.#probe(i % DRAWS === 0 ? this.#lottery.draw() : this.#lottery.drawAgain(), now);
    }
    if (this.#pooled > this.#capacity) this.#dropOldest(this.#pooled - this.#capacity);
    return picked;
  }

  /** Somebody by lot. */
  #drawn(trace?: PickTrace): Candidate | undefined {
    const picked = this.#lottery.draw();
    if (picked !== undefined && trace !== undefined) {
      this.#lottery.forEach((candidate, chance) => trace.considered(candidate, chance));
      trace.decided("fewer than two probe results: drawn at random, in proportion to weight");
    }
    return picked;
  }

  /** Whom the pool speaks for. */
  #chosen(trace?: PickTrace): Candidate {
    if (trace !== undefined) this.#explain(trace);
    const at = this.#choose();
    const chosen = this.#at(at);
    const { candidate } = chosen;
    // It will have one more when the next client looks at the same answer.
    chosen.inFlight++;
    chosen.load = chosen.inFlight / candidate.weight;
    chosen.uses--;
    if (chosen.uses <= 0) this.#drop(at);
    return candidate;
  }

  /** The place in the pool of the answer to go by: the fastest that is not hot. */
  #choose(): number {
    let fastest = this.#fastestBelow(Infinity);
    // Seldom more than once or twice: cheaper than to sort. Whose load is no less than a hot one's is hot.
    while (!this.#isCold(this.#at(fastest).load)) {
      fastest = this.#fastestBelow(this.#at(fastest).load);
    }
    return fastest;
  }

  /** The place of the least latency, of equals the least load, among the loads below a bound. */
  #fastestBelow(bound: number): number {
    let best = 0;
    let bestLatency = Infinity;
    let bestLoad = Infinity;
    for (let i = 0; i < this.#pooled; i++) {
      const { load, latency } = this.#at(i);
      if (load >= bound || latency > bestLatency) continue;
      if (latency === bestLatency && load >= bestLoad) continue;
      best = i;
      bestLatency = latency;
      bestLoad = load;
    }
    return best;
  }

  /** Whether a load is at most the quantile of the pool: were they sorted, it would come no later. */
  #isCold(load: number): boolean {
    const pooled = this.#pooled;
    let below = 0;
    for (let i = 0; i < pooled; i++) below += Number(this.#at(i).load < load);
    return below <= Math.floor(HOT_QUANTILE * (pooled - 1));
  }

  #explain(trace: PickTrace): void {
    let quantile = 0;
    for (let i = 0; i < this.#pooled; i++) {
      const { candidate, load, latency } = this.#at(i);
      const isCold = this.#isCold(load);
      if (isCold) quantile = Math.max(quantile, load);
      trace.considered(candidate, isCold ? latency : load);
    }
    trace.decided(`least latency among those with at most ${quantile} in flight`);
  }

  #dropUnfit(now: Nanoseconds): void {
    while (this.#pooled > 0 && now - this.#at(0).takenAt > this.#options.age) this.#dropOldest(1);
    if (!this.#mayBeUnfit) return;
    this.#mayBeUnfit = false;
    for (let i = this.#pooled - 1; i >= 0; i--) {
      if (!this.#at(i).candidate.available) this.#drop(i);
    }
  }

  /** Room for what is new: the oldest and the worst go in turn. */
  #dropOne(): void {
    if (this.#pooled === 0) return;
    if (this.#dropWorst) this.#drop(this.#worst());
    else this.#dropOldest(1);
    this.#dropWorst = !this.#dropWorst;
  }

  /** The place of the greatest load, of equals the oldest. */
  #worst(): number {
    let worst = 0;
    let worstLoad = -1;
    for (let i = 0; i < this.#pooled; i++) {
      const { load } = this.#at(i);
      if (load <= worstLoad) continue;
      worst = i;
      worstLoad = load;
    }
    return worst;
  }

  #probe(candidate: Candidate | undefined, now: Nanoseconds): void {
    if (candidate === undefined) return;
    // Not a number, but a double: zeros would be kept as small integers until the first fraction came.
    const probe = this.#ring[(this.#head + this.#pooled) & this.#mask] ??= {
      candidate,
      inFlight: 0,
      load: NaN,
      latency: NaN,
      takenAt: NaN,
      uses: 0,
    };
    probe.candidate = candidate;
    probe.inFlight = candidate.inFlight;
    probe.load = candidate.inFlight / candidate.weight;
    probe.latency = this.#latencies.current(candidate.index);
    probe.takenAt = now;
    probe.uses = this.#uses;
    if (this.#onceMore > 0 && this.#random.next() < this.#onceMore) probe.uses++;
    this.#pooled++;
  }

  #resize(members: number): void {
    this.#members = members;
    this.#capacity = Math.max(2, Math.min(this.#options.pool, Math.floor(members / 2)));
    const left = (1 - this.#capacity / members) * this.#options.probes - 1;
    const uses = left > 0 ? Math.max(1, (1 + SURPLUS) / left) : 1;
    this.#uses = Math.floor(uses);
    this.#onceMore = uses - this.#uses;
  }

  /** The answer in a place, of which the oldest is 0. */
  #at(place: number): Probe {
    return this.#ring[(this.#head + place) & this.#mask]!;
  }

  #dropOldest(count: number): void {
    this.#head = (this.#head + count) & this.#mask;
    this.#pooled -= count;
  }

  /** Takes an answer out: those before it move up, and its object goes where the oldest was. */
  #drop(place: number): void {
    const ring = this.#ring;
    const head = this.#head;
    const mask = this.#mask;
    const dropped = ring[(head + place) & mask]!;
    for (let i = head + place; i > head; i--) ring[i & mask] = ring[(i - 1) & mask]!;
    ring[head] = dropped;
    this.#dropOldest(1);
  }
}
