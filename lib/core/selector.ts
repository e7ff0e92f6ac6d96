import type { PickTrace } from "./algorithms/mod.ts";
import {
  type Backend,
  type BackendState,
  isForItsOwnOnly,
  isFull,
  mayHaveRoom,
} from "./backend/mod.ts";
import type { Nanoseconds } from "../base/mod.ts";
import type { ConnectionState } from "./connection.ts";
import type { Announcer } from "./events/mod.ts";
import type { BackendPool } from "./pool.ts";
import { type Session, type SessionMap, Stickiness, type StickyRules } from "./sessions/mod.ts";

/** Called when a session has gained (1) or lost (−1) a connection. */
export type SessionReader = (
  session: Readonly<Session<Backend>>,
  change: 1 | -1,
  now: Nanoseconds,
) => void;

/**
 * Selects the backend of a connection: the backend to which its client is pinned, or otherwise the algorithm's pick.
 */
export class BackendSelector {
  readonly #pool: BackendPool;
  readonly #announcer: Announcer;
  /** Undefined if clients do not stick. */
  #stickiness: Stickiness | undefined;
  #takesItsOwn = false;
  onSessionUse: SessionReader | undefined;

  constructor(pool: BackendPool, announcer: Announcer) {
    this.#pool = pool;
    this.#announcer = announcer;
  }

  /** Undefined if clients do not stick. */
  get sessions(): SessionMap<BackendState> | undefined {
    return this.#stickiness?.sessions;
  }

  /** Applies other rules for sessions. If the rules identify clients differently, all sessions are removed. */
  configure(rules: StickyRules | undefined): void {
    this.#takesItsOwn = rules?.drain === "allow";
    if (rules !== undefined && this.#stickiness?.fits(rules)) {
      this.#stickiness.configure(rules);
      return;
    }
    this.sessions?.clear();
    this.#stickiness = rules &&
      new Stickiness(rules, this.#announcer, (...asked) => this.#pool.pickProven(...asked));
  }

  /** The key of a client's session; undefined if clients do not stick. */
  keyOf(client: string): string | undefined {
    return this.#stickiness?.keyOf(client);
  }

  /**
   * The backend for a connection; undefined if none is available. It counts there, and for its client's session,
   * from now on.
   */
  select(
    connection: ConnectionState,
    now: Nanoseconds,
    trace: PickTrace | undefined,
  ): BackendState | undefined {
    const stickiness = this.#stickiness;
    const { client, tried } = connection;
    if (stickiness === undefined) {
      const picked = this.#pool.pick(client, now, tried, trace);
      if (picked !== undefined) this.#pool.count(picked, 1);
      return picked;
    }
    const key = stickiness.keyOf(client);
    let session = stickiness.sessions.find(key, now);
    let backend = session && stickiness.pinned(session, now, tried, trace);
    if (backend === undefined) {
      if (session !== undefined && stickiness.hasFailed(session)) {
        backend = this.#pool.pick(key, now, [...tried ?? [], session.backend], trace);
        if (backend === undefined && stickiness.takesBack(session, tried)) {
          backend = session.backend;
        }
      }
      backend ??= this.#pool.pick(key, now, tried, trace);
      if (backend === undefined) return undefined;
      session = stickiness.pin(key, session, backend, now, tried);
    }
    connection.session = session;
    if (session !== undefined) {
      stickiness.sessions.opened(session, now);
      this.onSessionUse?.(session, 1, now);
    }
    this.#pool.count(backend, 1);
    return backend;
  }

  /** A connection is no longer on its backend. */
  release(connection: ConnectionState, now: Nanoseconds): void {
    const { session, backend } = connection;
    if (session !== undefined) {
      connection.session = undefined;
      this.sessions?.closed(session, now);
      this.onSessionUse?.(session, -1, now);
    }
    this.#pool.count(backend, -1);
  }

  /** Whether a connection that no backend has room for now may get a place later, if it waits. */
  mayFindRoom({ client, tried }: ConnectionState, now: Nanoseconds): boolean {
    const { all } = this.#pool;
    if (all.some((backend) => mayHaveRoom(backend) && !tried?.includes(backend))) return true;
    const own = this.#stickiness?.ownBackend(client, now, tried);
    return own !== undefined && isFull(own);
  }

  /** Whether a backend that takes no new clients has room for this one, which is pinned to it. */
  hasRoomForItsOwn({ client, tried }: ConnectionState, now: Nanoseconds): boolean {
    const own = this.#stickiness?.ownBackend(client, now, tried);
    return own !== undefined && !isFull(own);
  }

  /**
   * Whether all waiting clients that have tried no backend are in the same situation: either all of them can get a
   * place now, or none can; and either all of them can get a place later, or none can.
   */
  get areAllAlike(): boolean {
    const { all } = this.#pool;
    if (!all.some(mayHaveRoom)) return false;
    return !this.#takesItsOwn ||
      !all.some((backend) => isForItsOwnOnly(backend) && !isFull(backend));
  }
}
