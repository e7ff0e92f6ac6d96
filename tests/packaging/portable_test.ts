import assert from "node:assert/strict";
import { buildPortable, packPortable } from "../../packaging/portable.ts";
import { smoke } from "../../packaging/smoke.ts";

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** The id of another user. */
const OTHER = 12345;

/** The executable, and a directory for each attempt to run it. */
class Portable implements AsyncDisposable {
  readonly directory: string;
  readonly file: string;
  #attempts = 0;

  constructor(directory: string) {
    this.directory = directory;
    this.file = `${directory}/lbsim`;
  }

  /** Removes the directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }

  command(args: readonly string[], env: Record<string, string>): Deno.Command {
    return new Deno.Command(this.file, {
      args: [...args],
      env: { PATH: "/usr/bin:/bin", NO_COLOR: "1", ...env },
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  async run(args: readonly string[], env: Record<string, string>) {
    const { code, stdout, stderr } = await this.command(args, env).output();
    return { code, stdout: decode(stdout), stderr: decode(stderr) };
  }

  /** An empty directory. */
  async place(): Promise<string> {
    const path = `${this.directory}/${++this.#attempts}`;
    await Deno.mkdir(path, { mode: 0o700 });
    return path;
  }

  /** The name of the directory into which the executable unpacks its files. */
  async unpacked(): Promise<string> {
    const HOME = await this.place();
    assert.equal((await this.run(["--version"], { HOME })).code, 0);
    return [...Deno.readDirSync(`${HOME}/.cache/lbsim`)][0]!.name;
  }
}

/** Puts files into a directory that the executable would run if it trusted the directory. */
async function plant(directory: string, owner?: number): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  await Deno.writeTextFile(`${directory}/deno`, "#!/bin/sh\necho planted\n", { mode: 0o755 });
  await Deno.writeTextFile(`${directory}/lbsim.js`, "");
  if (owner === undefined) return;
  for (const path of [directory, `${directory}/deno`, `${directory}/lbsim.js`]) {
    await Deno.chown(path, owner, owner);
  }
}

/** All files below a directory. */
async function filesIn(directory: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("find", { args: [directory, "!", "-type", "d"] })
    .output();
  return decode(stdout).split("\n").filter((line) => line !== "");
}

const VERSION = /^\d+\.\d+\.\d+\n$/;

Deno.test({
  name: "buildPortable() makes one file that runs on a machine without Deno",
  ignore: Deno.build.os === "windows",
  async fn(t) {
    await using portable = new Portable(await Deno.makeTempDir());
    await buildPortable(portable.file);
    const HOME = await portable.place();

    await t.step("two first starts at the same time both work", async () => {
      const outcomes = await Promise.all([1, 2].map(() => portable.run(["--version"], { HOME })));
      for (const { code, stdout, stderr } of outcomes) {
        assert.equal(code, 0, stderr);
        assert.match(stdout, VERSION);
      }
      const names = [...Deno.readDirSync(`${HOME}/.cache/lbsim`)].map(({ name }) => name);
      assert.equal(names.length, 1, `${names}`);
    });

    await t.step("a check works, and a backend sends a line back", () => smoke([portable.file]));

    await t.step("exit codes and messages are those of lbsim", async () => {
      const { code, stderr } = await portable.run(["lbb"], { HOME });
      assert.equal(code, 2);
      assert.match(stderr, /did you mean lb\?/);
    });

    await t.step("signals reach lbsim", async () => {
      const process = portable.command(["backend", "127.0.0.1:0"], { HOME }).spawn();
      const reader = process.stdout.getReader();
      await reader.read();
      process.kill("SIGTERM");
      const last = new TextDecoder().decode((await reader.read()).value);
      assert.match(last, /stopped: /);
      await reader.cancel();
      await process.stderr.cancel();
      assert.equal((await process.status).code, 0);
    });
  },
});

Deno.test({
  name: "packPortable() makes a file that runs no program which another user could have written",
  ignore: Deno.build.os === "windows",
  async fn(t) {
    await using portable = new Portable(await Deno.makeTempDir());
    const isRoot = Deno.uid() === 0;
    // A script replaces Deno, so that a start takes no time.
    const stub = await portable.place();
    await Deno.writeTextFile(`${stub}/deno`, "#!/bin/sh\necho 1.2.3\n", { mode: 0o755 });
    await Deno.writeTextFile(`${stub}/lbsim.js`, "x".repeat(2_000_000));
    if (isRoot) await Deno.chown(`${stub}/deno`, OTHER, OTHER);
    await packPortable(stub, portable.file);
    const name = await portable.unpacked();

    await t.step(
      "without a home, the executable uses a directory of its own below TMPDIR",
      async () => {
        const TMPDIR = await portable.place();
        await Deno.chmod(TMPDIR, 0o1777);
        const { code, stdout, stderr } = await portable.run(["--version"], { TMPDIR });
        assert.equal(code, 0, stderr);
        assert.match(stdout, VERSION);
        const info = await Deno.lstat(`${TMPDIR}/lbsim-${Deno.uid()}`);
        assert.deepEqual([info.isDirectory, info.mode! & 0o777, info.uid], [
          true,
          0o700,
          Deno.uid(),
        ]);
      },
    );

    await t.step("a home that does not exist is not created", async () => {
      const [place, TMPDIR] = [await portable.place(), await portable.place()];
      const HOME = `${place}/nonexistent`;
      const { code, stderr } = await portable.run(["--version"], { HOME, TMPDIR });
      assert.equal(code, 0, stderr);
      assert.deepEqual([...Deno.readDirSync(place)], []);
      assert.deepEqual([...Deno.readDirSync(TMPDIR)].map(({ name }) => name), [
        `lbsim-${Deno.uid()}`,
      ]);
    });

    await t.step("the unpacked files belong to the user that runs the executable", async () => {
      const HOME = await portable.place();
      await portable.run(["--version"], { HOME });
      const files = await filesIn(`${HOME}/.cache/lbsim/${name}`);
      assert.equal(files.length, 2);
      for (const file of files) assert.equal((await Deno.lstat(file)).uid, Deno.uid(), file);
    });

    /** Caches in which other users could put files. The executable must not use them. */
    const UNSAFE: readonly [string, (cache: string) => Promise<unknown>][] = [
      ["that all users can write to", async (cache) => {
        await plant(`${cache}/lbsim/${name}`);
        await Deno.chmod(cache, 0o777);
      }],
      ["that a group can write to", async (cache) => {
        await plant(`${cache}/lbsim/${name}`);
        await Deno.chmod(cache, 0o770);
      }],
      ["whose own part all users can write to", async (cache) => {
        await plant(`${cache}/lbsim/${name}`);
        await Deno.chmod(`${cache}/lbsim`, 0o777);
      }],
      ["whose own part is a sticky directory for all users", async (cache) => {
        await plant(`${cache}/lbsim/${name}`);
        await Deno.chmod(`${cache}/lbsim`, 0o1777);
      }],
      ["whose own part is a link", async (cache) => {
        await plant(`${cache}/real/${name}`);
        await Deno.symlink(`${cache}/real`, `${cache}/lbsim`);
      }],
      [
        "whose own part is a link to nothing",
        (cache) => Deno.symlink(`${cache}/nothing`, `${cache}/lbsim`),
      ],
      ["below a directory that all users can write to", async (cache) => {
        await plant(`${cache}/inner/lbsim/${name}`);
        await Deno.chmod(cache, 0o777);
        return "/inner";
      }],
      ["that does not exist yet, below a directory that all users can write to", async (cache) => {
        await Deno.chmod(cache, 0o777);
        return "/a/b";
      }],
      ["that is a file", async (cache) => {
        await Deno.writeTextFile(`${cache}/file`, "");
        return "/file";
      }],
      ...!isRoot ? [] : [
        ["of another user, like root with a user's home", async (cache: string) => {
          await plant(`${cache}/lbsim/${name}`, OTHER);
          await Deno.chown(`${cache}/lbsim`, OTHER, OTHER);
          await Deno.chown(cache, OTHER, OTHER);
        }],
        ["in a home of another user, without a cache", async (cache: string) => {
          await Deno.chown(cache, OTHER, OTHER);
          return "/.cache";
        }],
        ["shared and sticky, where another user was first", async (cache: string) => {
          await plant(`${cache}/lbsim/${name}`, OTHER);
          await Deno.chown(`${cache}/lbsim`, OTHER, OTHER);
          await Deno.chmod(cache, 0o1777);
        }],
      ] as [string, (cache: string) => Promise<unknown>][],
    ];
    for (const [what, make] of UNSAFE) {
      await t.step(`the executable does not use a cache ${what}`, async () => {
        const cache = await portable.place();
        const below = await make(cache);
        const before = await filesIn(cache);
        const TMPDIR = await portable.place();
        const XDG_CACHE_HOME = `${cache}${typeof below === "string" ? below : ""}`;
        const { code, stdout, stderr } = await portable.run(["--version"], {
          XDG_CACHE_HOME,
          TMPDIR,
        });
        assert.equal(code, 0, stderr);
        assert.match(stdout, VERSION);
        assert.deepEqual(await filesIn(cache), before, "nothing is written there");
        assert.ok((await filesIn(`${TMPDIR}/lbsim-${Deno.uid()}/${name}`)).length > 0);
      });
    }

    await t.step(
      "the executable uses a directory of its own in a cache that is shared and sticky",
      async () => {
        const XDG_CACHE_HOME = await portable.place();
        await Deno.chmod(XDG_CACHE_HOME, 0o1777);
        const { stdout } = await portable.run(["--version"], { XDG_CACHE_HOME });
        assert.match(stdout, VERSION);
        assert.ok((await filesIn(`${XDG_CACHE_HOME}/lbsim/${name}`)).length > 0);
      },
    );

    /** Faults of files that were unpacked earlier, in a cache that is safe now. */
    const SPOILT: readonly [string, (home: string) => Promise<unknown>][] = [
      ["lacks a file", (home) => Deno.remove(`${home}/lbsim.js`)],
      ["can be written to by others", (home) => Deno.chmod(`${home}/deno`, 0o777)],
      ["has a link for a file", async (home) => {
        await Deno.rename(`${home}/deno`, `${home}/real`);
        await Deno.symlink(`${home}/real`, `${home}/deno`);
      }],
      ["has a link for its compiled code", async (home) => {
        await Deno.remove(`${home}/cache`, { recursive: true }).catch(() => {});
        await Deno.symlink("/tmp", `${home}/cache`);
      }],
      ["is a link", async (home) => {
        await Deno.rename(home, `${home}.real`);
        await Deno.symlink(`${home}.real`, home);
      }],
      ...!isRoot ? [] : [
        ["has a file of another user", (home: string) => Deno.chown(`${home}/deno`, OTHER, OTHER)],
      ] as [string, (home: string) => Promise<unknown>][],
    ];
    for (const [what, spoil] of SPOILT) {
      await t.step(
        `the executable unpacks its files again if the old directory ${what}`,
        async () => {
          const HOME = await portable.place();
          assert.equal((await portable.run(["--version"], { HOME })).code, 0);
          const home = `${HOME}/.cache/lbsim/${name}`;
          await spoil(home);
          const { code, stdout, stderr } = await portable.run(["--version"], { HOME });
          assert.equal(code, 0, stderr);
          assert.match(stdout, VERSION);
          for (const file of [home, `${home}/deno`, `${home}/lbsim.js`]) {
            const info = await Deno.lstat(file);
            assert.ok(
              !info.isSymlink && info.uid === Deno.uid() && (info.mode! & 0o022) === 0,
              file,
            );
          }
        },
      );
    }

    await t.step(
      "if the executable cannot unpack, it prints one sentence and leaves no files",
      async () => {
        const HOME = await portable.place();
        const { code, stderr } = await new Deno.Command("sh", {
          args: ["-c", `ulimit -f 1000; exec "${portable.file}" --version`],
          env: { PATH: "/usr/bin:/bin", HOME },
          clearEnv: true,
        }).output();
        assert.equal(code, 1);
        assert.match(decode(stderr), /^lbsim: cannot unpack into .*: is the disk full.*\n$/m);
        assert.deepEqual([...Deno.readDirSync(`${HOME}/.cache/lbsim`)], []);
      },
    );

    await t.step("if a cache is mounted noexec, the executable prints one sentence", async () => {
      const HOME = await portable.place();
      const bin = await portable.place();
      // For the shell, this looks the same as noexec: a file that exists and cannot be run.
      await Deno.writeTextFile(
        `${bin}/tar`,
        '#!/bin/sh\n/usr/bin/env PATH=/usr/bin:/bin tar "$@" && chmod 600 "$4/deno"\n',
        { mode: 0o755 },
      );
      const PATH = `${bin}:/usr/bin:/bin`;
      const { code, stderr } = await portable.run(["--version"], { HOME, PATH });
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^lbsim: programs in .* cannot be started: it may be mounted noexec; .*\n$/,
      );
      assert.deepEqual([...Deno.readDirSync(`${HOME}/.cache/lbsim`)], []);
    });

    await t.step(
      "if no directory is safe, the executable runs nothing, and names the remedy",
      async () => {
        const TMPDIR = await portable.place();
        await plant(`${TMPDIR}/lbsim-${Deno.uid()}/${name}`);
        await Deno.chmod(`${TMPDIR}/lbsim-${Deno.uid()}`, 0o777);
        const { code, stdout, stderr } = await portable.run(["--version"], { TMPDIR });
        assert.deepEqual([code, stdout], [1, ""]);
        assert.match(
          stderr,
          /^lbsim: there is no directory .*: set XDG_CACHE_HOME to such a directory\n$/,
        );
      },
    );
  },
});
