import assert from "node:assert/strict";
import { buildPortable } from "../../packaging/portable.ts";
import { smoke } from "../../packaging/smoke.ts";

Deno.test({
  name: "buildPortable() makes one file that runs on a machine without Deno",
  ignore: Deno.build.os === "windows",
  async fn(t) {
    const directory = await Deno.makeTempDir();
    const file = `${directory}/lbsim`;
    const start = (args: string[], env: Record<string, string>) =>
      new Deno.Command(file, {
        args,
        env: { PATH: "/usr/bin:/bin", NO_COLOR: "1", ...env },
        clearEnv: true,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      });
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    try {
      await buildPortable(file);

      await t.step("two first starts at once both work", async () => {
        const HOME = `${directory}/home`;
        await Deno.mkdir(HOME);
        const outputs = await Promise.all(
          [1, 2].map(() => start(["--version"], { HOME }).output()),
        );
        for (const { code, stdout, stderr } of outputs) {
          assert.equal(code, 0, text(stderr));
          assert.match(text(stdout), /^\d+\.\d+\.\d+\n$/);
        }
        const unpacked = [...Deno.readDirSync(`${HOME}/.cache/lbsim`)].map(({ name }) => name);
        assert.equal(unpacked.length, 1, `${unpacked}`);
      });

      await t.step("a check, and a line to a backend and back", () => smoke([file]));

      await t.step("exit codes and messages are lbsim's own", async () => {
        const { code, stderr } = await start(["lbb"], { HOME: `${directory}/home` }).output();
        assert.equal(code, 2);
        assert.match(text(stderr), /Did you mean lb\?/);
      });

      await t.step("signals reach it", async () => {
        const process = start(["backend", "127.0.0.1:0"], { HOME: `${directory}/home` }).spawn();
        const reader = process.stdout.getReader();
        await reader.read();
        process.kill("SIGTERM");
        await reader.cancel();
        await process.stderr.cancel();
        assert.equal((await process.status).code, 0);
      });

      await t.step("it runs without a home", async () => {
        const TMPDIR = `${directory}/tmp`;
        await Deno.mkdir(TMPDIR);
        const { code, stderr } = await start(["--version"], { TMPDIR }).output();
        assert.equal(code, 0, text(stderr));
      });
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
