/** `lbsim ctl status --watch` in a terminal, with a real balancer. */
import assert from "node:assert/strict";
import { adminLab } from "../support/admin.ts";
import { lbsimArgs } from "../support/process.ts";
import { deadAddress, eventually } from "../support/sockets.ts";
import { InTerminal } from "../support/terminal.ts";

const LINUX = { ignore: Deno.build.os !== "linux" };

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";

/** A shell that prints the process id of a command, runs it, and prints its exit code and the terminal's settings. */
function inShell(command: readonly string[]): string[] {
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const program = `(sh -c 'echo "pid $$"; exec "$@"' sh ${quoted})`;
  return ["sh", "-c", `stty cols 80 rows 24; ${program}; echo "code $?"; stty -a; echo end`];
}

type Lab = Awaited<ReturnType<typeof adminLab>>;

/** A balancer with two backends, and a terminal that shows the first lines of the table. */
async function watching(
  test: (terminal: InTerminal, lab: Lab) => Promise<void>,
): Promise<void> {
  await using lab = await adminLab({ backends: [deadAddress(), deadAddress()] });
  const file = `${lab.folder}/config.yaml`;
  await Deno.writeTextFile(
    file,
    "backends: [{id: B1, address: 127.0.0.1:9}]\n" +
      `admin: {listen: "${lab.url.replace("http://", "")}", token_file: admin.token}\n`,
  );
  const args = lbsimArgs(["ctl", "status", "--watch", "--config", file]);
  await using terminal = new InTerminal(inShell([Deno.execPath(), ...args]));
  await terminal.shows(/> B1 [\s\S]*q quit/);
  await test(terminal, lab);
  await givesBack(terminal);
}

/** Asserts that the command ends, and that the terminal is as before. */
async function givesBack(terminal: InTerminal, code = 0): Promise<void> {
  await terminal.shows(new RegExp(`code ${code}\\b[\\s\\S]*\\nend`));
  const { screen } = terminal;
  assert.ok(screen.indexOf(ENTER) >= 0 && screen.lastIndexOf(ENTER) < screen.indexOf(LEAVE));
  const after = screen.slice(screen.indexOf(LEAVE));
  assert.match(after, /\sicanon\s/);
  assert.match(after, /\sisig\s/);
  assert.match(after, /\secho\s/);
}

Deno.test(
  "watchOnScreen() executes the actions of keys, shows the results, and restores the terminal after q",
  LINUX,
  () =>
    watching(async (terminal, { balancer }) => {
      await terminal.type("\x1b[B");
      let from = await terminal.shows(/> B2 /);
      await terminal.type("d");
      from = await terminal.shows(
        /> B2 +drain\*[\s\S]*set by the operator: B2\.mode: ready → drain/,
        from,
      );
      assert.equal(balancer.scheduler.backend("B2")!.mode, "drain");
      await terminal.type("r++");
      from = await terminal.shows(/> B2 +\w+ +3\*/, from);
      await eventually(() => balancer.scheduler.backend("B2")!.weight === 3, "the weight is 3");
      assert.equal(balancer.scheduler.backend("B2")!.mode, "ready");
      await terminal.type("e10.0.0.7\r");
      from = await terminal.shows(/10\.0\.0\.7 goes to B\d: /, from);
      await terminal.type("x?");
      from = await terminal.shows(/no new connections and no probes/, from);
      await terminal.type("xq");
    }),
);

Deno.test(
  "watchOnScreen() restores the terminal after Ctrl-C",
  LINUX,
  () => watching((terminal) => terminal.type("\x03")),
);

Deno.test(
  "watchOnScreen() restores the terminal after SIGTERM",
  LINUX,
  () =>
    watching((terminal) => {
      const [, pid] = /pid (\d+)/.exec(terminal.screen)!;
      Deno.kill(Number(pid), "SIGTERM");
      return Promise.resolve();
    }),
);

Deno.test(
  "watchOnScreen() says that the balancer does not answer, and keeps the table",
  LINUX,
  () =>
    watching(async (terminal, { stopAdmin }) => {
      await stopAdmin();
      const from = await terminal.shows(/not up to date: no balancer answers at /);
      assert.match(terminal.screen.slice(0, from), /> B1 /);
      await terminal.type("q");
    }),
);

Deno.test(
  "Screen restores the terminal after an uncaught error, before the message of this error",
  LINUX,
  async () => {
    const script = `
    import { Screen } from ${JSON.stringify(import.meta.resolve("../../ctl/screen.ts"))};
    const print = (text) => Deno.stdout.writeSync(new TextEncoder().encode(text));
    new Screen({ print, written: () => Promise.resolve() }, true).draw(["hello"]);
    setTimeout(() => { throw new Error("a mistake"); });
  `;
    const file = await Deno.makeTempFile({ suffix: ".js" });
    try {
      await Deno.writeTextFile(file, script);
      const root = new URL("../../deno.json", import.meta.url).pathname;
      await using terminal = new InTerminal(
        inShell([Deno.execPath(), "run", "--config", root, "--allow-read", file]),
      );
      await givesBack(terminal, 1);
      assert.ok(terminal.screen.indexOf(LEAVE) < terminal.screen.indexOf("a mistake"));
    } finally {
      await Deno.remove(file);
    }
  },
);
