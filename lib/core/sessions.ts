import type { Nanoseconds } from "./time.ts";

/** How clients stick to backends. */
export interface StickyRules {
  /** What a client is: so far, its address. */
  readonly by: "client-address";
  /** Leading bits of an IPv4 address that clients must share to count as one; 32 is the whole address. */
  readonly ipv4Prefix: number;
  /** The same for IPv6; 128 is the whole address. */
  readonly ipv6Prefix: number;
  /** A session ends when its client has had no connection for this long. */
  readonly ttl: Nanoseconds;
  /** The least recently used session goes when there would be more. */
  readonly maxEntries: number;
  /** Whether a client that was moved off a failed backend goes back when that one has recovered. */
  readonly onFailback: "return" | "stay";
}

/** A client's pin to a backend. */
export interface Session<B> {
  readonly key: string;
  /** Where its connections go now. */
  backend: B;
  /** Where it was pinned before it had to move; the same as `backend` unless it is to return. */
  home: B;
  /** When it last changed its backend. */
  movedAt: Nanoseconds;
  /** When it was last in use. */
  usedAt: Nanoseconds;
  /** Its open connections. While there are any, it is in use. */
  open: number;
}

/**
 * The `sessionMap`: who is pinned where. Bounded, least recently used first out, with an idle
 * time-to-live. Expired sessions are dropped in passing, so nothing here needs a timer.
 */
export class SessionMap<B> {
  readonly #ttl: Nanoseconds;
  readonly #maxEntries: number;
  /** In order of last use: a Map iterates in order of insertion, and each use inserts anew. */
  readonly #sessions = new Map<string, Session<B>>();

  constructor(rules: Pick<StickyRules, "ttl" | "maxEntries">) {
    this.#ttl = rules.ttl;
    this.#maxEntries = rules.maxEntries;
  }

  /** How many sessions there are, expired ones included until they are passed. */
  get size(): number {
    return this.#sessions.size;
  }

  /** The sessions, least recently used first. */
  values(): IterableIterator<Session<B>> {
    return this.#sessions.values();
  }

  /** The client's session, now in use; undefined if it has none or it has expired. */
  use(key: string, now: Nanoseconds): Session<B> | undefined {
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    if (this.#expired(session, now)) {
      this.#sessions.delete(key);
      return undefined;
    }
    this.#touch(session, now);
    return session;
  }

  /** Pins a client that has no session. Returns it, and the one that had to make room, if any. */
  pin(key: string, backend: B, now: Nanoseconds): {
    readonly session: Session<B>;
    readonly evicted: Session<B> | undefined;
  } {
    this.#dropExpired(now);
    let evicted: Session<B> | undefined;
    if (this.#sessions.size >= this.#maxEntries) {
      evicted = this.#sessions.values().next().value;
      if (evicted !== undefined) this.#sessions.delete(evicted.key);
    }
    const session = { key, backend, home: backend, movedAt: now, usedAt: now, open: 0 };
    this.#sessions.set(key, session);
    return { session, evicted };
  }

  /** One of the session's connections ended: it was in use until now. */
  closed(session: Session<B>, now: Nanoseconds): void {
    session.open--;
    if (this.#sessions.get(session.key) === session) this.#touch(session, now);
  }

  /** A backend is no more: its sessions end, and nobody waits to return to it. */
  forget(backend: B): void {
    for (const session of this.#sessions.values()) {
      if (session.backend === backend) this.#sessions.delete(session.key);
      else if (session.home === backend) session.home = session.backend;
    }
  }

  #touch(session: Session<B>, now: Nanoseconds): void {
    session.usedAt = now;
    this.#sessions.delete(session.key);
    this.#sessions.set(session.key, session);
  }

  #expired(session: Session<B>, now: Nanoseconds): boolean {
    return session.open === 0 && now - session.usedAt > this.#ttl;
  }

  #dropExpired(now: Nanoseconds): void {
    for (const session of this.#sessions.values()) {
      if (now - session.usedAt <= this.#ttl) return;
      // One with open connections is in use: it moves to the young end and cannot block the sweep.
      if (session.open > 0) this.#touch(session, now);
      else this.#sessions.delete(session.key);
    }
  }
}
