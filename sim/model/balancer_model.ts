import { childSeed, createRandom, type Nanoseconds } from "../../lib/base/mod.ts";
import {
  type Connection as ScheduledConnection,
  EventStream,
  type ReaderFailure,
  Scheduler,
} from "../../lib/core/mod.ts";
import type { Balancer } from "../../lib/scenario/types.ts";
import { type EventQueue, WAKE } from "../engine/mod.ts";
import type { IdealStore } from "./ideal_store.ts";

/** A load balancer: the scheduler that the live one has, with a view of its own. */
export class BalancerModel {
  readonly index: number;
  readonly events = new EventStream((failure) => this.readerFailures.push(failure));
  /** Readers of its events that failed. */
  readonly readerFailures: ReaderFailure[] = [];
  /** It takes clients in. */
  listening = false;
  /** How many faults keep it from running. */
  stops = 0;
  /** By backend index: the number of partitions between this balancer and the backend. */
  readonly cuts: number[];
  readonly #options: Balancer;
  readonly #seed: number;
  readonly #store: IdealStore | undefined;
  readonly #queue: EventQueue;
  /** Number of the event that is to wake its scheduler; another one is out of date. */
  #wakeEvent = 0;
  #scheduler: Scheduler;
  #starts = 0;

  /** @param store Where its sessions are kept; in itself if undefined. */
  constructor(
    options: Balancer,
    index: number,
    seed: number,
    queue: EventQueue,
    store: IdealStore | undefined,
  ) {
    this.index = index;
    this.#options = options;
    this.#seed = childSeed(seed, "balancer", index);
    this.#queue = queue;
    this.#store = store;
    this.cuts = options.backends.map(() => 0);
    this.#scheduler = this.#newScheduler();
  }

  get scheduler(): Scheduler {
    return this.#scheduler;
  }

  /** A client has connected. Unless it is refused, its scheduler knows by then what its store knows. */
  accept(client: string, now: Nanoseconds): ScheduledConnection {
    const connection = this.#scheduler.accept(client, now);
    if (connection.refusal === undefined) this.#store?.tell(this.#scheduler, client, now);
    return connection;
  }

  /** An event to wake its scheduler happens. */
  wake(event: number, now: Nanoseconds): void {
    if (event !== this.#wakeEvent) return;
    this.#scheduler.passTime(now);
    const { nextWake } = this.#scheduler;
    if (nextWake !== undefined) this.#wakeAt(nextWake);
  }

  /** Starts it afresh: counts, health and sessions are forgotten, unless a store has them. */
  restart(): void {
    this.#scheduler.onWake = undefined;
    this.#wakeEvent = 0;
    this.#scheduler = this.#newScheduler();
  }

  #newScheduler(): Scheduler {
    const random = createRandom(childSeed(this.#seed, "algorithm", this.#starts++));
    const scheduler = new Scheduler(this.#options, this.events, random);
    this.#store?.follow(scheduler);
    scheduler.onWake = (at) => this.#wakeAt(at);
    return scheduler;
  }

  #wakeAt(at: Nanoseconds): void {
    this.#wakeEvent = this.#queue.push(at, WAKE, this.index);
  }
}
