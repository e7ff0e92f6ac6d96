import assert from "node:assert/strict";
import { checksums, compileArgs, explain, TARGETS } from "../../packaging/compile.ts";
import { permissionFlags, runFlags } from "../../packaging/flags.ts";
import deno from "../../deno.json" with { type: "json" };

const ROOT = `${import.meta.dirname}/../../`;

Deno.test("permissionFlags() grants exactly the permissions of deno.json's permission set", () => {
  const { net, read, write, env, sys, run } = deno.permissions.default;
  assert.deepEqual([net, read, write], [true, true, ["/"]]);
  assert.deepEqual(
    permissionFlags().toSorted(),
    [
      "--allow-net",
      "--allow-read",
      `--allow-write=${write.join(",")}`,
      `--allow-env=${env.join(",")}`,
      `--allow-sys=${sys.join(",")}`,
      `--allow-run=${run.join(",")}`,
    ].toSorted(),
  );
});

Deno.test("no build ever asks for a permission", () => {
  assert.ok(runFlags().includes("--no-prompt"));
  assert.ok(compileArgs("x86_64-unknown-linux-gnu", "lbsim").includes("--no-prompt"));
});

Deno.test("`deno compile` embeds only the bundled program", async () => {
  const directory = await Deno.makeTempDir();
  try {
    // Deno itself replaces its compile runtime. The result would not run, but the embedded files and their list are the
    // same.
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: compileArgs("x86_64-unknown-linux-gnu", `${directory}/lbsim`),
      cwd: ROOT,
      env: { DENORT_BIN: Deno.execPath(), NO_COLOR: "1" },
    }).output();
    // deno-lint-ignore no-control-regex -- Deno colours parts of the list whatever NO_COLOR says
    const list = new TextDecoder().decode(stderr).replaceAll(/\x1b\[[\d;]*m/g, "");
    assert.ok(success, list);
    const files = [...list.matchAll(/^[└├─│┬ ]+(\S+) \(([\d.]+)(K|M)?B/gm)];
    assert.equal(files.length, 1, `one file and no node_modules, tests or sources:\n${list}`);
    const [, name, size, unit] = files[0]!;
    assert.match(name!, /bundle.*\.mjs$/);
    // The bundle is 7.0 MB, because it is not minified. 0.9 MB of it are the pages. The complete packages would be 60
    // MB.
    const megabytes = Number(size) / (unit === "M" ? 1 : 1000);
    assert.ok(megabytes < 9, `${size} ${unit}B`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("explain() names the remedies in one line if the runtime cannot be downloaded", () => {
  const line = explain(
    "x86_64-apple-darwin",
    "error: error sending request for url …\n  dns error",
  );
  assert.ok(!line.includes("\n"));
  assert.match(line, /DENORT_BIN/);
  assert.match(line, /compile:portable/);
  assert.equal(explain("x86_64-apple-darwin", "TS2322: no"), "TS2322: no");
});

Deno.test("checksums() returns lines that sha256sum can check", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/a`, "abc");
    assert.equal(
      await checksums(directory, ["a"]),
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n",
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("TARGETS are the five platforms of a release", () => {
  assert.deepEqual(Object.values(TARGETS), [
    "lbsim-linux-x64",
    "lbsim-linux-arm64",
    "lbsim-macos-x64",
    "lbsim-macos-arm64",
    "lbsim-windows-x64.exe",
  ]);
});
