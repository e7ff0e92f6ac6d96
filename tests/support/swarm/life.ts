/**
 * A life of a scheduler is a random sequence of everything that a driver can do to it. Each step is also entered in
 * the books. After each step, the scheduler and the books must agree.
 */
import assert from "node:assert/strict";
import {
  type BackendMode,
  type LbEvent,
  SessionJournal,
  type SessionRecord,
} from "../../../lib/core/mod.ts";
import { childSeed, createRandom, NS_PER_MS, type Random } from "../../../lib/base/mod.ts";
import { Books } from "./books.ts";
import { Driver } from "./driver.ts";
import {
  type BackendSettings,
  drawSettings,
  type NamedBackend,
  type Settings,
} from "./settings.ts";
import type { Subject } from "./subject.ts";

/** The kinds of steps, and the frequency of each relative to the others. */
const FREQUENCIES = {
  "client connects": 40,
  "proxy connects": 2,
  "proxy names its client": 3,
  "asks for a backend": 10,
  "connected": 25,
  "connect fails": 8,
  "driver refuses": 1,
  "client leaves": 2,
  "connection ends": 20,
  "leaves the queue": 2,
  "probe succeeds": 20,
  "probe fails": 6,
  "mode": 6,
  "add": 1,
  "remove": 1,
  "reload": 1,
  "store opens": 2,
  "store writes": 10,
  "store fails": 1,
  "another balancer pins": 2,
  "wait": 1,
} as const;

export type Action = keyof typeof FREQUENCIES;

export const ACTIONS = Object.keys(FREQUENCIES) as readonly Action[];

/** One thing that happens; `which` and `how`, in [0, 1), choose among what it can happen to. */
export interface Step {
  readonly action: Action;
  readonly which: number;
  readonly how: number;
}

const MODES: readonly BackendMode[] = ["ready", "ready", "drain", "drain", "maintenance"];
const BACKENDS_MAX = 12;
const PROXY = "10.0.9.9";

/** The number of steps of a life, and the number of steps between two comparisons of the whole state. */
export const STEPS = 1000;
const STEPS_PER_VIEW = 10;

type Phase = "arriving" | "accepted" | "waiting" | "connecting" | "open";

export class Life {
  readonly #driver: Driver;
  readonly #books: Books;
  #settings: Settings;
  #now = NS_PER_MS;
  readonly #journal: SessionJournal<SessionOf>;
  /** What the store of sessions knows: it is shared with other balancers. */
  readonly #store = new Map<string, SessionRecord<string>>();
  /** There may be more sessions than the rules allow, until the next one comes. */
  #sessionsMax: number;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#sessionsMax = settings.sticky?.maxEntries ?? 0;
    this.#driver = new Driver(settings);
    this.#books = new Books(settings);
    this.#journal = new SessionJournal(this.#journalRules);
    this.#driver.scheduler.onSessionUse = (session) => {
      if (!session.dropped) this.#journal.note(session);
    };
    for (const backend of settings.backends) this.#add(backend);
    // As the balancer does before it listens.
    for (const { id } of this.#driver.view().backends) this.#both((one) => one.probe(id, true));
  }

  /** Lets one thing happen. */
  step({ action, which, how }: Step): void {
    // Now and then several things happen at one moment.
    if (which * 64 % 1 < 0.75) this.#now += NS_PER_MS;
    switch (action) {
      case "client connects":
        return this.#connects(which, how);
      case "proxy connects":
        return this.#both((one) => one.acceptProxy(PROXY));
      case "proxy names its client":
        return this.#toOne("arriving", which, (one, n) => one.admit(n, this.#client(how)));
      case "asks for a backend":
        return this.#toOne("accepted", which, (one, n) => one.assign(n));
      case "connected":
        this.#toOne("connecting", which, (one, n) => {
          one.connected(n);
          if (how < 0.5) one.answered(n);
        });
        return;
      case "connect fails":
        return this.#toOne("connecting", which, (one, n) => one.connectFailed(n));
      case "driver refuses": {
        const phase = how < 0.5 ? "connecting" : how < 0.75 ? "accepted" : "arriving";
        return this.#toOne(phase, which, (one, n) => one.refuse(n));
      }
      case "client leaves": {
        const phase = how < 0.5 ? "connecting" : how < 0.75 ? "accepted" : "arriving";
        return this.#toOne(phase, which, (one, n) => one.leave(n));
      }
      case "connection ends":
        return this.#toOne("open", which, (one, n) => one.close(n));
      case "leaves the queue":
        return this.#leavesQueue(which);
      case "probe succeeds":
        return this.#toBackend(which, (one, id) => one.probe(id, true));
      case "probe fails":
        return this.#toBackend(which, (one, id) => one.probe(id, false));
      case "mode": {
        const mode = MODES[Math.floor(how * MODES.length)]!;
        return this.#toBackend(which, (one, id) => one.setMode(id, mode));
      }
      case "add":
        return this.#add({
          weight: Math.floor(which * 6),
          backup: how < 0.2,
          maxConnections: how > 0.7 ? 1 + Math.floor(which * 40) % 6 : undefined,
          mode: how < 0.9 ? "ready" : "drain",
        });
      case "remove":
        return this.#toBackend(which, (one, id) => one.remove(id));
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
        return this.#wait(how);
    }
  }

  /** Until something is due, or for a while. */
  #wait(how: number): void {
    const { nextDue } = this.#books;
    if (how < 0.3 && nextDue < Infinity) this.#now = Math.max(this.#now, nextDue);
    else this.#now += Math.floor(how * 2 * (this.#settings.sticky?.ttl ?? 100 * NS_PER_MS));
  }

  /** Stops the scheduler, ends all connections, and checks that none is left. */
  finish(): void {
    this.#both((one) => one.stop());
    this.#connects(0.5, 0);
    while (this.#books.connections.size > 0) {
      const { number, phase } = [...this.#books.connections.values()][0]!;
      this.#both((one) => {
        if (phase === "open") one.close(number);
        else if (phase === "connecting" && number % 2 === 0) one.connectFailed(number);
        else one.refuse(number);
      });
    }
    this.compareViews();
    this.#checkStore();
    assert.equal(this.#driver.view().inFlight, 0);
  }

  /** Compares all that can be seen, at this moment. */
  compareViews(): void {
    this.#both(() => this.#driver.passTime());
    const { scheduler } = this.#driver;
    assert.deepEqual(this.#driver.view(), this.#books.view());
    const nextWake = scheduler.nextWake ?? Infinity;
    assert.ok(nextWake > this.#now, "nothing is late");
    assert.ok(nextWake <= this.#books.nextDue, "it is woken in time");
    const indices = scheduler.backends.map(({ index }) => index);
    assert.equal(new Set(indices).size, indices.length, "indices are unique");
    assert.ok(indices.every((index) => index < BACKENDS_MAX), "indices are used again");
    assert.ok(scheduler.sessionCount <= this.#sessionsMax, "sessions are bounded");
  }

  /** Does something to the scheduler, enters it in the books, and compares what they answer and emit. */
  #both(act: (one: Subject) => void): void {
    this.#driver.begin(this.#now);
    act(this.#driver);
    // Every call lets time pass; if there was no call, time must pass now.
    this.#driver.passTime();
    this.#books.begin(this.#now, this.#driver.grants);
    act(this.#books);
    this.#books.end();
    assert.deepEqual(normal(this.#driver.events), normal(this.#books.events));
    assert.deepEqual(this.#driver.outcome, this.#books.outcome);
  }

  /** Something happens to a connection that is in this phase, if there is one. */
  #toOne(phase: Phase, which: number, act: (one: Subject, connection: number) => void): void {
    const those = [...this.#books.connections.values()].filter((one) => one.phase === phase);
    const { number } = those[Math.floor(which * those.length)] ?? {};
    if (number !== undefined) this.#both((one) => act(one, number));
  }

  #toBackend(which: number, act: (one: Subject, id: string) => void): void {
    const { backends } = this.#books;
    const { id } = backends[Math.floor(which * backends.length)] ?? {};
    if (id !== undefined) this.#both((one) => act(one, id));
  }

  #connects(which: number, how: number): void {
    const client = this.#client(which);
    let connection = 0;
    this.#both((one) => one.accept(client));
    for (const number of this.#books.connections.keys()) connection = number;
    if (this.#books.connections.get(connection)?.phase !== "accepted") return;
    // Some have something to say first.
    if (how < 0.2) return;
    this.#askStore(client);
    this.#both((one) => one.assign(connection));
  }

  /** Its wait may have ended by now. */
  #leavesQueue(which: number): void {
    const { queue } = this.#books;
    this.#both(() => {});
    const { number } = queue[Math.floor(which * queue.length)] ?? {};
    if (number !== undefined) this.#both((one) => one.leave(number));
  }

  #client(which: number): string {
    const number = Math.floor(which * this.#settings.clients);
    return number % 5 === 4 ? `2001:db8::${number}` : `10.0.${number % 3}.${number}`;
  }

  #add(options: BackendSettings): void {
    const { backends } = this.#books;
    if (backends.length >= BACKENDS_MAX) return;
    let number = 1;
    while (backends.some(({ id }) => id === `B${number}`)) number++;
    this.#both((one) => one.add({ id: `B${number}`, ...options }));
  }

  /** Takes other settings over: some backends stay, some go, some are new. */
  #reload(seed: number, how: number): void {
    const drawn = drawSettings(createRandom(seed));
    const { backends } = this.#books;
    const kept = backends.filter((_, i) => Math.floor(how * 97 + i * 31) % 10 < 9);
    const free = Array.from({ length: BACKENDS_MAX }, (_, i) => `B${i + 1}`)
      .filter((id) => !kept.some((backend) => backend.id === id));
    const settings = drawn.backends.slice(0, kept.length + free.length);
    const named: NamedBackend[] = settings.map((options, i) => ({
      id: kept[i]?.id ?? free[i - kept.length]!,
      ...options,
    }));
    this.#settings = drawn;
    this.#sessionsMax = Math.max(this.#sessionsMax, drawn.sticky?.maxEntries ?? 0);
    this.#journal.configure(this.#journalRules);
    this.#both((one) => one.reload(drawn, named));
  }

  // The store of sessions.

  get #journalRules() {
    return {
      maxEntries: Math.max(1, this.#sessionsMax),
      batch: 4,
      retry: 10 * NS_PER_MS,
      retryMax: 40 * NS_PER_MS,
    };
  }

  /** A client that has no connection here may have been pinned by another balancer. */
  #askStore(client: string): void {
    const key = this.#driver.scheduler.sessionToAskFor(client, this.#now);
    if (key === undefined || !this.#journal.usable) return;
    const stored = this.#store.get(key);
    if (stored !== undefined) this.#both((one) => one.adopt(stored));
  }

  #storeOpens(empty: boolean): void {
    if (this.#journal.usable) return;
    if (empty) this.#store.clear();
    this.#journal.opened(this.#driver.scheduler.sessions, this.#now);
  }

  #storeWrites(): void {
    const batch = this.#journal.take();
    if (batch === undefined) return;
    batch.forEach((session) => this.#write(session));
    this.#journal.written(this.#now);
  }

  /** For each session that was being written, the store may have kept or lost it. */
  #storeFails(how: number): void {
    const batch = this.#journal.take() ?? [];
    const kept = batch.filter((_, i) => i % 2 === (how < 0.5 ? 0 : 1));
    kept.forEach((session) => this.#write(session));
    this.#journal.failed(this.#now);
  }

  #write({ key, backend, home, changedAt, usedAt, open }: SessionOf): void {
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

  /** Another balancer pins a session to a backend, which this scheduler may not have. */
  #anotherPins(which: number, how: number): void {
    if (this.#settings.sticky === undefined || !this.#journal.usable) return;
    const { sessions } = this.#driver.view();
    const { key } = sessions[Math.floor(which * sessions.length)] ?? {};
    const backend = `B${1 + Math.floor(how * BACKENDS_MAX)}`;
    const now = this.#now;
    this.#keep({
      key: key ?? this.#client(which),
      backend,
      home: backend,
      changedAt: now,
      usedAt: now,
    });
  }

  /** If the store works at the end, every session has been written to it. */
  #checkStore(): void {
    this.#storeOpens(false);
    while (this.#journal.unwritten > 0) this.#storeWrites();
    for (const { key, backend, changedAt } of this.#driver.view().sessions) {
      const stored = this.#store.get(key);
      assert.ok(stored !== undefined, `the store knows of ${key}`);
      if (stored.changedAt <= changedAt) assert.equal(stored.backend, backend, `store of ${key}`);
    }
  }
}

type SessionOf = Parameters<NonNullable<Driver["scheduler"]["onSessionUse"]>>[0];

/**
 * Events in a form that leaves open what the rules leave open: the order of the backends in a list, and of those
 * that return at the same moment.
 */
function normal(events: readonly LbEvent[]): unknown[] {
  const seen: unknown[] = [];
  const returned: string[] = [];
  events.forEach((event, i) => {
    if (!("active_servers" in event)) return void seen.push(event);
    const next = events[i + 1];
    const active_servers = event.active_servers.toSorted();
    if (event.type !== "backend_readmitted") return void seen.push({ ...event, active_servers });
    returned.push(event.backend);
    if (next?.type === event.type && next.at_ms === event.at_ms) return;
    seen.push({ ...event, active_servers, backend: returned.splice(0).sort() });
  });
  return seen;
}

/** In each life some things happen far more often than in others, and some not at all. */
function drawActions(random: Random): Action[] {
  return ACTIONS.flatMap((action) => {
    const often = random.next() < 0.1 ? 0 : 4 ** (2 * random.next() - 1);
    return Array<Action>(Math.round(FREQUENCIES[action] * often)).fill(action);
  });
}

/**
 * A whole life. Everything in it follows from its seed.
 *
 * @throws What is wrong, with the seed and all that was drawn from it.
 */
export function live(seed: number): void {
  const settings = drawSettings(createRandom(childSeed(seed, "settings")));
  const actions = drawActions(createRandom(childSeed(seed, "actions")));
  const random = createRandom(childSeed(seed, "steps"));
  let step = 0;
  let latest: Step | undefined;
  try {
    const life = new Life(settings);
    for (step = 1; step <= STEPS; step++) {
      const action = actions[Math.floor(random.next() * actions.length)]!;
      latest = { action, which: random.next(), how: random.next() };
      life.step(latest);
      if (step % STEPS_PER_VIEW === 0) life.compareViews();
    }
    life.finish();
  } catch (error) {
    const counts = Object.fromEntries(
      ACTIONS.map((action) => [action, actions.filter((one) => one === action).length]),
    );
    throw new Error(
      `LBSIM_SEED=${seed}, step ${step}, ${JSON.stringify(latest)}: ${(error as Error).message}\n` +
        `settings: ${JSON.stringify(settings)}\nfrequencies: ${JSON.stringify(counts)}`,
      { cause: error },
    );
  }
}
