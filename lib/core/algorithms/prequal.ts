import { type Nanoseconds, NS_PER_MS, NS_PER_S, type Random } from "../../base/mod.ts";
import { IndexList } from "./_index_list.ts";
import { LatencyByLoad } from "./_latency_by_load.ts";
import { LatestQuantile } from "./_latest_quantile.ts";
import { Lottery } from "./_lottery.ts";
import { without } from "./_without.ts";
import { define } from "./_definition.ts";
import type { Algorithm, Candidate, PickDetails, PickTrace, Tried } from "./algorithm.ts";

/** A backend, and the result of its latest probe. There is one object for each backend: a probe allocates nothing. */
interface Result {
  readonly candidate: Candidate;
  inFlight: number;
  /** The connections in flight, divided by the backend's weight. */
  load: number;
  /** The latency of an answer at this number in flight. */
  latency: Nanoseconds;
  takenAt: Nanoseconds;
  /** How many more picks may use it. */
  uses: number;
  /** The number of the pick that took this result. */
  pick: number;
}

const FEW_RESULTS = "fewer than two probe results: drawn at random, in proportion to weight";

/** The quantile of the numbers in flight above which a backend is hot: 2^−0.25. */
const HOT_QUANTILE = 1 / Math.sqrt(Math.SQRT2);
/** The number of latest probes that decide which results are hot. A power of two. */
const USUAL = 32;
/** How much faster the pool is filled than it is used up: δ in the paper. */
const SURPLUS = 1;
/** The number of backends that are drawn with one random number. */
const DRAWS = 3;
/** If this pick has already probed the drawn backend, the draw is repeated, at most this many times. */
const REDRAWS = 8;

/** How long a latency is used for the estimate of its backend. */
const LATENCY_LIFE: Nanoseconds = 10 * NS_PER_S;

/** The parameters of `prequal`. */
export interface PrequalOptions {
  /** The largest number of probe results in the pool. */
  readonly pool: number;
  /** An older result is not used. */
  readonly age: Nanoseconds;
  /** The number of backends that each pick probes. */
  readonly probes: number;
}

/**
 * `prequal`: every pick probes a few distinct backends, and then uses the pool of the latest results: it picks the
 * fastest backend that is not hot.
 *
 * Rule: a result has two numbers: a backend's connections in flight, and the latency of its answers with this number
 * in flight. A result is hot if its number in flight (divided by the weight) exceeds the 2^−0.25 quantile of the
 * latest 32 results. Among the cold results, the one with the least latency is picked, and of equal ones the one with
 * the least in flight. If all are hot, the one with the least in flight is picked. With fewer than two results, a
 * backend is drawn in proportion to weight. A pick that uses a result adds one to the result's number in flight. The
 * pool has only the latest result of each backend. A result is dropped when it is older than `age`, or when it has
 * been used `max(1, (1 + δ) / ((1 − m/n) · probes − 1))` times. In addition, each pick drops one result: alternately
 * the oldest and the worst. The worst is the most loaded if that is hot, and otherwise the slowest. If the pool size
 * `m` is not well below the number of backends `n`, the denominator is not positive. So the pool has at most half as
 * many results as there are backends, or as many as a pick probes if that is more. If the denominator is still not
 * positive, each result is used once.
 *
 * Over opaque TCP a balancer cannot ask a backend for its state. So a probe reads this balancer's own data about the
 * backend.
 *
 * Source: B. Wydrowski et al., "Load is not what you should balance: introducing Prequal", NSDI 2024, section 4.
 */
export class Prequal implements Algorithm {
  readonly #options: PrequalOptions;
  readonly #random: Random;
  readonly #lottery: Lottery;
  readonly #latencies = new LatencyByLoad(LATENCY_LIFE);
  /** The probe results, by candidate index. */
  readonly #results: Result[] = [];
  /** The candidates whose results are kept, by the age of their results. */
  readonly #pool = new IndexList();
  /** Whether a backend that may be in the pool has become unavailable. */
  #mayBeUnfit = false;
  /** The largest number of results in the pool, for the present number of backends. */
  #capacity = 2;
  /** How often each result may be used. A fraction is the probability of one more use. */
  #uses = 1;
  #onceMore = 0;
  #members = 0;
  /** Above this load a result is hot. */
  readonly #hot = new LatestQuantile(HOT_QUANTILE, USUAL);
  #picks = 0;
  #dropWorst = false;

  constructor(options: PrequalOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#lottery = new Lottery(random);
  }

  add(candidate: Candidate): void {
    this.#resize(this.#members + 1);
    const { index } = candidate;
    // NaN, so that these fields are doubles from the start: later, each of them would change the type of the object.
    this.#results[index] = {
      candidate,
      inFlight: 0,
      load: NaN,
      latency: NaN,
      takenAt: NaN,
      uses: 0,
      pick: 0,
    };
    this.#pool.reserve(index + 1);
    this.#latencies.reset(index);
    this.#lottery.update(candidate);
  }

  remove(candidate: Candidate): void {
    this.#resize(this.#members - 1);
    this.#lottery.takeOut(candidate);
    this.#pool.delete(candidate.index);
  }

  update(candidate: Candidate): void {
    this.#lottery.update(candidate);
    if (!candidate.available) this.#mayBeUnfit = true;
    const result = this.#results[candidate.index]!;
    result.load = result.inFlight / candidate.weight;
  }

  answered({ index }: Candidate, latency: Nanoseconds, others: number, now: Nanoseconds): void {
    this.#latencies.observe(index, latency, others, now);
  }

  unanswered({ index }: Candidate, waited: Nanoseconds, others: number, now: Nanoseconds): void {
    const latencies = this.#latencies;
    latencies.advance(now);
    // A wait that is shorter than what an answer takes says nothing.
    if (waited <= latencies.estimate(index, others)) return;
    latencies.observeSilence(index, waited, now);
  }

  pick(_client: string, now: Nanoseconds, trace?: PickTrace, tried?: Tried): Candidate | undefined {
    if (tried === undefined) return this.#pick(now, trace);
    for (const { index } of tried) this.#pool.delete(index);
    return without(this.#lottery, tried, () => this.#pick(now, trace));
  }

  #pick(now: Nanoseconds, trace?: PickTrace): Candidate | undefined {
    this.#latencies.advance(now);
    this.#dropUnfit(now);
    const picked = this.#pool.size < 2
      ? this.#lottery.pick(FEW_RESULTS, trace)
      : this.#chosen(trace);
    if (picked === undefined) return undefined;
    this.#picks++;
    this.#dropOne();
    this.#probeSome(now);
    while (this.#pool.size > this.#capacity) this.#pool.delete(this.#pool.oldest);
    return picked;
  }

  details(_client: string, now: Nanoseconds): PickDetails {
    const usable = [...this.#pool].map((index) => this.#results[index]!).filter((
      { candidate, takenAt },
    ) => candidate.available && now - takenAt <= this.#options.age);
    return {
      kind: "pool",
      results: usable.map(({ candidate, inFlight, load, latency, takenAt }) => ({
        backend: candidate.id,
        in_flight: inFlight,
        latency_ms: latency / NS_PER_MS,
        age_ms: (now - takenAt) / NS_PER_MS,
        hot: this.#hot.isBelow(load),
      })),
    };
  }

  /** The backend with the best result in the pool. */
  #chosen(trace?: PickTrace): Candidate {
    if (trace !== undefined) this.#explain(trace);
    const result = this.#choose();
    const { candidate } = result;
    const uses = result.uses - 1;
    if (uses <= 0) {
      this.#pool.delete(candidate.index);
      return candidate;
    }
    // The backend has one more in flight when the next pick uses the same result.
    const inFlight = result.inFlight + 1;
    result.uses = uses;
    result.inFlight = inFlight;
    result.load = inFlight / candidate.weight;
    result.latency = this.#latencies.estimate(candidate.index, inFlight);
    return candidate;
  }

  /** The fastest result that is not hot; if all are hot, the least loaded. */
  #choose(): Result {
    // Most hot results are known to be hot, and are passed over at once.
    let fastest = this.#fastestBelow(this.#hot.high) ?? this.#fastestBelow(Infinity)!;
    // Seldom more than once or twice: cheaper than to sort. Every load that is not below a hot one is hot.
    while (this.#hot.isBelow(fastest.load)) {
      const cooler = this.#fastestBelow(fastest.load);
      if (cooler === undefined) return fastest; // All are hot, and this is the least loaded.
      fastest = cooler;
    }
    return fastest;
  }

  /**
   * The result with the least latency among those with a load below a bound; of equal ones, the one with the least
   * load. Undefined if there is none.
   */
  #fastestBelow(bound: number): Result | undefined {
    const pool = this.#pool;
    const results = this.#results;
    let best: Result | undefined;
    let bestLatency = Infinity;
    let bestLoad = Infinity;
    for (let index = pool.oldest; index >= 0; index = pool.after(index)) {
      const result = results[index]!;
      const { load, latency } = result;
      if (latency > bestLatency || load >= bound) continue;
      if (latency === bestLatency && load >= bestLoad) continue;
      best = result;
      bestLatency = latency;
      bestLoad = load;
    }
    return best;
  }

  #explain(trace: PickTrace): void {
    const { quantile } = this.#hot;
    let areAllHot = true;
    for (const index of this.#pool) {
      const { candidate, load, latency } = this.#results[index]!;
      const isHot = load > quantile;
      if (!isHot) areAllHot = false;
      trace.considered(candidate, isHot ? load : latency);
    }
    trace.decided(
      areAllHot
        ? `least in flight, as all have more than ${quantile}`
        : `least latency among those with at most ${quantile} in flight`,
    );
  }

  #dropUnfit(now: Nanoseconds): void {
    const pool = this.#pool;
    const { age } = this.#options;
    while (pool.size > 0 && now - this.#results[pool.oldest]!.takenAt > age) {
      pool.delete(pool.oldest);
    }
    if (!this.#mayBeUnfit) return;
    this.#mayBeUnfit = false;
    for (const index of pool) if (!this.#results[index]!.candidate.available) pool.delete(index);
  }

  /** Drops a result to make room for new ones: alternately the oldest and the worst. */
  #dropOne(): void {
    if (this.#pool.size === 0) return;
    this.#pool.delete(this.#dropWorst ? this.#worst() : this.#pool.oldest);
    this.#dropWorst = !this.#dropWorst;
  }

  /** The most loaded result if it is hot, and otherwise the slowest; of equal ones, the oldest. */
  #worst(): number {
    const pool = this.#pool;
    const results = this.#results;
    // Most results are known not to be hot, and are passed over at once.
    let hottest = -1;
    let highestLoad = this.#hot.low;
    for (let index = pool.oldest; index >= 0; index = pool.after(index)) {
      const { load } = results[index]!;
      if (load <= highestLoad) continue;
      hottest = index;
      highestLoad = load;
    }
    return this.#hot.isBelow(highestLoad) ? hottest : this.#slowest();
  }

  #slowest(): number {
    const pool = this.#pool;
    const results = this.#results;
    let slowest = -1;
    let highestLatency = -Infinity;
    for (let index = pool.oldest; index >= 0; index = pool.after(index)) {
      const { latency } = results[index]!;
      if (latency <= highestLatency) continue;
      slowest = index;
      highestLatency = latency;
    }
    return slowest;
  }

  /** Probes `probes` distinct backends, or all if there are fewer. */
  #probeSome(now: Nanoseconds): void {
    const lottery = this.#lottery;
    const results = this.#results;
    const { probes } = this.#options;
    for (let probed = 0; probed < probes; probed++) {
      let index = probed % DRAWS === 0 ? lottery.drawIndex() : lottery.drawIndexAgain();
      if (index < 0) return;
      let result = results[index]!;
      for (let redraws = 0; result.pick === this.#picks; redraws++) {
        if (redraws === REDRAWS) return;
        index = lottery.drawIndex();
        result = results[index]!;
      }
      this.#probe(result, index, now);
    }
  }

  #probe(result: Result, index: number, now: Nanoseconds): void {
    const { inFlight, weight } = result.candidate;
    // Most weights are 1, and a division of integers takes as long as all assignments below.
    const load = weight === 1 ? inFlight : inFlight / weight;
    const isUsedOnceMore = this.#onceMore > 0 && this.#random.next() < this.#onceMore;
    result.inFlight = inFlight;
    result.load = load;
    result.latency = this.#latencies.estimate(index, inFlight);
    result.takenAt = now;
    result.uses = this.#uses + Number(isUsedOnceMore);
    result.pick = this.#picks;
    this.#hot.add(load);
    this.#pool.delete(index);
    this.#pool.add(index);
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
