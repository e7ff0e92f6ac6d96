import { type Nanoseconds, NS_PER_MS, NS_PER_S, type Random } from "../../base/mod.ts";
import { extended } from "./_extended.ts";
import { IndexList } from "./_index_list.ts";
import { LatencyByLoad } from "./_latency_by_load.ts";
import { LatestQuantile } from "./_latest_quantile.ts";
import { Lottery } from "./_lottery.ts";
import { without } from "./_without.ts";
import { define } from "./_definition.ts";
import type { Algorithm, Candidate, PickDetails, PickTrace, Tried } from "./algorithm.ts";

/** The result of a backend's latest probe: a few numbers in a row. */
const FIELDS = 6;
const IN_FLIGHT = 0;
/** The backend's connections in flight, divided by its weight. */
const LOAD = 1;
/** The latency of an answer at this number in flight. */
const LATENCY = 2;
const TAKEN_AT = 3;
/** How many more picks may use it. */
const USES = 4;
/** The number of the pick that took this result. */
const PICK = 5;

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
 * many results as there are backends, or as many as a pick probes if that is more.
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
  readonly #candidates: Candidate[] = [];
  #results = new Float64Array(0);
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
    const at = index * FIELDS;
    if (at >= this.#results.length) this.#results = extended(this.#results, 2 * at + 8 * FIELDS);
    this.#results.fill(0, at, at + FIELDS);
    this.#pool.reserve(index + 1);
    this.#candidates[index] = candidate;
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
    const at = candidate.index * FIELDS;
    this.#results[at + LOAD] = this.#results[at + IN_FLIGHT]! / candidate.weight;
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
    for (const { index } of tried) this.#pool.delete(index);
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
    while (this.#pool.size > this.#capacity) this.#pool.delete(this.#pool.oldest);
    return picked;
  }

  details(_client: string, now: Nanoseconds): PickDetails {
    const usable = [...this.#pool].map((index) => this.#resultOf(index)).filter((
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
  #chosen(now: Nanoseconds, trace?: PickTrace): Candidate {
    if (trace !== undefined) this.#explain(trace);
    const results = this.#results;
    const index = this.#choose();
    const at = index * FIELDS;
    const candidate = this.#candidates[index]!;
    const uses = results[at + USES]! - 1;
    if (uses <= 0) {
      this.#pool.delete(index);
      return candidate;
    }
    // The backend has one more in flight when the next pick uses the same result.
    const inFlight = results[at + IN_FLIGHT]! + 1;
    results[at + USES] = uses;
    results[at + IN_FLIGHT] = inFlight;
    results[at + LOAD] = inFlight / candidate.weight;
    results[at + LATENCY] = this.#latencies.estimate(index, inFlight, now);
    return candidate;
  }

  /** The fastest result that is not hot; if all are hot, the least loaded. */
  #choose(): number {
    let fastest = this.#fastestBelow(Infinity);
    // Seldom more than once or twice: cheaper than to sort. Every load that is not below a hot one is hot.
    while (true) {
      const load = this.#results[fastest * FIELDS + LOAD]!;
      if (!this.#hot.isBelow(load)) return fastest;
      const cooler = this.#fastestBelow(load);
      if (cooler === -1) return fastest; // All are hot, and this is the least loaded.
      fastest = cooler;
    }
  }

  /**
   * The result with the least latency among those with a load below a bound; of equal ones, the one with the least
   * load. −1 if there is none.
   */
  #fastestBelow(bound: number): number {
    const pool = this.#pool;
    const results = this.#results;
    let best = -1;
    let bestLatency = Infinity;
    let bestLoad = Infinity;
    for (let index = pool.oldest; index >= 0; index = pool.after(index)) {
      const load = results[index * FIELDS + LOAD]!;
      const latency = results[index * FIELDS + LATENCY]!;
      if (load >= bound || latency > bestLatency) continue;
      if (latency === bestLatency && load >= bestLoad) continue;
      best = index;
      bestLatency = latency;
      bestLoad = load;
    }
    return best;
  }

  #explain(trace: PickTrace): void {
    const { quantile } = this.#hot;
    let areAllHot = true;
    for (const index of this.#pool) {
      const { candidate, load, latency } = this.#resultOf(index);
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
    while (pool.size > 0 && now - this.#results[pool.oldest * FIELDS + TAKEN_AT]! > age) {
      pool.delete(pool.oldest);
    }
    if (!this.#mayBeUnfit) return;
    this.#mayBeUnfit = false;
    for (const index of pool) if (!this.#candidates[index]!.available) pool.delete(index);
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
    let hottest = -1;
    let highestLoad = -Infinity;
    let slowest = -1;
    let highestLatency = -Infinity;
    for (let index = pool.oldest; index >= 0; index = pool.after(index)) {
      const load = results[index * FIELDS + LOAD]!;
      const latency = results[index * FIELDS + LATENCY]!;
      if (load > highestLoad) {
        hottest = index;
        highestLoad = load;
      }
      if (latency > highestLatency) {
        slowest = index;
        highestLatency = latency;
      }
    }
    return this.#hot.isBelow(highestLoad) ? hottest : slowest;
  }

  /** Probes `probes` distinct backends, or all if there are fewer. */
  #probeSome(now: Nanoseconds): void {
    const lottery = this.#lottery;
    const results = this.#results;
    const { probes } = this.#options;
    for (let probed = 0; probed < probes; probed++) {
      let candidate = probed % DRAWS === 0 ? lottery.draw() : lottery.drawAgain();
      let redraws = 0;
      while (
        candidate !== undefined && results[candidate.index * FIELDS + PICK] === this.#picks
      ) {
        if (redraws++ === REDRAWS) return;
        candidate = lottery.draw();
      }
      if (candidate === undefined) return;
      this.#probe(candidate, now);
    }
  }

  #probe({ index, inFlight, weight }: Candidate, now: Nanoseconds): void {
    const results = this.#results;
    const at = index * FIELDS;
    const load = inFlight / weight;
    const isUsedOnceMore = this.#onceMore > 0 && this.#random.next() < this.#onceMore;
    results[at + IN_FLIGHT] = inFlight;
    results[at + LOAD] = load;
    results[at + LATENCY] = this.#latencies.estimate(index, inFlight, now);
    results[at + TAKEN_AT] = now;
    results[at + USES] = this.#uses + Number(isUsedOnceMore);
    results[at + PICK] = this.#picks;
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

  /** A result as an object, for code that runs rarely. */
  #resultOf(index: number) {
    const results = this.#results;
    const at = index * FIELDS;
    return {
      candidate: this.#candidates[index]!,
      inFlight: results[at + IN_FLIGHT]!,
      load: results[at + LOAD]!,
      latency: results[at + LATENCY]!,
      takenAt: results[at + TAKEN_AT]!,
    };
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
