/** lbsim: runs the subcommand that the command line names. Only this file ends the process. */
import type { Command, CommanderError, CommandUnknownOpts } from "@commander-js/extra-typings";
import deno from "./deno.json" with { type: "json" };
import { NS_PER_S } from "./lib/base/time.ts";
import type { ExitCode, Io } from "./lib/cli/io.ts";
import { fitted } from "./lib/cli/fit.ts";
import { type Lost, Output } from "./lib/cli/output.ts";
import { escapeLines, escapeText } from "./lib/base/escape.ts";
import { hasTerminal, listenForHangup, listenToSignals } from "./lib/cli/signals.ts";
import { giveUp, keepWritingTo } from "./lib/io/permissions.ts";
import { runFolder } from "./lib/io/run_folder.ts";
import { sleep } from "./lib/io/sleep.ts";
import { writeFailure } from "./lib/io/system_error.ts";
import { writtenPaths } from "./lib/io/written_paths.ts";
import { UserError } from "./lib/base/user_error.ts";
import { WORKER_NAME } from "./sim/threads/worker_name.ts";
import type { WorkerScope } from "./sim/threads/workers.ts";

const stopping = new AbortController();
const hurrying = new AbortController();
let exitCode: ExitCode = 0;
/** Whether output that must not be lost was lost: then the exit code is not 0. */
let isOutputLost = false;

const stdoutIsTerminal = Deno.stdout.isTerminal();
const stdout = new Output(Deno.stdout, { failed: outputFailed });
const stderr = new Output(Deno.stderr, { failed: () => false });
/** The output that shows progress: a terminal; undefined if there is none. */
const shown = stdoutIsTerminal ? stdout : Deno.stderr.isTerminal() ? stderr : undefined;

const io: Io = {
  out: (line) => stdout.write(`${line}\n`),
  print: (text) => stdout.write(text),
  err: (line) => stderr.write(`${line}\n`),
  log: {
    out: (line, describeDropped) => stdout.log(line, describeDropped),
    stdoutIsTerminal,
    color: stdoutIsTerminal && !Deno.noColor,
    width: columns,
  },
  status: (line = "") => shown?.status(fitted(line, columns())),
  written: async () => {
    if (!stopping.signal.aborted) await allWritten();
  },
  stdoutIsTerminal,
  stdinIsTerminal: Deno.stdin.isTerminal(),
  color: stdoutIsTerminal && !Deno.noColor,
  columns: columns(),
  setExitCode(code) {
    exitCode = code;
  },
  signal: stopping.signal,
  hurry: hurrying.signal,
};

/** The width of the terminal; 80 if there is no terminal, or it does not know its width. */
function columns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}

/** The first call asks lbsim to stop, the second one hurries the stop, and the third one ends the process at once. */
function stop(): void {
  if (hurrying.signal.aborted) Deno.exit(130);
  if (stopping.signal.aborted) hurrying.abort();
  stopping.abort();
  stdout.stopWaiting();
  stderr.stopWaiting();
}

/** Asks lbsim to stop, like `stop`, but further calls do not hurry the stop. */
function stopOnce(): void {
  if (!stopping.signal.aborted) stop();
}

async function allWritten(): Promise<void> {
  await Promise.all([stdout.written(), stderr.written()]);
}

/** Whether no program can read standard output any more: the other end of the pipe, or the terminal, is closed. */
function isOutputClosed(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    (stdoutIsTerminal && !Deno.stdout.isTerminal());
}

/**
 * A write to standard output has failed. If no program can read the log any more, the log ends; then the process
 * continues only if it has a terminal, where it prints a warning and the user can stop it. A temporary failure,
 * like a full disk, must not stop a balancer.
 *
 * @returns Whether to try again.
 */
function outputFailed(error: unknown, lost: Lost): boolean {
  const isClosed = isOutputClosed(error);
  if (lost === "log") {
    if (!isClosed) {
      warnOfLog(`the log cannot be written (${writeFailure(error)}); trying again every second`);
      return true;
    }
    if (hasTerminal()) {
      warnOfLog("no program reads the log any more, so the log ends. Ctrl-C stops lbsim");
      return false;
    }
    if (stopping.signal.aborted) return false;
    warnOfLog("no program reads the log any more: stopping");
  } else if (!isClosed) {
    io.err(`lbsim: the output could not be written: ${writeFailure(error)}`);
  }
  isOutputLost = true;
  stopOnce();
  return false;
}

let lastWarning = "";

/** Prints a warning, unless it is the same as the last one. */
function warnOfLog(warning: string): void {
  if (warning === lastWarning) return;
  lastWarning = warning;
  io.err(`lbsim: ${escapeText(warning)}`);
}

/** The subcommands that run a balancer: they also stop when their terminal is closed. */
const BALANCES: readonly string[] = ["lb", "up"];

/** The files that a subcommand writes; it has no permission to write others. */
const WRITES: Readonly<Record<string, (command: CommandUnknownOpts) => readonly string[]>> = {
  sim: pagesOf,
  bench: pagesOf,
  live: (command) => [...pagesOf(command), ...usesNetem(command) ? [runFolder("netem")] : []],
  compare: pagesOf,
  calibrate: scenarioOf,
  init: ({ processedArgs: [file] }) => file === "-" ? [] : [file as string],
};

/** The file that `--html` names. */
function pagesOf(command: CommandUnknownOpts): readonly string[] {
  const { html } = command.optsWithGlobals() as { html?: string };
  return html === undefined ? [] : [html];
}

/** Whether a command makes a network with the program `ip`. Only then does it keep its permission to run programs. */
function usesNetem(command: CommandUnknownOpts): boolean {
  return (command.optsWithGlobals() as { network?: string }).network === "netem";
}

/** The scenario that `--write` names, and the temporary file that replaces it. */
function scenarioOf(command: CommandUnknownOpts): readonly string[] {
  const { write } = command.optsWithGlobals() as { write?: string };
  return write === undefined ? [] : writtenPaths(write);
}

/** The permissions that each subcommand needs to start. As soon as the roles run, they give up more of them. */
const NEEDS: Readonly<Record<string, readonly Deno.PermissionName[]>> = {
  lb: ["net", "read", "write", "sys"],
  up: ["net", "read", "write", "sys"],
  backend: ["net", "read", "write", "sys"],
  client: ["net", "read"],
  bench: ["net", "read", "write", "sys"],
  demo: ["net", "sys", "run"],
  live: ["net", "read", "write", "sys"],
  compare: ["read", "write"],
  calibrate: ["net", "read", "write", "sys"],
  check: ["read", "sys"],
  init: ["write"],
  explain: ["read", "sys"],
  ctl: ["net", "read", "write"],
  sim: ["read", "write"],
  import: ["read", "write"],
  play: ["net", "read", "run"],
};

const GRANTED: readonly Deno.PermissionName[] = ["net", "read", "write", "sys", "run"];

/** Gives up the permissions that a subcommand does not need. */
async function prepare(command: CommandUnknownOpts): Promise<void> {
  const subcommand = subcommandOf(command).name();
  const needed = [...NEEDS[subcommand] ?? [], ...usesNetem(command) ? ["run"] as const : []];
  await giveUp(...GRANTED.filter((name) => !needed.includes(name)));
  const files = WRITES[subcommand]?.(command);
  if (files !== undefined) await keepWritingTo(files);
}

/** The subcommand of lbsim to which a command belongs: `ctl` for `ctl drain`, and for `ctl` itself. */
function subcommandOf(command: CommandUnknownOpts): CommandUnknownOpts {
  const { parent } = command;
  return parent === null || parent.parent === null ? command : subcommandOf(parent);
}

/** Makes a subcommand. */
type MakeCommand = (io: Io) => unknown;

/** The subcommands, in the order of the help. A start imports only those that it needs. */
const COMMANDS: Readonly<Record<string, () => Promise<MakeCommand>>> = {
  lb: async () => (await import("./lb/command.ts")).lbCommand,
  backend: async () => (await import("./backend/command.ts")).backendCommand,
  client: async () => (await import("./client/mod.ts")).clientCommand,
  bench: async () => (await import("./bench/command.ts")).benchCommand,
  up: async () => (await import("./live/up_command.ts")).upCommand,
  check: async () => (await import("./lb/check_command.ts")).checkCommand,
  explain: async () => (await import("./lb/explain_command.ts")).explainCommand,
  ctl: async () => (await import("./ctl/mod.ts")).ctlCommand,
  init: async () => (await import("./lb/init_command.ts")).initCommand,
  demo: async () => (await import("./live/demo_command.ts")).demoCommand,
  live: async () => (await import("./live/live_command.ts")).liveCommand,
  compare: async () => (await import("./live/compare_command.ts")).compareCommand,
  calibrate: async () => (await import("./live/calibrate_command.ts")).calibrateCommand,
  sim: async () => {
    const { simCommand } = await import("./sim/command.ts");
    return (io) => simCommand(io, import.meta.url);
  },
  import: async () => (await import("./sim/import/mod.ts")).importCommand,
  play: async () => (await import("./play/mod.ts")).playCommand,
  complete: async () => (await import("./lib/cli/complete_command.ts")).completeCommand,
};

/** The subcommands that a command line may need: the one that it names; otherwise all, to list or to suggest them. */
function neededCommands(args: readonly string[]): string[] {
  if (args[0] === "--version") return [];
  const named = args.find((word) => !word.startsWith("-"));
  return named !== undefined && Object.hasOwn(COMMANDS, named) ? [named] : Object.keys(COMMANDS);
}

/** The command line. */
async function program(args: readonly string[]): Promise<Command> {
  const [
    { Command },
    { optionDescription, usageError },
    { completeWordsCommand },
    { helpCommand },
    ...commands
  ] = await Promise.all([
    import("@commander-js/extra-typings"),
    import("./lib/cli/usage.ts"),
    import("./lib/cli/complete_command.ts"),
    import("./lib/cli/help_command.ts"),
    ...neededCommands(args).map((name) => COMMANDS[name]!()),
  ]);
  const root = new Command("lbsim")
    .description(
      "A load-balancing lab in one program: a TCP load balancer, backends and a client for a real network, and a simulator that runs the same scheduler in virtual time.",
    )
    .version(deno.version, "--version", "print the version")
    .option("--debug", "show stack traces")
    .configureHelp({ showGlobalOptions: true, optionDescription })
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .showSuggestionAfterError()
    .showHelpAfterError("  --help lists all options")
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(escapeLines(text)),
      outputError: (text, write) => write(usageError(text)),
    })
    .hook("preAction", (_root, command) => prepare(command))
    .exitOverride();
  for (const command of commands) {
    root.addCommand(inherit(command(io) as unknown as Command, root) as never);
  }
  root.addCommand(inherit(helpCommand(root as never) as never, root) as never);
  root.addCommand(completeWordsCommand(io, root as never) as never, { hidden: true });
  return root as unknown as Command;
}

/** Copies settings to a command, because Commander does so only for commands that it made. Own help settings stay. */
function inherit(command: Command, parent: { exitOverride(): unknown }): Command {
  for (const sub of command.commands) inherit(sub as unknown as Command, parent);
  const own = command.configureHelp();
  command.copyInheritedSettings(parent as never);
  return command.configureHelp({ ...command.configureHelp(), ...own });
}

function isCommanders(error: unknown): error is CommanderError {
  return error instanceof Error && error.name === "CommanderError";
}

/** Reports an error in words, with --debug also its stack trace. Returns the exit code. */
function report(error: unknown): 0 | 1 | 2 {
  // Commander has printed its message already. Help and version end with such an error, too.
  if (isCommanders(error)) return error.exitCode === 0 ? 0 : 2;
  const debug = Deno.args.includes("--debug");
  if (error instanceof UserError) {
    // The message has several lines if it contains an excerpt of a file.
    io.err(`lbsim: ${escapeLines(error.message)}`);
    if (error.hint !== undefined) io.err(`  ${escapeLines(error.hint)}`);
    if (debug) io.err(escapeLines(error.stack ?? ""));
    return error.exitCode;
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  io.err(`lbsim: this is a defect of lbsim: ${escapeText(text)}`);
  io.err(
    debug && error instanceof Error
      ? escapeLines(error.stack ?? "")
      : "  --debug shows where it happened",
  );
  return 1;
}

/** If the reader of the log has stopped reading, it delays the end of the process by at most this time. */
const LAST_WRITE = 1 * NS_PER_S;

/** Ends the process when its output has been written. Without a stop, it waits for results as long as necessary. */
async function exit(code: ExitCode): Promise<never> {
  io.status();
  const owing = [stdout, stderr].filter((output) => output.owesText);
  if (!stopping.signal.aborted) await Promise.all(owing.map((output) => output.written()));
  await Promise.race([allWritten(), sleep(LAST_WRITE)]);
  const missing = stdout.unwrittenLogLines;
  if (missing > 0) {
    io.err(`lbsim: ${missing} ${missing === 1 ? "line" : "lines"} of the log not written`);
    await Promise.race([stderr.written(), sleep(LAST_WRITE)]);
  }
  Deno.exit(isOutputLost && code === 0 ? 1 : code);
}

let isDefective = false;

/** An error that was not caught is a defect of lbsim. The first such error ends the process. */
function onUncaught(event: Event, error: unknown): void {
  event.preventDefault();
  if (isDefective) return;
  isDefective = true;
  void exit(report(error));
}

async function main(): Promise<void> {
  globalThis.addEventListener("unhandledrejection", (event) => onUncaught(event, event.reason));
  globalThis.addEventListener("error", (event) => onUncaught(event, event.error));
  // Output of libraries must not block the process either.
  console.log = (...data) => io.out(data.join(" "));
  console.error = (...data) => io.err(data.join(" "));
  listenToSignals(stop);
  const [name, ...others] = neededCommands(Deno.args);
  if (others.length === 0 && name !== undefined && BALANCES.includes(name)) {
    listenForHangup(stopOnce);
  }
  try {
    await (await program(Deno.args)).parseAsync(Deno.args, { from: "user" });
  } catch (error) {
    exitCode = report(error);
  }
  await exit(exitCode);
}

/** Runs tasks of the simulator in a worker. Tasks that arrive before the modules are loaded wait. */
async function serve(scope: WorkerScope): Promise<void> {
  const early: MessageEvent[] = [];
  scope.onmessage = (event) => early.push(event);
  const { serveTasks } = await import("./sim/threads/workers.ts");
  serveTasks(scope);
  early.forEach((event) => scope.onmessage?.(event));
}

// This file is both the program and the simulator's worker, so that the binary is one file. It is checked with several
// sets of types, and not all of them have the name of a worker.
const { name } = globalThis as unknown as { readonly name?: string };
if (name === WORKER_NAME) await serve(globalThis as unknown as WorkerScope);
else await main();
