import type { PickTrace } from "../algorithms/mod.ts";
import type { Backend } from "../backend/mod.ts";
import { clientKey } from "./client_key.ts";
import { type EventStream, toMs } from "../events/mod.ts";
import { type Session, SessionMap, type StickyRules } from "./sessions.ts";
import { type Nanoseconds, NS_PER_MS } from "../../base/mod.ts";

/**
 * Picks for a client among the primaries that have proven since a time that they work, without counting;
 * undefined if none of them is available.
 */
type ProvenPrimary = (
  key: string,
  since: Nanoseconds,
  now: Nanoseconds,
) => Backend | undefined;

/** Decides where clients stick: when a session keeps its backend, moves, and returns. */
export class Stickiness {
  readonly sessions: SessionMap<Backend>;
  #rules: StickyRules;
  readonly #events: EventStream;
  readonly #provenPrimary: ProvenPrimary;

  constructor(rules: StickyRules, events: EventStream, provenPrimary: ProvenPrimary) {
    this.sessions = new SessionMap(rules);
    this.#rules = rules;
    this.#events = events;
    this.#provenPrimary = provenPrimary;
  }

  /** Whether other rules tell clients apart in the same way, so that the sessions still make sense. */
  fits({ ipv4Prefix, ipv6Prefix }: StickyRules): boolean {
    return this.#rules.ipv4Prefix === ipv4Prefix && this.#rules.ipv6Prefix === ipv6Prefix;
  }

  /** Other rules from now on; they must fit. */
  configure(rules: StickyRules): void {
    this.#rules = rules;
    this.sessions.configure(rules);
  }

  /** The key of a client's session. */
  keyOf(client: string): string {
    return clientKey(client, this.#rules.ipv4Prefix, this.#rules.ipv6Prefix);
  }

  /** Where a session's next connection goes; undefined if it needs a pick. */
  pinned(session: Session<Backend>, now: Nanoseconds, trace?: PickTrace): Backend | undefined {
    const better = this.#wayBack(session, now);
    if (better !== undefined) this.#move(session, better, "failback", now);
    if (this.hasFailed(session) || !this.takesBack(session)) return undefined;
    trace?.decided(`the client's session is pinned to ${session.backend.id}`);
    return session.backend;
  }

  /** Whether a session's backend can take its client again. */
  takesBack({ backend }: Session<Backend>): boolean {
    return this.#mayTakeBack(backend) && !backend.full;
  }

  /** Whether a session's backend has failed its client, and has not proven since that it works. */
  hasFailed({ backend, failedAt }: Session<Backend>): boolean {
    return failedAt >= backend.provenAt && failedAt !== -Infinity;
  }

  /** The backend that takes a client although it takes no new ones; it may be full. */
  ownBackend(client: string, now: Nanoseconds): Backend | undefined {
    if (this.#rules.drain !== "allow") return undefined;
    const backend = this.sessions.find(this.keyOf(client), now)?.backend;
    return backend !== undefined && !backend.serves && this.#mayTakeBack(backend)
      ? backend
      : undefined;
  }

  /** Whether a client that is pinned to a backend could come again, were it not full. */
  #mayTakeBack(backend: Backend): boolean {
    if (backend.excluded) return false;
    return this.#rules.drain === "allow" ? backend.works : backend.serves;
  }

  /** Where a session that had to move can go back to: its home, or from a backup to any primary. */
  #wayBack(session: Session<Backend>, now: Nanoseconds): Backend | undefined {
    if (this.#rules.onFailback === "stay") return undefined;
    const { key, backend, home, movedAt } = session;
    if (backend !== home && home.available && home.hasProvenSince(movedAt)) return home;
    return backend.backup ? this.#provenPrimary(key, movedAt, now) : undefined;
  }

  /** The session after a pick: a new one, or the old one moved. */
  pin(
    key: string,
    session: Session<Backend> | undefined,
    backend: Backend,
    now: Nanoseconds,
  ): Session<Backend> {
    if (session !== undefined) {
      // A full backend lends this one connection out; its pin is as good as before.
      const { full } = session.backend;
      const lent = full && this.#mayTakeBack(session.backend) && !this.hasFailed(session);
      if (!lent && backend !== session.backend) this.#move(session, backend, "failover", now);
      return session;
    }
    const { session: pinned, evicted } = this.sessions.pin(key, backend, now);
    if (evicted !== undefined && this.#events.wanted.session_evicted) {
      this.#events.emit({
        type: "session_evicted",
        at_ms: toMs(now),
        client: evicted.key,
        backend: evicted.backend.id,
      });
    }
    if (this.#events.wanted.session_pinned) {
      this.#events.emit({
        type: "session_pinned",
        at_ms: toMs(now),
        client: key,
        backend: backend.id,
      });
    }
    return pinned;
  }

  #move(
    session: Session<Backend>,
    to: Backend,
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
    if (this.#events.wanted.session_moved) {
      this.#events.emit({
        type: "session_moved",
        at_ms: toMs(now),
        client: session.key,
        from: from.id,
        to: to.id,
        why,
      });
    }
  }
}
