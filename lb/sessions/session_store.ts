import type { Config } from "../../lib/config/mod.ts";
import type { Nanoseconds } from "../../lib/base/mod.ts";
import { RedisStore } from "./redis_store.ts";
import { SqliteStore } from "./sqlite_store.ts";

/** A session in a store. Its times are those of the wall clock, in milliseconds. */
export interface StoredSession {
  /** The client's address or prefix. */
  readonly key: string;
  /** The backend where its connections go, like `B1@192.168.1.11:9000`. */
  readonly backend: string;
  /** The backend to which it returns. */
  readonly home: string;
  /** When it last changed its backend. Of two changes, the later one counts. */
  readonly changedAt: number;
  /** When it last had a connection. */
  readonly usedAt: number;
}

/** The rules by which a store may remove sessions. */
export interface StoreRules {
  /** A session may be removed this many milliseconds after its last use. */
  readonly ttlMs: number;
  /** If there are more sessions than this, the least recently used ones may be removed. */
  readonly maxEntries: number;
  /** The wall clock, in milliseconds. */
  readonly nowMs: number;
}

/**
 * Keeps sessions outside of the process. It may fail, be slow or lose sessions: `SessionKeeper` handles that.
 * The message of an error that it throws is written for the log, and never contains a password.
 */
export interface SessionStore {
  /** Its kind and place, without secrets. */
  readonly name: string;
  /**
   * If other balancers write to the store, too: the longest time that a new client waits while its session is read.
   * Undefined if sessions are not read for clients.
   */
  readonly readTimeout: Nanoseconds | undefined;
  /** Changes are collected for this many milliseconds before they are written. */
  readonly pauseMs: number;
  /**
   * Opens the store, for the first time or again. Returns the sessions of an earlier run, least recently used first;
   * none if other balancers write to the store, too.
   */
  open(rules: StoreRules): Promise<readonly StoredSession[]>;
  /**
   * The session with this key.
   *
   * @param nowMs The wall clock, in milliseconds.
   */
  read(key: string, nowMs: number): Promise<StoredSession | undefined>;
  /** Writes sessions. If other balancers write to the store, too, a later change of theirs stays. */
  write(sessions: readonly StoredSession[], rules: StoreRules): Promise<void>;
  /** Closes the store at once; operations in progress may fail. */
  close(): void;
}

/** The store that a configuration names; undefined for sessions in memory only. */
export function sessionStoreOf({ sticky }: Config): SessionStore | undefined {
  if (sticky === undefined || sticky.store === "memory") return undefined;
  const { sqlite, redis, timeout } = sticky.store;
  return sqlite === undefined ? new RedisStore(redis, timeout) : new SqliteStore(sqlite);
}
