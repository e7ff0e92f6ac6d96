import {
  type Backend,
  type BackendMode,
  type BackendOptions,
  BackendRecovery,
  type BackendState,
} from "./backend/mod.ts";
import type { Nanoseconds, Random } from "../base/mod.ts";
import type { Connection } from "./connection.ts";
import type { PickDetails } from "./algorithms/mod.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Announcer, type EventStream } from "./events/mod.ts";
import type { SchedulerOptions } from "./options.ts";
import { BackendPool } from "./pool.ts";
import { BackendSelector, type SessionReader } from "./selector.ts";
import type { Session, SessionRecord } from "./sessions/mod.ts";

/**
 * Decides which backend a connection goes to, and keeps the three tables: `activeServers`, `connectionCount`,
 * `sessionMap`. Pure: it does no I/O, owns no clock and no timer, and takes its randomness from the outside. The live
 * balancer and the simulator drive this same class.
 *
 * A driver calls `accept` for each client (`acceptProxy`, if a trusted proxy names the client later). It reports each
 * further step to the connection that it gets, and each probe to `probed`. It calls `passTime` at `nextWake`.
 *
 * Before a call is handled, everything happens that was due until the time of the call.
 */
export class Scheduler {
  #options: SchedulerOptions;
  readonly #announcer: Announcer;
  readonly #pool: BackendPool;
  readonly #recovery: BackendRecovery;
  readonly #selector: BackendSelector;
  readonly #dispatcher: Dispatcher;

  /**
   * @param random The random numbers for the algorithms that use them.
   * @throws {RangeError} if two backends have the same id, or an algorithm's parameter is out of range.
   */
  constructor(options: SchedulerOptions, events: EventStream, random: Random) {
    this.#options = options;
    const pool = new BackendPool(options, random);
    const announcer = new Announcer(events, () => pool.activeServers);
    const selector = new BackendSelector(pool, announcer);
    const recovery = new BackendRecovery(options, announcer, {
      backends: pool.all,
      refresh: (backend) => pool.refresh(backend),
      reweighed: (backend) => pool.reweighed(backend),
      wakeBy: (at) => this.#dispatcher.wakeBy(at),
    });
    this.#pool = pool;
    this.#announcer = announcer;
    this.#selector = selector;
    this.#recovery = recovery;
    this.#dispatcher = new Dispatcher(options, { announcer, pool, selector, recovery });
    selector.configure(options.sticky);
    for (const backend of options.backends) pool.add(backend);
  }

  /** When `passTime` must be called next; undefined if nothing is due at a time. */
  get nextWake(): Nanoseconds | undefined {
    const { nextWake } = this.#dispatcher;
    return nextWake === Infinity ? undefined : nextWake;
  }

  /** Called when `nextWake` has become earlier. */
  set onWake(onWake: ((at: Nanoseconds) => void) | undefined) {
    this.#dispatcher.onWake = onWake;
  }

  /**
   * Called when a session has gained or lost a connection, which includes that it was pinned or moved. It is a
   * property and not an event, because it happens twice for each connection, and only a store of sessions needs it.
   */
  set onSessionUse(onSessionUse: SessionReader | undefined) {
    this.#selector.onSessionUse = onSessionUse;
  }

  /**
   * Makes everything happen, in its order, that time alone causes until now: ejections end, backends that start
   * slowly gain weight, clients have waited for too long, sessions expire. Every other call with a time does this
   * first. A driver calls `passTime` at `nextWake` if there is no other call.
   */
  passTime(now: Nanoseconds): void {
    this.#dispatcher.passTime(now);
  }

  /** The backends, in the order of the configuration. */
  get backends(): readonly Backend[] {
    return this.#pool.all;
  }

  /** The backend with this id. */
  backend(id: string): Backend | undefined {
    return this.#pool.get(id);
  }

  /** The backends that are healthy and enabled. */
  get activeServers(): readonly string[] {
    return this.#pool.activeServers;
  }

  /** Connections in flight on each backend, those being opened included. */
  get connectionCount(): ReadonlyMap<string, number> {
    return new Map(this.#pool.all.map((backend) => [backend.id, backend.inFlight]));
  }

  /** The sessions, by client; empty if clients do not stick. */
  get sessionMap(): ReadonlyMap<string, string> {
    return new Map([...this.sessions].map((session) => [session.key, session.backend.id]));
  }

  /** The number of sessions. It is cheaper than the size of `sessionMap`. */
  get sessionCount(): number {
    return this.#selector.sessions?.size ?? 0;
  }

  /** The sessions, least recently used first. */
  get sessions(): Iterable<Readonly<Session<Backend>>> {
    return this.#selector.sessions?.values() ?? [];
  }

  /** The sessions whose clients have a connection open. */
  get sessionsInUse(): Iterable<Readonly<Session<Backend>>> {
    return this.#selector.sessions?.inUse() ?? [];
  }

  /** The session of a client; undefined if it has none, or clients do not stick. */
  sessionOf(client: string, now: Nanoseconds): Readonly<Session<Backend>> | undefined {
    this.passTime(now);
    const key = this.#selector.keyOf(client);
    return key === undefined ? undefined : this.#selector.sessions?.find(key, now);
  }

  /**
   * Ends the sessions of all clients, or of one client. At its next connection such a client is new. Open connections
   * continue.
   *
   * @returns How many sessions there were.
   */
  endSessions(now: Nanoseconds, client?: string): number {
    this.passTime(now);
    const { sessions } = this.#selector;
    if (sessions === undefined) return 0;
    if (client === undefined) return sessions.clear();
    const key = this.#selector.keyOf(client);
    return key !== undefined && sessions.end(key, now) ? 1 : 0;
  }

  /**
   * The key of the session to read from a shared store when a client arrives. Undefined without
   * stickiness, or if the client has a connection here: then the session known here is valid.
   */
  sessionToAskFor(client: string, now: Nanoseconds): string | undefined {
    this.passTime(now);
    const key = this.#selector.keyOf(client);
    if (key === undefined) return undefined;
    const { open = 0 } = this.#selector.sessions?.find(key, now) ?? {};
    return open > 0 ? undefined : key;
  }

  /**
   * The data from which the algorithm would decide if this client came now. Changes nothing. Undefined if the
   * algorithm uses only weights and connections in flight.
   */
  pickDetails(client: string, now: Nanoseconds): PickDetails | undefined {
    return this.#pool.details(this.#selector.keyOf(client) ?? client, now);
  }

  /** Connections in flight, over all backends. */
  get connections(): number {
    return this.#dispatcher.inFlight;
  }

  /** The number of connections that wait for a free place at a backend. */
  get waiting(): number {
    return this.#dispatcher.waiting;
  }

  /**
   * A client has connected. Lists and limits decide at once: if they refuse it, the connection has ended, and
   * `refusal` says why. Otherwise it counts for the limits from now on, and `Connection.assign` asks for a backend.
   *
   * @param client The client's address.
   */
  accept(client: string, now: Nanoseconds): Connection {
    return this.#dispatcher.accept(client, now);
  }

  /**
   * A trusted proxy has connected, which will name the client. Until `Connection.admit`, the connection counts for
   * `limits.connections` only.
   *
   * @param proxy Its address.
   */
  acceptProxy(proxy: string, now: Nanoseconds): Connection {
    return this.#dispatcher.acceptProxy(proxy, now);
  }

  /** Refuses every client from now on, including those that wait. Open connections may finish. */
  stop(now: Nanoseconds): void {
    this.#dispatcher.stop(now);
  }

  /** Adds a backend. It gets connections after its first successful probe, and starts slowly. */
  addBackend(options: BackendOptions, now: Nanoseconds): Backend {
    this.passTime(now);
    const backend = this.#pool.add(options);
    this.#recovery.startSlowly(backend, now);
    this.#dispatcher.serveWaiting(now);
    return backend;
  }

  /**
   * Removes a backend: it gets no new clients, and its sessions are removed. Its connections continue
   * until they end. A backend that is added later is a different one, even with the same id.
   */
  removeBackend(id: string, now: Nanoseconds): void {
    this.passTime(now);
    const backend = this.#pool.get(id);
    if (backend === undefined) return;
    this.#remove(backend, now);
    this.#dispatcher.serveWaiting(now);
  }

  #remove(backend: BackendState, now: Nanoseconds, mayReturn = false): void {
    this.#pool.remove(backend, now, mayReturn);
    this.#selector.sessions?.forget(backend);
    this.#recovery.forget(backend);
  }

  /**
   * Applies other options during the run. Backends that stay keep their connections, counts, health and
   * sessions. Backends that are missing in the new options, or have another address, are removed. New backends
   * wait for their first probe and start slowly. If a removed backend is added again, its open connections
   * count again. An algorithm whose parameters stay the same keeps its turns. Clients in the queue continue to
   * wait, with the timeout of the new options.
   *
   * @throws {RangeError} as the constructor, and then nothing has changed.
   */
  reconfigure(options: SchedulerOptions, now: Nanoseconds): void {
    this.passTime(now);
    const byId = new Map(options.backends.map((backend) => [backend.id, backend]));
    if (byId.size < options.backends.length) {
      throw new RangeError("Cannot reconfigure: ids must be different");
    }
    const modes = new Map(this.#options.backends.map(({ id, mode = "ready" }) => [id, mode]));
    const algorithms = this.#pool.algorithmsFor(options);
    for (const backend of [...this.#pool.all]) {
      const next = byId.get(backend.id);
      if (next === undefined || !backend.isMeantBy(next)) this.#remove(backend, now, true);
    }
    this.#options = options;
    this.#pool.configure(options);
    this.#recovery.configure(options);
    this.#dispatcher.reconfigure(options, now);
    this.#selector.configure(options.sticky);
    for (const backend of options.backends) {
      const present = this.#pool.get(backend.id);
      if (present === undefined) this.#recovery.startSlowly(this.#pool.add(backend), now);
      else {
        this.#reconfigureBackend(present, backend, now);
        // What the operator has wished for otherwise stands, unless the file now says something else.
        const mode = backend.mode ?? "ready";
        if (mode !== modes.get(backend.id)) this.#setMode(present, mode, now);
      }
    }
    this.#pool.putInOrder();
    if (algorithms !== undefined) this.#pool.use(algorithms);
    this.#dispatcher.serveWaiting(now);
    this.passTime(now);
  }

  #reconfigureBackend(backend: BackendState, options: BackendOptions, now: Nanoseconds): void {
    const { healthCheck } = this.#options;
    this.#pool.change(backend, options);
    backend.health.rules = healthCheck;
    backend.probed = healthCheck.type !== "none";
    if (!backend.probed && backend.health.state !== "up") this.#trust(backend, now);
    this.#recovery.adapt(backend, now);
    this.#pool.reweighed(backend);
  }

  /** A backend that is no longer probed counts as up. */
  #trust(backend: BackendState, now: Nanoseconds): void {
    while (backend.health.state !== "up") backend.health.record(true);
    this.#changed(backend, now);
    this.#announcer.backendUp(backend.id, 0, now);
  }

  /**
   * The operator's wish for a backend.
   *
   * @throws {RangeError} if there is none of this id.
   */
  setMode(id: string, mode: BackendMode, now: Nanoseconds): void {
    this.passTime(now);
    const backend = this.#pool.get(id);
    if (backend === undefined) throw new RangeError(`There is no backend "${id}"`);
    this.#setMode(backend, mode, now);
    this.#dispatcher.serveWaiting(now);
  }

  #setMode(backend: BackendState, mode: BackendMode, now: Nanoseconds): void {
    if (backend.mode === mode) return;
    const returns = backend.mode === "maintenance";
    backend.mode = mode;
    if (returns) this.#recovery.startSlowly(backend, now);
    this.#changed(backend, now);
    this.#announcer.backendModeChanged(backend, mode, now);
  }

  /**
   * A probe of a backend ended.
   *
   * @param tookNs How long it took.
   * @param reason What went wrong, in a few words.
   */
  probed(id: string, ok: boolean, now: Nanoseconds, tookNs: Nanoseconds, reason = "failed"): void {
    this.passTime(now);
    const backend = this.#pool.get(id);
    // It may have been removed while the probe was in progress.
    if (backend === undefined) return;
    if (ok) backend.provenAt = now;
    else backend.failedAt = now;
    const first = backend.health.state === "unknown";
    const { flipped, streak } = backend.health.record(ok);
    this.#announcer.probe(id, ok, tookNs, ok ? undefined : reason, streak, now);
    if (!flipped) return;
    if (ok && !first) this.#recovery.startSlowly(backend, now);
    this.#changed(backend, now);
    if (ok) this.#announcer.backendUp(id, streak, now);
    else this.#announcer.backendDown(backend, streak, reason, now);
    this.#dispatcher.serveWaiting(now);
  }

  /** A backend reports that it is idle. Only some algorithms use this. */
  reportIdle(id: string, now: Nanoseconds): void {
    this.passTime(now);
    const backend = this.#pool.get(id);
    if (backend !== undefined) this.#pool.reportedIdle(backend);
  }

  /** A backend is up or down now, or the operator's wish for it has changed. */
  #changed(backend: BackendState, now: Nanoseconds): void {
    this.#pool.refresh(backend);
    this.#recovery.follow(backend, now);
  }

  /**
   * Adopts a session that another balancer has pinned or moved, unless this balancer knows a newer
   * version of it. A session of an unknown backend is ignored. The record names backends by their ids.
   */
  adopt(record: SessionRecord<string>, now: Nanoseconds): void {
    this.passTime(now);
    this.#announcer.sessionReceived(record, false, now);
    if (!this.#adopt(record, now)) return;
    this.#announcer.sessionAdopted(record.key, record.backend, now);
    // The client may be waiting, and its own backend may take it although it takes no new clients.
    this.#dispatcher.serveWaiting(now);
  }

  /**
   * Adopts the sessions of an earlier run, least recently used first, without an event for each.
   *
   * @returns The number of these sessions.
   */
  restore(records: Iterable<SessionRecord<string>>, now: Nanoseconds): number {
    this.passTime(now);
    let restored = 0;
    for (const record of records) {
      this.#announcer.sessionReceived(record, true, now);
      if (this.#adopt(record, now)) restored++;
    }
    this.#dispatcher.serveWaiting(now);
    return restored;
  }

  #adopt(record: SessionRecord<string>, now: Nanoseconds): boolean {
    const { sessions } = this.#selector;
    const backend = this.#backendOf(record, record.backend);
    if (backend === undefined || sessions === undefined) return false;
    const home = this.#backendOf(record, record.home) ?? backend;
    return sessions.adopt({ ...record, backend, home }, now);
  }

  /** The backend that a session of another balancer, or of another run, is meant for. */
  #backendOf({ changedAt }: SessionRecord<string>, id: string): BackendState | undefined {
    return changedAt > this.#pool.removedAt(id) ? this.#pool.get(id) : undefined;
  }
}
