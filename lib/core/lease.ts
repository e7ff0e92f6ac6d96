import type { Admission } from "./admission/mod.ts";
import { assert, type Nanoseconds } from "../base/mod.ts";
import type { BackendState } from "./backend/mod.ts";
import type { ConnectFailure, ConnectionEnd, RefusalReason } from "./events/mod.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Session } from "./sessions/mod.ts";
import type { Waiting } from "./waiting.ts";

/** A client was refused, and why. An ordinary value: it happens. */
export interface Refusal {
  readonly granted: false;
  readonly reason: RefusalReason;
}

/** How much was relayed, for the record. */
export interface Traffic {
  readonly bytesToBackend: number;
  readonly bytesToClient: number;
}

const NO_TRAFFIC: Traffic = { bytesToBackend: 0, bytesToClient: 0 };

/**
 * A connection's hold on a backend. It counts as in flight from the moment it is granted, before the
 * connect begins, so that a burst cannot pile onto one backend. It ends exactly once: by
 * `connectFailed`, `refuse` or `release`.
 */
export class Lease {
  readonly granted = true;
  /** Number of the client's connection, from 1; it stays the same over failed attempts. */
  readonly connection: number;
  /** The client's address, as it came. */
  readonly client: string;
  readonly backend: BackendState;
  /** 1 for the first backend tried. */
  readonly attempt: number;
  /** When this backend was picked. */
  readonly acquiredAt: Nanoseconds;
  /** How many other connections the backend had in flight then. @internal */
  readonly others: number;
  /** @internal */
  readonly session: Session<BackendState> | undefined;
  /** Where its client is counted, if anywhere. @internal */
  admission: Admission | undefined;
  /** Backends that failed before this one. @internal */
  readonly tried: readonly BackendState[] | undefined;
  #state: "opening" | "open" | "ended" = "opening";
  /** For how long the client, once connected, asked nothing; undefined until it asks. */
  #idle: Nanoseconds | undefined;
  #connectedAt: Nanoseconds | undefined;
  #answered = false;
  readonly #scheduler: Scheduler;

  /** @internal Leases come from `Scheduler.acquire`. */
  constructor(
    scheduler: Scheduler,
    connection: number,
    client: string,
    backend: BackendState,
    now: Nanoseconds,
    session: Session<BackendState> | undefined,
    failed: Lease | undefined,
  ) {
    this.#scheduler = scheduler;
    this.connection = connection;
    this.client = client;
    this.backend = backend;
    this.acquiredAt = now;
    this.others = backend.inFlight - 1;
    this.session = session;
    this.tried = failed?.allTried;
    this.attempt = failed === undefined ? 1 : failed.attempt + 1;
  }

  /** The connect succeeded. */
  connected(now: Nanoseconds): void {
    assert(this.#state === "opening", "a lease connects at most once");
    this.#state = "open";
    this.#connectedAt = now;
    this.#scheduler._connected(this, now);
  }

  /** The client sent its first byte on this connection. Only the first call counts. */
  asked(now: Nanoseconds): void {
    if (this.#connectedAt !== undefined) this.#idle ??= now - this.#connectedAt;
  }

  /** The backend sent the first byte of an answer. Only the first call counts. */
  answered(now: Nanoseconds): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#scheduler._answered(this, now);
  }

  /** The client has sent its last byte, and has perhaps left. So far it may have waited in vain. */
  clientFinished(now: Nanoseconds): void {
    if (this.#state === "open") this.#scheduler._clientFinished(this, now);
  }

  /** This backend, and those that failed before it. @internal */
  get allTried(): readonly BackendState[] {
    return [...this.tried ?? [], this.backend];
  }

  /** @internal */
  get isAnswered(): boolean {
    return this.#answered;
  }

  /** The client has asked for something. @internal */
  get isAsked(): boolean {
    return this.#idle !== undefined;
  }

  /** It has been connected, and nothing has been asked. @internal */
  get isIdle(): boolean {
    return this.#connectedAt !== undefined && !this.isAsked;
  }

  /** For how long an answer has been waited for: an idle client waits for none. @internal */
  waited(now: Nanoseconds): Nanoseconds {
    return now - this.acquiredAt - (this.#idle ?? 0);
  }

  /**
   * The connect failed: ends this lease, and looks for a backend that was not yet tried.
   *
   * @param detail What the reason leaves open, in a few words.
   */
  connectFailed(
    reason: ConnectFailure,
    now: Nanoseconds,
    detail?: string,
  ): Lease | Waiting | Refusal {
    assert(this.#state === "opening", "only a lease that is being opened can fail to connect");
    this.#state = "ended";
    return this.#scheduler._connectFailed(this, reason, now, detail);
  }

  /** The driver cannot even try this backend, or is to stop trying: refuses the client. */
  refuse(reason: RefusalReason, now: Nanoseconds, detail?: string): Refusal {
    assert(this.#state === "opening", "only a client that is not yet served can be refused");
    this.#state = "ended";
    return this.#scheduler._refused(this, reason, now, detail);
  }

  /** The connection ended, or its client left before there was one. */
  release(end: ConnectionEnd, now: Nanoseconds, traffic: Traffic = NO_TRAFFIC): void {
    assert(this.#state !== "ended", "a lease is released exactly once");
    const opened = this.#state === "open";
    this.#state = "ended";
    this.#scheduler._released(this, opened, end, traffic, now);
  }
}
