import type { PickTrace } from "./algorithms/mod.ts";
import type { Backend } from "./backend.ts";
import { clientKey } from "./client_key.ts";
import { type EventStream, toMs } from "./events.ts";
import { type Session, SessionMap, type StickyRules } from "./sessions.ts";
import { type Nanoseconds, NS_PER_MS } from "./time.ts";

/** Decides where clients stick: when a session keeps its backend, moves, and returns. */
export class Stickiness {
  readonly sessions: SessionMap<Backend>;
  #rules: StickyRules;
  readonly #events: EventStream;
  readonly #primaryFor: (key: string, now: Nanoseconds) => Backend | undefined;

  /** @param primaryFor Picks among the primaries, without counting; undefined if none is available. */
  constructor(
    rules: StickyRules,
    events: EventStream,
    primaryFor: (key: string, now: Nanoseconds) => Backend | undefined,
  ) {
    this.sessions = new SessionMap(rules);
    this.#rules = rules;
    this.#events = events;
    this.#primaryFor = primaryFor;
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
    if (!this.#takesBack(session.backend)) return undefined;
    trace?.decided(`the client's session is pinned to ${session.backend.id}`);
    return session.backend;
  }

  /** Whether a client that is pinned to a backend may come again. */
  #takesBack(backend: Backend): boolean {
    if (backend.available) return true;
    return this.#rules.drain === "allow" && backend.healthy &&
      backend.mode !== "maintenance" && !backend.full && !backend.excluded && !backend.removed;
  }

  /** Where a session that had to move can go back to: its home, or from a backup to any primary. */
  #wayBack(session: Session<Backend>, now: Nanoseconds): Backend | undefined {
    if (this.#rules.onFailback === "stay") return undefined;
    const { key, backend, home, movedAt } = session;
    if (backend !== home && worksSince(home, movedAt)) return home;
    if (!backend.backup) return undefined;
    const primary = this.#primaryFor(key, now);
    return primary !== undefined && worksSince(primary, movedAt) ? primary : undefined;
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
      const lent = session.backend.full && session.backend.active && !session.backend.excluded;
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
    session.changedAt = Math.max(now, session.changedAt + NS_PER_MS);
    // A backup is nobody's home: it is where a client waits for a primary.
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

/**
 * A backend that let a connection down goes on looking healthy until its probes notice. So it must have
 * answered a probe since: then going back is going to something that works.
 */
function worksSince(backend: Backend, time: Nanoseconds): boolean {
  return backend.available && backend.provenAt > time;
}
