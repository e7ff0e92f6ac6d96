import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { StoredSession } from "../../../lb/sessions/session_store.ts";
import { SqliteStore } from "../../../lb/sessions/sqlite_store.ts";
import { inFolder } from "../../support/folder.ts";

const RULES = { ttlMs: 1000, maxEntries: 100, nowMs: 10_000 };

function session(key: string, usedAt = 10_000, backend = "B1"): StoredSession {
  return { key, backend, home: "B2", changedAt: 5000, usedAt };
}

/** The sessions that another run finds in the file. */
async function reopened(file: string, rules = RULES): Promise<readonly StoredSession[]> {
  const store = new SqliteStore(file);
  const found = await store.open(rules);
  store.close();
  return found;
}

/** A file with sessions in it, enough for many pages. */
async function filled(file: string): Promise<void> {
  const store = new SqliteStore(file);
  await store.open(RULES);
  const rules = { ...RULES, maxEntries: 10_000 };
  await store.write(Array.from({ length: 2000 }, (_, i) => session(`10.0.${i >> 8}.${i}`)), rules);
  store.close();
}

Deno.test("SqliteStore keeps sessions from one run to the next, least recently used first", () =>
  inFolder(async (directory) => {
    const file = `${directory}/sessions.db`;
    const store = new SqliteStore(file);
    assert.equal(store.name, `SQLite file ${file}`);
    assert.deepEqual(await store.open(RULES), []);
    await store.write(
      [session("a", 9900), session("2001:db8::/64", 9700), session("c", 9800)],
      RULES,
    );
    await store.write([session("c", 9950, "B3")], RULES);
    assert.equal(await store.read(), undefined);
    store.close();
    assert.deepEqual(await reopened(file), [
      session("2001:db8::/64", 9700),
      session("a", 9900),
      session("c", 9950, "B3"),
    ]);
  }));

Deno.test("SqliteStore does not return expired sessions, and deletes them from the file", () =>
  inFolder(async (directory) => {
    const file = `${directory}/sessions.db`;
    const store = new SqliteStore(file);
    await store.open(RULES);
    await store.write([session("a", 8000), session("b", 9100)], RULES);
    store.close();
    assert.deepEqual(await reopened(file), [session("b", 9100)]);
    await store.open(RULES);
    await store.write([session("c", 20_000)], { ...RULES, nowMs: 20_000 });
    store.close();
    const all = { ...RULES, ttlMs: 1e9 };
    assert.deepEqual(await reopened(file, all), [session("c", 20_000)]);
  }));

Deno.test("SqliteStore keeps at most maxEntries sessions, and deletes the least recently used ones", () =>
  inFolder(async (directory) => {
    const file = `${directory}/sessions.db`;
    const rules = { ...RULES, maxEntries: 2 };
    const store = new SqliteStore(file);
    await store.open(rules);
    await store.write([session("a", 9900), session("b", 9100), session("c", 9500)], rules);
    store.close();
    assert.deepEqual((await reopened(file)).map(({ key }) => key), ["c", "a"]);
    await store.open(rules);
    await store.write([session("d", 9990)], rules);
    store.close();
    assert.deepEqual((await reopened(file)).map(({ key }) => key), ["a", "d"]);
    assert.deepEqual((await reopened(file, { ...rules, maxEntries: 1 })).map(({ key }) => key), [
      "d",
    ]);
  }));

Deno.test("SqliteStore writes either all sessions of a batch or none", () =>
  inFolder(async (directory) => {
    const file = `${directory}/sessions.db`;
    const store = new SqliteStore(file);
    await store.open(RULES);
    const wrong = { ...session("b"), changedAt: 1.5 };
    await assert.rejects(store.write([session("a"), wrong], RULES), /cannot store REAL/);
    await store.write([session("c")], RULES);
    store.close();
    assert.deepEqual(await reopened(file), [session("c")]);
  }));

Deno.test("SqliteStore accepts an empty file as a new one", () =>
  inFolder(async (directory) => {
    const file = `${directory}/sessions.db`;
    await Deno.writeTextFile(file, "");
    assert.deepEqual(await reopened(file), []);
    assert.deepEqual(await reopened(file), []);
  }));

const modeOf = (file: string) => (Deno.statSync(file).mode ?? 0) & 0o777;

/** Ways to create a file that other users could read. */
const PUBLIC: readonly [what: string, make: (file: string) => Promise<unknown> | unknown][] = [
  ["a new file", () => {}],
  ["an empty file", (file) => Deno.writeTextFile(file, "", { mode: 0o644 })],
  ["a file of an earlier version", async (file) => {
    await filled(file);
    await Deno.chmod(file, 0o664);
  }],
  ["one of a balancer that was killed, with its log", async (file) => {
    await filled(file);
    await Deno.chmod(file, 0o644);
    const database = new DatabaseSync(file);
    database.exec("PRAGMA journal_mode = WAL; DELETE FROM sessions WHERE client = '10.0.0.0'");
    await Deno.copyFile(`${file}-wal`, `${file}-wal.kept`);
    database.close();
    await Deno.rename(`${file}-wal.kept`, `${file}-wal`);
    await Deno.chmod(`${file}-wal`, 0o644);
  }],
  ["a link to one that is not there yet", (file) => Deno.symlink(`${file}.real`, file)],
  ["a link to one", async (file) => {
    await filled(`${file}.real`);
    await Deno.chmod(`${file}.real`, 0o644);
    await Deno.symlink(`${file}.real`, file);
  }],
];

for (const [what, make] of PUBLIC) {
  Deno.test({
    name: `SqliteStore makes its files unreadable for other users: ${what}`,
    ignore: Deno.build.os === "windows",
    fn: () =>
      inFolder(async (directory) => {
        await make(`${directory}/sessions.db`);
        const store = new SqliteStore(`${directory}/sessions.db`);
        await store.open(RULES);
        await store.write([session("a")], RULES);
        const files = [...Deno.readDirSync(directory)].filter(({ isFile }) => isFile);
        assert.ok(files.length >= 2, "the file and its log");
        for (const { name } of files) {
          assert.equal(modeOf(`${directory}/${name}`).toString(8), "600", name);
        }
        store.close();
      }),
  });
}

Deno.test({
  name: "SqliteStore does not change the mode of a file that is not lbsim's",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (directory) => {
      const file = `${directory}/diary.db`;
      await Deno.writeTextFile(file, "dear diary\n".repeat(500), { mode: 0o644 });
      await Deno.chmod(file, 0o644);
      await assert.rejects(new SqliteStore(file).open(RULES), /is not a SQLite file/);
      assert.equal(modeOf(file), 0o644);
    }),
});

/** Files that are not an intact file of lbsim, and the message about each. */
const UNUSABLE: readonly [what: string, make: (file: string) => unknown, says: RegExp][] = [
  [
    "a text file",
    (file) => Deno.writeTextFile(file, "dear diary\n".repeat(500)),
    /is not a SQLite file: name another file/,
  ],
  ["a short text file", (file) => Deno.writeTextFile(file, "hi"), /is not a SQLite file/],
  [
    "another program's database",
    (file) => {
      using database = new DatabaseSync(file);
      database.exec("CREATE TABLE sessions (id INTEGER PRIMARY KEY, user TEXT)");
    },
    /belongs to another program: name another file/,
  ],
  [
    "a database of another version",
    async (file) => {
      await filled(file);
      using database = new DatabaseSync(file);
      database.exec("PRAGMA user_version = 2");
    },
    /belongs to another version of lbsim: name another file/,
  ],
  [
    "its own file, cut in half",
    async (file) => {
      await filled(file);
      await Deno.truncate(file, (await Deno.stat(file)).size / 2);
    },
    /is damaged: move it away, and lbsim creates a new one/,
  ],
  [
    "its own file, of which only the header is left",
    async (file) => {
      await filled(file);
      await Deno.truncate(file, 50);
    },
    /name another file|is damaged/,
  ],
  [
    "its own file, with bytes of another file in the middle",
    async (file) => {
      await filled(file);
      using open = await Deno.open(file, { write: true });
      await open.seek(8192, Deno.SeekMode.Start);
      await open.write(new Uint8Array(4096).fill(0x5a));
    },
    /is damaged: move it away/,
  ],
  ["a directory", (file) => Deno.mkdir(file), /is not a file: name another/],
];

for (const [what, make, says] of UNUSABLE) {
  Deno.test(`SqliteStore reports what is wrong with a file, and does not change it: ${what}`, () =>
    inFolder(async (directory) => {
      const file = `${directory}/sessions.db`;
      await make(file);
      const contents = () => Deno.statSync(file).isFile ? Deno.readFileSync(file) : undefined;
      const before = contents();
      const store = new SqliteStore(file);
      for (let attempt = 0; attempt < 2; attempt++) {
        await assert.rejects(store.open(RULES), ({ message }: Error) => {
          assert.match(message, says);
          assert.ok(message.includes(file));
          return true;
        });
      }
      await assert.rejects(store.write([session("a")], RULES), /not open/);
      assert.deepEqual(contents(), before);
    }));
}

Deno.test("SqliteStore does not create the directory of its file", () =>
  inFolder(async (directory) => {
    const store = new SqliteStore(`${directory}/none/sessions.db`);
    await assert.rejects(store.open(RULES), /cannot be opened for writing: may this user write/);
  }));

Deno.test("SqliteStore does not wait for a lock, and can be opened when the lock has been released", () =>
  inFolder(async (directory) => {
    const file = `${directory}/sessions.db`;
    await filled(file);
    const store = new SqliteStore(file);
    {
      using other = new DatabaseSync(file);
      other.exec("BEGIN EXCLUSIVE");
      await assert.rejects(store.open(RULES), /is locked by another process/);
    }
    await store.open(RULES);
    await store.write([session("b")], RULES);
    store.close();
    assert.deepEqual((await reopened(file)).at(-1), session("b"));
  }));

Deno.test("SqliteStore locks its file for all other processes, and leaves no other file behind", () =>
  inFolder(async (directory) => {
    const file = `${directory}/sessions.db`;
    for (const before of [[], [session("a")]]) {
      const store = new SqliteStore(file);
      assert.deepEqual(await store.open(RULES), before);
      const second = new SqliteStore(file);
      await assert.rejects(second.open(RULES), /is locked by another process/);
      await store.write([session("a")], RULES);
      await assert.rejects(second.open(RULES), /is locked by another process/);
      store.close();
      assert.deepEqual(await second.open(RULES), [session("a")]);
      second.close();
      assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["sessions.db"]);
    }
  }));

/** Changes of the files of an open store, and the message about each. */
const TAMPERED: readonly [what: string, tamper: (file: string) => void, says: RegExp][] = [
  [
    "are deleted",
    (file) => [file, `${file}-wal`].forEach((name) => Deno.removeSync(name)),
    /sessions\.db was deleted or replaced$/,
  ],
  [
    "are emptied",
    (file) => [file, `${file}-wal`].forEach((name) => Deno.truncateSync(name)),
    /sessions\.db was cut short/,
  ],
  ["lose the log", (file) => Deno.removeSync(`${file}-wal`), /-wal was deleted or replaced$/],
  ["lose the log's contents", (file) => Deno.truncateSync(`${file}-wal`), /-wal was cut short/],
  [
    "are replaced",
    (file) => {
      Deno.renameSync(file, `${file}.old`);
      Deno.copyFileSync(`${file}.old`, file);
    },
    /sessions\.db was deleted or replaced$/,
  ],
];

for (const [what, tamper, says] of TAMPERED) {
  Deno.test(`SqliteStore reports that its files ${what} while they are open; then the store can be opened again`, () =>
    inFolder(async (directory) => {
      const file = `${directory}/sessions.db`;
      await filled(file);
      const store = new SqliteStore(file);
      await store.open(RULES);
      await store.write([session("a")], RULES);
      tamper(file);
      await assert.rejects(store.write([session("b")], RULES), says);
      await store.open(RULES);
      await store.write([session("c")], RULES);
      store.close();
      assert.deepEqual((await reopened(file)).at(-1), session("c"));
    }));
}

Deno.test("SqliteStore does not change its file if the file is damaged while it is open", () =>
  inFolder(async (directory) => {
    const file = `${directory}/sessions.db`;
    const store = new SqliteStore(file);
    await store.open(RULES);
    await store.write([session("a")], RULES);
    await Deno.truncate(`${file}-wal`, 0);
    await Deno.truncate(file, 100);
    const before = await Deno.readFile(file);
    await assert.rejects(store.write([session("b")], RULES), /was cut short: if it is damaged/);
    for (let attempt = 0; attempt < 2; attempt++) {
      await assert.rejects(
        store.open(RULES),
        /is damaged: move it away, and lbsim creates a new one/,
      );
    }
    assert.deepEqual(await Deno.readFile(file), before);
  }));

Deno.test("SqliteStore creates a new file when a damaged file has been moved away", () =>
  inFolder(async (directory) => {
    const file = `${directory}/sessions.db`;
    await filled(file);
    await Deno.truncate(file, 10_000);
    const store = new SqliteStore(file);
    await assert.rejects(store.open(RULES), /damaged/);
    await Deno.rename(file, `${file}.broken`);
    assert.deepEqual(await store.open(RULES), []);
    await store.write([session("a")], RULES);
    store.close();
    assert.deepEqual(await reopened(file), [session("a")]);
  }));
