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
  EVENT_TYPES,
  Health,
  type LbEvent,
  type Lease,
  NS_PER_MS,
  type Refusal,
  type RefusalReason,
  type Scheduler,
  type Session,
  type StickyRules,
} from "../../lib/core/mod.ts";
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
  /** How many clients there are. */
  readonly clients: number;
  /** Seeds the scheduler's own draws. */
  readonly seed: number;
}

export interface BackendSettings {
  readonly weight: number;
  readonly backup: boolean;
  readonly maxConnections: number | undefined;
}

/** What can happen. */
export const ACTIONS = [
  "connect",
  "connected",
  "connect fails",
  "driver refuses",
  "client leaves",
  "connection ends",
  "probe succeeds",
  "probe fails",
  "mode",
  "add",
  "remove",
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
  opened: boolean;
}

/** What the world knows of a backend, found out by itself. */
interface Book {
  readonly health: Health;
  mode: BackendMode;
  held: number;
  up: boolean;
  connections: number;
  connectFailures: number;
}

export class World {
  readonly scheduler: Scheduler;
  readonly #settings: Settings;
  readonly #books = new Map<Backend, Book>();
  readonly #held: Held[] = [];
  readonly #sessionUse = new Map<Session<Backend>, number>();
  /** Who is pinned where, as told by events. */
  readonly #pins = new Map<string, string>();
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

  constructor(settings: Settings) {
    this.#settings = settings;
    const { algorithm, sticky, rise, fall, retries, connections, seed } = settings;
    const { scheduler, events } = schedulerOf({
      algorithm,
      backends: [],
      healthCheck: { type: "tcp", interval: 1, jitter: 0, rise, fall },
      sticky,
      retries,
      limits: { connections },
      seed,
    });
    this.scheduler = scheduler;
    events.subscribe(EVENT_TYPES, (event) => this.#heard(event));
    for (const backend of settings.backends) this.#add(backend);
    // As the balancer does before it listens.
    const { length } = scheduler.backends;
    scheduler.backends.forEach((_, index) => this.#probe((index + 0.5) / length, true));
  }

  /** Lets one thing happen, and sees whether the outcome is right. */
  step({ action, which, how }: Step): void {
    this.#now++;
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
      case "probe succeeds":
        return this.#probe(which, true);
      case "probe fails":
        return this.#probe(which, false);
      case "mode":
        return this.#setMode(which, MODES[Math.floor(how * MODES.length)]!);
      case "add":
        return this.#add({
          weight: 1 + Math.floor(which * 5),
          backup: how < 0.2,
          maxConnections: how > 0.7 ? 1 + Math.floor(which * 40) % 6 : undefined,
        });
      case "remove":
        return this.#remove(which);
      case "wait":
        this.#now += Math.floor(how * 2 * (this.#settings.sticky?.ttl ?? 100));
    }
  }

  /** Stops, ends all that is open, and sees that nothing is left. */
  finish(): void {
    this.scheduler.stop();
    this.#stopped = true;
    this.#connect(0.5);
    while (this.#held.length > 0) {
      const { opened } = this.#held[0]!;
      if (!opened && this.#held.length % 2 === 0) this.#connectFails(0);
      else this.#release(0, opened);
    }
    this.check();
    assert.equal(this.scheduler.connections, 0);
    for (const backend of this.#books.keys()) assert.equal(backend.inFlight, 0);
  }

  /** Compares all the books. */
  check(): void {
    const { scheduler } = this;
    assert.equal(this.#offered, this.#refused + this.#ended + this.#held.length, "conservation");
    assert.equal(scheduler.connections, this.#held.length);
    const opened = this.#held.filter(({ opened }) => opened).length;
    assert.equal(this.#openedEvents - this.#closedEvents, opened, "events of open connections");
    for (const [backend, book] of this.#books) {
      assert.equal(backend.inFlight, book.held, `in flight on ${backend.id}`);
      assert.equal(backend.connections, book.connections);
      assert.equal(backend.connectFailures, book.connectFailures);
      assert.equal(backend.excluded, false);
    }
    for (const backend of scheduler.backends) {
      assert.equal(backend.available, this.#available(backend), `availability of ${backend.id}`);
    }
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
    assert.ok(scheduler.sessionCount <= sticky.maxEntries, "sessions are bounded");
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
    const number = Math.floor(which * this.#settings.clients);
    const client = number % 5 === 4 ? `2001:db8::${number}` : `10.0.${number % 3}.${number}`;
    const expected = this.#stopped
      ? "stopping"
      : this.#held.length >= this.#settings.connections
      ? "connection_limit"
      : undefined;
    this.#expect({ client, tried: [], connection: undefined, reason: expected });
    this.#judge(client, [], expected, () => this.scheduler.acquire(client, this.#now));
  }

  #connected(which: number): void {
    const held = this.#pickHeld(which, false);
    if (held === undefined) return;
    held.opened = true;
    this.#bookOf(held.lease.backend).connections++;
    held.lease.connected(this.#now);
  }

  #connectFails(which: number): void {
    const held = this.#pickHeld(which, false);
    if (held === undefined) return;
    const { lease } = held;
    this.#bookOf(lease.backend).connectFailures++;
    this.#letGo(held);
    const tried: Backend[] = [];
    for (let one: Lease | undefined = lease; one; one = one.tried) tried.push(one.backend);
    const expected = this.#stopped
      ? "stopping"
      : tried.length > this.#settings.retries
      ? "connects_failed"
      : undefined;
    this.#expect({ client: lease.client, tried, connection: lease.connection, reason: expected });
    const next = this.#judge(
      lease.client,
      tried,
      expected,
      () => lease.connectFailed("refused", this.#now),
    );
    if (next.granted) {
      assert.equal(next.connection, lease.connection);
      assert.equal(next.attempt, tried.length + 1);
    }
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
      reason: "out_of_descriptors",
      attempts: lease.attempt - 1,
    };
    const refusal = lease.refuse("out_of_descriptors", this.#now);
    assert.deepEqual(refusal, { granted: false, reason: "out_of_descriptors" });
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

  #add({ maxConnections, ...options }: BackendSettings): void {
    if (this.scheduler.backends.length >= MOST_BACKENDS) return;
    let id = 1;
    while (this.scheduler.backend(`B${id}`) !== undefined) id++;
    const backend = this.scheduler.addBackend({ id: `B${id}`, ...options, maxConnections });
    const { rise, fall } = this.#settings;
    const health = new Health({ rise, fall });
    this.#books.set(backend, {
      health,
      mode: "ready",
      held: 0,
      up: false,
      connections: 0,
      connectFailures: 0,
    });
    const indices = this.scheduler.backends.map(({ index }) => index);
    assert.equal(new Set(indices).size, indices.length, "indices are unique");
    assert.ok(Math.max(...indices) < MOST_BACKENDS, "indices are used again");
  }

  #remove(which: number): void {
    const backend = this.#pickBackend(which);
    if (backend === undefined) return;
    this.scheduler.removeBackend(backend.id);
    assert.equal(this.scheduler.backend(backend.id), undefined);
    assert.equal(backend.available, false);
    // Connections that are still on it keep it in the books.
    if (this.#bookOf(backend).held === 0) this.#books.delete(backend);
  }

  /** Says which refusal, if any, the next event may be. */
  #expect({ client, tried, connection, reason }: {
    client: string;
    tried: readonly Backend[];
    connection: number | undefined;
    reason: RefusalReason | undefined;
  }): void {
    this.#expectedRefusal = {
      type: "connection_refused",
      connection: connection ?? this.#offered,
      client,
      reason: reason ?? this.#whyNobody(tried),
      attempts: tried.length,
    };
  }

  /** Asks the scheduler for a backend, and judges what it says. */
  #judge(
    client: string,
    tried: readonly Backend[],
    refusal: RefusalReason | undefined,
    ask: () => Lease | Refusal,
  ): Lease | Refusal {
    const { sticky } = this.#settings;
    const key = sticky && clientKey(client, sticky.ipv4Prefix, sticky.ipv6Prefix);
    const pinnedTo = key === undefined ? undefined : this.scheduler.sessionMap.get(key);
    const available = this.scheduler.backends.filter((backend) =>
      this.#available(backend) && !tried.includes(backend)
    );
    this.#failback = false;
    this.#newlyPinned = false;
    const outcome = ask();
    if (refusal !== undefined || available.length === 0) {
      const reason = refusal ?? this.#whyNobody(tried);
      assert.deepEqual(outcome, { granted: false, reason });
      this.#refused++;
      return outcome;
    }
    assert.ok(outcome.granted, "somebody is available");
    const { backend, session } = outcome;
    assert.ok(available.includes(backend), `${backend.id} is available`);
    const kept = pinnedTo === backend.id;
    const chosen = !kept && !this.#failback;
    const primaries = available.filter((other) => !other.backup);
    if (backend.backup && !kept) assert.deepEqual(primaries, [], "a backup, though primaries are");
    if (chosen) this.#judgeChoice(backend, primaries.length > 0 ? primaries : available);
    if (pinnedTo !== undefined && chosen) {
      const pinned = this.scheduler.backend(pinnedTo)!;
      assert.ok(!available.includes(pinned) || this.#newlyPinned, "a client keeps its backend");
    }
    assert.equal(session === undefined, sticky === undefined);
    this.#held.push({ lease: outcome, opened: false });
    this.#bookOf(backend).held++;
    if (session !== undefined) {
      assert.equal(session.key, key);
      this.#sessionUse.set(session, (this.#sessionUse.get(session) ?? 0) + 1);
    }
    return outcome;
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
    }
    if (session === undefined) return;
    const use = this.#sessionUse.get(session)! - 1;
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
        assert.deepEqual(rest, this.#expectedRefusal);
        break;
      }
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
    return this.#activeServers().length > 0 ? "all_backends_full" : "no_backend_available";
  }

  #activeServers(): string[] {
    return this.scheduler.backends.filter((backend) => this.#active(backend)).map(({ id }) => id);
  }

  #active(backend: Backend): boolean {
    const { health, mode } = this.#bookOf(backend);
    return health.state === "up" && mode === "ready";
  }

  #available(backend: Backend): boolean {
    return this.#active(backend) && this.#bookOf(backend).held < backend.maxConnections;
  }

  #bookOf(backend: Backend): Book {
    return this.#books.get(backend)!;
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
