import { type Nanoseconds, NS_PER_S, type Random, sinTurns } from "../base/mod.ts";
import type { Arrivals } from "../scenario/types.ts";
import { createSampler, exponential, meanOf, type Sampler } from "../stats/mod.ts";

/** The times at which connections arrive. */
export interface ArrivalProcess {
  /** The time of the next arrival, never before the previous one; Infinity if there is no further arrival. */
  next(): Nanoseconds;
}

/** Arrivals that do not depend on the answers: all except the closed loop. */
export type OpenArrivals = Exclude<Arrivals, { readonly kind: "closed" }>;

/** A rate that rises or falls linearly, and stays at its last value. Rates are per second. */
export interface Ramp {
  readonly kind: "ramp";
  readonly from: number;
  readonly to: number;
  /** How long the rate changes. */
  readonly over: Nanoseconds;
  /** `deterministic`: evenly spaced, by the rate of the moment. `poisson`: at random. */
  readonly spacing: "deterministic" | "poisson";
}

/** Creates the arrival process. It draws all its random numbers from `random`. */
export function createArrivals(arrivals: OpenArrivals | Ramp, random: Random): ArrivalProcess {
  switch (arrivals.kind) {
    case "ramp":
      return new Ramped(arrivals, random);
    case "poisson":
      return new Renewal({ kind: "exponential", mean: NS_PER_S / arrivals.rate }, random);
    case "renewal":
      return new Renewal(arrivals.gap, random);
    case "deterministic":
      return new Even(NS_PER_S / arrivals.rate);
    case "mmpp":
      return new Jumping(arrivals.states, random);
    case "on_off":
      return new OnOff(arrivals, random);
    case "diurnal":
      return new Diurnal(arrivals, random);
    case "trace":
      return new Recorded(arrivals.entries.map((entry) => entry.at));
  }
}

/** The mean number of connections per second in the long run; NaN for a closed loop, where the rate is a result. */
export function meanRate(arrivals: Arrivals): number {
  switch (arrivals.kind) {
    case "poisson":
    case "deterministic":
    case "diurnal":
      return arrivals.rate;
    case "renewal":
      return NS_PER_S / meanOf(arrivals.gap);
    case "mmpp": {
      const time = arrivals.states.reduce((sum, { stay }) => sum + stay, 0);
      return arrivals.states.reduce((sum, { rate, stay }) => sum + rate * stay, 0) / time;
    }
    case "on_off": {
      const on = meanOf(arrivals.on);
      return arrivals.rate * on / (on + meanOf(arrivals.off));
    }
    case "trace": {
      const { entries } = arrivals;
      const span = (entries.at(-1)?.at ?? 0) - (entries[0]?.at ?? 0);
      return span === 0 ? NaN : (entries.length - 1) * NS_PER_S / span;
    }
    case "closed":
      return NaN;
  }
}

/** Independent gaps of one distribution. */
class Renewal implements ArrivalProcess {
  readonly #gap: Sampler;
  #last = 0;

  constructor(gap: Parameters<typeof createSampler>[0], random: Random) {
    this.#gap = createSampler(gap, random);
  }

  next(): Nanoseconds {
    this.#last += Math.round(this.#gap.next());
    return this.#last;
  }
}

/**
 * Evenly spaced from 0. Times are multiples of the gap, not sums, so a gap that is not a whole number causes no
 * drift.
 */
class Even implements ArrivalProcess {
  readonly #gap: number;
  #count = 0;

  constructor(gap: number) {
    this.#gap = gap;
  }

  next(): Nanoseconds {
    return Math.round(this.#count++ * this.#gap);
  }
}

/**
 * A Poisson process whose rate jumps from state to state. It has no memory, so if the rate jumps during a gap, the
 * gap is drawn again.
 */
class Jumping implements ArrivalProcess {
  readonly #states: readonly { readonly rate: number; readonly stay: Nanoseconds }[];
  readonly #random: Random;
  #state = 0;
  #time = 0;
  #jumpAt: number;

  constructor(
    states: readonly { readonly rate: number; readonly stay: Nanoseconds }[],
    random: Random,
  ) {
    this.#states = states;
    this.#random = random;
    this.#jumpAt = states[0]!.stay * exponential(random);
  }

  next(): Nanoseconds {
    if (this.#states.every(({ rate }) => rate === 0)) return Infinity;
    while (true) {
      const { rate } = this.#states[this.#state]!;
      const at = rate === 0 ? Infinity : this.#time + NS_PER_S / rate * exponential(this.#random);
      if (at <= this.#jumpAt) {
        this.#time = at;
        return Math.round(at);
      }
      this.#time = this.#jumpAt;
      this.#state = (this.#state + 1) % this.#states.length;
      this.#jumpAt += this.#states[this.#state]!.stay * exponential(this.#random);
    }
  }
}

/** A Poisson process while on, no arrivals while off. */
class OnOff implements ArrivalProcess {
  readonly #gap: number;
  readonly #on: Sampler;
  readonly #off: Sampler;
  readonly #random: Random;
  #time = 0;
  #offAt: number;

  constructor(options: Extract<Arrivals, { kind: "on_off" }>, random: Random) {
    this.#gap = NS_PER_S / options.rate;
    this.#on = createSampler(options.on, random);
    this.#off = createSampler(options.off, random);
    this.#random = random;
    this.#offAt = this.#on.next();
  }

  next(): Nanoseconds {
    while (true) {
      const at = this.#time + this.#gap * exponential(this.#random);
      if (at <= this.#offAt) {
        this.#time = at;
        return Math.round(at);
      }
      this.#time = this.#offAt + this.#off.next();
      this.#offAt = this.#time + this.#on.next();
    }
  }
}

/**
 * A Poisson process with a rate that rises and falls, by thinning: arrivals are drawn at the highest rate, and each is
 * kept with probability rate / highest rate.
 *
 * Source: P. A. W. Lewis and G. S. Shedler, "Simulation of nonhomogeneous Poisson processes by thinning", 1979.
 */
class Diurnal implements ArrivalProcess {
  readonly #options: Extract<Arrivals, { kind: "diurnal" }>;
  readonly #random: Random;
  readonly #gap: number;
  #time = 0;

  constructor(options: Extract<Arrivals, { kind: "diurnal" }>, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#gap = NS_PER_S / (options.rate * (1 + options.amplitude));
  }

  next(): Nanoseconds {
    const { amplitude, period, phase } = this.#options;
    while (true) {
      this.#time += this.#gap * exponential(this.#random);
      const share = (1 + amplitude * sinTurns(this.#time / period + phase)) / (1 + amplitude);
      if (this.#random.next() < share) return Math.round(this.#time);
    }
  }
}

/**
 * The arrivals of a process with rate 1 per second, at other times: an arrival at x comes at the time t at which the
 * ramp's expected number of arrivals Λ(t) is x. During the ramp, Λ(t) = from·t + (to − from)·t² / (2·over); after the
 * ramp, Λ grows with the rate `to`.
 */
class Ramped implements ArrivalProcess {
  readonly #ramp: Ramp;
  readonly #random: Random;
  /** Expected arrivals while the rate changes. */
  readonly #during: number;
  #expected = 0;
  #count = 0;

  constructor(ramp: Ramp, random: Random) {
    this.#ramp = ramp;
    this.#random = random;
    this.#during = (ramp.from + ramp.to) / 2 * (ramp.over / NS_PER_S);
  }

  next(): Nanoseconds {
    if (this.#ramp.spacing === "poisson") this.#expected += exponential(this.#random);
    else this.#expected = this.#count++;
    return this.#timeOf(this.#expected);
  }

  #timeOf(expected: number): Nanoseconds {
    const { from, to, over } = this.#ramp;
    const beyond = expected - this.#during;
    if (beyond > 0) return to === 0 ? Infinity : Math.round(over + beyond / to * NS_PER_S);
    // The solution of the quadratic equation in the form that also holds for a slope of 0.
    const slope = (to - from) / (over / NS_PER_S);
    const root = Math.sqrt(Math.max(0, from * from + 2 * slope * expected));
    const divisor = from + root;
    return divisor === 0 ? 0 : Math.round(2 * expected / divisor * NS_PER_S);
  }
}

class Recorded implements ArrivalProcess {
  readonly #times: readonly Nanoseconds[];
  #count = 0;

  constructor(times: readonly Nanoseconds[]) {
    this.#times = times;
  }

  next(): Nanoseconds {
    return this.#times[this.#count++] ?? Infinity;
  }
}
