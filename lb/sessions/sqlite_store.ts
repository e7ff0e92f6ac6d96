import { dirname, resolve } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { SessionStore, StoredSession, StoreRules } from "./session_store.ts";

/** Marks a file as a file of lbsim, for SQLite and for the program `file`: "lbse". */
const APPLICATION_ID = 0x6c627365;
/** Version of the tables in the file. */
const FORMAT = 1;

const CREATE = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
  CREATE TABLE sessions (
    client TEXT PRIMARY KEY,
    backend TEXT NOT NULL,
    home TEXT NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    used_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_by_use ON sessions (used_at_ms);
`;

interface Row {
  readonly client: string;
  readonly backend: string;
  readonly home: string;
  readonly changed_at_ms: number;
  readonly used_at_ms: number;
}

/** An open file. */
interface Open {
  readonly database: DatabaseSync;
  readonly update: StatementSync;
  readonly insert: StatementSync;
  readonly deleteExpired: StatementSync;
  readonly deleteOldest: StatementSync;
  rows: number;
  /** The state of the files when they were last checked, by name. */
  readonly seen: Map<string, Deno.FileInfo>;
}

/**
 * Sessions in a SQLite file: they survive a restart. The file is read once, when it is opened, and then only written,
 * in short transactions that wait neither for the disk nor for a lock: sessions that are lost in a power failure
 * would have expired soon anyway. While the file is open, no other process can open it. Only its owner can read it,
 * because it lists clients. A file of another program stays as it is.
 */
export class SqliteStore implements SessionStore {
  readonly name: string;
  readonly readTimeout = undefined;
  readonly pauseMs = 10;
  readonly #path: string;
  /** The file that the path leads to, because SQLite makes its other files beside it. */
  #file: string;
  #open: Open | undefined;

  constructor(file: string) {
    this.#path = this.#file = file;
    this.name = `SQLite file ${file}`;
  }

  open(rules: StoreRules): Promise<readonly StoredSession[]> {
    return this.#attempt(() => {
      this.close();
      this.#file = linkedFile(this.#path);
      const fresh = this.#isFresh();
      if (fresh) createPrivate(this.#file);
      else this.#examine();
      const database = new DatabaseSync(this.#file, { timeout: 0 });
      try {
        database.exec("PRAGMA locking_mode = EXCLUSIVE");
        // This fails if the file cannot be written.
        database.exec(`BEGIN IMMEDIATE; ${fresh ? CREATE : ""} COMMIT`);
        database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
        // SQLite needs this file only if there are several readers. There are none, and SQLite would not delete it.
        removeIfThere(`${this.#file}-shm`);
        // SQLite gives its other files the mode of the database file.
        for (const name of [this.#file, `${this.#file}-wal`]) makePrivate(name);
        const sessions = load(database, rules);
        const open = prepared(database);
        this.#checkFiles(open);
        this.#open = open;
        return sessions;
      } catch (error) {
        database.close();
        throw error;
      }
    });
  }

  /** No other process writes to the file, so there is nothing new to read. */
  read(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  write(sessions: readonly StoredSession[], rules: StoreRules): Promise<void> {
    return this.#attempt(() => {
      if (this.#open === undefined) throw new Error("the file is not open");
      const { database } = this.#open;
      this.#checkFiles(this.#open);
      database.exec("BEGIN IMMEDIATE");
      try {
        write(this.#open, sessions, rules);
        database.exec("COMMIT");
      } catch (error) {
        // If the failure has ended the transaction, there is nothing to roll back.
        if (database.isTransaction) database.exec("ROLLBACK");
        throw error;
      }
      this.#checkFiles(this.#open);
    });
  }

  close(): void {
    const { database } = this.#open ?? {};
    this.#open = undefined;
    database?.close();
  }

  /** Whether the file does not exist yet, or is empty. */
  #isFresh(): boolean {
    const info = statIfThere(this.#file);
    if (info?.isFile === false) throw new Error(`${this.#file} is not a file: name another`);
    return info === undefined || info.size === 0;
  }

  /**
   * Checks that changes reach the file: SQLite continues to write to files that were deleted, and does not
   * notice that they were truncated. Both files only grow while they are open.
   */
  #checkFiles({ seen }: Open): void {
    for (const name of [this.#file, `${this.#file}-wal`]) {
      const before = seen.get(name);
      const info = statIfThere(name);
      // The log file is made at the first change.
      if (before === undefined && info === undefined) continue;
      if (info === undefined || (before !== undefined && info.ino !== before.ino)) {
        throw new Error(`${name} was deleted or replaced`);
      }
      if (before !== undefined && info.size < before.size) {
        throw new Error(
          `${name} was cut short: if it is damaged, move it away, and lbsim creates a new one`,
        );
      }
      seen.set(name, info);
    }
  }

  /** Checks that a file is one of lbsim and intact, without changing a byte of it. */
  #examine(): void {
    using database = new DatabaseSync(this.#file, { readOnly: true });
    // Deno rejects the option `timeout` for a read-only database, and would wait for five seconds.
    database.exec("PRAGMA busy_timeout = 0");
    const { application_id: owner } = database.prepare("PRAGMA application_id").get() as {
      application_id: number;
    };
    if (owner !== APPLICATION_ID) {
      throw new Error(`${this.#file} belongs to another program: name another file`);
    }
    const { user_version: format } = database.prepare("PRAGMA user_version").get() as {
      user_version: number;
    };
    if (format !== FORMAT) {
      throw new Error(`${this.#file} belongs to another version of lbsim: name another file`);
    }
    const { quick_check: found } = database.prepare("PRAGMA quick_check(1)").get() as {
      quick_check: string;
    };
    if (found !== "ok") throw new Error("database disk image is malformed");
  }

  #attempt<T>(action: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      try {
        resolve(action());
      } catch (error) {
        reject(new Error(this.#explain(error as Error), { cause: error }));
      }
    });
  }

  /** What is wrong, and what the user can do about it. */
  #explain({ message }: Error): string {
    const file = this.#file;
    if (message.startsWith(file)) return message;
    if (/not a database/.test(message)) return `${file} is not a SQLite file: name another file`;
    if (/malformed/.test(message)) {
      return `${file} is damaged: move it away, and lbsim creates a new one`;
    }
    if (/locked|busy/.test(message)) return `${file} is locked by another process`;
    if (/readonly|unable to open|requires (read|write) access/i.test(message)) {
      return `${file} cannot be opened for writing: may this user write to it and its directory?`;
    }
    return `${file}: ${message}`;
  }
}

function statIfThere(name: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The file itself, if the path is a link to it; the file need not exist. */
export function linkedFile(path: string): string {
  try {
    const target = Deno.readLinkSync(path);
    return linkedFile(resolve(dirname(path), target));
  } catch {
    return path; // Not a link.
  }
}

/** Creates an empty file that other users can never read. */
function createPrivate(name: string): void {
  try {
    Deno.openSync(name, { write: true, create: true, mode: 0o600 }).close();
  } catch {
    // SQLite will fail for the same reason, and `#explain` explains its message.
  }
}

/** Removes the permissions of all other users from a file, if this user owns the file. */
function makePrivate(name: string): void {
  const mode = statIfThere(name)?.mode ?? 0;
  if ((mode & 0o077) === 0) return;
  try {
    Deno.chmodSync(name, mode & 0o700);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
}

function removeIfThere(name: string): void {
  try {
    Deno.removeSync(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function load(database: DatabaseSync, { ttlMs, maxEntries, nowMs }: StoreRules): StoredSession[] {
  const rows = database.prepare(
    "SELECT * FROM sessions WHERE used_at_ms >= ? ORDER BY used_at_ms DESC LIMIT ?",
  ).all(nowMs - ttlMs, maxEntries) as unknown as Row[];
  return rows.reverse().map(({ client, backend, home, changed_at_ms, used_at_ms }) => ({
    key: client,
    backend,
    home,
    changedAt: changed_at_ms,
    usedAt: used_at_ms,
  }));
}

function prepared(database: DatabaseSync): Open {
  const { rows } = database.prepare("SELECT count(*) AS rows FROM sessions").get() as {
    rows: number;
  };
  const oldest = (where: string) =>
    database.prepare(
      `DELETE FROM sessions WHERE client IN
        (SELECT client FROM sessions ${where} ORDER BY used_at_ms LIMIT ?)`,
    );
  return {
    database,
    rows,
    seen: new Map(),
    update: database.prepare(
      `UPDATE sessions SET backend = ?2, home = ?3, changed_at_ms = ?4, used_at_ms = ?5
        WHERE client = ?1`,
    ),
    insert: database.prepare("INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5)"),
    deleteExpired: oldest("WHERE used_at_ms < ?"),
    deleteOldest: oldest(""),
  };
}

function write(open: Open, sessions: readonly StoredSession[], rules: StoreRules): void {
  const { ttlMs, maxEntries, nowMs } = rules;
  for (const { key, backend, home, changedAt, usedAt } of sessions) {
    const values = [key, backend, home, changedAt, usedAt] as const;
    if (open.update.run(...values).changes > 0) continue;
    open.insert.run(...values);
    open.rows++;
  }
  // Sessions beyond the limit are removed in small steps, so that no transaction takes long.
  const most = 2 * sessions.length;
  open.rows -= Number(open.deleteExpired.run(nowMs - ttlMs, most).changes);
  const surplus = Math.min(open.rows - maxEntries, most);
  if (surplus > 0) open.rows -= Number(open.deleteOldest.run(surplus).changes);
}
