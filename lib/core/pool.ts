import {
  type Algorithm,
  type AlgorithmOptions,
  createAlgorithm,
  type PickDetails,
  type PickTrace,
} from "./algorithms/mod.ts";
import {
  type BackendOptions,
  BackendState,
  isActive,
  isAvailable,
  isServing,
  mayBeTriedAnyway,
} from "./backend/mod.ts";
import { assert, type Nanoseconds, type Random } from "../base/mod.ts";
import type { SchedulerOptions } from "./options.ts";

/** An algorithm for each tier. */
interface Tiers {
  readonly primaries: Algorithm;
  /** Used only while no primary is available. */
  readonly backups: Algorithm;
}

/**
 * The backends, and the pick among them: primaries first, backups while no primary is available. It keeps the
 * algorithms informed of every change.
 */
export class BackendPool {
  #options: SchedulerOptions;
  readonly #random: Random;
  readonly #backends: BackendState[] = [];
  readonly #byId = new Map<string, BackendState>();
  /** Indices of removed backends that a new backend can get; in ascending order. */
  readonly #freeIndices: number[] = [];
  #tiers: Tiers;
  /** Backends that were removed while they had connections: they may be added again. */
  readonly #departed = new Set<BackendState>();
  /** When a backend of this name was last removed. */
  readonly #removedAt = new Map<string, Nanoseconds>();
  #lastAnyway = 0;

  /** @throws {RangeError} if a parameter of the algorithm is out of range. */
  constructor(options: SchedulerOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#tiers = {
      primaries: createAlgorithm(options.algorithm, random),
      backups: createAlgorithm(options.algorithm, random),
    };
  }

  /** The backends, in the order of the configuration. */
  get all(): readonly BackendState[] {
    return this.#backends;
  }

  /** The ids of the backends that are healthy and enabled. */
  get activeServers(): readonly string[] {
    return this.#backends.filter(isActive).map(({ id }) => id);
  }

  get(id: string): BackendState | undefined {
    return this.#byId.get(id);
  }

  /** When a backend of this name was last removed; −Infinity if none was. */
  removedAt(id: string): Nanoseconds {
    return this.#removedAt.get(id) ?? -Infinity;
  }

  /**
   * Adds a backend. If it was removed and still has connections, the existing object is used again.
   *
   * @throws {RangeError} if a backend already has this id.
   */
  add(options: BackendOptions): BackendState {
    if (this.#byId.has(options.id)) {
      throw new RangeError(`Cannot add backend: id must be new: current value is "${options.id}"`);
    }
    const { healthCheck, ejection } = this.#options;
    let backend = [...this.#departed].find((departed) => departed.isMeantBy(options));
    if (backend === undefined) backend = new BackendState(options, healthCheck, ejection);
    else {
      this.#departed.delete(backend);
      backend.join(options, healthCheck, ejection);
    }
    backend.index = this.#freeIndices.shift() ?? this.#backends.length;
    backend.order = (this.#backends.at(-1)?.order ?? -1) + 1;
    backend.probed = healthCheck.type !== "none";
    if (!backend.probed) backend.health.record(true);
    backend.available = isAvailable(backend);
    this.#backends.push(backend);
    this.#byId.set(backend.id, backend);
    this.#tierOf(backend).add(backend);
    return backend;
  }

  /**
   * Removes a backend. Its connections stay counted on it.
   *
   * @param mayReturn Whether a backend with the same name and address, if it is added while this one still has
   *   connections, is the same backend.
   */
  remove(backend: BackendState, now: Nanoseconds, mayReturn = false): void {
    this.#tierOf(backend).remove(backend);
    backend.removed = true;
    backend.available = false;
    this.#byId.delete(backend.id);
    this.#backends.splice(this.#backends.indexOf(backend), 1);
    this.#freeIndices.push(backend.index);
    this.#freeIndices.sort((a, b) => a - b);
    this.#removedAt.set(backend.id, now);
    if (mayReturn && backend.inFlight > 0) this.#departed.add(backend);
  }

  /**
   * Makes the algorithms for other options; `use` puts them to use. Undefined if the options of the algorithm are
   * the same: then the algorithms stay and keep their turns.
   *
   * @throws {RangeError} if a parameter is out of range.
   */
  algorithmsFor({ algorithm }: SchedulerOptions): Tiers | undefined {
    if (equal(this.#options.algorithm, algorithm)) return undefined;
    return {
      primaries: createAlgorithm(algorithm, this.#random),
      backups: createAlgorithm(algorithm, this.#random),
    };
  }

  /** Applies other options to backends that are added later. */
  configure(options: SchedulerOptions): void {
    this.#options = options;
  }

  /** Applies other options to a backend that stays. */
  change(backend: BackendState, options: BackendOptions): void {
    if (backend.backup !== options.backup) {
      this.#tierOf(backend).remove(backend);
      backend.backup = options.backup;
      this.#tierOf(backend).add(backend);
    }
    backend.maxConnections = options.maxConnections ?? Infinity;
    backend.fullWeight = options.weight;
  }

  /** Puts the backends in the order of the options. The order decides between equal backends. */
  putInOrder(): void {
    this.#options.backends.forEach(({ id }, order) => this.#byId.get(id)!.order = order);
    this.#backends.sort((a, b) => a.order - b.order);
    this.#tiers.primaries.reordered?.();
    this.#tiers.backups.reordered?.();
  }

  /** Puts other algorithms to use. */
  use(tiers: Tiers): void {
    this.#tiers = tiers;
    for (const backend of this.#backends) this.#tierOf(backend).add(backend);
  }

  /** Notifies the algorithm if a backend has become available or unavailable. */
  refresh(backend: BackendState): void {
    const available = isAvailable(backend);
    if (available === backend.available) return;
    backend.available = available;
    this.#tierOf(backend).update(backend);
  }

  /** Notifies the algorithm that a backend's weight has changed. */
  reweighed(backend: BackendState): void {
    backend.available = isAvailable(backend);
    this.#tierOf(backend).update(backend);
  }

  /** A connection of a backend begins or ends. */
  count(backend: BackendState, change: 1 | -1): void {
    backend.inFlight += change;
    assert(backend.inFlight >= 0, "as many connections end as began");
    if (backend.removed) {
      if (backend.inFlight === 0) this.#departed.delete(backend);
      return;
    }
    // Without a limit a backend is never full: then the count does not change whether it is available.
    if (backend.maxConnections !== Infinity) this.refresh(backend);
    this.#tierOf(backend).loadChanged?.(backend);
  }

  /** See `Algorithm.answered`. */
  answered(backend: BackendState, latency: Nanoseconds, others: number, now: Nanoseconds): void {
    if (!backend.removed) this.#tierOf(backend).answered?.(backend, latency, others, now);
  }

  /** See `Algorithm.unanswered`. */
  unanswered(backend: BackendState, waited: Nanoseconds, others: number, now: Nanoseconds): void {
    if (!backend.removed) this.#tierOf(backend).unanswered?.(backend, waited, others, now);
  }

  /** See `Algorithm.reportedIdle`. */
  reportedIdle(backend: BackendState): void {
    this.#tierOf(backend).reportedIdle?.(backend);
  }

  /**
   * A backend for a client; undefined if none is available.
   *
   * @param tried Backends that this pick must exclude; undefined if there are none.
   */
  pick(
    client: string,
    now: Nanoseconds,
    tried: readonly BackendState[] | undefined,
    trace?: PickTrace,
  ): BackendState | undefined {
    const { primaries, backups } = this.#tiers;
    const picked = tried === undefined
      ? primaries.pick(client, now, trace) ?? backups.pick(client, now, trace)
      : primaries.pick(client, now, trace, availableOf(tried, false)) ??
        backups.pick(client, now, trace, availableOf(tried, true));
    return picked as BackendState | undefined ?? this.#anyway(tried, trace);
  }

  /**
   * The data from which the algorithm decides, besides weights and connections in flight; see `Algorithm.details`.
   */
  details(client: string, now: Nanoseconds): PickDetails | undefined {
    const { primaries, backups } = this.#tiers;
    const usesBackups = this.#backends.some(({ available, backup }) => available && backup) &&
      !this.#backends.some(({ available, backup }) => available && !backup);
    return (usesBackups ? backups : primaries).details?.(client, now);
  }

  /** Picks a primary that has proven since a time that it works; other primaries are skipped. */
  pickProven(
    client: string,
    since: Nanoseconds,
    now: Nanoseconds,
    tried: readonly BackendState[] | undefined,
  ): BackendState | undefined {
    const { primaries } = this.#tiers;
    let excluded = tried && availableOf(tried, false);
    while (true) {
      const picked = primaries.pick(client, now, undefined, excluded) as BackendState | undefined;
      if (picked === undefined || picked.hasProvenSince(since)) return picked;
      excluded = excluded === undefined ? [picked] : [...excluded, picked];
    }
  }

  /** With `try-anyway`, if no backend is active: the next backend that is not in drain or maintenance. */
  #anyway(
    tried: readonly BackendState[] | undefined,
    trace: PickTrace | undefined,
  ): BackendState | undefined {
    if (this.#options.whenNoneAvailable !== "try-anyway") return undefined;
    const backends = this.#backends;
    if (backends.some(isServing)) return undefined;
    for (let i = 1; i <= backends.length; i++) {
      const turn = (this.#lastAnyway + i) % backends.length;
      const backend = backends[turn]!;
      if (!mayBeTriedAnyway(backend) || tried?.includes(backend)) continue;
      this.#lastAnyway = turn;
      trace?.considered(backend, turn);
      trace?.decided("no backend is active: the next in turn is tried anyway");
      return backend;
    }
    return undefined;
  }

  #tierOf(backend: BackendState): Algorithm {
    return backend.backup ? this.#tiers.backups : this.#tiers.primaries;
  }
}

/** The available backends of a tier; undefined if there are none. */
function availableOf(
  backends: readonly BackendState[],
  backup: boolean,
): readonly BackendState[] | undefined {
  const available = backends.filter((one) => one.available && one.backup === backup);
  return available.length === 0 ? undefined : available;
}

/** Whether two sets of parameters are the same. */
function equal(a: AlgorithmOptions, b: AlgorithmOptions): boolean {
  const [one, other] = [a, b].map((options) => JSON.stringify(Object.entries(options).sort()));
  return one === other;
}
