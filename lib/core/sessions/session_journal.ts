import { assert, type Nanoseconds } from "../../base/mod.ts";

/** The rules for writing to a store of sessions. */
export interface SessionJournalRules {
  /**
   * The largest number of sessions. At most twice as many changes wait to be written. If there are more, the
   * changes of dropped sessions are discarded first, and then the oldest changes.
   */
  readonly maxEntries: number;
  /** The number of sessions that are written together. */
  readonly batch: number;
  /** The pause after a failure of the store; twice as long after each further failure. */
  readonly retry: Nanoseconds;
  /**
   * The longest pause. If the store fails again within this time after its recovery, the recovery does not count:
   * the pauses go on growing.
   */
  readonly retryMax: Nanoseconds;
}

/** The outage that ended when a store had received all changes that it had missed. */
export interface StoreRecovery {
  /** From its first failure until now. */
  readonly outage: Nanoseconds;
  /** The number of sessions that were written to the store since it works again. */
  readonly written: number;
}

/**
 * The changes that a session store does not have yet, and whether the store works. Changes are written
 * in the background, in batches. After a failure there is a pause; then all sessions are written again,
 * since the store may have lost them.
 *
 * A driver notes each session that has changed, takes one batch at a time, and reports whether the batch was
 * written. At first the store is not open: the driver tries to open it, and calls `opened` or `failed`.
 *
 * @typeParam S A session. Only its state at the time at which a batch is taken is written.
 */
export class SessionJournal<S extends { readonly key: string; readonly dropped: boolean }> {
  #rules: SessionJournalRules;
  /** Changes that are not in the store yet, the oldest first. */
  readonly #unwritten = new Map<string, S>();
  /** The batch that is being written. */
  #batch: readonly S[] | undefined;
  #usable = false;
  /** How many changes at the front of `#unwritten` are changes that the store has missed. */
  #missed = 0;
  #written = 0;
  #failedSince: Nanoseconds | undefined;
  /** How long to wait after the next failure in a row; undefined after a success. */
  #nextRetry: Nanoseconds | undefined;
  #retryAt: Nanoseconds = 0;
  #recoveredAt: Nanoseconds = -Infinity;

  constructor(rules: SessionJournalRules) {
    this.#rules = rules;
  }

  /** Applies other rules. */
  configure(rules: SessionJournalRules): void {
    this.#rules = rules;
    this.#bound();
  }

  /** Whether the store can be used. While it cannot, sessions are in memory only. */
  get usable(): boolean {
    return this.#usable;
  }

  /** How many changes wait to be written. */
  get unwritten(): number {
    return this.#unwritten.size;
  }

  /** A session changed. */
  note(session: S): void {
    this.#unwritten.set(session.key, session);
    this.#bound();
  }

  /**
   * The batch to write next; undefined if there is nothing to write, the store is not usable, or a batch is being
   * written.
   */
  take(): readonly S[] | undefined {
    if (!this.#usable || this.#batch !== undefined || this.#unwritten.size === 0) return undefined;
    const batch: S[] = [];
    for (const [key, session] of this.#unwritten) {
      batch.push(session);
      this.#unwritten.delete(key);
      if (batch.length === this.#rules.batch) break;
    }
    this.#batch = batch;
    return batch;
  }

  /**
   * The batch has been written.
   *
   * @returns The outage that has ended, if the store has now received all changes that it had missed.
   */
  written(now: Nanoseconds): StoreRecovery | undefined {
    assert(this.#batch !== undefined, "only what was taken is written");
    const { length } = this.#batch;
    this.#batch = undefined;
    if (this.#failedSince === undefined) return undefined;
    this.#missed -= length;
    this.#written += length;
    return this.#recovery(now);
  }

  /**
   * The store could not be opened, read or written in time. A batch that was being written is written again later.
   *
   * @returns Whether this failure begins an outage; false during an outage.
   */
  failed(now: Nanoseconds): boolean {
    const { retry, retryMax } = this.#rules;
    const begins = this.#failedSince === undefined;
    if (begins && now - this.#recoveredAt >= retryMax) this.#nextRetry = undefined;
    for (const session of this.#batch ?? []) {
      if (!this.#unwritten.has(session.key)) this.#unwritten.set(session.key, session);
    }
    this.#batch = undefined;
    this.#bound();
    this.#usable = false;
    const wait = Math.min(this.#nextRetry ?? retry, retryMax);
    this.#retryAt = now + wait;
    this.#nextRetry = 2 * wait;
    this.#failedSince ??= now;
    return begins;
  }

  /** When to try the store again, while it is not usable. */
  get retryAt(): Nanoseconds {
    return this.#retryAt;
  }

  /**
   * The store can be used, for the first time or again.
   *
   * @param sessions All sessions. After an outage each is written again, even if the store still has it.
   * @returns The outage that has ended, if there was one and there is nothing to write.
   */
  opened(sessions: Iterable<S>, now: Nanoseconds): StoreRecovery | undefined {
    assert(!this.#usable, "a store is opened when it is not");
    this.#usable = true;
    this.#written = 0;
    if (this.#failedSince === undefined) return undefined;
    for (const session of sessions) {
      if (!this.#unwritten.has(session.key)) this.#unwritten.set(session.key, session);
    }
    this.#bound();
    this.#missed = this.#unwritten.size;
    return this.#recovery(now);
  }

  #recovery(now: Nanoseconds): StoreRecovery | undefined {
    if (this.#failedSince === undefined || this.#missed > 0) return undefined;
    const recovery = { outage: now - this.#failedSince, written: this.#written };
    this.#failedSince = undefined;
    this.#recoveredAt = now;
    return recovery;
  }

  #bound(): void {
    const most = 2 * this.#rules.maxEntries;
    if (this.#unwritten.size <= most) return;
    this.#letGo(({ dropped }) => dropped);
    // This removes changes only if `maxEntries` has just become much smaller.
    this.#letGo(() => this.#unwritten.size > most);
  }

  #letGo(unneeded: (session: S) => boolean): void {
    let place = 0;
    const missed = this.#missed;
    for (const [key, session] of this.#unwritten) {
      if (unneeded(session)) {
        this.#unwritten.delete(key);
        if (place < missed) this.#missed--;
      }
      place++;
    }
  }
}
