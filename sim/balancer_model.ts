import {
  childSeed,
  createRandom,
  EventStream,
  type LbEvent,
  type Lease,
  type Nanoseconds,
  type Refusal,
  Scheduler,
  type Waiting,
} from "../lib/core/mod.ts";
import { EVENT_TYPES } from "../lib/core/mod.ts";
import type { Balancer } from "../lib/scenario/types.ts";
import type { IdealStore } from "./ideal_store.ts";

/** Reads the events of one balancer. */
export type EventReader = (event: LbEvent, balancer: number, now: Nanoseconds) => void;

/** A load balancer: the scheduler that the live one has, with a view of its own. */
export class BalancerModel {
  readonly index: number;
  readonly events = new EventStream();
  /** It takes clients in. */
  listening = false;
  /** How many faults keep it from running. */
  stops = 0;
  /** By backend index: the network between them is cut. How many partitions do so. */
  readonly cuts: number[];
  readonly #options: Balancer;
  readonly #seed: number;
  readonly #store: IdealStore | undefined;
  #scheduler: Scheduler;
  #starts = 0;

  /** @param store Where its sessions are kept; in itself if left out. */
  constructor(options: Balancer, index: number, seed: number, store?: IdealStore) {
    this.index = index;
    this.#options = options;
    this.#seed = childSeed(seed, "balancer", index);
    this.#store = store;
    this.cuts = options.backends.map(() => 0);
    this.#scheduler = this.#newScheduler();
  }

  get scheduler(): Scheduler {
    return this.#scheduler;
  }

  /** Asks its scheduler for a backend, which by then knows what its store knows. */
  acquire(client: string, now: Nanoseconds): Lease | Refusal | Waiting {
    this.#store?.tell(this.#scheduler, client, now);
    return this.#scheduler.acquire(client, now);
  }

  /** Starts it afresh: counts, health and sessions are forgotten, unless a store has them. */
  restart(): void {
    this.#scheduler = this.#newScheduler();
  }

  /** Calls `reader` for every event. */
  observe(reader: (event: LbEvent) => void): void {
    this.events.subscribe(EVENT_TYPES, reader);
  }

  #newScheduler(): Scheduler {
    const random = createRandom(childSeed(this.#seed, "algorithm", this.#starts++));
    const scheduler = new Scheduler(this.#options, this.events, random);
    this.#store?.follow(scheduler);
    return scheduler;
  }
}
