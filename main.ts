/** lbsim: argv → a subcommand. The only place that exits. */
import type { Command, CommanderError } from "@commander-js/extra-typings";
import deno from "./deno.json" with { type: "json" };
import type { Io } from "./lib/cli/io.ts";
import { UserError } from "./lib/user_error.ts";
import { serveTasks, WORKER_NAME, type WorkerScope } from "./sim/workers.ts";

const encoder = new TextEncoder();
const stopping = new AbortController();
const hurrying = new AbortController();
let exitCode: 0 | 1 | 2 = 0;

const io: Io = {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
  status: (line = "") => {
    if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(encoder.encode(`\r\x1b[2K${line}`));
  },
  stdoutIsTerminal: Deno.stdout.isTerminal(),
  stdinIsTerminal: Deno.stdin.isTerminal(),
  color: Deno.stdout.isTerminal() && !Deno.noColor,
  columns: columns(),
  setExitCode(code) {
    exitCode = code;
  },
  signal: stopping.signal,
  hurry: hurrying.signal,
};

function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80; // Not a terminal.
  }
}

/** The first Ctrl-C or SIGTERM asks, the second urges, the third insists. */
function onSignal(): void {
  if (hurrying.signal.aborted) Deno.exit(130);
  if (stopping.signal.aborted) hurrying.abort();
  stopping.abort();
}

/** The simulator writes reports and needs no network; everything else is the other way round. */
const SIMULATES: readonly string[] = ["sim", "merge"];
/** What runs a balancer may have sessions to write: `serveBalancer` gives that back if it has not. */
const BALANCES: readonly string[] = ["lb", "up"];

/** Gives back the permissions that a subcommand has no use for. */
async function dropPermissions(subcommand: string): Promise<void> {
  if (BALANCES.includes(subcommand)) return;
  const unused = SIMULATES.includes(subcommand) ? ["net", "sys"] as const : ["write"] as const;
  await Promise.all(unused.map((name) => Deno.permissions.revoke({ name })));
}

/**
 * The command line. Its parts are imported here and not above: a worker of the simulator, which this file
 * is too, is there sooner without them.
 */
async function program(): Promise<Command> {
  const [{ Command }, { default: tab }, ...roles] = await Promise.all([
    import("@commander-js/extra-typings"),
    import("@bomb.sh/tab/commander"),
    import("./lb/command.ts"),
    import("./backend/command.ts"),
    import("./client/command.ts"),
    import("./live/up_command.ts"),
    import("./lb/check_command.ts"),
    import("./lb/explain_command.ts"),
    import("./live/demo_command.ts"),
    import("./sim/command.ts"),
  ]);
  const [lb, backend, client, up, check, explain, demo, sim] = roles;
  const root = new Command("lbsim")
    .description(
      "A load-balancing lab in one binary: a TCP load balancer, backends and a client for a real LAN, and the same scheduler in virtual time.",
    )
    .version(deno.version, "--version", "print the version")
    .option("--debug", "show stack traces")
    .configureHelp({ showGlobalOptions: true })
    .helpOption("-h, --help", "show this help")
    .showSuggestionAfterError()
    .showHelpAfterError("(--help shows what there is)")
    .hook("preAction", (_root, command) => dropPermissions(command.name()))
    .exitOverride();
  const commands = [
    lb.lbCommand,
    backend.backendCommand,
    client.clientCommand,
    up.upCommand,
    check.checkCommand,
    explain.explainCommand,
    demo.demoCommand,
    (io: Io) => sim.simCommand(io, import.meta.url),
  ];
  for (const command of commands) {
    root.addCommand(inherit(command(io) as unknown as Command, root) as never);
  }
  tab(root as never);
  return root as unknown as Command;
}

/** Commander hands settings down only to commands that it made itself. */
function inherit(command: Command, parent: { exitOverride(): unknown }): Command {
  return command.copyInheritedSettings(parent as never);
}

function isCommanders(error: unknown): error is CommanderError {
  return error instanceof Error && error.name === "CommanderError";
}

/** Says what went wrong, in words unless --debug asks for more. Returns the exit code. */
function report(error: unknown): 0 | 1 | 2 {
  // Commander has said it already; help and version end this way too.
  if (isCommanders(error)) return error.exitCode === 0 ? 0 : 2;
  const debug = Deno.args.includes("--debug");
  if (error instanceof UserError) {
    io.err(`lbsim: ${error.message}`);
    if (error.hint !== undefined) io.err(`  ${error.hint}`);
    if (debug) io.err(error.stack ?? "");
    return error.exitCode;
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  io.err(`lbsim: this is a defect of lbsim: ${text}`);
  io.err(debug && error instanceof Error ? error.stack ?? "" : "  --debug shows where it happened");
  return 1;
}

async function main(): Promise<void> {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    Deno.exit(report(event.reason));
  });
  Deno.addSignalListener("SIGINT", onSignal);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", onSignal);
  try {
    await (await program()).parseAsync(Deno.args, { from: "user" });
  } catch (error) {
    exitCode = report(error);
  }
  Deno.exit(exitCode);
}

// The same file is the program and, so that a binary is one file, the simulator's worker.
if (globalThis.name === WORKER_NAME) serveTasks(globalThis as unknown as WorkerScope);
else await main();
