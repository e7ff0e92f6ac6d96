/**
 * The books compute what a scheduler must decide, from the rules alone, with plain counters and lists. They use only
 * types of the scheduler's code, so that they do not repeat a mistake in it. The rules do not say which of several
 * suitable backends gets a connection. The books read this from the scheduler's choice (`grants`), and check that the
 * chosen backend is suitable.
 */
import assert from "node:assert/strict";
import type {
  BackendMode,
  EventOf,
  EventType,
  LbEvent,
  RefusalReason,
  SessionRecord,
} from "../../../lib/core/mod.ts";
import type { NamedBackend, Settings } from "./settings.ts";
import { type Outcome, sessionView, type Subject, type View } from "./subject.ts";

const MS = 1e6;
const S = 1e9;
/** The number of steps of a slow start. */
const STEPS = 20;

interface BackendBook {
  readonly id: string;
  options: NamedBackend;
  mode: BackendMode;
  /** Its state according to its probes. */
  probes: "unknown" | "up" | "down";
  /** The number of latest probe results in a row that contradict `probes`. */
  contrary: number;
  /** Undefined if the configuration has no `ejection`. */
  ejection: EjectionBook | undefined;
  /** Undefined if the backend has its full weight. */
  slowStart: SlowStartBook | undefined;
  /** When a probe or a connect last succeeded, and last failed. */
  worked: number;
  failed: number;
  inFlight: number;
  connections: number;
  connectFailures: number;
}

interface EjectionBook {
  /** Connects in a row that failed. */
  failures: number;
  /** Ejections in a row. */
  times: number;
  /** When the latest ejection ends or has ended, and how long it lasts. */
  until: number;
  lasts: number;
  isOut: boolean;
}

interface SlowStartBook {
  steps: number;
  /** For how long the backend took new clients before `since`; `since` is undefined while it takes none. */
  served: number;
  since: number | undefined;
}

interface SessionBook {
  readonly key: string;
  backend: BackendBook;
  home: BackendBook;
  movedAt: number;
  /** When a connect of its client to its backend last failed. */
  failedAt: number;
  changedAt: number;
  usedAt: number;
  open: number;
}

interface ConnectionBook {
  readonly number: number;
  client: string;
  readonly arrivedAt: number;
  phase: "arriving" | "accepted" | "waiting" | "connecting" | "open";
  /** The number of the limits (`#limits`) for which it counts; undefined if it counts for none. */
  limits: number | undefined;
  backend: BackendBook | undefined;
  pickedAt: number;
  readonly tried: BackendBook[];
  session: SessionBook | undefined;
  waitsSince: number;
  waitsUntil: number;
}

type Details<Type extends EventType> = Omit<EventOf<Type>, "type" | "at_ms">;

export class Books implements Subject {
  /** Events that must have been emitted since the step began. */
  events: LbEvent[] = [];
  /** The answer that the latest call in this step that asks for a backend must have given. */
  outcome: Outcome | undefined;
  readonly connections = new Map<number, ConnectionBook>();
  readonly queue: ConnectionBook[] = [];
  /** In the order of the configuration. */
  backends: BackendBook[] = [];
  #now = 0;
  #settings: Settings;
  #stopped = false;
  #lastNumber = 0;
  #grants = new Map<number, string>();
  /** Backends that a reload removed while they had connections. One that is added again is the same backend. */
  #departed: BackendBook[] = [];
  /** The time at which a backend with this id was last removed. */
  readonly #removedAt = new Map<string, number>();
  /** The mode of each backend in the latest configuration. */
  #modes = new Map<string, BackendMode>();
  /** Least recently used first, with and without connections. */
  #sessions: SessionBook[] = [];
  /** A number that increases each time limits of clients come into force; undefined while there are none. */
  #limits: number | undefined;
  #lastLimits = 0;
  /** How many new connections each client may open (`left`), as computed at the time `at`. */
  #tokens = new Map<string, { left: number; at: number }>();
  /** Place in the list of the backend that was last tried although none was active. */
  #lastAnyway = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#countLimits();
  }

  /**
   * A step begins: time has passed.
   *
   * @param grants What the scheduler has done in this step.
   */
  begin(now: number, grants: ReadonlyMap<number, string>): void {
    this.events = [];
    this.outcome = undefined;
    this.#grants = new Map(grants);
    this.passTime(now);
  }

  /** Ends a step, and checks that the scheduler granted nothing that the books do not contain. */
  end(): void {
    assert.deepEqual([...this.#grants], [], "backends were given to connections that get none");
  }

  /** Ends the ejections and waits that end until then, each at its own time. */
  passTime(now: number): void {
    const waits = () => this.queue[0]?.waitsUntil ?? Infinity;
    for (let at = 0; (at = Math.min(this.#nextReturn(), waits())) <= now;) {
      this.#setTime(at);
      const returning = this.backends.filter(({ ejection }) =>
        ejection?.isOut && ejection.until <= at
      );
      for (const backend of returning) this.#readmit(backend);
      if (returning.length > 0) this.#serveQueue();
      while (waits() <= at) this.#dismiss(this.queue[0]!, "queue_timeout");
    }
    this.#setTime(now);
  }

  #nextReturn(): number {
    const out = this.backends.filter(({ ejection }) => ejection?.isOut);
    return Math.min(...out.map(({ ejection }) => ejection!.until));
  }

  #setTime(now: number): void {
    this.#now = now;
    for (const backend of this.backends) this.#grow(backend);
    this.#endSessions();
  }

  /** Ends the sessions of clients that have been away for too long. */
  #endSessions(): void {
    const ttl = this.#settings.sticky?.ttl ?? Infinity;
    this.#sessions = this.#sessions.filter(({ open, usedAt }) =>
      open > 0 || this.#now - usedAt <= ttl
    );
  }

  /** The next time at which something must happen without any call; Infinity if there is none. */
  get nextDue(): number {
    const steps = this.backends.map(({ slowStart }) => {
      if (slowStart?.since === undefined) return Infinity;
      return slowStart.since + this.#stepAt(slowStart.steps + 1) - slowStart.served;
    });
    return Math.min(this.#nextReturn(), this.queue[0]?.waitsUntil ?? Infinity, ...steps);
  }

  // Backends.

  #isHealthy({ probes, ejection }: BackendBook): boolean {
    return probes === "up" && !ejection?.isOut;
  }

  #isActive(backend: BackendBook): boolean {
    return this.#isHealthy(backend) && backend.mode === "ready";
  }

  /** Whether it takes new clients, unless it is full. */
  #serves(backend: BackendBook): boolean {
    return this.#isActive(backend) && backend.options.weight > 0;
  }

  #isFull({ inFlight, options }: BackendBook): boolean {
    return inFlight >= (options.maxConnections ?? Infinity);
  }

  #isAvailable(backend: BackendBook): boolean {
    return this.#serves(backend) && !this.#isFull(backend);
  }

  /** Whether it takes the clients that are pinned to it, unless it is full. */
  #takesItsOwn(backend: BackendBook): boolean {
    if (this.#settings.sticky?.drain !== "allow") return this.#serves(backend);
    return this.#isHealthy(backend) && backend.mode !== "maintenance";
  }

  #hasWorkedSince({ worked, failed }: BackendBook, time: number): boolean {
    return worked > Math.max(time, failed);
  }

  #activeServers(): string[] {
    return this.backends.filter((backend) => this.#isActive(backend)).map(({ id }) => id);
  }

  #weight({ options, slowStart }: BackendBook): number {
    if (slowStart === undefined) return options.weight;
    const { floor } = this.#settings.slowStart!;
    return options.weight * (floor + (1 - floor) * slowStart.steps / STEPS);
  }

  /** The time that a slow start needs to reach a step. */
  #stepAt(step: number): number {
    return Math.ceil(step * this.#settings.slowStart!.duration / STEPS);
  }

  #startSlowly(backend: BackendBook): void {
    if (this.#settings.slowStart === undefined) return;
    backend.slowStart = { steps: 0, served: 0, since: undefined };
    this.#noteService(backend);
  }

  /** The time of a slow start passes only while the backend takes new clients. */
  #noteService(backend: BackendBook): void {
    const { slowStart } = backend;
    if (slowStart === undefined) return;
    const serves = this.#serves(backend);
    if (serves) slowStart.since ??= this.#now;
    else if (slowStart.since !== undefined) {
      slowStart.served += this.#now - slowStart.since;
      slowStart.since = undefined;
    }
  }

  #grow(backend: BackendBook): void {
    const { slowStart } = backend;
    if (slowStart?.since === undefined) return;
    const served = slowStart.served + this.#now - slowStart.since;
    while (slowStart.steps < STEPS && this.#stepAt(slowStart.steps + 1) <= served) {
      slowStart.steps++;
    }
    if (slowStart.steps === STEPS) backend.slowStart = undefined;
  }

  #newEjection(): EjectionBook | undefined {
    if (this.#settings.ejection === undefined) return undefined;
    return { failures: 0, times: 0, until: -Infinity, lasts: 0, isOut: false };
  }

  #mayEject(backend: BackendBook): void {
    const { ejection } = backend;
    const rules = this.#settings.ejection;
    if (rules === undefined || ejection === undefined || ejection.isOut) return;
    ejection.failures++;
    if (ejection.failures < rules.failures || !this.backends.includes(backend)) return;
    const out = this.backends.filter((other) => other.ejection?.isOut).length;
    if (out + 1 > rules.maxShare * this.backends.length) return;
    ejection.times++;
    ejection.lasts = Math.min(ejection.times * rules.base, rules.max);
    ejection.until = this.#now + ejection.lasts;
    ejection.isOut = true;
    this.#noteService(backend);
    this.#emit("backend_ejected", {
      backend: backend.id,
      failures: ejection.failures,
      ejected_for_ms: ejection.lasts / MS,
      active_servers: this.#activeServers(),
    });
  }

  #readmit(backend: BackendBook): void {
    const { ejection } = backend;
    if (ejection !== undefined) {
      ejection.isOut = false;
      ejection.failures = 0;
    }
    this.#startSlowly(backend);
    const active_servers = this.#activeServers();
    this.#emit("backend_readmitted", { backend: backend.id, active_servers });
  }

  probe(id: string, ok: boolean): void {
    const backend = this.backends.find((one) => one.id === id)!;
    const { rise, fall } = this.#settings;
    if (ok) backend.worked = this.#now;
    else backend.failed = this.#now;
    const before = backend.probes;
    const agrees = before === (ok ? "up" : "down");
    backend.contrary = agrees ? 0 : backend.contrary + 1;
    const streak = backend.contrary;
    this.#emit("probe", {
      backend: id,
      ok,
      probe_ms: 1 / MS,
      ...!ok && { reason: "no answer" },
      streak,
    });
    const needed = before === "unknown" ? 1 : ok ? rise : fall;
    if (agrees || streak < needed) return;
    backend.probes = ok ? "up" : "down";
    backend.contrary = 0;
    if (before === "down") this.#startSlowly(backend);
    this.#noteService(backend);
    const common = { backend: id, probes: streak, active_servers: this.#activeServers() };
    if (ok) this.#emit("backend_up", common);
    else {
      const in_flight = backend.inFlight;
      this.#emit("backend_down", { ...common, reason: "no answer", in_flight });
    }
    this.#serveQueue();
  }

  setMode(id: string, mode: BackendMode): void {
    this.#setMode(this.backends.find((one) => one.id === id)!, mode);
    this.#serveQueue();
  }

  #setMode(backend: BackendBook, mode: BackendMode): void {
    const before = backend.mode;
    if (mode === before) return;
    backend.mode = mode;
    if (before === "maintenance") this.#startSlowly(backend);
    this.#noteService(backend);
    const { id, inFlight: in_flight } = backend;
    this.#emit("backend_mode_changed", { backend: id, mode, in_flight });
  }

  add(options: NamedBackend): void {
    this.#add(options);
    this.#serveQueue();
  }

  /** Adds a backend. If it was removed before, only its open connections are still known. */
  #add(options: NamedBackend): void {
    const { id, mode } = options;
    const former = this.#departed.find((one) => one.id === id);
    this.#departed = this.#departed.filter((one) => one !== former);
    const backend: BackendBook = former ??
      { id, inFlight: 0, connections: 0, connectFailures: 0 } as BackendBook;
    Object.assign(backend, {
      options,
      mode,
      probes: "unknown",
      contrary: 0,
      ejection: this.#newEjection(),
      slowStart: undefined,
      worked: -Infinity,
      failed: -Infinity,
    });
    this.backends.push(backend);
    this.#startSlowly(backend);
  }

  remove(id: string): void {
    this.#remove(this.backends.find((one) => one.id === id)!);
    this.#serveQueue();
  }

  #remove(backend: BackendBook): void {
    this.backends = this.backends.filter((one) => one !== backend);
    this.#removedAt.set(backend.id, this.#now);
    this.#sessions = this.#sessions.filter((session) => session.backend !== backend);
    for (const session of this.#sessions) {
      if (session.home === backend) session.home = session.backend;
    }
  }

  reload(settings: Settings, named: readonly NamedBackend[]): void {
    const before = this.#settings;
    for (const backend of this.backends) {
      if (named.some(({ id }) => id === backend.id)) continue;
      this.#remove(backend);
      if (backend.inFlight > 0) this.#departed.push(backend);
    }
    this.#settings = settings;
    this.#countLimits();
    const { sticky, queue } = settings;
    if (
      sticky === undefined || sticky.ipv4Prefix !== before.sticky?.ipv4Prefix ||
      sticky.ipv6Prefix !== before.sticky.ipv6Prefix
    ) this.#sessions = [];
    this.#endSessions();
    if (queue !== undefined) {
      for (const one of this.queue) {
        one.waitsUntil = Math.max(this.#now, one.waitsSince + queue.timeout);
      }
    }
    for (const options of named) {
      const backend = this.backends.find(({ id }) => id === options.id);
      if (backend === undefined) this.#add(options);
      else this.#reconfigure(backend, options);
    }
    this.#modes = new Map(named.map(({ id, mode }) => [id, mode]));
    this.backends = named.map(({ id }) => this.backends.find((one) => one.id === id)!);
    this.#serveQueue();
    this.passTime(this.#now);
  }

  #reconfigure(backend: BackendBook, options: NamedBackend): void {
    backend.options = options;
    if (this.#settings.slowStart === undefined) backend.slowStart = undefined;
    if (this.#settings.ejection !== undefined) backend.ejection ??= this.#newEjection();
    else {
      const wasOut = backend.ejection?.isOut;
      backend.ejection = undefined;
      if (wasOut) this.#readmit(backend);
    }
    this.#grow(backend);
    this.#noteService(backend);
    // The mode that the operator has set stays, unless the new configuration has another mode than the previous one.
    if (this.#modes.get(options.id) !== options.mode) this.#setMode(backend, options.mode);
  }

  // Clients.

  /** Notes whether there are limits of clients, after a change of the settings. */
  #countLimits(): void {
    const { allow, deny, perClient } = this.#settings;
    const has = allow || deny || perClient !== undefined;
    if (has === (this.#limits !== undefined)) return;
    this.#limits = has ? ++this.#lastLimits : undefined;
    this.#tokens = new Map();
  }

  /**
   * Why a client is refused at once; undefined if it is accepted.
   *
   * @param counted Whether the connection already counts for `limits.connections`.
   */
  #unwelcome(client: string, counted = false): RefusalReason | undefined {
    const { allow, deny, perClient, connections } = this.#settings;
    const [, block] = /^10\.0\.(\d+)\./.exec(client) ?? [];
    if (allow && !(block === "0" || block === "1")) return "denied";
    if (deny && block === "1") return "denied";
    if (perClient?.connections !== undefined) {
      this.#tokensOf(client);
      const own = [...this.connections.values()].filter(({ client: other, limits }) =>
        limits === this.#limits && limitKey(other) === limitKey(client)
      );
      if (own.length >= perClient.connections) return "client_connection_limit";
    }
    if (!counted && this.connections.size >= connections) return "connection_limit";
    const rate = perClient?.rate;
    if (rate === undefined) return undefined;
    const tokens = this.#tokensOf(client);
    const earned = (this.#now - tokens.at) * rate / S;
    tokens.left = Math.min(Math.max(1, rate), tokens.left + earned);
    tokens.at = this.#now;
    if (tokens.left < 1 - 1e-9) return "client_rate_limit";
    tokens.left--;
    return undefined;
  }

  /** How many connections a client may open: at its first connection, as many as in one second. */
  #tokensOf(client: string): { left: number; at: number } {
    const key = limitKey(client);
    let tokens = this.#tokens.get(key);
    if (tokens === undefined) {
      tokens = { left: Math.max(1, this.#settings.perClient?.rate ?? 1), at: this.#now };
      this.#tokens.set(key, tokens);
    }
    return tokens;
  }

  #countForClient(connection: ConnectionBook): void {
    connection.limits = this.#limits;
    if (this.#limits !== undefined) this.#tokensOf(connection.client);
  }

  accept(client: string): void {
    const connection = this.#newConnection(client);
    const reason = this.#stopped ? "stopping" : this.#unwelcome(client);
    if (reason !== undefined) this.#refuse(connection, reason);
    else this.#accepted(connection);
  }

  acceptProxy(proxy: string): void {
    const connection = this.#newConnection(proxy);
    const isFull = this.connections.size >= this.#settings.connections;
    if (this.#stopped) this.#refuse(connection, "stopping");
    else if (isFull) this.#refuse(connection, "connection_limit");
    else this.connections.set(connection.number, connection);
  }

  #newConnection(client: string): ConnectionBook {
    const number = ++this.#lastNumber;
    this.#emit("connection_arrived", { connection: number, client });
    return {
      number,
      client,
      arrivedAt: this.#now,
      phase: "arriving",
      limits: undefined,
      backend: undefined,
      pickedAt: NaN,
      tried: [],
      session: undefined,
      waitsSince: NaN,
      waitsUntil: NaN,
    };
  }

  admit(number: number, client: string): void {
    const connection = this.connections.get(number)!;
    connection.client = client;
    const reason = this.#unwelcome(client, true);
    if (reason !== undefined) this.#refuse(connection, reason);
    else this.#accepted(connection);
  }

  #accepted(connection: ConnectionBook): void {
    connection.phase = "accepted";
    this.connections.set(connection.number, connection);
    this.#countForClient(connection);
  }

  assign(number: number): void {
    const connection = this.connections.get(number)!;
    this.outcome = this.#stopped ? this.#refuse(connection, "stopping") : this.#place(connection);
  }

  #place(connection: ConnectionBook): Outcome {
    if (this.#give(connection)) return { kind: "connect", backend: connection.backend!.id };
    const { queue } = this.#settings;
    if (queue === undefined || !this.#mayFindRoom(connection)) {
      return this.#refuse(connection, this.#whyNone(connection));
    }
    if (this.queue.length >= queue.length) return this.#refuse(connection, "queue_full");
    connection.phase = "waiting";
    connection.waitsSince = this.#now;
    connection.waitsUntil = this.#now + queue.timeout;
    this.queue.push(connection);
    this.#countForClient(connection);
    const { number, client } = connection;
    this.#emit("connection_queued", { connection: number, client, waiting: this.queue.length });
    return { kind: "wait" };
  }

  #whyNone({ tried }: ConnectionBook): RefusalReason {
    if (tried.length > 0) return "connects_failed";
    const serves = this.backends.some((backend) => this.#serves(backend));
    return serves ? "all_backends_full" : "no_backend_available";
  }

  /** Whether a connection for which there is no free place may get one if it waits. */
  #mayFindRoom({ client, tried }: ConnectionBook): boolean {
    const untried = this.backends.filter((backend) => !tried.includes(backend));
    if (untried.some((backend) => this.#serves(backend) && this.#isFull(backend))) return true;
    const own = this.#sessionOf(client)?.backend;
    return own !== undefined && untried.includes(own) && this.#takesItsOwn(own) &&
      this.#isFull(own);
  }

  /** Connections that wait get the free places, in their order. */
  #serveQueue(): void {
    for (const connection of [...this.queue]) {
      const { number, client, waitsSince } = connection;
      if (this.#give(connection)) {
        this.queue.splice(this.queue.indexOf(connection), 1);
        this.#emit("connection_dequeued", {
          connection: number,
          client,
          backend: connection.backend!.id,
          waited_ms: (this.#now - waitsSince) / MS,
          waiting: this.queue.length,
        });
      } else if (!this.#mayFindRoom(connection)) {
        this.#dismiss(connection, this.#whyNone(connection));
      }
    }
  }

  #dismiss(connection: ConnectionBook, reason: RefusalReason): void {
    this.queue.splice(this.queue.indexOf(connection), 1);
    this.#refuse(connection, reason);
  }

  #refuse(connection: ConnectionBook, reason: RefusalReason): Outcome {
    const { number, client, tried } = connection;
    this.connections.delete(number);
    const attempts = tried.length;
    this.#emit("connection_refused", { connection: number, client, reason, attempts });
    return { kind: "refused", reason };
  }

  // Picks.

  /** Gives a backend to a connection; false if there is none. */
  #give(connection: ConnectionBook): boolean {
    const { client } = connection;
    let session = this.#sessionOf(client);
    const backend = session === undefined
      ? this.#pick(connection, connection.tried)
      : this.#pickFor(session, connection);
    if (backend === undefined) return false;
    if (this.#settings.sticky !== undefined) session ??= this.#pin(client, backend);
    this.#grants.delete(connection.number);
    connection.phase = "connecting";
    connection.backend = backend;
    connection.pickedAt = this.#now;
    connection.session = session;
    this.#countForClient(connection);
    if (session !== undefined) this.#useSession(session, 1);
    backend.inFlight++;
    return true;
  }

  /** The backend for a client with a session: its own, its former one, or another. */
  #pickFor(session: SessionBook, connection: ConnectionBook): BackendBook | undefined {
    const { tried } = connection;
    const own = session.backend;
    const back = this.#wayBack(session, connection);
    if (back !== undefined) {
      this.#move(session, back, "failback");
      return this.#given(connection, [back]);
    }
    const takesBack = !tried.includes(own) && this.#takesItsOwn(own);
    const hasFailed = session.failedAt !== -Infinity && session.failedAt >= own.worked;
    if (takesBack && !hasFailed) {
      if (!this.#isFull(own)) return this.#given(connection, [own]);
      // The client uses another backend for this connection only: the session stays.
      return this.#pick(connection, tried);
    }
    let other = this.#pick(connection, hasFailed ? [...tried, own] : tried);
    if (other === undefined && hasFailed) {
      if (takesBack && !this.#isFull(own)) other = this.#given(connection, [own]);
      else other = this.#pick(connection, tried);
    }
    if (other !== undefined && other !== own) this.#move(session, other, "failover");
    return other;
  }

  /** The backend to which a client returns after a failover; undefined if it does not return now. */
  #wayBack(session: SessionBook, connection: ConnectionBook): BackendBook | undefined {
    const { backend, home, movedAt } = session;
    if (this.#settings.sticky!.onFailback === "stay") return undefined;
    const works = (one: BackendBook) =>
      !connection.tried.includes(one) && this.#isAvailable(one) &&
      this.#hasWorkedSince(one, movedAt);
    if (home !== backend && works(home)) return home;
    if (!backend.options.backup) return undefined;
    const primaries = this.backends.filter((one) => !one.options.backup && works(one));
    return primaries.length === 0 ? undefined : this.#granted(connection, primaries);
  }

  /** The algorithm's pick among the available backends: backups only if no other is available. */
  #pick(
    connection: ConnectionBook,
    excluded: readonly BackendBook[],
  ): BackendBook | undefined {
    const free = this.backends.filter((backend) =>
      this.#isAvailable(backend) && !excluded.includes(backend)
    );
    const primaries = free.filter(({ options }) => !options.backup);
    const candidates = primaries.length > 0 ? primaries : free;
    if (candidates.length === 0) return this.#anyway(connection, excluded);
    const picked = this.#given(connection, candidates);
    this.#judge(picked, candidates);
    return picked;
  }

  /** If no backend is active and `tryAnyway` is set: the next backend in turn that is ready. */
  #anyway(
    connection: ConnectionBook,
    excluded: readonly BackendBook[],
  ): BackendBook | undefined {
    const { backends } = this;
    if (!this.#settings.tryAnyway) return undefined;
    if (backends.some((backend) => this.#serves(backend))) return undefined;
    for (let i = 1; i <= backends.length; i++) {
      const turn = (this.#lastAnyway + i) % backends.length;
      const backend = backends[turn]!;
      if (backend.mode !== "ready" || backend.options.weight === 0) continue;
      if (this.#isFull(backend) || excluded.includes(backend)) continue;
      this.#lastAnyway = turn;
      return this.#given(connection, [backend]);
    }
    return undefined;
  }

  /** The backend that the scheduler gave to the connection; asserts that it is one of the candidates. */
  #given(connection: ConnectionBook, candidates: readonly BackendBook[]): BackendBook {
    const backend = this.#granted(connection, candidates);
    this.#grants.delete(connection.number);
    return backend;
  }

  #granted({ number }: ConnectionBook, candidates: readonly BackendBook[]): BackendBook {
    const id = this.#grants.get(number);
    const backend = candidates.find((one) => one.id === id);
    const ids = candidates.map((one) => one.id).join(" or ");
    assert.ok(backend !== undefined, `#${number} gets ${id ?? "no backend"} instead of ${ids}`);
    return backend;
  }

  /** Asserts that a pick obeys the rule of its algorithm, if this can be seen from a single pick. */
  #judge(picked: BackendBook, candidates: readonly BackendBook[]): void {
    const { algorithm } = this.#settings;
    if (algorithm.name === "first-available") {
      assert.equal(picked.id, candidates[0]!.id, "the first that is available");
    }
    if (algorithm.name === "least-connections") {
      const score = (one: BackendBook) => (one.inFlight + 1) / this.#weight(one);
      assert.equal(score(picked), Math.min(...candidates.map(score)), "the least of all");
    }
    if (algorithm.name === "power-of-two") {
      const load = (one: BackendBook) => one.inFlight / this.#weight(one);
      const noBetter = candidates.filter((one) => load(one) >= load(picked)).length;
      const drawn = Math.min(algorithm.choices ?? 2, candidates.length);
      assert.ok(noBetter >= drawn, "the least of those drawn, which are distinct");
    }
  }

  // Sessions.

  #sessionOf(client: string): SessionBook | undefined {
    const { sticky } = this.#settings;
    if (sticky === undefined) return undefined;
    const key = sessionKey(client, sticky);
    return this.#sessions.find((session) => session.key === key);
  }

  #pin(client: string, backend: BackendBook): SessionBook {
    const key = sessionKey(client, this.#settings.sticky!);
    const at = this.#now;
    const session = this.#addSession(key, backend, backend, at, at);
    this.#emit("session_pinned", { client: key, backend: backend.id });
    return session;
  }

  /** Adds a session. If there are too many, sessions without an open connection are evicted first. */
  #addSession(
    key: string,
    backend: BackendBook,
    home: BackendBook,
    changedAt: number,
    usedAt: number,
  ): SessionBook {
    while (this.#sessions.length >= this.#settings.sticky!.maxEntries) {
      const evicted = this.#sessions.find(({ open }) => open === 0) ?? this.#sessions[0]!;
      this.#sessions.splice(this.#sessions.indexOf(evicted), 1);
      this.#emit("session_evicted", { client: evicted.key, backend: evicted.backend.id });
    }
    const movedAt = Math.min(changedAt, this.#now);
    const times = { movedAt, failedAt: -Infinity, changedAt, usedAt };
    const session = { key, backend, home, ...times, open: 0 };
    this.#sessions.push(session);
    return session;
  }

  #move(session: SessionBook, to: BackendBook, why: "failover" | "failback"): void {
    const from = session.backend;
    session.backend = to;
    session.movedAt = this.#now;
    session.failedAt = -Infinity;
    session.changedAt = Math.max(this.#now, session.changedAt + MS);
    const stays = this.#settings.sticky!.onFailback === "stay";
    if (stays || session.home.options.backup) session.home = to;
    this.#emit("session_moved", { client: session.key, from: from.id, to: to.id, why });
  }

  #useSession(session: SessionBook, change: 1 | -1): void {
    session.open += change;
    session.usedAt = this.#now;
    const place = this.#sessions.indexOf(session);
    if (place < 0) return;
    this.#sessions.splice(place, 1);
    this.#sessions.push(session);
  }

  adopt({ key, backend: id, home: homeId, changedAt, usedAt }: SessionRecord<string>): void {
    const { sticky } = this.#settings;
    const known = (name: string) =>
      changedAt > (this.#removedAt.get(name) ?? -Infinity)
        ? this.backends.find((one) => one.id === name)
        : undefined;
    const backend = known(id);
    if (backend === undefined || sticky === undefined) return;
    const home = known(homeId) ?? backend;
    const session = this.#sessions.find((one) => one.key === key);
    if (session === undefined) {
      if (this.#now - usedAt > sticky.ttl) return;
      const idle = this.#sessions.findLast(({ open }) => open === 0);
      // It may have been used longer ago than the other sessions without a connection, but it is evicted after them.
      const asIfUsedAt = Math.max(Math.min(usedAt, this.#now), idle?.usedAt ?? -Infinity);
      this.#addSession(key, backend, home, changedAt, asIfUsedAt);
    } else {
      if (Math.floor(session.changedAt / MS) > changedAt / MS) return;
      session.changedAt = changedAt;
      if (session.backend === backend && session.home === home) return;
      const movedAt = Math.min(changedAt, this.#now);
      Object.assign(session, { backend, home, movedAt, failedAt: -Infinity });
    }
    this.#emit("session_adopted", { client: key, backend: id });
    this.#serveQueue();
  }

  // What happens to connections on a backend.

  connected(number: number): void {
    const connection = this.connections.get(number)!;
    const { client, arrivedAt, tried, pickedAt } = connection;
    const backend = connection.backend!;
    connection.phase = "open";
    backend.connections++;
    backend.worked = this.#now;
    const { ejection } = backend;
    if (ejection !== undefined) {
      ejection.failures = 0;
      const sinceReturn = this.#now - ejection.until;
      if (!ejection.isOut && sinceReturn >= ejection.lasts) ejection.times = 0;
    }
    this.#emit("connection_opened", {
      connection: number,
      client,
      backend: backend.id,
      attempt: tried.length + 1,
      connect_ms: (this.#now - pickedAt) / MS,
      since_arrival_ms: (this.#now - arrivedAt) / MS,
      in_flight: backend.inFlight,
    });
  }

  answered(): void {}

  connectFailed(number: number): void {
    const connection = this.connections.get(number)!;
    const { client, tried, session, pickedAt } = connection;
    const backend = connection.backend!;
    backend.connectFailures++;
    backend.failed = this.#now;
    if (session?.backend === backend) session.failedAt = this.#now;
    this.#leaveBackend(connection);
    this.#emit("connect_failed", {
      connection: number,
      client,
      backend: backend.id,
      attempt: tried.length + 1,
      connect_ms: (this.#now - pickedAt) / MS,
      reason: "refused",
    });
    tried.push(backend);
    this.#mayEject(backend);
    const isLast = tried.length > this.#settings.retries;
    const reason = this.#stopped ? "stopping" : isLast ? "connects_failed" : undefined;
    this.outcome = reason === undefined
      ? this.#place(connection)
      : this.#refuse(connection, reason);
    this.#serveQueue();
  }

  refuse(number: number): void {
    const connection = this.connections.get(number)!;
    const isOnBackend = connection.phase === "connecting";
    if (isOnBackend) this.#leaveBackend(connection);
    this.#refuse(connection, "local_shortage");
    if (isOnBackend) this.#serveQueue();
  }

  leave(number: number): void {
    const connection = this.connections.get(number)!;
    const { client, arrivedAt, phase, tried } = connection;
    const isConnecting = phase === "connecting";
    this.connections.delete(number);
    if (phase === "waiting") this.queue.splice(this.queue.indexOf(connection), 1);
    if (isConnecting) this.#leaveBackend(connection);
    this.#emit("connection_left", {
      connection: number,
      client,
      phase: phase === "accepted" ? "arriving" : phase as "arriving" | "waiting" | "connecting",
      attempts: tried.length,
      since_arrival_ms: (this.#now - arrivedAt) / MS,
    });
    if (isConnecting) this.#serveQueue();
  }

  close(number: number): void {
    const connection = this.connections.get(number)!;
    const { client, arrivedAt, pickedAt } = connection;
    const backend = connection.backend!;
    this.connections.delete(number);
    this.#leaveBackend(connection);
    this.#emit("connection_closed", {
      connection: number,
      client,
      backend: backend.id,
      end: "closed",
      duration_ms: (this.#now - pickedAt) / MS,
      since_arrival_ms: (this.#now - arrivedAt) / MS,
      bytes_to_backend: 1,
      bytes_to_client: 2,
      in_flight: backend.inFlight,
    });
    this.#serveQueue();
  }

  #leaveBackend({ session, backend }: ConnectionBook): void {
    backend!.inFlight--;
    if (backend!.inFlight === 0) this.#departed = this.#departed.filter((one) => one !== backend);
    if (session !== undefined) this.#useSession(session, -1);
  }

  stop(): void {
    this.#stopped = true;
    for (const connection of [...this.queue]) this.#dismiss(connection, "stopping");
  }

  /** The values that the scheduler's properties must have. */
  view(): View {
    const on = [...this.connections.values()].filter(({ phase }) =>
      phase === "connecting" || phase === "open"
    );
    const idle = this.#sessions.filter(({ open }) => open === 0);
    const inUse = this.#sessions.filter(({ open }) => open > 0);
    return {
      backends: this.backends.map((backend) => ({
        id: backend.id,
        mode: backend.mode,
        probes: backend.probes,
        ejected: backend.ejection?.isOut ?? false,
        weight: this.#weight(backend),
        available: this.#isAvailable(backend),
        inFlight: on.filter((one) => one.backend === backend).length,
        connections: backend.connections,
        connectFailures: backend.connectFailures,
      })),
      activeServers: this.#activeServers(),
      inFlight: on.length,
      waiting: this.queue.length,
      sessions: [...idle, ...inUse].map(sessionView),
    };
  }

  #emit<Type extends EventType>(type: Type, details: Details<Type>): void {
    this.events.push({ type, at_ms: this.#now / MS, ...details } as unknown as LbEvent);
  }
}

/** The key of the session of an address. */
function sessionKey(
  address: string,
  { ipv4Prefix, ipv6Prefix }: { readonly ipv4Prefix: number; readonly ipv6Prefix: number },
): string {
  if (address.includes(":")) return ipv6Prefix === 128 ? address : "2001:db8::/64";
  return ipv4Prefix === 32 ? address : address.replace(/\d+$/, "0/24");
}

/** The key by which the limits of clients count an address. */
function limitKey(address: string): string {
  return address.includes(":") ? "2001:db8::/64" : address;
}
