import type { PickTrace } from "../algorithms/mod.ts";
import { type BackendState, isFull, isServing, takesItsOwn } from "../backend/mod.ts";
import { clientKey } from "./client_key.ts";
import type { Announcer } from "../events/mod.ts";
import { type Session, SessionMap, type StickyRules } from "./sessions.ts";
import { type Nanoseconds, NS_PER_MS } from "../../base/mod.ts";

/** The backends to which a connect of this connection has failed; undefined if there are none. */
type Tried = readonly BackendState[] | undefined;

/**
 * Picks a backend for a client among the primaries that have proven since a time that they work. The pick does not
 * count a connection. Undefined if none of these primaries is available.
 */
type ProvenPrimary = (
  key: string,
  since: Nanoseconds,
  now: Nanoseconds,
  tried: Tried,
) => BackendState | undefined;

/** Decides where clients stick: when a session keeps its backend, moves, and returns. */
export class Stickiness {
  readonly sessions: SessionMap<BackendState>;
  #rules: StickyRules;
  readonly #announcer: Announcer;
  readonly #provenPrimary: ProvenPrimary;

  constructor(rules: StickyRules, announcer: Announcer, provenPrimary: ProvenPrimary) {
    this.sessions = new SessionMap(rules);
    this.sessions.onEvict = ({ key, backend }, now) =>
      announcer.sessionEvicted(key, backend.id, now);
    this.#rules = rules;
    this.#announcer = announcer;
    this.#provenPrimary = provenPrimary;
  }

  /** Whether other rules distinguish clients in the same way, so that the sessions remain valid. */
  fits({ ipv4Prefix, ipv6Prefix }: StickyRules): boolean {
    return this.#rules.ipv4Prefix === ipv4Prefix && this.#rules.ipv6Prefix === ipv6Prefix;
  }

  /** Applies other rules, for which `fits` must be true. */
  configure(rules: StickyRules): void {
    this.#rules = rules;
    this.sessions.configure(rules);
  }

  /** The key of a client's session. */
  keyOf(client: string): string {
    return clientKey(client, this.#rules.ipv4Prefix, this.#rules.ipv6Prefix);
  }

  /** The backend for a session's next connection; undefined if a pick is necessary. */
  pinned(
    session: Session<BackendState>,
    now: Nanoseconds,
    tried: Tried,
    trace?: PickTrace,
  ): BackendState | undefined {
    const better = this.#wayBack(session, now, tried);
    if (better !== undefined) this.#move(session, better, "failback", now);
    if (this.hasFailed(session) || !this.takesBack(session, tried)) return undefined;
    trace?.decided(`the client's session is pinned to ${session.backend.id}`);
    return session.backend;
  }

  /** Whether a session's backend can take its client again. */
  takesBack({ backend }: Session<BackendState>, tried: Tried): boolean {
    return this.#mayTakeBack(backend, tried) && !isFull(backend);
  }

  /** Whether a connect of the client to its session's backend has failed, and no probe or connect succeeded since. */
  hasFailed({ backend, failedAt }: Session<BackendState>): boolean {
    return failedAt >= backend.provenAt && failedAt !== -Infinity;
  }

  /** The backend of the client's session, if it takes this client although it takes no new clients. It may be full. */
  ownBackend(client: string, now: Nanoseconds, tried: Tried): BackendState | undefined {
    if (this.#rules.drain !== "allow") return undefined;
    const backend = this.sessions.find(this.keyOf(client), now)?.backend;
    return backend !== undefined && !isServing(backend) && this.#mayTakeBack(backend, tried)
      ? backend
      : undefined;
  }

  /** Whether a client that is pinned to the backend may return to it; a full backend counts, too. */
  #mayTakeBack(backend: BackendState, tried: Tried): boolean {
    return takesItsOwn(backend, this.#rules.drain ?? "move") && !tried?.includes(backend);
  }

  /** The backend to which a moved session can return: its home, or, from a backup, any primary. */
  #wayBack(
    session: Session<BackendState>,
    now: Nanoseconds,
    tried: Tried,
  ): BackendState | undefined {
    if (this.#rules.onFailback === "stay") return undefined;
    const { key, backend, home, movedAt } = session;
    if (backend !== home && home.available && home.hasProvenSince(movedAt)) {
      if (!tried?.includes(home)) return home;
    }
    return backend.backup ? this.#provenPrimary(key, movedAt, now, tried) : undefined;
  }

  /** The client's session after a pick: a new session, or the existing one, which may have moved. */
  pin(
    key: string,
    session: Session<BackendState> | undefined,
    backend: BackendState,
    now: Nanoseconds,
    tried: Tried,
  ): Session<BackendState> {
    if (session !== undefined) {
      // If the session's backend is only full, just this connection goes to another one: the session stays pinned.
      const lent = isFull(session.backend) && this.#mayTakeBack(session.backend, tried) &&
        !this.hasFailed(session);
      if (!lent && backend !== session.backend) this.#move(session, backend, "failover", now);
      return session;
    }
    const pinned = this.sessions.pin(key, backend, now);
    this.#announcer.sessionPinned(key, backend.id, now);
    return pinned;
  }

  #move(
    session: Session<BackendState>,
    to: BackendState,
    why: "failover" | "failback",
    now: Nanoseconds,
  ): void {
    const from = session.backend;
    session.backend = to;
    session.movedAt = now;
    session.failedAt = -Infinity;
    session.changedAt = Math.max(now, session.changedAt + NS_PER_MS);
    // A backup is no home: it serves a client until a primary works.
    if (this.#rules.onFailback === "stay" || session.home.backup) session.home = to;
    this.#announcer.sessionMoved(session.key, from.id, to.id, why, now);
  }
}
