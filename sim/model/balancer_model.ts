import { childSeed, createRandom, type Nanoseconds } from "../../lib/base/mod.ts";
import {
  type Connection as ScheduledConnection,
  EventStream,
  type ReaderFailure,
  Scheduler,
} from "../../lib/core/mod.ts";
import type { Balancer } from "../../lib/scenario/types.ts";
import { type EventQueue, WAKE } from "../engine/mod.ts";
import type { BackendModel } from "./backend_model.ts";
import type { IdealStore } from "./ideal_store.ts";

/** A simulated load balancer: it has the scheduler of the live balancer, and its own view of the backends. */
export class BalancerModel {
  readonly index: number;
  readonly events = new EventStream((failure) => this.readerFailures.push(failure));
  /** Readers of its events that have failed. */
  readonly readerFailures: ReaderFailure[] = [];
  /** Whether it accepts clients. */
  listening = false;
  /** How many faults stop it at present. */
  stops = 0;
  /** The number of partitions between this balancer and each backend, by backend index. */
  readonly cuts: number[];
  /** The backends by their indices in the scheduler, as they were at the latest look-up. */
  readonly #models: BackendModel[] = [];
  readonly #backends: ReadonlyMap<string, BackendModel>;
  #options: Balancer;
  readonly #seed: number;
  readonly #store: IdealStore | undefined;
  readonly #queue: EventQueue;
  /** Sequence number of the event that wakes its scheduler; an event with another number is out of date. */
  #wakeEvent = 0;
  #scheduler: Scheduler;
  #starts = 0;

  /** @param store The store for its sessions; undefined if they are in memory only. */
  constructor(
    options: Balancer,
    index: number,
    seed: number,
    queue: EventQueue,
    store: IdealStore | undefined,
    backends: ReadonlyMap<string, BackendModel>,
  ) {
    this.index = index;
    this.#options = options;
    this.#seed = childSeed(seed, "balancer", index);
    this.#queue = queue;
    this.#store = store;
    this.#backends = backends;
    this.cuts = Array.from(backends, () => 0);
    this.#scheduler = this.#newScheduler();
  }

  get scheduler(): Scheduler {
    return this.#scheduler;
  }

  /**
   * A client has connected. Before its backend is picked, the scheduler reads the client's session from the
   * store.
   */
  accept(client: string, now: Nanoseconds): ScheduledConnection {
    const connection = this.#scheduler.accept(client, now);
    if (connection.refusal === undefined) this.#store?.tell(this.#scheduler, client, now);
    return connection;
  }

  /** The event that wakes its scheduler happens. */
  wake(event: number, now: Nanoseconds): void {
    if (event !== this.#wakeEvent) return;
    this.#scheduler.passTime(now);
    const { nextWake } = this.#scheduler;
    if (nextWake !== undefined) this.#wakeAt(nextWake);
  }

  /** Restarts it: counts, health and sessions are lost, except sessions in a store. */
  restart(): void {
    this.#scheduler.onWake = undefined;
    this.#wakeEvent = 0;
    this.#scheduler = this.#newScheduler();
  }

  /** Applies other options, as a reload of the live balancer does. */
  change(options: Balancer, now: Nanoseconds): void {
    this.#options = options;
    this.#scheduler.reconfigure(options, now);
  }

  /** The simulated backend that the scheduler means. A backend that joins may get the index of one that left. */
  modelOf({ id, index }: { readonly id: string; readonly index: number }): BackendModel {
    const known = this.#models[index];
    if (known?.id === id) return known;
    const model = this.#backends.get(id)!;
    this.#models[index] = model;
    return model;
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
