import type { Config } from "../../lib/config/mod.ts";
import type { Nanoseconds } from "../../lib/base/mod.ts";
import { RedisStore } from "./redis_store.ts";
import { SqliteStore } from "./sqlite_store.ts";

/** A session as it is kept outside of the process: its times are those of the wall clock, in milliseconds. */
export interface StoredSession {
  /** The client's address or prefix. */
  readonly key: string;
  /** The backend where its connections go, like `B1@192.168.1.11:9000`. */
  readonly backend: string;
  /** The backend to which it is to return. */
  readonly home: string;
  /** When it last changed its backend. Of two changes the later one holds. */
  readonly changedAt: number;
  /** When it last had a connection. */
  readonly usedAt: number;
}

/** What a store has to know to forget. */
export interface StoreRules {
  /** A session may be forgotten so many milliseconds after it was last used. */
  readonly ttlMs: number;
  /** What has been used least recently may be forgotten, if there is more. */
  readonly maxEntries: number;
  /** The wall clock, in milliseconds. */
  readonly nowMs: number;
}

/**
 * Keeps sessions outside of the process. It may be down, slow or lose what it knows: `SessionKeeper`
 * sees to that. Whatever it throws says what is wrong in words for the log, and never a password.
 */
export interface SessionStore {
  /** What it is and where, without secrets. */
  readonly name: string;
  /**
   * If other balancers write to it, too, it is asked about clients that come, and each waits for so long
   * at most. Undefined if there is nothing to ask.
   */
  readonly readTimeout: Nanoseconds | undefined;
  /** For how many milliseconds changes are collected before they are written. */
  readonly pauseMs: number;
  /**
   * Makes it ready, anew if it was. Returns the sessions of an earlier run, least recently used first;
   * none if other balancers write to it, too.
   */
  open(rules: StoreRules): Promise<readonly StoredSession[]>;
  /**
   * The session with this key.
   *
   * @param nowMs The wall clock, in milliseconds.
   */
  read(key: string, nowMs: number): Promise<StoredSession | undefined>;
  /** Keeps sessions. If other balancers write to it, too: except where it knows a later change. */
  write(sessions: readonly StoredSession[], rules: StoreRules): Promise<void>;
  /** Lets go of it at once; what is under way may fail. */
  close(): void;
}

/** The store that a configuration asks for; undefined for memory, which needs none. */
export function sessionStoreOf({ sticky }: Config): SessionStore | undefined {
  if (sticky === undefined || sticky.store === "memory") return undefined;
  const { sqlite, redis, timeout } = sticky.store;
  return sqlite === undefined ? new RedisStore(redis, timeout) : new SqliteStore(sqlite);
}
