import {
  type Algorithm,
  type AlgorithmOptions,
  createAlgorithm,
  type PickTrace,
} from "./algorithms/mod.ts";
import { Admission } from "./admission/mod.ts";
import { AgeList, assert, type Nanoseconds, type Random } from "../base/mod.ts";
import { Arrival } from "./arrival.ts";
import { Backend, type BackendMode, type BackendOptions } from "./backend/mod.ts";
import {
  type ConnectFailure,
  type ConnectionEnd,
  type EventStream,
  type RefusalReason,
  toMs,
} from "./events/mod.ts";
import { Explanation } from "./explanation.ts";
import { Lease, type Refusal, type Traffic } from "./lease.ts";
import { Recovery } from "./recovery.ts";
import type { SchedulerOptions } from "./scheduler_options.ts";
import { type Session, type SessionRecord, Stickiness } from "./sessions/mod.ts";
import { Waiting } from "./waiting.ts";

/**
 * Decides which backend a connection goes to, and keeps the three tables: `activeServers`,
 * `connectionCount`, `sessionMap`. Pure: it does no I/O, owns no clock and no timer, and takes its
 * randomness from the outside. The live balancer and the simulator drive this same class.
 *
 * A driver calls `acquire` for each client (`admit` or `arrive`, if there is something to do before), ends
 * the lease it gets exactly once, and reports each probe by `probed`. It calls `passTime` at `nextWake`.
 *
 * Time passes for everything at once: whatever is asked or reported, what has ended by then ends first.
 */
export class Scheduler {
  #options: SchedulerOptions;
  readonly #random: Random;
  readonly #events: EventStream;
  readonly #backends: Backend[] = [];
  readonly #byId = new Map<string, Backend>();
  /** Indices below the number of backends that none has, for one was removed; in ascending order. */
  readonly #freeIndices: number[] = [];
  #primaries: Algorithm;
  /** Used only while no primary is available. */
  #backups: Algorithm;
  /** Undefined if clients do not stick. */
  #stickiness: Stickiness | undefined;
  readonly #recovery: Recovery;
  #admission: Admission | undefined;
  /** First come, first served. */
  readonly #queue = new AgeList<Waiting>();
  /** How many of them have tried a backend before. */
  #retriesWaiting = 0;
  #connections = 0;
  /** Those that have connected, and have something to say before they acquire. */
  #arriving = 0;
  #lastConnection = 0;
  #lastAnyway = 0;
  #stopping = false;
  /** Nothing that waits for time alone happens before. */
  #nextWake: Nanoseconds = Infinity;
  /** Backends that have left while they had connections: they may come back. */
  readonly #departed = new Set<Backend>();
  /** When a backend of this name was last removed: a pin from before was to that one. */
  readonly #removedAt = new Map<string, Nanoseconds>();
  /** Called when `nextWake` has become earlier. */
  onWake: ((at: Nanoseconds) => void) | undefined;
  /** The latest answer came before its client asked, as a mail server's greeting does. */
  #backendsSpeakFirst = false;
  /**
   * Called when a session has gained or lost a connection, and so when it has been pinned or moved. A
   * property and not an event: it happens twice per connection, and only a store of sessions wants it.
   */
  onSessionUse:
    | ((session: Session<Backend>, change: 1 | -1, now: Nanoseconds) => void)
    | undefined;

  /**
   * @param random Drives the algorithms that draw lots.
   * @throws {RangeError} if two backends have one id, or an algorithm's parameter is out of range.
   */
  constructor(options: SchedulerOptions, events: EventStream, random: Random) {
    this.#options = options;
    this.#events = events;
    this.#random = random;
    this.#primaries = this.#newAlgorithm(options);
    this.#backups = this.#newAlgorithm(options);
    this.#recovery = new Recovery(options, events, {
      backends: this.#backends,
      activeServers: () => this.activeServers,
      refresh: (backend) => this.#refresh(backend),
      reweighed: (backend) => this.#tierOf(backend).update(backend),
      wakeBy: (at) => this.#wakeBy(at),
    });
    this.#reconfigureStickiness();
    this.#reconfigureAdmission();
    for (const backend of options.backends) this.#addBackend(backend);
  }

  /** When `passTime` is to be called next; undefined if nothing waits for time alone. */
  get nextWake(): Nanoseconds | undefined {
    return this.#nextWake === Infinity ? undefined : this.#nextWake;
  }

  /**
   * Lets happen, in its order, all that time alone brings until now: ejections end, backends that start
   * slowly gain weight, clients have waited for too long, sessions expire. Every other call with a time
   * does so first; to call it at `nextWake` is for when there is none.
   */
  passTime(now: Nanoseconds): void {
    while (this.#nextWake <= now) this.#letHappen(this.#nextWake);
    this.#stickiness?.sessions.expire(now);
  }

  #letHappen(at: Nanoseconds): void {
    const returned = this.#recovery.passTime(at);
    if (returned) this.#serveWaiting(at);
    for (let first = this.#queue.oldest; first !== undefined && first.until <= at;) {
      this.#dismiss(first, "queue_timeout", at);
      first = this.#queue.oldest;
    }
    this.#nextWake = Math.min(this.#recovery.dueAt, this.#queue.oldest?.until ?? Infinity);
  }

  #wakeBy(at: Nanoseconds): void {
    if (at >= this.#nextWake) return;
    this.#nextWake = at;
    this.onWake?.(at);
  }

  /** The backends, in the order of the configuration. */
  get backends(): readonly Backend[] {
    return this.#backends;
  }

  /** The backends that are healthy and enabled. */
  get activeServers(): readonly string[] {
    return this.#backends.filter((backend) => backend.active).map((backend) => backend.id);
  }

  /** Connections in flight on each backend, those being opened included. */
  get connectionCount(): ReadonlyMap<string, number> {
    return new Map(this.#backends.map((backend) => [backend.id, backend.inFlight]));
  }

  /** The sessions, by client; empty if clients do not stick. */
  get sessionMap(): ReadonlyMap<string, string> {
    return new Map([...this.sessions].map((session) => [session.key, session.backend.id]));
  }

  /** Number of sessions, without making a map of them. */
  get sessionCount(): number {
    return this.#stickiness?.sessions.size ?? 0;
  }

  /** The sessions, least recently used first. */
  get sessions(): Iterable<Session<Backend>> {
    return this.#stickiness?.sessions.values() ?? [];
  }

  /** The sessions whose clients have a connection open. */
  get sessionsInUse(): Iterable<Session<Backend>> {
    return this.#stickiness?.sessions.inUse() ?? [];
  }

  /**
   * The key of the session that a shared store is to be asked for when a client comes. Undefined if
   * clients do not stick, or it has a connection here: then what is known here is true.
   */
  sessionToAskFor(client: string, now: Nanoseconds): string | undefined {
    this.passTime(now);
    if (this.#stickiness === undefined) return undefined;
    const key = this.#stickiness.keyOf(client);
    const { open = 0 } = this.#stickiness.sessions.find(key, now) ?? {};
    return open > 0 ? undefined : key;
  }

  /** Connections in flight, over all backends. */
  get connections(): number {
    return this.#connections;
  }

  /** Clients that wait for a backend to have room. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** The backend with this id. */
  backend(id: string): Backend | undefined {
    return this.#byId.get(id);
  }

  /** Adds a backend. It is used once a probe has found it up, and then starts slowly. */
  addBackend(options: BackendOptions, now: Nanoseconds): Backend {
    this.passTime(now);
    const backend = this.#addBackend(options);
    this.#recovery.startSlowly(backend, now);
    this.#serveWaiting(now);
    return backend;
  }

  #addBackend(options: BackendOptions): Backend {
    if (this.#byId.has(options.id)) {
      throw new RangeError(`Cannot add backend: id must be new: current value is "${options.id}"`);
    }
    const { healthCheck, ejection } = this.#options;
    let backend = [...this.#departed].find((departed) => departed.isMeantBy(options));
    if (backend === undefined) backend = new Backend(options, healthCheck, ejection);
    else {
      this.#departed.delete(backend);
      backend.join(options, healthCheck, ejection);
    }
    backend.index = this.#freeIndices.shift() ?? this.#backends.length;
    backend.order = (this.#backends.at(-1)?.order ?? -1) + 1;
    backend.probed = healthCheck.type !== "none";
    if (!backend.probed) backend.health.record(true);
    backend.available = available(backend);
    this.#backends.push(backend);
    this.#byId.set(backend.id, backend);
    this.#tierOf(backend).add(backend);
    return backend;
  }

  /**
   * Removes a backend: nothing new goes there, and its sessions are forgotten. Live connections keep their
   * leases until they end. One that is added later is another one, whatever it is called.
   */
  removeBackend(id: string, now: Nanoseconds): void {
    this.passTime(now);
    const backend = this.#byId.get(id);
    if (backend === undefined) return;
    this.#remove(backend, now);
    this.#serveWaiting(now);
  }

  #remove(backend: Backend, now: Nanoseconds): void {
    backend.mode = "maintenance";
    this.#refresh(backend);
    this.#tierOf(backend).remove(backend);
    backend.removed = true;
    this.#byId.delete(backend.id);
    this.#backends.splice(this.#backends.indexOf(backend), 1);
    this.#freeIndices.push(backend.index);
    this.#freeIndices.sort((a, b) => a - b);
    this.#removedAt.set(backend.id, now);
    this.#stickiness?.sessions.forget(backend);
    this.#recovery.forget(backend);
  }

  /**
   * Takes over other options while it runs. Backends that stay keep their connections, counts, health and
   * sessions; those that are gone, or have another address, are removed; those that are new wait for their
   * first probe and start slowly. One that comes back finds its live connections counted. An algorithm
   * whose parameters stay the same keeps its turns. Clients that wait go on waiting, for as long as the
   * new options say.
   *
   * @throws {RangeError} as the constructor, and then nothing has changed.
   */
  reconfigure(options: SchedulerOptions, now: Nanoseconds): void {
    this.passTime(now);
    const before = this.#options;
    const byId = new Map(options.backends.map((backend) => [backend.id, backend]));
    if (byId.size < options.backends.length) {
      throw new RangeError("Cannot reconfigure: ids must be different");
    }
    const modes = new Map(before.backends.map(({ id, mode = "ready" }) => [id, mode]));
    const sameAlgorithm = equal(before.algorithm, options.algorithm);
    const primaries = sameAlgorithm ? this.#primaries : this.#newAlgorithm(options);
    const backups = sameAlgorithm ? this.#backups : this.#newAlgorithm(options);
    for (const backend of [...this.#backends]) {
      const next = byId.get(backend.id);
      if (next !== undefined && backend.isMeantBy(next)) continue;
      this.#remove(backend, now);
      if (backend.inFlight > 0) this.#departed.add(backend);
    }
    this.#options = options;
    this.#reconfigureQueue(now);
    this.#recovery.configure(options);
    this.#reconfigureAdmission();
    this.#reconfigureStickiness();
    for (const backend of options.backends) {
      const present = this.#byId.get(backend.id);
      if (present === undefined) this.#recovery.startSlowly(this.#addBackend(backend), now);
      else {
        this.#reconfigureBackend(present, backend, now);
        // What the operator has wished for otherwise stands, unless the file now says something else.
        const mode = backend.mode ?? "ready";
        if (mode !== modes.get(backend.id)) this.#setMode(present, mode, now);
      }
    }
    this.#putInOrder();
    if (!sameAlgorithm) {
      this.#primaries = primaries;
      this.#backups = backups;
      for (const backend of this.#backends) this.#tierOf(backend).add(backend);
    }
    this.#serveWaiting(now);
    this.passTime(now);
  }

  /** As the configuration lists them: what is meant by "first" and decides between equals. */
  #putInOrder(): void {
    this.#options.backends.forEach(({ id }, order) => this.#byId.get(id)!.order = order);
    this.#backends.sort((a, b) => a.order - b.order);
    this.#primaries.reordered?.();
    this.#backups.reordered?.();
  }

  #newAlgorithm({ algorithm }: SchedulerOptions): Algorithm {
    return createAlgorithm(algorithm, this.#random);
  }

  #reconfigureQueue(now: Nanoseconds): void {
    const { queue } = this.#options;
    if (queue === undefined) return;
    for (const waiting of this.#queue) {
      waiting.until = Math.max(now, waiting.since + queue.timeout);
    }
    this.#wakeBy(this.#queue.oldest?.until ?? Infinity);
  }

  #reconfigureStickiness(): void {
    const { sticky } = this.#options;
    if (sticky !== undefined && this.#stickiness?.fits(sticky)) {
      this.#stickiness.configure(sticky);
      return;
    }
    this.#stickiness?.sessions.clear();
    this.#stickiness = sticky &&
      new Stickiness(sticky, this.#events, (...asked) => this.#provenPrimary(...asked));
  }

  #reconfigureAdmission(): void {
    const { allow, deny, limits: { perClient } } = this.#options;
    if ((allow ?? deny ?? perClient) === undefined) this.#admission = undefined;
    else if (this.#admission === undefined) {
      this.#admission = new Admission({ allow, deny, perClient });
    } else this.#admission.configure({ allow, deny, perClient });
  }

  #reconfigureBackend(backend: Backend, options: BackendOptions, now: Nanoseconds): void {
    const { healthCheck } = this.#options;
    if (backend.backup !== options.backup) {
      this.#tierOf(backend).remove(backend);
      backend.backup = options.backup;
      this.#tierOf(backend).add(backend);
    }
    backend.maxConnections = options.maxConnections ?? Infinity;
    backend.fullWeight = options.weight;
    backend.health.rules = healthCheck;
    backend.probed = healthCheck.type !== "none";
    if (!backend.probed && backend.health.state !== "up") this.#trust(backend, now);
    this.#recovery.adapt(backend, now);
    backend.available = available(backend);
    this.#tierOf(backend).update(backend);
  }

  /** A backend that is probed no more counts as up. */
  #trust(backend: Backend, now: Nanoseconds): void {
    while (backend.health.state !== "up") backend.health.record(true);
    this.#changed(backend, now);
    this.#events.emit({
      type: "backend_up",
      at_ms: toMs(now),
      backend: backend.id,
      probes: 0,
      active_servers: this.activeServers,
    });
  }

  /** The operator's wish for a backend. */
  setMode(id: string, mode: BackendMode, now: Nanoseconds): void {
    this.passTime(now);
    this.#setMode(this.#known(id), mode, now);
    this.#serveWaiting(now);
  }

  #setMode(backend: Backend, mode: BackendMode, now: Nanoseconds): void {
    if (backend.mode === mode) return;
    const returns = backend.mode === "maintenance";
    backend.mode = mode;
    if (returns) this.#recovery.startSlowly(backend, now);
    this.#changed(backend, now);
    this.#events.emit({
      type: "backend_mode_changed",
      at_ms: toMs(now),
      backend: backend.id,
      mode,
      in_flight: backend.inFlight,
    });
  }

  /** From now on every client is refused, also those that wait; what is open may finish. */
  stop(now: Nanoseconds): void {
    this.passTime(now);
    this.#stopping = true;
    for (const waiting of this.#queue) this.#dismiss(waiting, "stopping", now);
  }

  /**
   * Takes over a session that another balancer has pinned or moved, unless what is known here is newer.
   * One of a backend that is not here is ignored. Backends are named by their ids.
   */
  adopt(record: SessionRecord<string>, now: Nanoseconds): void {
    this.passTime(now);
    if (!this.#adopt(record, now)) return;
    if (this.#events.wanted.session_adopted) {
      const { key: client, backend } = record;
      this.#events.emit({ type: "session_adopted", at_ms: toMs(now), client, backend });
    }
    // The client may be waiting, and its own backend may take it although it takes no new clients.
    this.#serveWaiting(now);
  }

  /**
   * Takes over the sessions of an earlier run, least recently used first, without a word on each.
   *
   * @returns How many there were to take over.
   */
  restore(records: Iterable<SessionRecord<string>>, now: Nanoseconds): number {
    this.passTime(now);
    let restored = 0;
    for (const record of records) if (this.#adopt(record, now)) restored++;
    this.#serveWaiting(now);
    return restored;
  }

  #adopt(record: SessionRecord<string>, now: Nanoseconds): boolean {
    const backend = this.#backendOf(record, record.backend);
    if (backend === undefined || this.#stickiness === undefined) return false;
    const home = this.#backendOf(record, record.home) ?? backend;
    return this.#stickiness.sessions.adopt({ ...record, backend, home }, now);
  }

  /** The backend that a session of another balancer, or of another run, is meant for. */
  #backendOf({ changedAt }: SessionRecord<string>, id: string): Backend | undefined {
    const removedAt = this.#removedAt.get(id) ?? -Infinity;
    return changedAt > removedAt ? this.#byId.get(id) : undefined;
  }

  /**
   * Picks a backend for a client and counts the connection, in one step. If every backend that could take
   * it is full and there is a queue, the client waits.
   *
   * @param client The client's address.
   */
  acquire(client: string, now: Nanoseconds, trace?: PickTrace): Lease | Waiting | Refusal {
    this.passTime(now);
    const connection = ++this.#lastConnection;
    const reason = this.#unwelcome(client, now);
    if (reason !== undefined) return this.#refuse(reason, connection, client, 0, now);
    return this.#place(connection, client, now, trace);
  }

  /**
   * A client has connected for which there is something to do before it acquires: a TLS handshake, a
   * question to a store. Lists and limits decide first.
   */
  admit(client: string, now: Nanoseconds): Arrival | Refusal {
    this.passTime(now);
    const connection = ++this.#lastConnection;
    const reason = this.#unwelcome(client, now);
    if (reason !== undefined) return this.#refuse(reason, connection, client, 0, now);
    this.#arriving++;
    this.#admission?.opened(client, now);
    return new Arrival(this, connection, client, this.#admission, true);
  }

  /**
   * A trusted proxy has connected that is to say who the client is. Until `letIn` it counts for
   * `limits.connections` only.
   *
   * @param proxy Its address.
   */
  arrive(proxy: string, now: Nanoseconds): Arrival | Refusal {
    this.passTime(now);
    const connection = ++this.#lastConnection;
    if (this.#stopping) return this.#refuse("stopping", connection, proxy, 0, now);
    if (this.#isAtLimit()) return this.#refuse("connection_limit", connection, proxy, 0, now);
    this.#arriving++;
    return new Arrival(this, connection, proxy, undefined, false);
  }

  /** Why a client may not come in; undefined if it may. */
  #unwelcome(client: string, now: Nanoseconds): RefusalReason | undefined {
    if (this.#stopping) return "stopping";
    const isAtLimit = this.#isAtLimit();
    if (this.#admission !== undefined) return this.#admission.refusal(client, now, isAtLimit);
    return isAtLimit ? "connection_limit" : undefined;
  }

  /** @internal */
  _letIn(arrival: Arrival, now: Nanoseconds): Refusal | undefined {
    this.passTime(now);
    const { client } = arrival;
    const unwelcome = this.#admission?.refusal(client, now);
    if (unwelcome !== undefined) return this._turnedAway(arrival, unwelcome, now);
    this.#admission?.opened(client, now);
    arrival.admission = this.#admission;
    return undefined;
  }

  /** @internal */
  _arrived(arrival: Arrival, now: Nanoseconds): Lease | Waiting | Refusal {
    this.passTime(now);
    if (this.#stopping) return this._turnedAway(arrival, "stopping", now);
    const { connection, client } = arrival;
    this.#leave(arrival);
    return this.#place(connection, client, now);
  }

  /** @internal */
  _turnedAway(
    arrival: Arrival,
    reason: RefusalReason,
    now: Nanoseconds,
    detail?: string,
  ): Refusal {
    this.passTime(now);
    const { connection, client } = arrival;
    this.#leave(arrival);
    return this.#refuse(reason, connection, client, 0, now, detail);
  }

  #leave({ admission, client }: Arrival): void {
    this.#arriving--;
    admission?.closed(client);
  }

  #isAtLimit(): boolean {
    const { connections } = this.#options.limits;
    return this.#connections + this.#queue.size + this.#arriving >= connections;
  }

  /** A backend for a client that may come in, or a place in the queue. */
  #place(
    connection: number,
    client: string,
    now: Nanoseconds,
    trace?: PickTrace,
  ): Lease | Waiting | Refusal {
    return this.#grant(connection, client, undefined, now, trace) ??
      this.#wait(connection, client, undefined, now);
  }

  /**
   * A probe of a backend ended.
   *
   * @param tookNs How long it took.
   * @param reason What went wrong, in a few words.
   */
  probed(id: string, ok: boolean, now: Nanoseconds, tookNs: Nanoseconds, reason = "failed"): void {
    this.passTime(now);
    const backend = this.#byId.get(id);
    // It may have been removed while the probe was under way.
    if (backend === undefined) return;
    if (ok) backend.provenAt = now;
    else backend.failedAt = now;
    const first = backend.health.state === "unknown";
    const { flipped, streak } = backend.health.record(ok);
    if (this.#events.wanted.probe) {
      this.#events.emit({
        type: "probe",
        at_ms: toMs(now),
        backend: id,
        ok,
        probe_ms: toMs(tookNs),
        ...(ok ? {} : { reason }),
        streak,
      });
    }
    if (!flipped) return;
    if (ok && !first) this.#recovery.startSlowly(backend, now);
    this.#changed(backend, now);
    if (this.#events.wanted[ok ? "backend_up" : "backend_down"]) {
      const common = {
        at_ms: toMs(now),
        backend: id,
        probes: streak,
        active_servers: this.activeServers,
      };
      this.#events.emit(
        ok
          ? { type: "backend_up", ...common }
          : { type: "backend_down", ...common, reason, in_flight: backend.inFlight },
      );
    }
    this.#serveWaiting(now);
  }

  /** A backend reports that it has nothing to do. Only some algorithms go by that. */
  reportIdle(id: string, now: Nanoseconds): void {
    this.passTime(now);
    const backend = this.#byId.get(id);
    if (backend !== undefined) this.#tierOf(backend).reportedIdle?.(backend);
  }

  /** @internal */
  _connected(lease: Lease, now: Nanoseconds): void {
    this.passTime(now);
    const { backend } = lease;
    backend.connections++;
    backend.provenAt = now;
    backend.ejection?.succeeded(now);
    if (this.#events.wanted.connection_opened) {
      this.#events.emit({
        type: "connection_opened",
        at_ms: toMs(now),
        connection: lease.connection,
        client: lease.client,
        backend: backend.id,
        attempt: lease.attempt,
        connect_ms: toMs(now - lease.acquiredAt),
        in_flight: backend.inFlight,
      });
    }
  }

  /** @internal */
  _answered(lease: Lease, now: Nanoseconds): void {
    this.passTime(now);
    const { backend, others } = lease;
    this.#backendsSpeakFirst = !lease.isAsked;
    if (backend.removed) return;
    this.#tierOf(backend).answered?.(backend, lease.waited(now), others, now);
  }

  /** @internal */
  _clientFinished(lease: Lease, now: Nanoseconds): void {
    this.passTime(now);
    this.#noteSilence(lease, now);
  }

  /** A lease ended, or its client finished. If nothing came, its backend is slower than the wait was long. */
  #noteSilence(lease: Lease, now: Nanoseconds): void {
    const { backend, others } = lease;
    if (lease.isAnswered || backend.removed) return;
    // A client that asks nothing and gets nothing is idle, unless backends are those that begin.
    if (lease.isIdle && !this.#backendsSpeakFirst) return;
    this.#tierOf(backend).unanswered?.(backend, lease.waited(now), others, now);
  }

  /** @internal */
  _connectFailed(
    lease: Lease,
    reason: ConnectFailure,
    now: Nanoseconds,
    detail: string | undefined,
  ): Lease | Waiting | Refusal {
    this.passTime(now);
    const { backend, connection, client, attempt, session } = lease;
    backend.connectFailures++;
    backend.failedAt = now;
    if (session?.backend === backend) session.failedAt = now;
    this.#letGo(lease, now);
    this.#noteSilence(lease, now);
    if (this.#events.wanted.connect_failed) {
      this.#events.emit({
        type: "connect_failed",
        at_ms: toMs(now),
        connection,
        client,
        backend: backend.id,
        attempt,
        reason,
        ...detail !== undefined && { detail },
      });
    }
    this.#recovery.connectFailed(backend, now);
    const next = this.#retry(lease, now);
    this.#serveWaiting(now);
    return next;
  }

  #retry(lease: Lease, now: Nanoseconds): Lease | Waiting | Refusal {
    const { connection, client, attempt } = lease;
    if (this.#stopping) return this.#refuse("stopping", connection, client, attempt, now);
    if (attempt > this.#options.retries) {
      return this.#refuse("connects_failed", connection, client, attempt, now);
    }
    this.#exclude(lease, true);
    try {
      return this.#grant(connection, client, lease, now) ??
        this.#wait(connection, client, lease, now);
    } finally {
      this.#exclude(lease, false);
    }
  }

  /** @internal */
  _refused(
    lease: Lease,
    reason: RefusalReason,
    now: Nanoseconds,
    detail: string | undefined,
  ): Refusal {
    const { connection, client, attempt } = lease;
    this.passTime(now);
    this.#letGo(lease, now);
    const refusal = this.#refuse(reason, connection, client, attempt - 1, now, detail);
    this.#serveWaiting(now);
    return refusal;
  }

  /** @internal */
  _left(waiting: Waiting, now: Nanoseconds): void {
    this.#unqueue(waiting);
    this.passTime(now);
    this.#tellDequeued(waiting, null, now);
  }

  /** @internal */
  _released(
    lease: Lease,
    opened: boolean,
    end: ConnectionEnd,
    traffic: Traffic,
    now: Nanoseconds,
  ): void {
    this.passTime(now);
    this.#letGo(lease, now);
    this.#noteSilence(lease, now);
    if (opened && this.#events.wanted.connection_closed) {
      this.#events.emit({
        type: "connection_closed",
        at_ms: toMs(now),
        connection: lease.connection,
        client: lease.client,
        backend: lease.backend.id,
        end,
        duration_ms: toMs(now - lease.acquiredAt),
        bytes_to_backend: traffic.bytesToBackend,
        bytes_to_client: traffic.bytesToClient,
        in_flight: lease.backend.inFlight,
      });
    }
    if (this.#queue.size > 0) this.#serveWaiting(now);
  }

  /**
   * Picks for a client; undefined if no backend is available.
   *
   * @param waits It has asked before.
   */
  #grant(
    connection: number,
    client: string,
    failed: Lease | undefined,
    now: Nanoseconds,
    trace?: PickTrace,
    waits = false,
  ): Lease | undefined {
    if (
      trace === undefined && this.#events.wanted.pick_explained && this.#isExplained(connection)
    ) {
      const explanation = new Explanation(this.#backends);
      const held = this.#pickAndCount(connection, client, failed, now, explanation);
      // Of a client that waits it has been said already that no backend is available.
      if (held !== undefined || !waits) this.#explain(explanation, connection, client, held, now);
      return held;
    }
    return this.#pickAndCount(connection, client, failed, now, trace);
  }

  #isExplained(connection: number): boolean {
    return (connection - 1) % (this.#options.explainEvery ?? 1) === 0;
  }

  #explain(
    { rule, candidates }: Explanation,
    connection: number,
    client: string,
    held: Lease | undefined,
    now: Nanoseconds,
  ): void {
    this.#events.emit({
      type: "pick_explained",
      at_ms: toMs(now),
      connection,
      client,
      backend: held?.backend.id ?? null,
      rule,
      candidates,
    });
  }

  #pickAndCount(
    connection: number,
    client: string,
    failed: Lease | undefined,
    now: Nanoseconds,
    trace?: PickTrace,
  ): Lease | undefined {
    const stickiness = this.#stickiness;
    let backend: Backend | undefined;
    let session: Session<Backend> | undefined;
    if (stickiness === undefined) {
      backend = this.#pick(client, now, trace);
    } else {
      const key = stickiness.keyOf(client);
      session = stickiness.sessions.find(key, now);
      backend = session && stickiness.pinned(session, now, trace);
      if (backend === undefined) {
        if (session !== undefined && stickiness.hasFailed(session)) {
          backend = this.#pickBeside(session.backend, key, now, trace);
          if (backend === undefined && stickiness.takesBack(session)) backend = session.backend;
        }
        backend ??= this.#pick(key, now, trace);
        if (backend !== undefined) session = stickiness.pin(key, session, backend, now);
      }
    }
    if (backend === undefined) return undefined;
    this.#connections++;
    if (session !== undefined) {
      stickiness?.sessions.opened(session, now);
      this.onSessionUse?.(session, 1, now);
    }
    this.#count(backend, 1);
    const lease = new Lease(this, connection, client, backend, now, session, failed);
    if (this.#admission !== undefined) {
      this.#admission.opened(client, now);
      lease.admission = this.#admission;
    }
    return lease;
  }

  /** No backend is available: the client waits, if that is of use, or is refused. */
  #wait(
    connection: number,
    client: string,
    failed: Lease | undefined,
    now: Nanoseconds,
  ): Waiting | Refusal {
    const { queue } = this.#options;
    const attempts = failed?.attempt ?? 0;
    const refuse = (reason: RefusalReason) =>
      this.#refuse(reason, connection, client, attempts, now);
    if (queue === undefined || !this.#mayFindRoom(client, now)) {
      return refuse(this.#whyNone(attempts));
    }
    if (this.#queue.size >= queue.length) return refuse("queue_full");
    const until = now + queue.timeout;
    const waiting = new Waiting(this, connection, client, now, until, failed, this.#admission);
    this.#queue.add(waiting);
    if (failed !== undefined) this.#retriesWaiting++;
    this.#wakeBy(until);
    this.#admission?.opened(client, now);
    if (this.#events.wanted.connection_queued) {
      this.#events.emit({
        type: "connection_queued",
        at_ms: toMs(now),
        connection,
        client,
        waiting: this.#queue.size,
      });
    }
    return waiting;
  }

  /** Whether a client for which there is no room may find some if it waits. */
  #mayFindRoom(client: string, now: Nanoseconds): boolean {
    if (this.#backends.some(mayHaveRoom)) return true;
    return this.#stickiness?.ownBackend(client, now)?.full === true;
  }

  /**
   * Clients that wait get what room there is, in the order in which they came. One that cannot find room any
   * more waits no longer.
   */
  #serveWaiting(now: Nanoseconds): void {
    /** There may be room for a client that has tried no backend and is pinned to none. */
    let isRoomForAny = true;
    for (const waiting of this.#queue) {
      const { connection, client, failed } = waiting;
      if (failed !== undefined) this.#exclude(failed, true);
      const isRoom = isRoomForAny ||
        this.#stickiness?.ownBackend(client, now)?.full === false;
      const lease = isRoom
        ? this.#grant(connection, client, failed, now, undefined, true)
        : undefined;
      const inVain = lease === undefined && !this.#mayFindRoom(client, now);
      if (failed !== undefined) this.#exclude(failed, false);
      if (lease !== undefined) {
        waiting.end();
        this.#unqueue(waiting);
        this.#tellDequeued(waiting, lease.backend.id, now);
        waiting.settled?.(lease, now);
      } else if (inVain) {
        this.#dismiss(waiting, this.#whyNone(waiting.attempts), now);
      } else if (failed === undefined) {
        isRoomForAny = false;
        if (this.#allWaitForTheSame()) return;
      }
    }
  }

  /**
   * Whether clients that wait are all alike: if there is no room for one to which any backend will do, there
   * is none for the others, and if it does not wait in vain, neither do they.
   */
  #allWaitForTheSame(): boolean {
    if (this.#retriesWaiting > 0 || !this.#backends.some(mayHaveRoom)) return false;
    return !this.#isRoomForItsOwn();
  }

  /** Whether a backend that takes no new clients has room for those that are pinned to it. */
  #isRoomForItsOwn(): boolean {
    if (this.#options.sticky?.drain !== "allow") return false;
    return this.#backends.some((backend) => backend.works && !backend.serves && !backend.full);
  }

  /** Refuses a client that waits. */
  #dismiss(waiting: Waiting, reason: RefusalReason, now: Nanoseconds): void {
    const { connection, client, attempts } = waiting;
    waiting.end();
    this.#unqueue(waiting);
    const refusal = this.#refuse(reason, connection, client, attempts, now);
    waiting.settled?.(refusal, now);
  }

  #unqueue(waiting: Waiting): void {
    this.#queue.delete(waiting);
    if (waiting.failed !== undefined) this.#retriesWaiting--;
    waiting.admission?.closed(waiting.client);
  }

  /** Reports that a client waits no more: a backend has room for it, or it has left. */
  #tellDequeued(
    { connection, client, since }: Waiting,
    backend: string | null,
    now: Nanoseconds,
  ): void {
    if (!this.#events.wanted.connection_dequeued) return;
    this.#events.emit({
      type: "connection_dequeued",
      at_ms: toMs(now),
      connection,
      client,
      backend,
      waited_ms: toMs(now - since),
      waiting: this.#queue.size,
    });
  }

  /** A primary that has proven since then that it works. One that has not stands in no other's way. */
  #provenPrimary(client: string, since: Nanoseconds, now: Nanoseconds): Backend | undefined {
    const unproven: Backend[] = [];
    let picked = this.#primaries.pick(client, now) as Backend | undefined;
    while (picked !== undefined && !picked.hasProvenSince(since)) {
      unproven.push(picked);
      this.#setExcluded(picked, true);
      picked = this.#primaries.pick(client, now) as Backend | undefined;
    }
    for (const backend of unproven) this.#setExcluded(backend, false);
    return picked;
  }

  /** Another backend than this one, which is not to be tried now. */
  #pickBeside(
    backend: Backend,
    client: string,
    now: Nanoseconds,
    trace?: PickTrace,
  ): Backend | undefined {
    const { excluded } = backend;
    this.#setExcluded(backend, true);
    const picked = this.#pick(client, now, trace);
    this.#setExcluded(backend, excluded);
    return picked;
  }

  #pick(client: string, now: Nanoseconds, trace?: PickTrace): Backend | undefined {
    const picked = this.#primaries.pick(client, now, trace) ??
      this.#backups.pick(client, now, trace);
    return picked as Backend | undefined ?? this.#anyway(trace);
  }

  /** When no backend is active and clients are to be sent on all the same: those not disabled, in turn. */
  #anyway(trace?: PickTrace): Backend | undefined {
    if (this.#options.whenNoneAvailable !== "try-anyway") return undefined;
    const backends = this.#backends;
    if (backends.some(({ serves }) => serves)) return undefined;
    for (let i = 1; i <= backends.length; i++) {
      const turn = (this.#lastAnyway + i) % backends.length;
      const backend = backends[turn]!;
      const { mode, fullWeight, full, excluded } = backend;
      if (mode !== "ready" || fullWeight === 0 || full || excluded) continue;
      this.#lastAnyway = turn;
      trace?.considered(backend, turn);
      trace?.decided("no backend is active: the next in turn is tried anyway");
      return backend;
    }
    return undefined;
  }

  #refuse(
    reason: RefusalReason,
    connection: number,
    client: string,
    attempts: number,
    now: Nanoseconds,
    detail?: string,
  ): Refusal {
    if (this.#events.wanted.connection_refused) {
      this.#events.emit({
        type: "connection_refused",
        at_ms: toMs(now),
        connection,
        client,
        reason,
        ...detail !== undefined && { detail },
        attempts,
      });
    }
    return { granted: false, reason };
  }

  #whyNone(attempts: number): RefusalReason {
    if (attempts > 0) return "connects_failed";
    return this.#backends.some(({ serves }) => serves)
      ? "all_backends_full"
      : "no_backend_available";
  }

  #letGo(lease: Lease, now: Nanoseconds): void {
    this.#connections--;
    lease.admission?.closed(lease.client);
    if (lease.session !== undefined) {
      this.#stickiness?.sessions.closed(lease.session, now);
      this.onSessionUse?.(lease.session, -1, now);
    }
    this.#count(lease.backend, -1);
  }

  #count(backend: Backend, change: 1 | -1): void {
    backend.inFlight += change;
    assert(backend.inFlight >= 0, "as many leases end as were granted");
    if (backend.removed) {
      if (backend.inFlight === 0) this.#departed.delete(backend);
      return;
    }
    // Without a limit a backend is never full: then the count does not change whether it is available.
    if (backend.maxConnections !== Infinity) this.#refresh(backend);
    this.#tierOf(backend).loadChanged?.(backend);
  }

  /** Makes every backend that this connection has tried unavailable, or available again. */
  #exclude(lease: Lease, excluded: boolean): void {
    for (let tried: Lease | undefined = lease; tried; tried = tried.tried) {
      this.#setExcluded(tried.backend, excluded);
    }
  }

  #setExcluded(backend: Backend, excluded: boolean): void {
    backend.excluded = excluded;
    if (!backend.removed) this.#refresh(backend);
  }

  /** A backend has come up or gone down, or its operator wants something else of it. */
  #changed(backend: Backend, now: Nanoseconds): void {
    this.#refresh(backend);
    this.#recovery.follow(backend, now);
  }

  /** Answers the algorithms' question anew, and tells them if the answer changed. */
  #refresh(backend: Backend): void {
    const now = available(backend);
    if (now === backend.available) return;
    backend.available = now;
    this.#tierOf(backend).update(backend);
  }

  #tierOf(backend: Backend): Algorithm {
    return backend.backup ? this.#backups : this.#primaries;
  }

  #known(id: string): Backend {
    const backend = this.#byId.get(id);
    if (backend === undefined) throw new RangeError(`There is no backend "${id}"`);
    return backend;
  }
}

/** Whether two sets of parameters are the same. */
function equal(a: AlgorithmOptions, b: AlgorithmOptions): boolean {
  const [one, other] = [a, b].map((options) => JSON.stringify(Object.entries(options).sort()));
  return one === other;
}

function available(backend: Backend): boolean {
  return backend.serves && !backend.full && !backend.excluded;
}

/** Whether a client that finds it full may find it free if it waits. */
function mayHaveRoom(backend: Backend): boolean {
  return backend.serves && backend.full && !backend.excluded;
}
