import { type Aged, AgeList, assert, type Nanoseconds, NS_PER_MS } from "../../base/mod.ts";

/** How clients stick to backends. */
export interface StickyRules {
  /** How clients are identified: by address. */
  readonly by: "client-address";
  /** Leading bits of an IPv4 address that clients must share to count as one; 32 is the whole address. */
  readonly ipv4Prefix: number;
  /** The same for IPv6; 128 is the whole address. */
  readonly ipv6Prefix: number;
  /** A session ends when its client has had no connection for this long. */
  readonly ttl: Nanoseconds;
  /** The largest number of sessions. If there would be more, the least recently used one is removed. */
  readonly maxEntries: number;
  /** Whether a client that was moved from a failed backend returns when this backend has recovered. */
  readonly onFailback: "return" | "stay";
  /**
   * The backend of a client whose own backend drains or has weight 0. `allow`: the client may return to its own
   * backend. `move`, the default: the client moves to another backend.
   */
  readonly drain?: "move" | "allow" | undefined;
}

/** A client's pin to a backend. */
export interface Session<B> {
  readonly key: string;
  /** The backend to which its connections go now. */
  backend: B;
  /** The backend to which it was pinned before it had to move. It equals `backend` unless the client will return. */
  home: B;
  /** When it last changed its backend, here or at another balancer. */
  movedAt: Nanoseconds;
  /** When a connect of its client to its backend last failed; −Infinity if none has. */
  failedAt: Nanoseconds;
  /**
   * The time of its latest change, which orders changes also among balancers that share sessions. It is later than
   * every change that was known at that moment, even if the other balancer's clock is ahead.
   */
  changedAt: Nanoseconds;
  /** The number of its open connections. While there are any, it is in use. */
  readonly open: number;
  /** Whether the session was removed. Its connections continue, and its client may have a new session. */
  readonly dropped: boolean;
  /** When a connection was last opened or closed. */
  readonly usedAt: Nanoseconds;
}

/** A session in the form in which a balancer passes it to another balancer, or to its own next run. */
export interface SessionRecord<B> extends Pick<Session<B>, "key" | "changedAt" | "usedAt"> {
  readonly backend: B;
  readonly home: B;
}

interface Entry<B> extends Session<B>, Aged<Entry<B>> {
  open: number;
  dropped: boolean;
  usedAt: Nanoseconds;
}

/**
 * The `sessionMap`: the backend of each pinned client. Its size is bounded: the least recently used session is
 * removed first. A session that is idle for too long expires. Expired sessions are removed during other operations,
 * so no timer is needed. Every operation except `forget` takes O(1), averaged over the sessions that it removes.
 */
export class SessionMap<B> {
  #ttl: Nanoseconds;
  #maxEntries: number;
  readonly #byKey = new Map<string, Entry<B>>();
  /** The sessions without a connection, in the order in which their last connections ended. */
  readonly #idle = new AgeList<Entry<B>>();
  /** The sessions with connections, in the order in which they last gained or lost one. */
  readonly #inUse = new AgeList<Entry<B>>();
  /** Called for each session that is removed to make room for another. */
  onEvict: ((session: Session<B>, now: Nanoseconds) => void) | undefined;

  constructor(rules: Pick<StickyRules, "ttl" | "maxEntries">) {
    this.#ttl = rules.ttl;
    this.#maxEntries = rules.maxEntries;
  }

  /** Applies other rules. Sessions above a lower limit are removed when the next session is added. */
  configure(rules: Pick<StickyRules, "ttl" | "maxEntries">): void {
    this.#ttl = rules.ttl;
    this.#maxEntries = rules.maxEntries;
  }

  /** The number of sessions. Expired sessions count until they are removed. */
  get size(): number {
    return this.#byKey.size;
  }

  /** The sessions, least recently used first. */
  *values(): IterableIterator<Session<B>> {
    yield* this.#idle;
    yield* this.#inUse;
  }

  /** The sessions with connections, least recently used first. */
  inUse(): Iterable<Session<B>> {
    return this.#inUse;
  }

  /** The client's session; undefined if it has none or it has expired. */
  find(key: string, now: Nanoseconds): Session<B> | undefined {
    const session = this.#byKey.get(key);
    if (session === undefined || !this.#expired(session, now)) return session;
    this.#drop(session);
    return undefined;
  }

  /** Pins a client that has no session, and returns its session. */
  pin(key: string, backend: B, now: Nanoseconds): Session<B> {
    return this.#add({ key, backend, home: backend, changedAt: now, usedAt: now }, now);
  }

  /**
   * Adopts a session, unless it has expired, or the session that is known here is newer by a millisecond or more. If
   * there are several sessions, adopt the least recently used one first.
   *
   * @returns Whether anything changed.
   */
  adopt(record: SessionRecord<B>, now: Nanoseconds): boolean {
    const { key, backend, home, changedAt } = record;
    const known = this.find(key, now);
    if (known !== undefined) {
      if (Math.floor(known.changedAt / NS_PER_MS) > changedAt / NS_PER_MS) return false;
      known.changedAt = changedAt;
      if (known.backend === backend && known.home === home) return false;
      const movedAt = Math.min(changedAt, now);
      Object.assign(known, { backend, home, movedAt, failedAt: -Infinity });
      return true;
    }
    if (now - record.usedAt > this.#ttl) return false;
    // Sessions without a connection must stay in the order in which they will expire.
    const usedAt = Math.max(Math.min(record.usedAt, now), this.#idle.youngest?.usedAt ?? -Infinity);
    this.#add({ ...record, usedAt }, now);
    return true;
  }

  /** The session has one more connection. */
  opened(session: Session<B>, now: Nanoseconds): void {
    this.#count(session as Entry<B>, 1, now);
  }

  /** One of the session's connections ended: the session was in use until now. */
  closed(session: Session<B>, now: Nanoseconds): void {
    this.#count(session as Entry<B>, -1, now);
  }

  /** A backend has been removed: its sessions end, and no client returns to it. */
  forget(backend: B): void {
    for (const session of this.#byKey.values()) {
      if (session.backend === backend) this.#drop(session);
      else if (session.home === backend) session.home = session.backend;
    }
  }

  /** Removes the sessions whose clients have had no connection for too long. */
  expire(now: Nanoseconds): void {
    let oldest = this.#idle.oldest;
    while (oldest !== undefined && this.#expired(oldest, now)) {
      this.#drop(oldest);
      oldest = this.#idle.oldest;
    }
  }

  /** Ends every session; connections continue. Returns the number of sessions. */
  clear(): number {
    const { size } = this;
    for (const session of this.#byKey.values()) this.#drop(session);
    return size;
  }

  /** Ends a client's session; its connections continue. Returns whether it had a session. */
  end(key: string, now: Nanoseconds): boolean {
    const session = this.find(key, now);
    if (session !== undefined) this.#drop(session as Entry<B>);
    return session !== undefined;
  }

  #add(record: SessionRecord<B>, now: Nanoseconds): Session<B> {
    this.expire(now);
    while (this.#byKey.size >= this.#maxEntries) this.#evict(now);
    const { key, backend, home, changedAt, usedAt } = record;
    const session: Entry<B> = {
      key,
      backend,
      home,
      movedAt: Math.min(changedAt, now),
      failedAt: -Infinity,
      changedAt,
      open: 0,
      dropped: false,
      usedAt,
      older: undefined,
      younger: undefined,
    };
    this.#byKey.set(key, session);
    this.#idle.add(session);
    return session;
  }

  #count(session: Entry<B>, change: 1 | -1, now: Nanoseconds): void {
    if (!session.dropped) this.#listOf(session).delete(session);
    session.open += change;
    session.usedAt = now;
    if (!session.dropped) this.#listOf(session).add(session);
  }

  #listOf(session: Entry<B>): AgeList<Entry<B>> {
    return session.open > 0 ? this.#inUse : this.#idle;
  }

  #drop(session: Entry<B>): void {
    this.#listOf(session).delete(session);
    this.#byKey.delete(session.key);
    session.dropped = true;
  }

  #evict(now: Nanoseconds): void {
    const oldest = this.#idle.oldest ?? this.#inUse.oldest;
    assert(oldest !== undefined, "a session map has room for at least one session");
    this.#drop(oldest);
    this.onEvict?.(oldest, now);
  }

  #expired(session: Entry<B>, now: Nanoseconds): boolean {
    return session.open === 0 && now - session.usedAt > this.#ttl;
  }
}
