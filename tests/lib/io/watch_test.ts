import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import FakeTimers from "@sinonjs/fake-timers";
import { FileWatch } from "../../../lib/io/watch.ts";
import { NS_PER_MS } from "../../../lib/base/mod.ts";

const LOOK_EVERY_MS = 500;

/** A temporary directory, and a watch of files in it, which checks them only when `look` is called. */
class Watched implements AsyncDisposable {
  readonly cwd: string;
  readonly #watch = new FileWatch(LOOK_EVERY_MS * NS_PER_MS);
  readonly #stopping = new AbortController();
  readonly #clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  #waiting: Promise<void> | undefined;
  #told: boolean | undefined;

  private constructor(cwd: string) {
    this.cwd = cwd;
  }

  static async start(
    make: (cwd: string) => Promise<unknown>,
    ...files: readonly string[]
  ): Promise<Watched> {
    const cwd = await Deno.makeTempDir();
    await make(cwd);
    const watched = new Watched(cwd);
    await watched.watch(...files);
    return watched;
  }

  watch(...files: readonly string[]): Promise<void> {
    return this.#watch.watch(files.map((file) => `${this.cwd}/${file}`));
  }

  /** Makes one check. Returns the result of `changed`; undefined if it still waits. */
  async look(): Promise<boolean | undefined> {
    this.#told = undefined;
    this.#waiting ??= this.#watch.changed(this.#stopping.signal).then((told) => {
      this.#told = told;
      this.#waiting = undefined;
    });
    this.#clock.tick(LOOK_EVERY_MS);
    while (this.#waiting !== undefined && this.#clock.countTimers() === 0) await setImmediate();
    return this.#told;
  }

  /** Asserts that a change is reported: at the second check, because the file is the same at both. */
  async next(): Promise<void> {
    assert.deepEqual([await this.look(), await this.look()], [undefined, true]);
  }

  async stop(): Promise<boolean | undefined> {
    this.#stopping.abort();
    await this.#waiting;
    return this.#told;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#clock.uninstall();
    this.#watch[Symbol.dispose]();
    await Deno.remove(this.cwd, { recursive: true });
  }
}

/** Replaces a link with another one in one step. */
async function swap(link: string, target: string): Promise<void> {
  await Deno.symlink(target, `${link}.new`);
  await Deno.rename(`${link}.new`, link);
}

Deno.test("FileWatch notices a file that is written, replaced, removed, and put back", async () => {
  await using watched = await Watched.start(
    (cwd) => Deno.writeTextFile(`${cwd}/one.pem`, "1"),
    "one.pem",
  );
  const file = `${watched.cwd}/one.pem`;
  await Deno.writeTextFile(file, "22");
  await watched.next();
  await Deno.writeTextFile(`${watched.cwd}/new`, "of");
  await Deno.rename(`${watched.cwd}/new`, file);
  await watched.next();
  await Deno.writeTextFile(file, "333");
  await watched.next();
  await Deno.remove(file);
  await watched.next();
  await Deno.writeTextFile(file, "333");
  await watched.next();
});

Deno.test("FileWatch notices a file that is replaced with one of the same size and time", async () => {
  const time = new Date("2026-01-01");
  await using watched = await Watched.start(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/one.pem`, "1");
    await Deno.utime(`${cwd}/one.pem`, time, time);
  }, "one.pem");
  await Deno.writeTextFile(`${watched.cwd}/new`, "2");
  await Deno.utime(`${watched.cwd}/new`, time, time);
  await Deno.rename(`${watched.cwd}/new`, `${watched.cwd}/one.pem`);
  await watched.next();
});

Deno.test("FileWatch waits until a file has been written to its end", async () => {
  await using watched = await Watched.start(
    (cwd) => Deno.writeTextFile(`${cwd}/config.yaml`, ""),
    "config.yaml",
  );
  for (let i = 0; i < 3; i++) {
    await Deno.writeTextFile(`${watched.cwd}/config.yaml`, "retries: 3\n", { append: true });
    assert.equal(await watched.look(), undefined);
  }
  assert.equal(await watched.look(), true);
});

const ignore = Deno.build.os === "windows";

Deno.test("FileWatch notices each time that a link on the path is replaced", {
  ignore,
}, async () => {
  await using watched = await Watched.start(async (cwd) => {
    for (const version of ["v1", "v2"]) {
      await Deno.mkdir(`${cwd}/${version}`);
      await Deno.writeTextFile(`${cwd}/${version}/cert.pem`, version);
    }
    await Deno.symlink("v1", `${cwd}/..data`);
    await Deno.symlink("..data/cert.pem", `${cwd}/cert.pem`);
  }, "cert.pem");
  const { cwd } = watched;
  await swap(`${cwd}/..data`, "v2");
  await watched.next();
  await Deno.writeTextFile(`${cwd}/v2/cert.pem`, "written where it leads now");
  await watched.next();
  await swap(`${cwd}/..data`, `${cwd}/v1`);
  await watched.next();
});

Deno.test("FileWatch notices that the target of a link is written", { ignore }, async () => {
  await using watched = await Watched.start(async (cwd) => {
    await Deno.mkdir(`${cwd}/etc`);
    await Deno.mkdir(`${cwd}/real`);
    await Deno.writeTextFile(`${cwd}/real/lbsim.yaml`, "1");
    await Deno.symlink("../real/lbsim.yaml", `${cwd}/etc/config.yaml`);
  }, "etc/config.yaml");
  await Deno.writeTextFile(`${watched.cwd}/real/lbsim.yaml`, "22");
  await watched.next();
});

Deno.test("FileWatch notices a file whose directory is created later, removed, and created again", async () => {
  await using watched = await Watched.start(() => Promise.resolve(), "certs/live/one.pem");
  const { cwd } = watched;
  for (let i = 0; i < 2; i++) {
    await Deno.mkdir(`${cwd}/certs/live`, { recursive: true });
    assert.equal(await watched.look(), undefined);
    assert.equal(await watched.look(), undefined);
    await Deno.writeTextFile(`${cwd}/certs/live/one.pem`, "1");
    await watched.next();
    await Deno.remove(`${cwd}/certs`, { recursive: true });
    await watched.next();
  }
});

Deno.test("FileWatch notices a file that replaces a circle of links", { ignore }, async () => {
  await using watched = await Watched.start(async (cwd) => {
    await Deno.symlink("b", `${cwd}/a`);
    await Deno.symlink("a", `${cwd}/b`);
  }, "a");
  await Deno.remove(`${watched.cwd}/a`);
  await Deno.writeTextFile(`${watched.cwd}/a`, "1");
  await watched.next();
});

Deno.test("FileWatch.watch() with another list of files keeps a change that was not reported yet", async () => {
  await using watched = await Watched.start(
    (cwd) => Deno.writeTextFile(`${cwd}/config.yaml`, "1"),
    "config.yaml",
    "one.pem",
  );
  await Deno.writeTextFile(`${watched.cwd}/config.yaml`, "22");
  await watched.watch("config.yaml", "two.pem");
  await watched.next();
  await Deno.writeTextFile(`${watched.cwd}/one.pem`, "1");
  assert.deepEqual([await watched.look(), await watched.look()], [undefined, undefined]);
  await Deno.writeTextFile(`${watched.cwd}/two.pem`, "2");
  await watched.next();
});

Deno.test("FileWatch notices a SIGHUP", { ignore }, async () => {
  await using watched = await Watched.start(() => Promise.resolve());
  for (let i = 0; i < 2; i++) {
    assert.equal(await watched.look(), undefined);
    Deno.kill(Deno.pid, "SIGHUP");
    for (let looks = 1; await watched.look() === undefined; looks++) assert.ok(looks < 10_000);
  }
});

Deno.test(
  "FileWatch reports a change and a SIGHUP at the same time only once",
  { ignore },
  async () => {
    await using watched = await Watched.start(
      (cwd) => Deno.writeTextFile(`${cwd}/config.yaml`, "1"),
      "config.yaml",
    );
    await Deno.writeTextFile(`${watched.cwd}/config.yaml`, "22");
    let delivered = false;
    const listener = () => {
      delivered = true;
    };
    Deno.addSignalListener("SIGHUP", listener);
    Deno.kill(Deno.pid, "SIGHUP");
    for (let turns = 0; !delivered; turns++) {
      assert.ok(turns < 1_000_000);
      await setImmediate();
    }
    Deno.removeSignalListener("SIGHUP", listener);
    const told = [];
    for (let look = 0; look < 4; look++) told.push(await watched.look());
    assert.deepEqual(told, [true, undefined, undefined, undefined]);
  },
);

Deno.test("FileWatch waits while nothing changes, until its signal is aborted", async () => {
  await using watched = await Watched.start(
    (cwd) => Deno.writeTextFile(`${cwd}/config.yaml`, "1"),
    "config.yaml",
  );
  await Deno.writeTextFile(`${watched.cwd}/other.yaml`, "1");
  for (let i = 0; i < 5; i++) assert.equal(await watched.look(), undefined);
  assert.equal(await watched.stop(), false);
});
