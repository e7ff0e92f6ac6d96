import assert from "node:assert/strict";
import { Command, Option } from "commander";
import { completionsOf } from "../../../lib/cli/completion.ts";

/** A program with every kind of command, argument and option that completions distinguish. */
function program(): Command {
  const root = new Command("p").option("--debug", "more").configureHelp({
    showGlobalOptions: true,
  });
  root.command("run").description("Run it.").action(() => {}).argument("[file]")
    .option("-c, --config <file>", "read it")
    .option("--count <n>", "so many")
    .addOption(new Option("--level <level>", "from here on").choices(["low", "high"]))
    .command("merge").description("Merge them.").argument("<files...>");
  root.command("talk").argument("[host:port]");
  root.command("secret", { hidden: true });
  return root;
}

/** The possible next words, and `FILES` if names of files are possible. */
function next(...words: string[]): string {
  const { words: found, files } = completionsOf(program() as never, words);
  return [...found.map(([word]) => word), ...files ? ["FILES"] : []].join(" ");
}

const FLAGS = "--config --count --level --help --debug";

const CASES: readonly (readonly [what: string, words: readonly string[], next: string])[] = [
  ["commands, but no hidden ones", [""], "run talk help"],
  ["commands after help", ["help", "r"], "run talk help"],
  ["subcommands and files", ["run", ""], "merge FILES"],
  ["nothing where there is no further argument", ["run", "x", ""], ""],
  ["files for every argument of a list of files", ["run", "merge", "a", "b", ""], "FILES"],
  ["nothing for an argument that is not a file", ["talk", ""], ""],
  ["flags, including those of the commands above", ["run", "-"], FLAGS],
  ["a flag's values", ["run", "--level", "l"], "low high"],
  ["a flag's values after =", ["run", "--level=l"], "--level=low --level=high"],
  ["a flag's values as bash splits them", ["run", "--level", "=", "l"], "low high"],
  ["files for a flag", ["run", "-c", ""], "FILES"],
  ["files for a flag after =", ["run", "--config="], "FILES"],
  ["nothing for a flag whose value is a number", ["run", "--count", ""], ""],
  ["commands and files after a flag and its value", ["run", "--count", "2", ""], "merge FILES"],
  ["commands after a flag that takes no value", ["--debug", ""], "run talk help"],
  ["nothing for the value of a flag that takes none", ["run", "--debug=x"], ""],
  ["arguments only, after --", ["run", "--", "-"], "merge FILES"],
];

for (const [what, words, expected] of CASES) {
  Deno.test(`completionsOf() offers ${what}`, () => assert.equal(next(...words), expected));
}

Deno.test("completionsOf() returns the meaning of a word", () => {
  assert.deepEqual(completionsOf(program() as never, ["run", "--conf"]).words[0], [
    "--config",
    "read it",
  ]);
});
