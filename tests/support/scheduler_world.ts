/**
 * A scheduler in a world that does to it whatever can happen, in any order, and keeps books of its own.
 * After each step the two must agree.
 */
import assert from "node:assert/strict";
import {
  type AlgorithmOptions,
  type Backend,
  type BackendMode,
  clientKey,
  type EjectionRules,
  EVENT_TYPES,
  Health,
  type LbEvent,
  type Lease,
  type QueueRules,
  type Refusal,
  type RefusalReason,
  type Scheduler,
  type SchedulerOptions,
  type Session,
  SessionJournal,
  type SessionRecord,
  type SlowStartRules,
  type StickyRules,
  Waiting,
} from "../../lib/core/mod.ts";
import { NS_PER_MS } from "../../lib/base/mod.ts";
import { Ejection } from "../../lib/core/backend/ejection.ts";
import { schedulerOf } from "./scheduling.ts";

/** How a world begins. */
export interface Settings {
  readonly algorithm: AlgorithmOptions;
  readonly backends: readonly BackendSettings[];
  readonly sticky: StickyRules | undefined;
  readonly rise: number;
  readonly fall: number;
  readonly retries: number;
  readonly connections: number;
  /** Connections at once of one client. */
  readonly perClient: number | undefined;
  readonly queue: QueueRules | undefined;
  readonly ejection: EjectionRules | undefined;
  readonly slowStart: SlowStartRules | undefined;
  readonly tryAnyway: boolean;
  /** How many clients there are. */
  readonly clients: number;
  /** Seeds the scheduler's own draws. */
  readonly seed: number;
}

export interface BackendSettings {
  readonly weight: number;
  readonly backup: boolean;
  readonly maxConnections: number | undefined;
  readonly mode: BackendMode;
}

/** What can happen. */
export const ACTIONS = [
  "connect",
  "connected",
  "connect fails",
  "driver refuses",
  "client leaves",
  "connection ends",
  "leaves the queue",
  "probe succeeds",
  "probe fails",
  "mode",
  "add",
  "remove",
  "reload",
  "store opens",
  "store writes",
  "store fails",
  "another balancer pins",
  "wait",
] as const;

export type Action = typeof ACTIONS[number];

/** One thing that happens; `which` and `how`, in [0, 1), choose among what it can happen to. */
export interface Step {
  readonly action: Action;
  readonly which: number;
  readonly how: number;
}

const MODES: readonly BackendMode[] = ["ready", "ready", "ready", "drain", "maintenance"];
const MOST_BACKENDS = 12;

interface Held {
  readonly lease: Lease;
  /** Which limit per client it counts for, if any. */
  readonly limit: number | undefined;
  opened: boolean;
}

interface Queued {
  readonly waiting: Waiting;
  /** Which limit per client it counts for, if any. */
  readonly limit: number | undefined;
  /** What it has tried before it had to wait. */
  readonly tried: readonly Backend[];
}

/** What is to come of a client that asks for a backend. */
type Prospect = "granted" | "waits" | RefusalReason;

/** What the world knows of a backend, found out by itself. */
interface Book {
  readonly health: Health;
  ejection: Ejection | undefined;
  options: BackendSettings;
  mode: BackendMode;
  held: number;
  up: boolean;
  connections: number;
  connectFailures: number;
}

export class World {
  readonly scheduler: Scheduler;
  #settings: Settings;
  readonly #redraw: (seed: number) => Settings;
  readonly #books = new Map<Backend, Book>();
  /** Those that a reload has removed while they had connections. */
  readonly #departed = new Set<Backend>();
  readonly #held: Held[] = [];
  readonly #queue: Queued[] = [];
  readonly #sessionUse = new Map<Session<Backend>, number>();
  /** Who is pinned where, as told by events. */
  readonly #pins = new Map<string, string>();
  /** What the last reload said of each backend. */
  #reloaded: ReadonlyMap<string, BackendSettings> = new Map();
  /** What is said of the backends that are being added. */
  #joining: ReadonlyMap<string, BackendSettings> = new Map();
  /** How often a limit per client has come into force. It counts who comes from then on. */
  #limits = 0;
  readonly #journal: SessionJournal<Session<Backend>>;
  /** What the store of sessions knows: it is shared with other balancers. */
  readonly #store = new Map<string, SessionRecord<string>>();
  /** There may be more sessions than the rules say until the next one comes. */
  #sessionsMax: number;
  #now = 1;
  #stopped = false;
  #offered = 0;
  #refused = 0;
  #ended = 0;
  #openedEvents = 0;
  #closedEvents = 0;
  /** What the next refusal must say. */
  #expectedRefusal: Omit<Extract<LbEvent, { type: "connection_refused" }>, "at_ms"> | undefined;
  /** Whether the pick at hand brought a client back. */
  #failback = false;
  /** Whether the pick at hand pinned a client that had no session, or an expired one. */
  #newlyPinned = false;
  /** Whether somebody who waited has been served since the last question. */
  #served = false;

  /** @param redraw Makes the settings that a reload brings. */
  constructor(settings: Settings, redraw: (seed: number) => Settings) {
    this.#settings = settings;
    this.#redraw = redraw;
    this.#sessionsMax = settings.sticky?.maxEntries ?? 0;
    const { scheduler, events } = schedulerOf({
      ...optionsOf(settings, []),
      seed: settings.seed,
    });
    this.scheduler = scheduler;
    this.#journal = new SessionJournal(this.#journalRules);
    scheduler.onSessionUse = (session) => {
      if (!session.dropped) this.#journal.note(session);
    };
    events.subscribe("test", EVENT_TYPES, (event) => this.#heard(event));
    for (const backend of settings.backends) this.#add(backend);
    // As the balancer does before it listens.
    const { length } = scheduler.backends;
    scheduler.backends.forEach((_, index) => this.#probe((index + 0.5) / length, true));
  }

  /** Lets one thing happen, and sees whether the outcome is right. */
  step({ action, which, how }: Step): void {
    this.#now++;
    this.#passTime();
    switch (action) {
      case "connect":
        return this.#connect(which);
      case "connected":
        return this.#connected(which);
      case "connect fails":
        return this.#connectFails(which);
      case "driver refuses":
        return this.#driverRefuses(which);
      case "client leaves":
        return this.#release(which, false);
      case "connection ends":
        return this.#release(which, true);
      case "leaves the queue":
        return this.#leavesQueue(which);
      case "probe succeeds":
        return this.#probe(which, true);
      case "probe fails":
        return this.#probe(which, false);
      case "mode":
        return this.#setMode(which, MODES[Math.floor(how * MODES.length)]!);
      case "add":
        return this.#add({
          weight: Math.floor(which * 6),
          backup: how < 0.2,
          maxConnections: how > 0.7 ? 1 + Math.floor(which * 40) % 6 : undefined,
          mode: how < 0.9 ? "ready" : "drain",
        });
      case "remove":
        return this.#remove(which);
      case "reload":
        return this.#reload(Math.floor(which * 2 ** 31), how);
      case "store opens":
        return this.#storeOpens(how < 0.3);
      case "store writes":
        return this.#storeWrites();
      case "store fails":
        return this.#storeFails(how);
      case "another balancer pins":
        return this.#anotherPins(which, how);
      case "wait":
        this.#now += Math.floor(how * 2 * (this.#settings.sticky?.ttl ?? 100));
        this.#passTime();
    }
  }

  /** What ends by now ends, each at its own time: ejections, and then waits. */
  #passTime(): void {
    const now = this.#now;
    const ends = [
      ...[...this.#books.values()].flatMap(({ ejection }) =>
        ejection?.ejected ? [ejection.until] : []
      ),
      ...this.#queue.map(({ waiting }) => waiting.until),
    ].filter((end) => end <= now).sort((a, b) => a - b);
    for (const end of ends) {
      this.#now = end;
      for (const { ejection } of this.#books.values()) {
        if (ejection?.ejected && ejection.until <= end) ejection.readmit();
      }
      this.scheduler.passTime(end);
      assert.ok(
        this.#queue.every(({ waiting }) => waiting.until > end),
        "nobody waits for too long",
      );
    }
    this.#now = now;
    this.scheduler.passTime(now);
  }

  /** Stops, ends all that is open, and sees that nothing is left. */
  finish(): void {
    this.#stopped = true;
    this.scheduler.stop(this.#now);
    assert.equal(this.#queue.length, 0, "nobody waits for a balancer that stops");
    this.#connect(0.5);
    while (this.#held.length > 0) {
      const { opened } = this.#held[0]!;
      if (!opened && this.#held.length % 2 === 0) this.#connectFails(0);
      else this.#release(0, opened);
    }
    this.check();
    this.#checkStore();
    assert.equal(this.scheduler.connections, 0);
    for (const backend of this.#books.keys()) assert.equal(backend.inFlight, 0);
  }

  /** Compares all the books. */
  check(): void {
    const { scheduler } = this;
    assert.equal(
      this.#offered,
      this.#refused + this.#ended + this.#held.length + this.#queue.length,
      "conservation",
    );
    assert.equal(scheduler.connections, this.#held.length);
    assert.equal(scheduler.waiting, this.#queue.length);
    for (const { waiting, tried } of this.#queue) {
      const others = scheduler.backends.filter((backend) => !tried.includes(backend));
      assert.ok(!others.some(({ available }) => available), "no idle room");
      assert.ok(!this.#isTakenBack(waiting.client, tried), "no idle room of its own");
      const mayFindRoom = others.some((backend) => this.#mayHaveRoom(backend)) ||
        this.#ownBackend(waiting.client, tried) !== undefined;
      // One that waits for its own backend may lose its session meanwhile: its timeout ends that.
      const hadOwn = this.#settings.sticky?.drain === "allow";
      assert.ok(mayFindRoom || hadOwn, "nobody waits in vain");
    }
    const opened = this.#held.filter(({ opened }) => opened).length;
    assert.equal(this.#openedEvents - this.#closedEvents, opened, "events of open connections");
    for (const [backend, book] of this.#books) {
      assert.equal(backend.inFlight, book.held, `in flight on ${backend.id}`);
      assert.equal(backend.connections, book.connections);
      assert.equal(backend.connectFailures, book.connectFailures);
      assert.ok(backend.weight <= backend.fullWeight);
      if (backend.slowStart === undefined) assert.equal(backend.weight, backend.fullWeight);
      assert.equal(backend.weight > 0, book.options.weight > 0);
    }
    assert.ok((scheduler.nextWake ?? Infinity) > this.#now, "nothing is late");
    for (const backend of scheduler.backends) {
      assert.equal(backend.available, this.#available(backend), `availability of ${backend.id}`);
      const { ejection, slowStart } = backend;
      if (ejection?.ejected) assert.ok(ejection.until >= scheduler.nextWake!, "it is woken");
      const isWarming = slowStart !== undefined && this.#serves(backend);
      if (isWarming) assert.ok(slowStart.nextStepAt >= scheduler.nextWake!, "it is woken");
      else assert.equal(slowStart?.nextStepAt ?? Infinity, Infinity, "its time stands still");
    }
    for (const { waiting } of this.#queue) assert.ok(waiting.until >= scheduler.nextWake!);
    assert.deepEqual(scheduler.activeServers, this.#activeServers());
    assert.deepEqual(
      [...scheduler.connectionCount],
      scheduler.backends.map((backend) => [backend.id, this.#bookOf(backend).held]),
    );
    this.#checkSessions();
  }

  #checkSessions(): void {
    const { scheduler } = this;
    const { sticky } = this.#settings;
    if (sticky === undefined) return assert.equal(scheduler.sessionCount, 0);
    assert.ok(scheduler.sessionCount <= this.#sessionsMax, "sessions are bounded");
    assert.equal(scheduler.sessionMap.size, scheduler.sessionCount);
    for (const [client, id] of scheduler.sessionMap) {
      assert.ok(scheduler.backend(id) !== undefined, `${client} is pinned to ${id}, which is gone`);
      assert.equal(this.#pins.get(client), id, `events about ${client}`);
    }
    for (const [session, use] of this.#sessionUse) {
      assert.equal(session.open, use, `open connections of ${session.key}`);
    }
  }

  #connect(which: number): void {
    this.#offered++;
    const client = this.#client(which);
    this.#askStore(client);
    const unwelcome = this.#unwelcome(client);
    this.#judge(
      client,
      [],
      undefined,
      unwelcome,
      () => this.scheduler.acquire(client, this.#now),
    );
  }

  #client(which: number): string {
    const number = Math.floor(which * this.#settings.clients);
    return number % 5 === 4 ? `2001:db8::${number}` : `10.0.${number % 3}.${number}`;
  }

  get #journalRules() {
    return { maxEntries: Math.max(1, this.#sessionsMax), batch: 4, retry: 10, retryMax: 40 };
  }

  /** A client that has no connection here may have been pinned by another balancer. */
  #askStore(client: string): void {
    const key = this.scheduler.sessionToAskFor(client, this.#now);
    if (key === undefined || !this.#journal.usable) return;
    const stored = this.#store.get(key);
    if (stored !== undefined) this.scheduler.adopt(stored, this.#now);
  }

  #storeOpens(empty: boolean): void {
    if (this.#journal.usable) return;
    if (empty) this.#store.clear();
    this.#journal.opened(this.scheduler.sessions, this.#now);
  }

  #storeWrites(): void {
    const batch = this.#journal.take();
    if (batch === undefined) return;
    batch.forEach((session) => this.#write(session));
    this.#journal.written(this.#now);
  }

  /** Half of what it was being told it may have kept, or lost. */
  #storeFails(how: number): void {
    const batch = this.#journal.take() ?? [];
    batch.filter((_, i) => i % 2 === (how < 0.5 ? 0 : 1)).forEach((session) =>
      this.#write(session)
    );
    this.#journal.failed(this.#now);
  }

  #write({ key, backend, home, changedAt, usedAt, open }: Session<Backend>): void {
    this.#keep({
      key,
      backend: backend.id,
      home: home.id,
      changedAt,
      usedAt: open > 0 ? this.#now : usedAt,
    });
  }

  /** The store keeps what is newer. */
  #keep(record: SessionRecord<string>): void {
    const stored = this.#store.get(record.key);
    if (stored === undefined || stored.changedAt <= record.changedAt) {
      this.#store.set(record.key, record);
    }
  }

  /** To one that is here, or only there. */
  #anotherPins(which: number, how: number): void {
    const { sticky } = this.#settings;
    if (sticky === undefined || !this.#journal.usable) return;
    const key = clientKey(this.#client(which), sticky.ipv4Prefix, sticky.ipv6Prefix);
    const backend = `B${1 + Math.floor(how * MOST_BACKENDS)}`;
    this.#keep({ key, backend, home: backend, changedAt: this.#now, usedAt: this.#now });
  }

  /** A store that works in the end has been told of every session. */
  #checkStore(): void {
    this.#storeOpens(false);
    while (this.#journal.unwritten > 0) this.#storeWrites();
    for (const { key, backend, changedAt } of this.scheduler.sessions) {
      const stored = this.#store.get(key);
      assert.ok(stored !== undefined, `the store knows of ${key}`);
      if (stored.changedAt <= changedAt) {
        assert.equal(stored.backend, backend.id, `store of ${key}`);
      }
    }
  }

  /** Which limit per client is in force. */
  get #limit(): number | undefined {
    return this.#settings.perClient === undefined ? undefined : this.#limits;
  }

  /** Why a client is turned away before anybody is picked for it. */
  #unwelcome(client: string): RefusalReason | undefined {
    const { perClient, connections } = this.#settings;
    if (this.#stopped) return "stopping";
    if (perClient !== undefined) {
      const one = (address: string) => clientKey(address, 32, 64);
      const counted = [
        ...this.#held.map(({ lease, limit }) => ({ client: lease.client, limit })),
        ...this.#queue.map(({ waiting, limit }) => ({ client: waiting.client, limit })),
      ].filter(({ limit }) => limit === this.#limits);
      const own = counted.filter((other) => one(other.client) === one(client));
      if (own.length >= perClient) return "client_connection_limit";
    }
    const open = this.#held.length + this.#queue.length;
    return open >= connections ? "connection_limit" : undefined;
  }

  #connected(which: number): void {
    const held = this.#pickHeld(which, false);
    if (held === undefined) return;
    held.opened = true;
    const book = this.#bookOf(held.lease.backend);
    book.connections++;
    book.ejection?.succeeded(this.#now);
    held.lease.connected(this.#now);
    if (which > 0.5) held.lease.answered(this.#now);
  }

  #connectFails(which: number): void {
    const held = this.#pickHeld(which, false);
    if (held === undefined) return;
    const { lease } = held;
    const book = this.#bookOf(lease.backend);
    book.connectFailures++;
    this.#letGo(held);
    if (this.scheduler.backend(lease.backend.id) === lease.backend) this.#mayEject(book);
    else book.ejection?.failed();
    const tried = lease.allTried;
    const reason = this.#stopped
      ? "stopping"
      : tried.length > this.#settings.retries
      ? "connects_failed"
      : undefined;
    const next = this.#judge(
      lease.client,
      tried,
      lease.connection,
      reason,
      () => lease.connectFailed("refused", this.#now),
    );
    if (next.granted) {
      assert.equal(next.connection, lease.connection);
      assert.equal(next.attempt, tried.length + 1);
    }
  }

  #mayEject({ ejection }: Book): void {
    if (ejection === undefined || !ejection.failed()) return;
    const { backends } = this.scheduler;
    const out = backends.filter((one) => this.#bookOf(one).ejection?.ejected).length;
    const { maxShare } = this.#settings.ejection!;
    if (out + 1 <= maxShare * backends.length) ejection.eject(this.#now);
  }

  #leavesQueue(which: number): void {
    const queued = this.#queue[Math.floor(which * this.#queue.length)];
    if (queued === undefined) return;
    this.#queue.splice(this.#queue.indexOf(queued), 1);
    this.#ended++;
    queued.waiting.leave(this.#now);
  }

  #driverRefuses(which: number): void {
    const held = this.#pickHeld(which, false);
    if (held === undefined) return;
    const { lease } = held;
    this.#letGo(held);
    this.#expectedRefusal = {
      type: "connection_refused",
      connection: lease.connection,
      client: lease.client,
      reason: "local_shortage",
      attempts: lease.attempt - 1,
    };
    const refusal = lease.refuse("local_shortage", this.#now);
    assert.deepEqual(refusal, { granted: false, reason: "local_shortage" });
    this.#refused++;
  }

  #release(which: number, opened: boolean): void {
    const held = this.#pickHeld(which, opened);
    if (held === undefined) return;
    this.#letGo(held);
    this.#ended++;
    held.lease.release("closed", this.#now, { bytesToBackend: 1, bytesToClient: 2 });
    assert.throws(() => held.lease.release("closed", this.#now), /released exactly once/);
  }

  #probe(which: number, ok: boolean): void {
    const backend = this.#pickBackend(which);
    if (backend === undefined) return;
    const book = this.#bookOf(backend);
    book.health.record(ok);
    this.scheduler.probed(backend.id, ok, this.#now, 1, "no answer");
    assert.equal(book.up, book.health.state === "up", `events of ${backend.id} going up and down`);
  }

  #setMode(which: number, mode: BackendMode): void {
    const backend = this.#pickBackend(which);
    if (backend === undefined) return;
    this.#bookOf(backend).mode = mode;
    this.scheduler.setMode(backend.id, mode, this.#now);
  }

  /** Takes other settings over: some backends stay, some go, some are new. */
  #reload(seed: number, how: number): void {
    const { sticky: before, perClient } = this.#settings;
    const drawn = this.#redraw(seed);
    const { backends } = this.scheduler;
    const kept = backends.filter((_, i) => Math.floor(how * 97 + i * 31) % 10 < 9);
    const free = Array.from({ length: MOST_BACKENDS }, (_, i) => `B${i + 1}`)
      .filter((id) => !kept.some((backend) => backend.id === id));
    const settings = drawn.backends.slice(0, kept.length + free.length);
    const named = settings.map((options, i) => ({
      id: kept[i]?.id ?? free[i - kept.length]!,
      ...options,
    }));
    this.#settings = { ...drawn, backends: settings };
    const { sticky, rise, fall, ejection } = this.#settings;
    const samePrefixes = before?.ipv4Prefix === sticky?.ipv4Prefix &&
      before?.ipv6Prefix === sticky?.ipv6Prefix;
    if (perClient === undefined && this.#settings.perClient !== undefined) this.#limits++;
    if (sticky === undefined || !samePrefixes) {
      this.#pins.clear();
      this.#sessionUse.clear();
    }
    this.#sessionsMax = Math.max(this.#sessionsMax, sticky?.maxEntries ?? 0);
    this.#journal.configure(this.#journalRules);
    for (const backend of backends) {
      const book = this.#bookOf(backend);
      const options = named.find(({ id }) => id === backend.id);
      if (options === undefined) {
        if (book.held === 0) this.#books.delete(backend);
        else this.#departed.add(backend);
        continue;
      }
      if (this.#reloaded.get(backend.id)?.mode !== options.mode) book.mode = options.mode;
      book.options = options;
      book.health.rules = { rise, fall };
      if (ejection === undefined) book.ejection = undefined;
      else if (book.ejection === undefined) book.ejection = new Ejection(ejection);
      else book.ejection.rules = ejection;
    }
    this.#reloaded = new Map(named.map((options) => [options.id, options]));
    this.#joining = this.#reloaded;
    for (const options of named) {
      if (this.scheduler.backend(options.id) === undefined) this.#comesBack(options);
    }
    this.scheduler.reconfigure(optionsOf(this.#settings, named), this.#now);
    for (const backend of this.scheduler.backends) this.#bookOf(backend);
    assert.deepEqual(this.scheduler.backends.map(({ id }) => id), named.map(({ id }) => id));
  }

  #add(options: BackendSettings): void {
    if (this.scheduler.backends.length >= MOST_BACKENDS) return;
    let id = 1;
    while (this.scheduler.backend(`B${id}`) !== undefined) id++;
    this.#joining = new Map([[`B${id}`, options]]);
    const known = this.#comesBack({ id: `B${id}`, ...options });
    const backend = this.scheduler.addBackend({ id: `B${id}`, ...options }, this.#now);
    if (known === undefined) this.#bookOf(backend);
    else assert.equal(backend, known);
    const indices = this.scheduler.backends.map(({ index }) => index);
    assert.equal(new Set(indices).size, indices.length, "indices are unique");
    assert.ok(Math.max(...indices) < MOST_BACKENDS, "indices are used again");
  }

  /** One that has left with connections joins again; undefined if there is none of that name. */
  #comesBack({ id, ...options }: BackendSettings & { id: string }): Backend | undefined {
    const departed = [...this.#departed].find((one) => one.id === id);
    if (departed === undefined) return undefined;
    this.#departed.delete(departed);
    this.#open(departed, options);
    return departed;
  }

  /** Opens the book of a new backend; one that has joined again has its counts in it. */
  #open(backend: Backend, options: BackendSettings): Book {
    const { rise, fall, ejection } = this.#settings;
    const book: Book = {
      health: new Health({ rise, fall }),
      ejection: ejection && new Ejection(ejection),
      options,
      mode: options.mode,
      held: 0,
      connections: 0,
      connectFailures: 0,
      ...this.#books.get(backend) && countsOf(this.#books.get(backend)!),
      up: false,
    };
    this.#books.set(backend, book);
    return book;
  }

  #remove(which: number): void {
    const backend = this.#pickBackend(which);
    if (backend === undefined) return;
    this.scheduler.removeBackend(backend.id, this.#now);
    assert.equal(this.scheduler.backend(backend.id), undefined);
    assert.equal(backend.available, false);
    // Connections that are still on it keep it in the books.
    if (this.#bookOf(backend).held === 0) this.#books.delete(backend);
  }

  /** What must come of a client that has tried these. */
  #prospect(client: string, tried: readonly Backend[]): Prospect {
    const { backends } = this.scheduler;
    const untried = backends.filter((backend) => !tried.includes(backend));
    if (untried.some((backend) => this.#available(backend))) return "granted";
    if (this.#isTakenBack(client, tried)) return "granted";
    if (this.#settings.tryAnyway && !backends.some((backend) => this.#serves(backend))) {
      const willing = (one: Backend) => {
        const { mode, options } = this.#bookOf(one);
        return mode === "ready" && options.weight > 0 && !this.#full(one);
      };
      if (untried.some(willing)) return "granted";
    }
    const { queue } = this.#settings;
    const mayFindRoom = untried.some((one) => this.#mayHaveRoom(one)) ||
      this.#ownBackend(client, tried) !== undefined;
    if (queue !== undefined && mayFindRoom) {
      return this.#queue.length < queue.length ? "waits" : "queue_full";
    }
    return this.#whyNobody(tried);
  }

  /** Whether a client is pinned to a backend that takes only its own, and has room. */
  #isTakenBack(client: string, tried: readonly Backend[]): boolean {
    const own = this.#ownBackend(client, tried);
    return own !== undefined && !this.#full(own);
  }

  /** The backend to which a client may come back, also if it takes no new clients. */
  #ownBackend(client: string, tried: readonly Backend[]): Backend | undefined {
    const { sticky } = this.#settings;
    if (sticky?.drain !== "allow") return undefined;
    const key = clientKey(client, sticky.ipv4Prefix, sticky.ipv6Prefix);
    const pinned = this.scheduler.backend(this.scheduler.sessionMap.get(key) ?? "");
    const takesBack = pinned !== undefined && !tried.includes(pinned) &&
      this.#healthy(pinned) && this.#bookOf(pinned).mode !== "maintenance";
    return takesBack ? pinned : undefined;
  }

  /** The backend to which a client is pinned, if it has failed the client since it last worked. */
  #failedPin(client: string): Backend | undefined {
    const { sticky } = this.#settings;
    if (sticky === undefined) return undefined;
    const key = clientKey(client, sticky.ipv4Prefix, sticky.ipv6Prefix);
    const session = [...this.scheduler.sessions].find((one) => one.key === key);
    if (session === undefined || session.failedAt === -Infinity) return undefined;
    return session.failedAt >= session.backend.provenAt ? session.backend : undefined;
  }

  /**
   * Asks the scheduler for a backend, and judges what it says.
   *
   * @param unwelcome Why it must turn the client away, whoever is available.
   */
  #judge(
    client: string,
    tried: readonly Backend[],
    connection: number | undefined,
    unwelcome: RefusalReason | undefined,
    ask: () => Lease | Waiting | Refusal,
  ): Lease | Waiting | Refusal {
    const { sticky } = this.#settings;
    const key = sticky && clientKey(client, sticky.ipv4Prefix, sticky.ipv6Prefix);
    const pinnedTo = key === undefined ? undefined : this.scheduler.sessionMap.get(key);
    const failed = this.#failedPin(client);
    const untried = this.scheduler.backends.filter((backend) =>
      this.#available(backend) && !tried.includes(backend)
    );
    const others = untried.filter((backend) => backend !== failed);
    const available = others.length > 0 ? others : untried;
    const takenBack = this.#isTakenBack(client, tried);
    const prospect = unwelcome ?? this.#prospect(client, tried);
    this.#expectedRefusal = {
      type: "connection_refused",
      connection: connection ?? this.#offered,
      client,
      reason: prospect as RefusalReason,
      attempts: tried.length,
    };
    this.#failback = false;
    this.#newlyPinned = false;
    this.#served = false;
    const outcome = ask();
    if (outcome instanceof Waiting) {
      assert.ok(prospect === "waits", `${prospect}, but it waits`);
      const own: Queued = { waiting: outcome, limit: this.#limit, tried };
      outcome.settled = (settlement) => this.#settled(own, settlement);
      this.#queue.push(own);
      return outcome;
    }
    if (!outcome.granted) {
      assert.equal(outcome.reason, prospect);
      this.#refused++;
      return outcome;
    }
    assert.equal(prospect, "granted");
    const { backend, session } = outcome;
    const kept = pinnedTo === backend.id;
    if (available.length > 0) {
      assert.ok(available.includes(backend) || takenBack, `${backend.id} is available`);
    }
    const chosen = !kept && !this.#failback && !this.#served;
    const primaries = available.filter((other) => !other.backup);
    if (backend.backup && chosen && available.length > 0) {
      assert.deepEqual(primaries, [], "a backup, though primaries are");
    }
    if (chosen && available.length > 0) {
      this.#judgeChoice(backend, primaries.length > 0 ? primaries : available);
    }
    if (pinnedTo !== undefined && chosen) {
      const pinned = this.scheduler.backend(pinnedTo)!;
      assert.ok(!available.includes(pinned) || this.#newlyPinned, "a client keeps its backend");
    }
    assert.equal(session === undefined, sticky === undefined);
    if (session !== undefined) assert.equal(session.key, key);
    this.#hold(outcome);
    return outcome;
  }

  /** Who waited has come to a backend, or is turned away. */
  #settled(own: Queued, settlement: Lease | Refusal): void {
    this.#served = true;
    const place = this.#queue.indexOf(own);
    this.#queue.splice(place, 1);
    if (!settlement.granted) {
      const { reason } = settlement;
      if (reason === "queue_timeout") assert.ok(own.waiting.until <= this.#now);
      else assert.equal(reason, this.#stopped ? "stopping" : this.#whyNobody(own.tried));
      this.#refused++;
      return;
    }
    const { backend, connection, client } = settlement;
    assert.deepEqual([connection, client], [own.waiting.connection, own.waiting.client]);
    const before = this.#queue.slice(0, place);
    // One that drains takes only its own.
    const { mode, options } = this.#bookOf(backend);
    if (mode === "ready" && options.weight > 0) {
      assert.ok(before.every(({ tried }) => tried.includes(backend)), "first come, first served");
    }
    assert.ok(!own.tried.includes(backend));
    this.#hold(settlement);
  }

  #hold(lease: Lease): void {
    const { backend, session } = lease;
    this.#held.push({ lease, limit: this.#limit, opened: false });
    this.#bookOf(backend).held++;
    if (session === undefined) return;
    this.#sessionUse.set(session, (this.#sessionUse.get(session) ?? 0) + 1);
  }

  /** What the algorithm's rule says of a choice, where it says anything about a single one. */
  #judgeChoice(chosen: Backend, among: readonly Backend[]): void {
    const { algorithm } = this.#settings;
    const held = (backend: Backend) => this.#bookOf(backend).held;
    if (algorithm.name === "least-connections") {
      const score = (backend: Backend) => (held(backend) + 1) / backend.weight;
      assert.equal(score(chosen), Math.min(...among.map(score)), "the least of all");
    }
    if (algorithm.name === "power-of-two") {
      const load = (backend: Backend) => held(backend) / backend.weight;
      const noBetter = among.filter((other) => load(other) >= load(chosen)).length;
      const drawn = Math.min(algorithm.choices ?? 2, among.length);
      assert.ok(noBetter >= drawn, "the least of those drawn, which are distinct");
    }
  }

  #letGo(held: Held): void {
    const { backend, session } = held.lease;
    this.#held.splice(this.#held.indexOf(held), 1);
    const book = this.#bookOf(backend);
    book.held--;
    if (book.held === 0 && this.scheduler.backend(backend.id) !== backend) {
      this.#books.delete(backend);
      this.#departed.delete(backend);
    }
    if (session === undefined) return;
    // It may be one from before a reload that did away with it.
    const use = (this.#sessionUse.get(session) ?? 0) - 1;
    if (use > 0) this.#sessionUse.set(session, use);
    else this.#sessionUse.delete(session);
  }

  #heard(event: LbEvent): void {
    assert.equal(event.at_ms, this.#now / NS_PER_MS);
    switch (event.type) {
      case "connection_opened":
        this.#openedEvents++;
        break;
      case "connection_closed":
        this.#closedEvents++;
        break;
      case "connection_refused": {
        const { at_ms: _, ...rest } = event;
        const waited = this.#queue.some(({ waiting }) => waiting.connection === event.connection);
        if (this.#stopped || waited || this.#expectedRefusal === undefined) break;
        assert.deepEqual(rest, this.#expectedRefusal);
        break;
      }
      case "connection_queued":
        assert.equal(event.waiting, this.#queue.length + 1);
        break;
      case "connection_dequeued":
        assert.ok(event.waiting <= this.#queue.length);
        break;
      case "backend_up":
      case "backend_down": {
        const book = this.#bookOf(this.scheduler.backend(event.backend)!);
        book.up = event.type === "backend_up";
        assert.deepEqual(event.active_servers, this.#activeServers());
        if (event.type === "backend_down") assert.equal(event.in_flight, book.held);
        break;
      }
      case "session_pinned":
        this.#newlyPinned = true;
        this.#pins.set(event.client, event.backend);
        break;
      case "session_adopted":
        this.#pins.set(event.client, event.backend);
        break;
      case "session_moved":
        assert.equal(this.#pins.get(event.client), event.from);
        assert.notEqual(event.from, event.to);
        this.#failback = event.why === "failback";
        this.#pins.set(event.client, event.to);
        break;
      case "session_evicted":
        assert.equal(this.#pins.get(event.client), event.backend);
        this.#pins.delete(event.client);
    }
  }

  #whyNobody(tried: readonly Backend[]): RefusalReason {
    if (tried.length > 0) return "connects_failed";
    const serving = this.scheduler.backends.some((backend) => this.#serves(backend));
    return serving ? "all_backends_full" : "no_backend_available";
  }

  #activeServers(): string[] {
    return this.scheduler.backends.filter((backend) => this.#active(backend)).map(({ id }) => id);
  }

  #healthy(backend: Backend): boolean {
    const { health, ejection } = this.#bookOf(backend);
    return health.state === "up" && !ejection?.ejected;
  }

  #active(backend: Backend): boolean {
    return this.#healthy(backend) && this.#bookOf(backend).mode === "ready";
  }

  /** Active, and new clients may come there. */
  #serves(backend: Backend): boolean {
    return this.#active(backend) && this.#bookOf(backend).options.weight > 0;
  }

  #full(backend: Backend): boolean {
    const { held, options } = this.#bookOf(backend);
    return held >= (options.maxConnections ?? Infinity);
  }

  #available(backend: Backend): boolean {
    const { weight } = this.#bookOf(backend).options;
    return this.#active(backend) && weight > 0 && !this.#full(backend);
  }

  /** Whether it is worth waiting for. */
  #mayHaveRoom(backend: Backend): boolean {
    const { weight } = this.#bookOf(backend).options;
    return this.#active(backend) && weight > 0 && this.#full(backend);
  }

  #bookOf(backend: Backend): Book {
    // One that is new has to be known as soon as somebody is sent there, while it is being added.
    return this.#books.get(backend) ??
      this.#open(backend, this.#joining.get(backend.id)!);
  }

  #pickBackend(which: number): Backend | undefined {
    const { backends } = this.scheduler;
    return backends[Math.floor(which * backends.length)];
  }

  #pickHeld(which: number, opened: boolean): Held | undefined {
    const start = Math.floor(which * this.#held.length);
    return this.#held.slice(start).find((held) => held.opened === opened) ??
      this.#held.find((held) => held.opened === opened);
  }
}

function countsOf({ held, connections, connectFailures }: Book) {
  return { held, connections, connectFailures };
}

/** What these settings are for a scheduler, with these backends. */
export function optionsOf(
  settings: Settings,
  backends: readonly (BackendSettings & { id: string })[],
): SchedulerOptions {
  const { algorithm, sticky, rise, fall, retries, connections, perClient } = settings;
  const { queue, ejection, slowStart, tryAnyway } = settings;
  return {
    algorithm,
    backends,
    healthCheck: { type: "tcp", interval: 1, jitter: 0, rise, fall },
    sticky,
    retries,
    limits: {
      connections,
      ...perClient !== undefined && { perClient: { connections: perClient } },
    },
    queue,
    ejection,
    slowStart,
    whenNoneAvailable: tryAnyway ? "try-anyway" : "refuse",
  };
}
