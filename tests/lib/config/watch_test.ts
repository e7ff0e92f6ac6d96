import assert from "node:assert/strict";
import { FileWatch } from "../../../lib/config/watch.ts";

/** A directory of its own, and what notices changes of files in it. */
async function watching(
  make: (cwd: string) => Promise<unknown>,
  files: readonly string[],
  change: (cwd: string, next: () => Promise<void>) => Promise<unknown>,
): Promise<void> {
  const cwd = await Deno.makeTempDir();
  try {
    await make(cwd);
    let { promise, resolve, reject } = Promise.withResolvers<void>();
    const watch = new FileWatch(files.map((file) => `${cwd}/${file}`), {
      changed: () => resolve(),
      failed: (reason) => reject(new Error(reason)),
    });
    try {
      await change(cwd, async () => {
        await promise;
        ({ promise, resolve, reject } = Promise.withResolvers<void>());
      });
    } finally {
      watch.close();
    }
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

/** A link in the place of another one, in one step. */
async function swap(link: string, target: string): Promise<void> {
  await Deno.symlink(target, `${link}.new`);
  await Deno.rename(`${link}.new`, link);
}

Deno.test("FileWatch notices a file that is written, and one that is put in its place", () =>
  watching(
    (cwd) => Deno.writeTextFile(`${cwd}/one.pem`, "1"),
    ["one.pem"],
    async (cwd, next) => {
      await Deno.writeTextFile(`${cwd}/one.pem`, "2");
      await next();
      await Deno.writeTextFile(`${cwd}/new`, "3");
      await Deno.rename(`${cwd}/new`, `${cwd}/one.pem`);
      await next();
      await Deno.writeTextFile(`${cwd}/one.pem`, "4");
      await next();
    },
  ));

const ignore = Deno.build.os === "windows";

Deno.test(
  "FileWatch notices that a link in the middle is swapped, and again",
  { ignore },
  () =>
    watching(
      async (cwd) => {
        for (const version of ["v1", "v2"]) {
          await Deno.mkdir(`${cwd}/${version}`);
          await Deno.writeTextFile(`${cwd}/${version}/cert.pem`, version);
        }
        await Deno.symlink("v1", `${cwd}/..data`);
        await Deno.symlink("..data/cert.pem", `${cwd}/cert.pem`);
      },
      ["cert.pem"],
      async (cwd, next) => {
        await swap(`${cwd}/..data`, "v2");
        await next();
        await Deno.writeTextFile(`${cwd}/v2/cert.pem`, "written where it leads now");
        await next();
        await swap(`${cwd}/..data`, `${cwd}/v1`);
        await next();
      },
    ),
);

Deno.test("FileWatch notices that the target of a link is written", { ignore }, () =>
  watching(
    async (cwd) => {
      await Deno.mkdir(`${cwd}/etc`);
      await Deno.mkdir(`${cwd}/real`);
      await Deno.writeTextFile(`${cwd}/real/lbsim.yaml`, "1");
      await Deno.symlink("../real/lbsim.yaml", `${cwd}/etc/config.yaml`);
    },
    ["etc/config.yaml"],
    async (cwd, next) => {
      await Deno.writeTextFile(`${cwd}/real/lbsim.yaml`, "2");
      await next();
    },
  ));

Deno.test("FileWatch notices a file whose directory comes later, goes, and comes back", () =>
  watching(
    () => Promise.resolve(),
    ["certs/live/one.pem"],
    async (cwd, next) => {
      for (let i = 0; i < 2; i++) {
        await Deno.mkdir(`${cwd}/certs`);
        await next();
        await Deno.mkdir(`${cwd}/certs/live`);
        await next();
        await Deno.writeTextFile(`${cwd}/certs/live/one.pem`, "1");
        await next();
        await Deno.remove(`${cwd}/certs`, { recursive: true });
        await next();
      }
    },
  ));

Deno.test("FileWatch is not lost in a circle of links", { ignore }, () =>
  watching(
    async (cwd) => {
      await Deno.symlink("b", `${cwd}/a`);
      await Deno.symlink("a", `${cwd}/b`);
    },
    ["a"],
    async (cwd, next) => {
      await Deno.remove(`${cwd}/a`);
      await Deno.writeTextFile(`${cwd}/a`, "1");
      await next();
    },
  ));

Deno.test("FileWatch says why it cannot watch", () => {
  const { watchFs } = Deno;
  Deno.watchFs = () => {
    throw new Error("Too many open files");
  };
  const reasons: string[] = [];
  try {
    new FileWatch(["config.yaml"], {
      changed: () => {},
      failed: (reason) => reasons.push(reason),
    }).close();
  } finally {
    Deno.watchFs = watchFs;
  }
  assert.deepEqual(reasons, ["Too many open files"]);
});
