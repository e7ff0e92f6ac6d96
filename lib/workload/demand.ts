import { childSeed, createRandom, type Nanoseconds, power } from "../base/mod.ts";
import type { Arrivals, TraceEntry, Workload } from "../scenario/types.ts";
import {
  countOf,
  createSampler,
  type Distribution,
  KeyedRandom,
  KeyedSampler,
  type Sampler,
} from "../stats/mod.ts";
import { type ArrivalProcess, createArrivals, type Ramp } from "./arrivals.ts";
import { Population } from "./population.ts";

/** The demand before a change. */
export interface DemandBefore {
  readonly demand: Demand;
  /** When the demand changes. */
  readonly at: Nanoseconds;
  /** The number of the change, from 1. If the arrivals change, it selects their random numbers. */
  readonly change: number;
}

/** A workload, with the work of its requests. */
export interface DemandOptions {
  readonly workload: Omit<Workload, "arrivals"> & { readonly arrivals: Arrivals | Ramp };
  /** The work of a request. */
  readonly service: Distribution;
}

/**
 * Draws the requests of clients.
 *
 * The draws of a request depend only on its origin (the number of an arrival, or of a client of the closed loop) and
 * on its number at this origin. So a request is the same in every variant and in both worlds, in any order of the
 * requests.
 */
export class Demand {
  readonly population: Population;
  /** Undefined for a closed loop. */
  readonly arrivals: ArrivalProcess | undefined;
  readonly #options: DemandOptions;
  readonly #trace: readonly TraceEntry[] | undefined;
  readonly #loopPauses: readonly Sampler[];
  readonly #jobs: KeyedSampler;
  readonly #requestsPerConnection: KeyedSampler | undefined;
  readonly #thinkTime: KeyedSampler;
  readonly #backoff: KeyedRandom;

  /** @param before The demand until now, if it changes during a run. Parts whose settings stay the same continue. */
  constructor(options: DemandOptions, seed: number, before?: DemandBefore) {
    const { workload, service } = options;
    const { arrivals, requestsPerConnection: requests } = workload;
    const child = (...path: (string | number)[]) => childSeed(seed, ...path);
    this.#options = options;
    const { addresses } = arrivals.kind === "trace" ? arrivals : {};
    const was = before === undefined ? undefined : before.demand.#options.workload;
    this.population = before !== undefined && equal(was?.clients, workload.clients)
      ? before.demand.population
      : new Population(workload.clients, seed, addresses);
    this.#jobs = new KeyedSampler(service, child("jobs"));
    this.#requestsPerConnection = requests.kind === "deterministic" && requests.value <= 1
      ? undefined
      : new KeyedSampler(requests, child("requests per connection"));
    this.#thinkTime = new KeyedSampler(workload.thinkTime, child("think time"));
    this.#backoff = new KeyedRandom(child("backoff"));
    this.#trace = arrivals.kind === "trace" ? arrivals.entries : undefined;
    const isClosed = arrivals.kind === "closed";
    const areSame = before !== undefined && equal(was?.arrivals, arrivals);
    this.#loopPauses = areSame ? before.demand.#loopPauses : isClosed
      ? Array.from(
        { length: arrivals.clients },
        (_, client) => createSampler(arrivals.think, createRandom(child("client", client))),
      )
      : [];
    this.arrivals = isClosed
      ? undefined
      : areSame
      ? before.demand.arrivals
      : before === undefined
      ? createArrivals(arrivals, new KeyedRandom(child("arrivals")).seek(0, 0))
      : new Delayed(
        createArrivals(arrivals, new KeyedRandom(child("arrivals", before.change)).seek(0, 0)),
        before.at,
      );
  }

  /** The number of clients of the closed loop; 0 in an open loop. */
  get inLoop(): number {
    return this.#loopPauses.length;
  }

  /** Index of the client of the next arrival. Called once for each arrival, in their order. */
  clientOf(arrival: number): number {
    const drawn = this.population.next();
    const recorded = this.#trace?.[arrival]?.client;
    return recorded === undefined ? drawn : this.population.indexOf(recorded);
  }

  /** How many requests a connection carries that begins after the `nth` request of its origin. */
  requestsFrom(origin: number, nth: number): number {
    const requests = this.#requestsPerConnection;
    return requests === undefined ? 1 : countOf(requests.at(origin, nth));
  }

  /** The work of the `nth` request of an origin, from 1. */
  work(origin: number, nth: number): Nanoseconds {
    return this.#trace?.[origin]?.work ?? this.#jobs.at(origin, nth);
  }

  /** The pause between the answer to the `nth` request of an origin and the next request on its connection. */
  thinkTime(origin: number, nth: number): Nanoseconds {
    return Math.round(this.#thinkTime.at(origin, nth));
  }

  /** The next pause of a client of the closed loop before it connects. */
  loopPause(client: number): Nanoseconds {
    return Math.round(this.#loopPauses[client]!.next());
  }

  /** The pause after an attempt of a request, numbered from 1, has failed. */
  backoff(origin: number, nth: number, attempt: number): Nanoseconds {
    const { backoff, multiplier, jitter } = this.#options.workload.retries;
    const pause = backoff * power(multiplier, attempt - 1) *
      (1 + jitter * (2 * this.#backoff.seek(origin, nth, attempt).next() - 1));
    return Math.round(pause);
  }
}

/** Arrivals whose times are counted from `from`. */
class Delayed implements ArrivalProcess {
  readonly #arrivals: ArrivalProcess;
  readonly #from: Nanoseconds;

  constructor(arrivals: ArrivalProcess, from: Nanoseconds) {
    this.#arrivals = arrivals;
    this.#from = from;
  }

  next(): Nanoseconds {
    return this.#from + this.#arrivals.next();
  }
}

/** Whether two settings are the same; both are plain data. */
function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
