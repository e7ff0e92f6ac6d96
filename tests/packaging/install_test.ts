import assert from "node:assert/strict";
import { runFlags } from "../../packaging/flags.ts";

const ROOT = `${import.meta.dirname}/../../`;

Deno.test("deno task install installs a command that runs in any directory, with the flags of the task", async () => {
  const root = await Deno.makeTempDir();
  try {
    const env = { DENO_INSTALL_ROOT: root, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
    const text = new TextDecoder();
    const install = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "install"],
      cwd: ROOT,
      env,
    }).output();
    assert.ok(install.success, text.decode(install.stderr));
    const path = `${root}/bin/lbsim`;
    const script = await Deno.readTextFile(path);
    for (const flag of runFlags()) assert.ok(script.includes(flag), flag);
    const { PATH = "" } = Deno.env.toObject();
    const here = Deno.execPath().replace(/\/[^/]*$/, "");
    const { stdout, stderr } = await new Deno.Command(path, {
      args: ["init", "--local", "-"],
      cwd: root,
      env: { ...env, PATH: `${here}:${PATH}` },
    }).output();
    assert.match(text.decode(stdout), /^listen: 127\.0\.0\.1:8000$/m);
    assert.equal(text.decode(stderr), "");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
