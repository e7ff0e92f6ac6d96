import type { PickTrace } from "./algorithms/mod.ts";
import { Admission } from "./admission/mod.ts";
import { AgeList, type Nanoseconds, type Random } from "../base/mod.ts";
import { Arrival } from "./arrival.ts";
import {
  type Backend,
  type BackendMode,
  type BackendOptions,
  BackendRecovery,
  type BackendState,
  isForItsOwnOnly,
  isFull,
  isServing,
  mayHaveRoom,
} from "./backend/mod.ts";
import {
  Announcer,
  type ConnectFailure,
  type ConnectionEnd,
  type EventStream,
  type RefusalReason,
} from "./events/mod.ts";
import { Explanation } from "./explanation.ts";
import { Lease, type Refusal, type Traffic } from "./lease.ts";
import type { SchedulerOptions } from "./options.ts";
import { BackendPool } from "./pool.ts";
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
  readonly #announcer: Announcer;
  readonly #pool: BackendPool;
  /** Undefined if clients do not stick. */
  #stickiness: Stickiness | undefined;
  readonly #recovery: BackendRecovery;
  #admission: Admission | undefined;
  /** First come, first served. */
  readonly #queue = new AgeList<Waiting>();
  /** How many of them have tried a backend before. */
  #retriesWaiting = 0;
  #connections = 0;
  /** Those that have connected, and have something to say before they acquire. */
  #arriving = 0;
  #lastConnection = 0;
  #stopping = false;
  /** Nothing that waits for time alone happens before. */
  #nextWake: Nanoseconds = Infinity;
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
    const pool = new BackendPool(options, random);
    this.#pool = pool;
    this.#announcer = new Announcer(events, () => pool.activeServers);
    this.#recovery = new BackendRecovery(options, this.#announcer, {
      backends: pool.all,
      refresh: (backend) => pool.refresh(backend),
      reweighed: (backend) => pool.reweighed(backend),
      wakeBy: (at) => this.#wakeBy(at),
    });
    this.#reconfigureStickiness();
    this.#reconfigureAdmission();
    for (const backend of options.backends) pool.add(backend);
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
    return this.#pool.all;
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
    return this.#pool.get(id);
  }

  /** Adds a backend. It is used once a probe has found it up, and then starts slowly. */
  addBackend(options: BackendOptions, now: Nanoseconds): Backend {
    this.passTime(now);
    const backend = this.#pool.add(options);
    this.#recovery.startSlowly(backend, now);
    this.#serveWaiting(now);
    return backend;
  }

  /**
   * Removes a backend: nothing new goes there, and its sessions are forgotten. Live connections keep their
   * leases until they end. One that is added later is another one, whatever it is called.
   */
  removeBackend(id: string, now: Nanoseconds): void {
    this.passTime(now);
    const backend = this.#pool.get(id);
    if (backend === undefined) return;
    this.#remove(backend, now);
    this.#serveWaiting(now);
  }

  #remove(backend: BackendState, now: Nanoseconds, mayReturn = false): void {
    this.#pool.remove(backend, now, mayReturn);
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
    const algorithms = this.#pool.algorithmsFor(options);
    for (const backend of [...this.#pool.all]) {
      const next = byId.get(backend.id);
      if (next === undefined || !backend.isMeantBy(next)) this.#remove(backend, now, true);
    }
    this.#options = options;
    this.#pool.configure(options);
    this.#reconfigureQueue(now);
    this.#recovery.configure(options);
    this.#reconfigureAdmission();
    this.#reconfigureStickiness();
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
    this.#serveWaiting(now);
    this.passTime(now);
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
      new Stickiness(sticky, this.#announcer, (...asked) => this.#pool.pickProven(...asked));
  }

  #reconfigureAdmission(): void {
    const { allow, deny, limits: { perClient } } = this.#options;
    if ((allow ?? deny ?? perClient) === undefined) this.#admission = undefined;
    else if (this.#admission === undefined) {
      this.#admission = new Admission({ allow, deny, perClient });
    } else this.#admission.configure({ allow, deny, perClient });
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

  /** A backend that is probed no more counts as up. */
  #trust(backend: BackendState, now: Nanoseconds): void {
    while (backend.health.state !== "up") backend.health.record(true);
    this.#changed(backend, now);
    this.#announcer.backendUp(backend.id, 0, now);
  }

  /** The operator's wish for a backend. */
  setMode(id: string, mode: BackendMode, now: Nanoseconds): void {
    this.passTime(now);
    this.#setMode(this.#known(id), mode, now);
    this.#serveWaiting(now);
  }

  #setMode(backend: BackendState, mode: BackendMode, now: Nanoseconds): void {
    if (backend.mode === mode) return;
    const returns = backend.mode === "maintenance";
    backend.mode = mode;
    if (returns) this.#recovery.startSlowly(backend, now);
    this.#changed(backend, now);
    this.#announcer.backendModeChanged(backend, mode, now);
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
    this.#announcer.sessionAdopted(record.key, record.backend, now);
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
  #backendOf({ changedAt }: SessionRecord<string>, id: string): BackendState | undefined {
    return changedAt > this.#pool.removedAt(id) ? this.#pool.get(id) : undefined;
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
    const backend = this.#pool.get(id);
    // It may have been removed while the probe was under way.
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
    this.#serveWaiting(now);
  }

  /** A backend reports that it has nothing to do. Only some algorithms go by that. */
  reportIdle(id: string, now: Nanoseconds): void {
    this.passTime(now);
    const backend = this.#pool.get(id);
    if (backend !== undefined) this.#pool.reportedIdle(backend);
  }

  /** @internal */
  _connected(lease: Lease, now: Nanoseconds): void {
    this.passTime(now);
    const { backend } = lease;
    backend.connections++;
    backend.provenAt = now;
    backend.ejection?.succeeded(now);
    this.#announcer.connectionOpened(
      {
        number: lease.connection,
        client: lease.client,
        attempt: lease.attempt,
        pickedAt: lease.acquiredAt,
      },
      backend,
      now,
    );
  }

  /** @internal */
  _answered(lease: Lease, now: Nanoseconds): void {
    this.passTime(now);
    const { backend, others } = lease;
    this.#backendsSpeakFirst = !lease.isAsked;
    this.#pool.answered(backend, lease.waited(now), others, now);
  }

  /** @internal */
  _clientFinished(lease: Lease, now: Nanoseconds): void {
    this.passTime(now);
    this.#noteSilence(lease, now);
  }

  /** A lease ended, or its client finished. If nothing came, its backend is slower than the wait was long. */
  #noteSilence(lease: Lease, now: Nanoseconds): void {
    const { backend, others } = lease;
    if (lease.isAnswered) return;
    // A client that asks nothing and gets nothing is idle, unless backends are those that begin.
    if (lease.isIdle && !this.#backendsSpeakFirst) return;
    this.#pool.unanswered(backend, lease.waited(now), others, now);
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
    this.#announcer.connectFailed(
      { number: connection, client, attempt, pickedAt: lease.acquiredAt },
      backend,
      reason,
      detail,
      now,
    );
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
    return this.#grant(connection, client, lease, now) ??
      this.#wait(connection, client, lease, now);
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
    if (opened) {
      this.#announcer.connectionClosed(
        {
          number: lease.connection,
          client: lease.client,
          attempt: lease.attempt,
          pickedAt: lease.acquiredAt,
        },
        lease.backend,
        end,
        traffic,
        now,
      );
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
      trace === undefined && this.#announcer.wantsExplanations && this.#isExplained(connection)
    ) {
      const explanation = new Explanation(this.#pool.all, failed?.allTried);
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
    const backend = held?.backend.id ?? null;
    this.#announcer.pickExplained(connection, client, backend, rule, candidates, now);
  }

  #pickAndCount(
    connection: number,
    client: string,
    failed: Lease | undefined,
    now: Nanoseconds,
    trace?: PickTrace,
  ): Lease | undefined {
    const stickiness = this.#stickiness;
    const tried = failed?.allTried;
    let backend: BackendState | undefined;
    let session: Session<BackendState> | undefined;
    if (stickiness === undefined) {
      backend = this.#pool.pick(client, now, tried, trace);
    } else {
      const key = stickiness.keyOf(client);
      session = stickiness.sessions.find(key, now);
      backend = session && stickiness.pinned(session, now, tried, trace);
      if (backend === undefined) {
        if (session !== undefined && stickiness.hasFailed(session)) {
          backend = this.#pool.pick(key, now, [...tried ?? [], session.backend], trace);
          if (backend === undefined && stickiness.takesBack(session, tried)) {
            backend = session.backend;
          }
        }
        backend ??= this.#pool.pick(key, now, tried, trace);
        if (backend !== undefined) session = stickiness.pin(key, session, backend, now, tried);
      }
    }
    if (backend === undefined) return undefined;
    this.#connections++;
    if (session !== undefined) {
      stickiness?.sessions.opened(session, now);
      this.onSessionUse?.(session, 1, now);
    }
    this.#pool.count(backend, 1);
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
    if (queue === undefined || !this.#mayFindRoom(client, now, failed?.allTried)) {
      return refuse(this.#whyNone(attempts));
    }
    if (this.#queue.size >= queue.length) return refuse("queue_full");
    const until = now + queue.timeout;
    const waiting = new Waiting(this, connection, client, now, until, failed, this.#admission);
    this.#queue.add(waiting);
    if (failed !== undefined) this.#retriesWaiting++;
    this.#wakeBy(until);
    this.#admission?.opened(client, now);
    this.#announcer.connectionQueued(connection, client, this.#queue.size, now);
    return waiting;
  }

  /** Whether a client for which there is no room may find some if it waits. */
  #mayFindRoom(
    client: string,
    now: Nanoseconds,
    tried: readonly BackendState[] | undefined,
  ): boolean {
    const { all } = this.#pool;
    if (all.some((backend) => mayHaveRoom(backend) && !tried?.includes(backend))) return true;
    const own = this.#stickiness?.ownBackend(client, now, tried);
    return own !== undefined && isFull(own);
  }

  /** Whether a client's own backend, which takes no new ones, has room for it. */
  #hasRoomForItsOwn(
    client: string,
    now: Nanoseconds,
    tried: readonly BackendState[] | undefined,
  ): boolean {
    const own = this.#stickiness?.ownBackend(client, now, tried);
    return own !== undefined && !isFull(own);
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
      const tried = failed?.allTried;
      const isRoom = isRoomForAny || this.#hasRoomForItsOwn(client, now, tried);
      const lease = isRoom
        ? this.#grant(connection, client, failed, now, undefined, true)
        : undefined;
      const inVain = lease === undefined && !this.#mayFindRoom(client, now, tried);
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
    if (this.#retriesWaiting > 0 || !this.#pool.all.some(mayHaveRoom)) return false;
    return !this.#isRoomForItsOwn();
  }

  /** Whether a backend that takes no new clients has room for those that are pinned to it. */
  #isRoomForItsOwn(): boolean {
    if (this.#options.sticky?.drain !== "allow") return false;
    return this.#pool.all.some((backend) => isForItsOwnOnly(backend) && !isFull(backend));
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
    const waited = now - since;
    const left = this.#queue.size;
    this.#announcer.connectionDequeued(connection, client, backend, waited, left, now);
  }

  #refuse(
    reason: RefusalReason,
    connection: number,
    client: string,
    attempts: number,
    now: Nanoseconds,
    detail?: string,
  ): Refusal {
    this.#announcer.connectionRefused(connection, client, reason, detail, attempts, now);
    return { granted: false, reason };
  }

  #whyNone(attempts: number): RefusalReason {
    if (attempts > 0) return "connects_failed";
    return this.#pool.all.some(isServing) ? "all_backends_full" : "no_backend_available";
  }

  #letGo(lease: Lease, now: Nanoseconds): void {
    this.#connections--;
    lease.admission?.closed(lease.client);
    if (lease.session !== undefined) {
      this.#stickiness?.sessions.closed(lease.session, now);
      this.onSessionUse?.(lease.session, -1, now);
    }
    this.#pool.count(lease.backend, -1);
  }

  /** A backend has come up or gone down, or its operator wants something else of it. */
  #changed(backend: BackendState, now: Nanoseconds): void {
    this.#pool.refresh(backend);
    this.#recovery.follow(backend, now);
  }

  #known(id: string): BackendState {
    const backend = this.#pool.get(id);
    if (backend === undefined) throw new RangeError(`There is no backend "${id}"`);
    return backend;
  }
}
