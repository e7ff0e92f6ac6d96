/** The commands in the documents, and the results that the documents state. */
import assert from "node:assert/strict";
import deno from "../../deno.json" with { type: "json" };
import { DiagnosticsError, parseConfig } from "../../lib/config/mod.ts";
import { Lan, whyNoLan } from "../lan/network.ts";
import { lbsim, RunningLbsim, wordsOf } from "../support/process.ts";

const ROOT = `${import.meta.dirname}/../../`;
const DOCUMENTS = [
  "README.md",
  "CONTRIBUTING.md",
  ...[...Deno.readDirSync(`${ROOT}docs`)].map(({ name }) => `docs/${name}`)
    .filter((path) => path.endsWith(".md")).sort(),
];

const read = (file: string) => Deno.readTextFileSync(`${ROOT}${file}`);

/** All code in a document: lines of shell blocks, and code within a paragraph. */
function codeOf(text: string): string[] {
  const blocks = [...text.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block]) =>
    block!.split("\n").map((line) => line.trim())
  );
  const inline = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
  return [...blocks, ...inline].filter((line) => line !== "");
}

const helps = new Map<string, ReturnType<typeof lbsim>>();

/** The output of `lbsim COMMAND --help`. */
function helpOf(command: string): ReturnType<typeof lbsim> {
  if (!helps.has(command)) helps.set(command, lbsim([command, "--help"]));
  return helps.get(command)!;
}

for (const file of DOCUMENTS) {
  const code = codeOf(read(file));

  Deno.test(`${file} names only tasks that exist, and the version of Deno in .dvmrc`, () => {
    for (const line of code) {
      const task = /\btask ([\w:]+)/.exec(line)?.[1];
      if (task !== undefined) assert.ok(task in deno.tasks, line);
      const version = /deno@(\S+)/.exec(line)?.[1];
      if (version !== undefined) assert.equal(version, read(".dvmrc").trim(), line);
    }
  });

  Deno.test(`${file} names only flags that exist`, async () => {
    for (const line of code) {
      const command = /^lbsim (\w+)/.exec(line)?.[1];
      if (command === undefined || command === "help" || command === "complete") continue;
      const { stdout, code } = await helpOf(command);
      assert.equal(code, 0, line);
      for (const [flag] of line.matchAll(/(?<=\s)--?[a-z][\w-]*/g)) {
        assert.ok(new RegExp(`(^|[\\s,])${flag}\\b`, "m").test(stdout), `${flag} in \`${line}\``);
      }
    }
  });

  Deno.test(`${file} names and links only files that exist`, () => {
    for (const [, path] of read(file).matchAll(/`((?:[\w.-]+\/)+[\w.-]*\.(?:ts|md|yaml|json))`/g)) {
      assert.ok(Deno.statSync(`${ROOT}${path}`), path);
    }
    const directory = file.includes("/") ? `${file.split("/")[0]}/` : "";
    for (const [, target] of read(file).matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      assert.ok(Deno.statSync(`${ROOT}${directory}${target}`), target);
    }
  });
}

Deno.test("CONTRIBUTING.md's three walks have five to eight steps, each with a file and names in this file", () => {
  const [, section] = /## Three walks through the code\n([^]*?)\n## /.exec(
    read("CONTRIBUTING.md"),
  )!;
  const walks = section!.split(/^\*\*.*\*\*$/m).slice(1);
  assert.equal(walks.length, 3);
  for (const walk of walks) {
    const steps = walk.replaceAll(/\n +/g, " ").match(/^\d+\. .*$/gm)!;
    assert.ok(steps.length >= 5 && steps.length <= 8, walk);
    for (const step of steps) {
      const [, file, text] = /^\d+\. `([^`]+)`: (.*)$/.exec(step)!;
      const code = read(file!);
      for (const [, name] of text!.matchAll(/`(#?\w+)`/g)) {
        assert.match(code, new RegExp(`${name}\\b`), `${name} in ${file}`);
      }
    }
  }
});

Deno.test("README.md lists the packages that deno.json imports", () => {
  const [, section] = /## What it is made of\n([^]*?)\n## /.exec(read("README.md"))!;
  for (const name of Object.keys(deno.imports)) assert.ok(section!.includes(`\`${name}\``), name);
  for (const [, name] of section!.matchAll(/^\| `([^`]+)`/gm)) {
    assert.ok(name! in deno.imports || name!.startsWith("node:"), name);
  }
});

Deno.test("CHANGELOG.md begins with the version that deno.json and all its members have", async () => {
  const [, latest] = /^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$/m.exec(read("CHANGELOG.md"))!;
  assert.equal(latest, deno.version);
  for (const member of deno.workspace) {
    assert.equal(JSON.parse(read(`${member}/deno.json`)).version, latest, member);
  }
  assert.equal((await lbsim(["--version"])).stdout, `${latest}\n`);
});

Deno.test("docs/worksheets.html has a table and space for answers to each lesson", () => {
  const sheets = read("docs/worksheets.html");
  const lessons = [...read("docs/lab.md").matchAll(/^## (\d.*)$/gm)].map(([, title]) => title!);
  assert.equal(sheets.match(/<table>/g)?.length, lessons.length);
  for (const title of [...lessons, "Shorter lessons"]) assert.ok(sheets.includes(`<h2>${title}`));
  const questions = read("docs/lab.md").match(/^\d+\. /gm)!.length;
  assert.equal(sheets.match(/<p>\d+\. .*<\/p>\n<div class="line">/g)?.length, questions);
});

Deno.test("docs/config.md shows a mistake in the words of lbsim", () => {
  const shown = /```text\n(config\.yaml:[^]*?)\n```/.exec(read("docs/config.md"))![1]!;
  try {
    parseConfig({
      file: "config.yaml",
      text: "backends: [{id: B1, address: 10.0.0.1:80}]\nalgorithm: round-robbin\n",
    });
    assert.fail("it is a mistake");
  } catch (error) {
    assert.ok(error instanceof DiagnosticsError);
    assert.equal(error.message, shown);
  }
});

Deno.test("`deno run -P --no-prompt main.ts` runs lbsim, as README.md says", async () => {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-P", "--no-prompt", "main.ts", "check"],
    cwd: ROOT,
  }).output();
  assert.ok(success);
  assert.match(new TextDecoder().decode(stdout), /config\.yaml is valid/);
});

Deno.test("`deno task lbsim` runs lbsim without showing its flags", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "lbsim", "check"],
    cwd: ROOT,
  }).output();
  assert.ok(success);
  assert.match(new TextDecoder().decode(stdout), /config\.yaml is valid/);
  assert.doesNotMatch(new TextDecoder().decode(stderr), /--allow|--v8-flags/);
});

Deno.test("the client commands in README.md work as README.md says", async () => {
  await using backend = new RunningLbsim(["backend", "127.0.0.1:0", "--id", "B1", "--slots", "4"]);
  const line = await backend.line((text) => text.includes("listening on"));
  const address = /listening on (\S+)/.exec(line)![1]!;
  const piped = await lbsim(["client", address], { stdin: "hi\n" });
  assert.equal(piped.stdout, "Hello from B1: hi\n");
  const many = await lbsim(["client", address, "hi", "-n", "6", "--new-connection"]);
  assert.equal(many.stdout, "Hello from B1: hi\n".repeat(6));
  const load = await lbsim(["bench", address, "--rate", "200/s", "--duration", "500ms", "--json"]);
  assert.equal(load.code, 0, load.stderr);
  assert.ok(JSON.parse(load.stdout).answers >= 50);
});

const noLan = await whyNoLan();

Deno.test({
  name: `README.md's walk in five terminals works as README.md says${
    noLan === undefined ? "" : ` (skipped: ${noLan})`
  }`,
  ignore: noLan !== undefined,
  async fn() {
    const [, walk] = /## A walk in five terminals\n([^]*?)\n## /.exec(read("README.md"))!;
    const commands = [...walk!.matchAll(/^ +lbsim (.*)$/gm)].map(([, line]) => line!.split(" "));
    const [init, b1, b2, b3, lb, hi, load, sim] = commands;
    assert.equal(commands.length, 8);
    const shown = [...walk!.matchAll(/^ +(Hello from .*)$/gm)].map(([, line]) => line);
    const cwd = await Deno.makeTempDir();
    // Outside of a namespace, other programs may use the ports of the walk.
    await using lan = await Lan.create([{ name: "laptop", address: "192.168.1.20" }]);
    const on = { cwd, prefix: lan.on("laptop") };
    try {
      assert.equal((await lbsim(init!, on)).code, 0);
      await using _first = new RunningLbsim(b1!, on);
      await using second = new RunningLbsim(b2!, on);
      await using _third = new RunningLbsim(b3!, on);
      await second.line((text) => text.includes("B2 listening on 127.0.0.1:9002"));
      await using balancer = new RunningLbsim(lb!, on);
      const says = (text: RegExp) => balancer.line((line) => text.test(line));
      await says(/active_servers":\["B1","B2","B3"\]/);
      const answers = (await lbsim(hi!, on)).stdout.trim().split("\n");
      assert.deepEqual(answers, shown);
      second.kill("SIGINT");
      await says(/B2 is down after 3 failed probes/);
      const without = (await lbsim(hi!, on)).stdout;
      assert.equal(without.match(/from B[13]/g)?.length, 6, without);
      const file = `${cwd}/local.yaml`;
      const text = await Deno.readTextFile(file);
      await Deno.writeTextFile(file, text.replace(": round-robin", ": least-connections"));
      await says(/round-robin.*least-connections/);
      assert.equal((await lbsim(load!, on)).code, 0);
      const { code, stderr } = await lbsim([...sim!, "--replications", "2"], on);
      assert.equal(code, 0, stderr);
    } finally {
      await Deno.remove(cwd, { recursive: true });
    }
  },
});

for (const file of ["docs/lab.md", "docs/trust.md"]) {
  Deno.test({
    name: `${file}'s experiment on real sockets works as ${file} says, with a shorter duration${
      noLan === undefined ? "" : ` (skipped: ${noLan})`
    }`,
    ignore: noLan !== undefined,
    async fn() {
      const [, block] = /```text\n(lbsim init [^]*?)```/.exec(read(file))!;
      const commands = block!.trim().split("\n").map((line) => wordsOf(line).slice(1));
      const [init, b1, b2, b3, lb, client] = commands;
      assert.equal(commands.length, 6);
      const cwd = await Deno.makeTempDir();
      await using lan = await Lan.create([{ name: "laptop", address: "192.168.1.20" }]);
      const on = { cwd, prefix: lan.on("laptop") };
      try {
        assert.equal((await lbsim(init!, on)).code, 0);
        await using first = new RunningLbsim(b1!, on);
        await using second = new RunningLbsim(b2!, on);
        await using third = new RunningLbsim(b3!, on);
        for (const backend of [first, second, third]) {
          await backend.line((text) => text.includes("listening on"));
        }
        await using balancer = new RunningLbsim(lb!, on);
        await balancer.line((text) => /active_servers":\["B1","B2","B3"\]/.test(text));
        const shorter = client!.map((word, i) => client![i - 1] === "--duration" ? "2s" : word);
        const { code, stderr } = await lbsim(shorter, on);
        assert.equal(code, 0, stderr);
      } finally {
        await Deno.remove(cwd, { recursive: true });
      }
    },
  });
}

Deno.test("docs/lab.md's shorter lessons name scenarios, each of which tests/examples runs", () => {
  const lessons = [...read("docs/lab.md").matchAll(/^\d+\. \*\*[^`]*`lbsim sim (\S+)`/gm)];
  assert.ok(lessons.length >= 10);
  for (const [, path] of lessons) assert.ok(Deno.statSync(`${ROOT}${path}`).isFile, path);
});

Deno.test("docs/lab.md's lessons have objectives, prerequisites and a time; docs/lab-answers.md has the answers", () => {
  const lab = read("docs/lab.md");
  const answers = read("docs/lab-answers.md");
  const titles = (text: string) => [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  assert.deepEqual(titles(answers), titles(lab));
  for (const lesson of lab.split(/^## /m).slice(1)) {
    const [title] = lesson.split("\n");
    if (/^\d/.test(title!)) {
      for (const part of ["Afterwards you can", "Before:", "Time:"]) {
        assert.ok(lesson.includes(`**${part}`), `${title}: ${part}`);
      }
    }
    const [, anchor] = /\(lab-answers\.md#([^)]+)\)/.exec(lesson)!;
    assert.equal(anchor, title!.toLowerCase().replaceAll(/[^\w -]/g, "").replaceAll(" ", "-"));
  }
  const numbers = (text: string) => [...text.matchAll(/^(\d+)\. \*\*/gm)].map(([, n]) => n);
  assert.deepEqual(numbers(answers), numbers(lab));
});
