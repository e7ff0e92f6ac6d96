/** Completions, tested in the shells. Tests of shells that are not installed are skipped. */
import assert from "node:assert/strict";
import { lbsimArgs } from "../support/process.ts";

/** A directory with files to complete, and a program `lbsim` that shells find. */
async function withShell(
  run: (shell: (command: readonly string[]) => Promise<string>) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${directory}/bin`);
    await Deno.mkdir(`${directory}/work/lb`, { recursive: true });
    for (const file of ["config.yaml", "my file.yaml"]) {
      await Deno.writeTextFile(`${directory}/work/${file}`, "");
    }
    const words = [Deno.execPath(), ...lbsimArgs([])].map((word) => `'${word}'`);
    await Deno.writeTextFile(
      `${directory}/bin/lbsim`,
      `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`,
      {
        mode: 0o755,
      },
    );
    await run(async ([program, ...args]) => {
      const { stdout, stderr } = await new Deno.Command(program!, {
        args,
        cwd: `${directory}/work`,
        env: { PATH: `${directory}/bin:${Deno.env.get("PATH")}`, NO_COLOR: "1" },
      }).output();
      assert.equal(new TextDecoder().decode(stderr), "");
      return new TextDecoder().decode(stdout);
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function isInstalled(shell: string): boolean {
  try {
    return new Deno.Command(shell, { args: ["-c", ":"] }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Calls the completion function with these words, as bash does, and prints its suggestions. */
const BASH = `
source <(lbsim complete bash)
source <(lbsim complete bash)
complete -p lbsim
words() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  _lbsim lbsim "\${!#}"
  printf '%s|' "\${COMPREPLY[@]}"
  echo
}
compopt() { :; }
words lbsim ba
words lbsim lb --log-l
words lbsim lb --log-level = w
words lbsim sim m
words lbsim check c
`;

Deno.test({
  name: "lbsim complete bash works without further packages, and may be sourced twice",
  ignore: !isInstalled("bash"),
  async fn() {
    await withShell(async (shell) => {
      const lines = (await shell(["bash", "--norc", "-c", BASH])).split("\n");
      assert.deepEqual(lines, [
        "complete -o default -F _lbsim lbsim",
        "backend|",
        "--log-level|",
        "warning|",
        // If lbsim suggests a word, its script also lists files; if it suggests none, bash completes file names itself.
        "merge|my file.yaml|",
        "|",
        "",
      ]);
    });
  },
});

const FISH = `
lbsim complete fish | source
lbsim complete fish | source
for line in 'lbsim ba' 'lbsim lb --log-level=w' 'lbsim check my\\ f' 'lbsim lb --config=co'
  complete -C $line | string replace -r '\\t.*' ''
end
`;

Deno.test({
  name: "lbsim complete fish completes words and files, and may be sourced twice",
  ignore: !isInstalled("fish"),
  async fn() {
    await withShell(async (shell) => {
      assert.equal(
        await shell(["fish", "--no-config", "-c", FISH]),
        "backend\n--log-level=warning\nmy file.yaml\n--config=config.yaml\n",
      );
    });
  },
});

/** zsh's functions for completions work only while a line is edited, so the script replaces them. */
const ZSH = `
compdef() { print "compdef $*"; }
_describe() { local -a all=("\${(@P)4}"); print -r -- "\${(j:|:)all[@]%%:*}"; }
_files() { print files; }
compset() { :; }
source <(lbsim complete zsh)
source <(lbsim complete zsh)
words=(lbsim ba) CURRENT=2 _lbsim
words=(lbsim sim my\\\\ f) CURRENT=3 _lbsim
words=(lbsim lb --log-level w) CURRENT=4 _lbsim
`;

Deno.test({
  name: "lbsim complete zsh completes words and files, and may be sourced twice",
  ignore: !isInstalled("zsh"),
  async fn() {
    await withShell(async (shell) => {
      const [, list] = (await shell(["sh", "-c", "lbsim --help"])).split("\nCommands:\n");
      const subcommands = list!.split("\n").flatMap((line) =>
        line.match(/^ {2}([a-z]+) /)?.[1] ?? []
      );
      assert(subcommands.includes("lb"));
      assert.deepEqual((await shell(["zsh", "-f", "-c", ZSH])).split("\n"), [
        "compdef _lbsim lbsim",
        "compdef _lbsim lbsim",
        subcommands.join("|"),
        "merge",
        "files",
        "debug|info|warning|error",
        "",
      ]);
    });
  },
});
