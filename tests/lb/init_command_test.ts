/** `lbsim init` as a program. */
import assert from "node:assert/strict";
import { DiagnosticsError, parseConfig } from "../../lib/config/mod.ts";
import { inFolder } from "../support/folder.ts";
import { lbsim } from "../support/process.ts";

const ROOT = `${import.meta.dirname}/../../`;

/** A shipped file without the line with the path of its schema, which is valid only in a checkout. */
async function shipped(file: string): Promise<string> {
  const lines = (await Deno.readTextFile(`${ROOT}${file}`)).split("\n");
  assert.match(lines[0]!, /^# yaml-language-server: /);
  return lines.slice(2).join("\n");
}

const CASES = [
  { args: [], file: "config.yaml", source: "config.yaml" },
  { args: ["my lab.yaml"], file: "my lab.yaml", source: "config.yaml" },
  { args: ["--local"], file: "config.yaml", source: "examples/local.yaml" },
  { args: ["--local", "one.yaml"], file: "one.yaml", source: "examples/local.yaml" },
];

for (const { args, file, source } of CASES) {
  Deno.test(`lbsim ${["init", ...args].join(" ")} writes ${source} to ${file}`, () =>
    inFolder(async (cwd) => {
      const { code, stdout, stderr } = await lbsim(["init", ...args], { cwd });
      assert.equal(code, 0, stderr);
      assert.equal(stdout, `wrote ${file}: \`lbsim check ${file}\` explains it\n`);
      assert.deepEqual([...Deno.readDirSync(cwd)].map(({ name }) => name), [file]);
      assert.equal(await Deno.readTextFile(`${cwd}/${file}`), await shipped(source));
    }));
}

Deno.test("lbsim init - writes to standard output, and no file", () =>
  inFolder(async (cwd) => {
    const { code, stdout } = await lbsim(["init", "--local", "-"], { cwd });
    assert.equal(code, 0);
    assert.equal(stdout, await shipped("examples/local.yaml"));
    assert.deepEqual([...Deno.readDirSync(cwd)], []);
  }));

Deno.test("lbsim init replaces a file only with --force", () =>
  inFolder(async (cwd) => {
    const file = `${cwd}/config.yaml`;
    const mine = "# mine\n".repeat(5000);
    await Deno.writeTextFile(file, mine);
    const refused = await lbsim(["init"], { cwd });
    assert.equal(refused.code, 1);
    assert.equal(refused.stderr, "lbsim: config.yaml: exists already\n  --force replaces it\n");
    assert.equal(await Deno.readTextFile(file), mine);
    const forced = await lbsim(["init", "--force"], { cwd });
    assert.equal(forced.code, 0, forced.stderr);
    assert.equal(await Deno.readTextFile(file), await shipped("config.yaml"));
  }));

Deno.test("lbsim init says why a file cannot be written", () =>
  inFolder(async (cwd) => {
    await Deno.mkdir(`${cwd}/folder`);
    await Deno.writeTextFile(`${cwd}/target`, "precious");
    await Deno.symlink(`${cwd}/target`, `${cwd}/link`);
    const cases: [args: string[], code: number, stderr: string][] = [
      [
        ["no/such.yaml"],
        1,
        "lbsim: no/such.yaml: cannot be written: its directory does not exist\n",
      ],
      [["folder"], 1, "lbsim: folder: cannot be written: it is a directory: name a file in it\n"],
      [
        ["--force", "folder"],
        1,
        "lbsim: folder: cannot be written: it is a directory: name a file in it\n",
      ],
      [["link"], 1, "lbsim: link: exists already\n  --force replaces it\n"],
      [["--force", "/dev/full"], 1, "lbsim: /dev/full: is not a file that lbsim may write\n"],
    ];
    for (const [args, code, stderr] of cases) {
      const outcome = await lbsim(["init", ...args], { cwd });
      assert.deepEqual([outcome.code, outcome.stderr], [code, stderr], args.join(" "));
    }
    assert.equal(await Deno.readTextFile(`${cwd}/target`), "precious");
    const empty = await lbsim(["init", ""], { cwd });
    assert.equal(empty.code, 2);
    assert.match(empty.stderr, /it must be the name of a file$/m);
  }));

for (const file of ["config.yaml", "examples/local.yaml"]) {
  Deno.test(`${file} is valid, and its first line has the right path of its JSON Schema`, async () => {
    const text = await Deno.readTextFile(`${ROOT}${file}`);
    try {
      parseConfig({ file, text });
    } catch (error) {
      assert.ok(error instanceof DiagnosticsError);
      assert.fail(error.message);
    }
    const schema = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)![1]!;
    const url = new URL(schema, new URL(file, `file://${ROOT}`));
    assert.equal(JSON.parse(await Deno.readTextFile(url)).title, "lbsim config.yaml");
  });
}

Deno.test("examples/local.yaml has a balancer and three backends on loopback, and its comments agree with lbsim check", async () => {
  const file = "examples/local.yaml";
  const { code, stdout } = await lbsim(["check", file], { cwd: ROOT });
  assert.equal(code, 0);
  for (const address of ["8000: only this machine", "9001", "9002", "9003"]) {
    assert.ok(stdout.includes(`127.0.0.1:${address}`), address);
  }
  const [, down] = /down after 3 failed probes in a row: ([\d.]+ to [\d.]+ s)/.exec(stdout)!;
  const [, up] = /up after 2 successful probes in a row: ([\d.]+ to [\d.]+ s)/.exec(stdout)!;
  const text = await Deno.readTextFile(`${ROOT}${file}`);
  assert.ok(text.includes(`detects a stopped backend in ${down}, and its return in ${up}`));
});
