import {
  canonicalIp,
  formatAddress,
  formatDuration,
  type Nanoseconds,
  NS_PER_MS,
  NS_PER_S,
} from "../../lib/base/mod.ts";
import { type Clock, Notifier, sleep, timerDelay } from "../../lib/io/mod.ts";
import {
  type Backend,
  type EventStream,
  type Scheduler,
  type Session,
  SessionJournal,
  type StickyRules,
  type StoreRecovery,
  toMs,
} from "../../lib/core/mod.ts";
import type { SessionStore, StoredSession, StoreRules } from "./session_store.ts";

/**
 * The number of sessions that are written together. SQLite blocks the event loop for about a millisecond to write them.
 */
const BATCH = 256;
/** A store that has failed is tried again after this time. */
const RETRY: Nanoseconds = 100 * NS_PER_MS;
/** The longest time between two attempts. */
const RETRY_MAX: Nanoseconds = 5 * NS_PER_S;
/** The time limit for opening the store and for writing a batch. It may be long, because no client waits for it. */
const WORK_TIMEOUT: Nanoseconds = NS_PER_S;
/** At most this many clients wait for the store at a time; further ones are served from memory. */
const ASKING_MAX = 1000;
/** If the wall clock differs by more than this from the expected time, it has been set to another time. */
const CLOCK_STEP_MS = 1000;

type Rules = Pick<StickyRules, "ttl" | "maxEntries">;

/** Options of a session keeper. */
export interface SessionKeeperOptions {
  readonly scheduler: Scheduler;
  readonly store: SessionStore;
  readonly rules: Rules;
  readonly events: EventStream;
  readonly now: Clock;
}

/**
 * Keeps the scheduler's sessions in a store without delaying connections: it writes later, makes a client
 * wait only for a short time, and works without the store while the store fails or is slow. `SessionJournal`
 * decides what to write and when to try again; this class has the timers.
 */
export class SessionKeeper {
  readonly #scheduler: Scheduler;
  readonly #store: SessionStore;
  readonly #events: EventStream;
  readonly #now: Clock;
  readonly #journal: SessionJournal<Session<Backend>>;
  readonly #changed = new Notifier();
  readonly #stopping = new AbortController();
  readonly #doneAsking = new AbortController();
  #rules: Rules;
  /** The wall clock when the scheduler's clock was 0, in milliseconds. */
  #epochMs: number;
  #asking = 0;
  #failures = 0;
  #everOpened = false;
  #refreshing: ReturnType<typeof setInterval> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor({ scheduler, store, rules, events, now }: SessionKeeperOptions) {
    this.#scheduler = scheduler;
    this.#store = store;
    this.#events = events;
    this.#now = now;
    this.#rules = rules;
    this.#journal = new SessionJournal(journalRules(rules));
    this.#epochMs = epochOf(now);
    scheduler.onSessionUse = (session) => {
      if (session.dropped) return;
      this.#journal.note(session);
      this.#changed.notify();
    };
  }

  /** Opens the store, adopts the sessions in it, and keeps it up to date from then on. */
  async start(): Promise<void> {
    await this.#open();
    this.#refresh();
    this.#running = this.#run();
  }

  /** Applies other rules. */
  configure(rules: Rules): void {
    this.#rules = rules;
    this.#journal.configure(journalRules(rules));
    this.#refresh();
  }

  /**
   * Looks up the session of a client without a connection here, because another balancer may have moved it.
   * When the promise resolves, the scheduler has adopted the session, if there is one. The promise never
   * rejects.
   *
   * @returns Undefined if there is nothing to wait for.
   */
  ask(client: string): Promise<void> | undefined {
    const { readTimeout } = this.#store;
    if (readTimeout === undefined || !this.#journal.usable) return undefined;
    if (this.#doneAsking.signal.aborted) return undefined;
    if (this.#asking >= ASKING_MAX) return undefined;
    const key = this.#scheduler.sessionToAskFor(client, this.#now());
    return key === undefined ? undefined : this.#ask(key, readTimeout);
  }

  /** Makes no client wait for the store from now on. */
  stopAsking(): void {
    this.#doneAsking.abort();
  }

  /**
   * Writes the remaining changes, within the time for one batch, closes the store, and reports changes that
   * were lost.
   */
  async stop(): Promise<void> {
    this.stopAsking();
    this.#stopping.abort();
    clearInterval(this.#refreshing);
    this.#scheduler.onSessionUse = undefined;
    this.#changed.notify();
    await this.#running;
    const deadline = this.#now() + WORK_TIMEOUT;
    while (this.#now() < deadline && await this.#writeBatch());
    this.#store.close();
    const { unwritten } = this.#journal;
    if (unwritten === 0) return;
    const at = toMs(this.#now());
    const { name: store } = this.#store;
    this.#events.emit({ type: "session_store_incomplete", at_ms: at, store, unwritten });
  }

  async #ask(key: string, timeout: Nanoseconds): Promise<void> {
    this.#asking++;
    const before = this.#failures;
    try {
      const reading = this.#store.read(key, this.#wall(this.#now()));
      const stored = await within(reading, timeout, this.#doneAsking.signal);
      if (stored !== undefined) this.#scheduler.adopt(this.#record(stored), this.#now());
    } catch (error) {
      if (!this.#doneAsking.signal.aborted && this.#failures === before) this.#fail(error);
    } finally {
      this.#asking--;
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      if (!this.#journal.usable) {
        await sleep(this.#journal.retryAt - this.#now(), signal);
        if (!signal.aborted) await this.#open();
        continue;
      }
      if (this.#journal.unwritten === 0) await this.#changed.next;
      await sleep(this.#store.pauseMs * NS_PER_MS, signal);
      if (!signal.aborted) await this.#writeBatch();
    }
  }

  async #open(): Promise<void> {
    try {
      const stored = await within(this.#store.open(this.#storeRules()), WORK_TIMEOUT);
      const now = this.#now();
      const restored = this.#scheduler.restore(stored.map((one) => this.#record(one)), now);
      if (!this.#everOpened) {
        this.#everOpened = true;
        const { name: store } = this.#store;
        this.#events.emit({ type: "session_store_opened", at_ms: toMs(now), store, restored });
      }
      this.#recovered(this.#journal.opened(this.#scheduler.sessions, now));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Writes a batch. Returns whether that succeeded. */
  async #writeBatch(): Promise<boolean> {
    const rules = this.#storeRules();
    const batch = this.#journal.take();
    if (batch === undefined) return false;
    const before = this.#failures;
    try {
      const now = this.#now();
      const live = batch.filter(({ open, usedAt, dropped }) =>
        !dropped && (open > 0 || now - usedAt <= this.#rules.ttl)
      );
      const stored = live.map((session) => this.#stored(session, now));
      if (stored.length > 0) await within(this.#store.write(stored, rules), WORK_TIMEOUT);
      if (this.#failures !== before) return false;
      this.#recovered(this.#journal.written(this.#now()));
      return true;
    } catch (error) {
      if (this.#failures === before) this.#fail(error);
      return false;
    }
  }

  #recovered(recovery: StoreRecovery | undefined): void {
    if (recovery === undefined) return;
    this.#events.emit({
      type: "session_store_recovered",
      at_ms: toMs(this.#now()),
      store: this.#store.name,
      degraded_ms: toMs(recovery.outage),
      written: recovery.written,
    });
  }

  #fail(error: unknown): void {
    this.#failures++;
    this.#store.close();
    const now = this.#now();
    const begins = this.#journal.failed(now);
    this.#changed.notify();
    if (!begins) return;
    this.#events.emit({
      type: "session_store_degraded",
      at_ms: toMs(now),
      store: this.#store.name,
      reason: error instanceof Error ? error.message : String(error),
      sessions: this.#scheduler.sessionCount,
    });
  }

  /** Writes the sessions in use again, twice in their time to live, so that they do not expire in the store. */
  #refresh(): void {
    clearInterval(this.#refreshing);
    this.#refreshing = setInterval(() => {
      for (const session of this.#scheduler.sessionsInUse) this.#journal.note(session);
      this.#changed.notify();
    }, timerDelay(this.#rules.ttl / 2));
  }

  #storeRules(): StoreRules {
    const epochMs = epochOf(this.#now);
    if (Math.abs(epochMs - this.#epochMs) > CLOCK_STEP_MS) this.#epochMs = epochMs;
    return {
      ttlMs: Math.ceil(toMs(this.#rules.ttl)),
      maxEntries: this.#rules.maxEntries,
      nowMs: this.#wall(this.#now()),
    };
  }

  #wall(time: Nanoseconds): number {
    return Math.floor(toMs(time)) + this.#epochMs;
  }

  #stored(session: Session<Backend>, now: Nanoseconds): StoredSession {
    const { key, backend, home, changedAt, usedAt, open } = session;
    return {
      key,
      backend: storedName(backend),
      home: storedName(home),
      changedAt: this.#wall(changedAt),
      usedAt: this.#wall(open > 0 ? now : usedAt),
    };
  }

  #record(stored: StoredSession) {
    const time = (ms: number) => (ms - this.#epochMs) * NS_PER_MS;
    // An earlier version may have written an address in another spelling.
    const key = canonicalIp(stored.key);
    return {
      key,
      backend: this.#idOf(stored.backend),
      home: this.#idOf(stored.home),
      changedAt: time(stored.changedAt),
      usedAt: time(stored.usedAt),
    };
  }

  /**
   * The id of the backend that a store names. If that backend has another address now, the store's name is
   * returned, which is no backend's id.
   */
  #idOf(name: string): string {
    const [id = name, address] = name.split("@", 2);
    const backend = this.#scheduler.backend(id);
    // An earlier version has written no address.
    const isMoved = backend !== undefined && address !== undefined && name !== storedName(backend);
    return isMoved ? name : id;
  }
}

/**
 * A backend as a store names it: with its address, because an id that has moved to another address is another
 * backend.
 */
function storedName({ id, address }: Backend): string {
  return address === undefined ? id : `${id}@${formatAddress(address)}`;
}

function journalRules({ maxEntries }: Rules) {
  return { maxEntries, batch: BATCH, retry: RETRY, retryMax: RETRY_MAX };
}

function epochOf(now: Clock): number {
  return Math.round(Date.now() - toMs(now()));
}

/**
 * The result of a promise, unless it takes too long or the waiting is cancelled. The promise itself continues.
 *
 * @throws {Error} if it takes too long or the waiting is cancelled, or the error of the promise.
 */
async function within<T>(
  promise: Promise<T>,
  duration: Nanoseconds,
  signal?: AbortSignal,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const giveUp = () => late.reject(new Error(`no answer within ${formatDuration(duration)}`));
  let timer = setTimeout(() => {
    // If this process was busy, the answer may have arrived in time, and the event loop has not read it yet.
    timer = setTimeout(giveUp);
  }, timerDelay(duration));
  signal?.addEventListener("abort", giveUp);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
    promise.catch(() => {});
  }
}
