/** Runs a scenario in network namespaces of this machine, whose links have the scenario's latency by netem. */
import { fileURLToPath } from "node:url";
import deno from "../deno.json" with { type: "json" };
import { formatAddress, type Nanoseconds, NS_PER_S, UserError } from "../lib/base/mod.ts";
import type { Io } from "../lib/cli/mod.ts";
import { writtenConfig } from "../lib/config/mod.ts";
import { runFolder, sleep, untilAborted } from "../lib/io/mod.ts";
import type { Study } from "../lib/scenario/mod.ts";
import { configOf } from "./live_system.ts";
import { type IpCommand, type NetemPlan, planNetem } from "./netem_plan.ts";

const LISTEN_PORT = 8000;
const BACKEND_PORT = 9000;
const ADMIN_PORT = 9900;
/**
 * The possible places of `ip`. This process may run no other program, and runs `ip` by its whole
 * path.
 */
const IP_PATHS = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"];
const INSTEAD = "without --network netem, lbsim live delays the messages itself";
/** The balancer and the backends must serve in this time. */
const START: Nanoseconds = 30 * NS_PER_S;
/** A process that does not end in this time is killed. */
const END_MS = 5000;
const LINES_KEPT = 3;
const LINES_MAX = 100;

/** Runs `ip`. */
export type RunIp = (command: IpCommand) => Promise<string>;

/** The properties of this machine that netem needs. */
export interface NetemMachine {
  readonly os: string;
  readonly uid: number | null;
  /** Undefined if `ip` is not installed. */
  readonly ip: string | undefined;
  readonly mayRunIp: boolean;
  readonly run: RunIp;
}

/** This machine. */
export async function thisMachine(): Promise<NetemMachine> {
  const ip = IP_PATHS.find((path) => isFile(path));
  const { state } = await Deno.permissions.query({ name: "run", command: ip ?? "ip" });
  return {
    os: Deno.build.os,
    // Deno needs a permission to read the user id. Only a program that may run `ip` has this
    // permission.
    uid: state === "granted" ? Deno.uid() : null,
    ip,
    mayRunIp: state === "granted",
    run: (command) => runIp(ip!, command),
  };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function runIp(ip: string, command: IpCommand): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(ip, {
    args: [...command],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`ip ${command.join(" ")}: ${text.decode(stderr).trim()}`);
  return text.decode(stdout);
}

/**
 * Checks that this machine can create the network.
 *
 * @throws {UserError} with the reason, and what would be possible.
 */
export async function requireNetem({ os, uid, ip, mayRunIp, run }: NetemMachine): Promise<void> {
  const refuse = (reason: string, hint = INSTEAD): never => {
    throw new UserError(`--network netem is not possible: ${reason}`, { exitCode: 2, hint });
  };
  if (os !== "linux") refuse("network namespaces are a part of Linux");
  if (!mayRunIp) {
    refuse(
      "lbsim has no permission to run `ip`, which could run any program as root",
      "in a checkout: sudo deno task live:netem SCENARIO; " + INSTEAD,
    );
  }
  if (uid !== 0) refuse("only root can create network namespaces", `use sudo; ${INSTEAD}`);
  if (ip === undefined) refuse("`ip` is not installed", `install iproute2; ${INSTEAD}`);
  const probe = `lbsim-netem-${Deno.pid}-probe`;
  try {
    await run(["netns", "add", probe]);
  } catch (error) {
    refuse(`this system makes no network namespaces: ${(error as Error).message}`);
  }
  try {
    await run(["netns", "exec", probe, ...TRY]);
  } catch (error) {
    const { message } = error as Error;
    if (/unknown|No such file or directory.*(qdisc|netem)/i.test(message)) {
      refuse("this kernel has no netem", `load its module: modprobe sch_netem; ${INSTEAD}`);
    }
    refuse(`\`tc\` fails: ${message}`);
  } finally {
    await run(["netns", "del", probe]);
  }
}

const TRY = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"];

/** Makes the namespaces of a plan, and removes them. */
export class Namespaces implements AsyncDisposable {
  readonly #plan: NetemPlan;
  readonly #run: RunIp;

  private constructor(plan: NetemPlan, run: RunIp) {
    this.#plan = plan;
    this.#run = run;
  }

  /**
   * Makes all namespaces, or none.
   *
   * @throws {UserError} if a command fails.
   */
  static async make(plan: NetemPlan, run: RunIp): Promise<Namespaces> {
    const made = new Namespaces(plan, run);
    try {
      for (const command of plan.commands) await run(command);
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      throw new UserError(`the network could not be made: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const present = (await this.#run(["netns", "list"])).split("\n")
      .map((line) => line.split(" ")[0]);
    for (const namespace of this.#plan.namespaces) {
      if (present.includes(namespace)) await this.#run(["netns", "del", namespace]);
    }
  }
}

/**
 * Removes the namespaces of runs that were killed.
 *
 * @param lives Whether there is a process of this number, seen from one of its namespaces.
 */
export async function removeStale(
  run: RunIp,
  lives: (pid: number, namespace: string) => boolean | Promise<boolean>,
): Promise<void> {
  const present = await run(["netns", "list"]);
  for (const line of present.split("\n")) {
    const [, name, pid] = /^(lbsim-netem-(\d+)-\w+)/.exec(line) ?? [];
    if (name !== undefined && !await lives(Number(pid), name)) await run(["netns", "del", name]);
  }
}

/** The configuration of the balancer in its namespace, as config.yaml states it. */
export function netemConfig(
  study: Study,
  { balancer, clients, backends }: NetemPlan,
  tokenFile: string,
): string {
  const { tls: _tls, backend_tls: _backendTls, ...config } = writtenConfig(
    configOf(study.variants[0]!.scenario),
  );
  return JSON.stringify({
    ...config,
    listen: formatAddress({ host: balancer.address, port: LISTEN_PORT }),
    admin: {
      listen: formatAddress({ host: balancer.admin, port: ADMIN_PORT }),
      token_file: tokenFile,
    },
    backends: (config.backends as readonly Record<string, unknown>[]).map((backend, i) => ({
      ...backend,
      address: formatAddress({ host: backends[i]!.address, port: BACKEND_PORT }),
      admin: formatAddress({ host: backends[i]!.admin, port: ADMIN_PORT }),
    })),
    proxy_protocol: { accept_from: [clients.address] },
    log: { level: "info", connections: false },
  });
}

/**
 * Runs a study of `lbsim live` in namespaces: the balancer, each backend, and this program again as the client.
 *
 * @param args The arguments of `lbsim`, with `--network netem`.
 * @returns The exit code of the client.
 * @throws {UserError} if this machine cannot do it.
 */
export async function runInNamespaces(
  io: Io,
  study: Study,
  args: readonly string[],
  machine: NetemMachine,
): Promise<number> {
  await requireNetem(machine);
  const { scenario } = study.variants[0]!;
  const ids = scenario.balancer.backends.map(({ id }) => id);
  const plan = planNetem(`lbsim-netem-${Deno.pid}`, ids, scenario.network);
  await removeStale(machine.run, (pid, namespace) => lives(machine.run, pid, namespace));
  const folder = runFolder("netem");
  const config = `${folder}/config.yaml`;
  await Deno.mkdir(folder, { mode: 0o700 });
  const children: Child[] = [];
  try {
    await Deno.writeTextFile(config, netemConfig(study, plan, `${folder}/admin.token`));
    await using _made = await Namespaces.make(plan, machine.run);
    const start = (namespace: string, name: string, own: readonly string[], piped = true) => {
      const child = new Child(machine.ip!, namespace, name, own, piped);
      children.push(child);
      return child;
    };
    try {
      const backends = plan.backends.map(({ namespace, name }) =>
        start(namespace, name, ["backend", "--config", config, "--id", name])
      );
      await Promise.all(backends.map((one) => one.line(/admin API on/, io.signal)));
      const balancer = start(plan.balancer.namespace, "the balancer", ["lb", "--config", config]);
      await balancer.line(/admin API on/, io.signal);
      await allUp(io, balancer, ids);
      if (io.signal.aborted) return 130;
      const client = start(plan.clients.namespace, "the client", clientArgs(args, config), false);
      return await outcomeOf(io, client, children);
    } finally {
      await Promise.all(children.map((child) => child.end()));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Waits for the client. Ctrl-C is passed on to it, and it restores all settings.
 *
 * @returns Its exit code.
 * @throws {UserError} if another process ends before.
 */
async function outcomeOf(io: Io, client: Child, all: readonly Child[]): Promise<number> {
  const stop = () => client.kill("SIGINT");
  io.signal.addEventListener("abort", stop);
  io.hurry.addEventListener("abort", stop);
  try {
    const first = await Promise.race(all.map(async (one) => {
      await one.ended;
      return one;
    }));
    if (first === client || io.signal.aborted) return await client.ended;
    client.kill("SIGINT");
    await client.ended;
    throw new UserError(`${first.name} has ended: ${first.lastLines}`);
  } finally {
    io.signal.removeEventListener("abort", stop);
    io.hurry.removeEventListener("abort", stop);
  }
}

/** The same command line for the client, whose network is the real one. */
export function clientArgs(args: readonly string[], config: string): string[] {
  const rest = args.filter((word, i) =>
    word !== "--network" && args[i - 1] !== "--network" && !word.startsWith("--network=")
  );
  return [...rest, "--network", "real", "--config", config];
}

/** The balancer is ready when its probes have found every backend. */
async function allUp(io: Io, balancer: Child, ids: readonly string[]): Promise<void> {
  io.status("waiting until the balancer has found its backends");
  const found = new AbortController();
  const late = sleep(START, AbortSignal.any([io.signal, found.signal]));
  // If the wait is too long, the client starts, and reports the problem.
  await Promise.race([late, balancer.line(new RegExp(`active:.*${ids.at(-1)}\\b`), io.signal)]);
  found.abort();
  io.status();
}

/**
 * Whether there is a process with this number. A program that `ip` runs checks this, because Deno reads /proc only with
 * all permissions.
 */
async function lives(run: RunIp, pid: number, namespace: string): Promise<boolean> {
  try {
    await run(["netns", "exec", namespace, "test", "-d", `/proc/${pid}`]);
    return true;
  } catch {
    return false;
  }
}

/** With `main.ts` in this URL, `deno compile` would embed the program a second time, as a worker. */
const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** The words that run this program again, with its usual permissions. */
function ownCommand(): string[] {
  if (Deno.build.standalone) return [Deno.execPath()];
  const flags = deno.tasks["lbsim:run"].command.split(" ").filter((word) => word.startsWith("--"));
  return [Deno.execPath(), "run", ...flags, `${ROOT}main.ts`];
}

/** A process in a namespace. Signals of the terminal do not reach it: this process passes them on. */
class Child {
  readonly name: string;
  /** Resolves to the exit code of the process. */
  readonly ended: Promise<number>;
  readonly #process: Deno.ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<(line: string) => void>();
  readonly #reading: Promise<unknown>;

  /** @param isQuiet Whether the output of the process is kept for messages, and not shown. */
  constructor(
    ip: string,
    namespace: string,
    name: string,
    args: readonly string[],
    isQuiet: boolean,
  ) {
    this.name = name;
    const output = isQuiet ? "piped" : "inherit";
    this.#process = new Deno.Command(ip, {
      args: ["netns", "exec", namespace, ...ownCommand(), ...args],
      stdin: "null",
      stdout: output,
      stderr: output,
      detached: true,
    }).spawn();
    // Only the output of a quiet process goes through pipes and can be read.
    this.#reading = isQuiet
      ? Promise.all([this.#read(this.#process.stdout), this.#read(this.#process.stderr)])
      : Promise.resolve();
    this.ended = this.#process.status.then(({ code }) => code);
  }

  /** The last lines that it has printed. */
  get lastLines(): string {
    return this.#lines.slice(-LINES_KEPT).join("\n") || "it printed nothing";
  }

  /**
   * Resolves when it has printed such a line, or the signal is aborted.
   *
   * @throws {UserError} if it ends before.
   */
  async line(pattern: RegExp, signal: AbortSignal): Promise<void> {
    if (this.#lines.some((line) => pattern.test(line))) return;
    const { promise, resolve } = Promise.withResolvers<"found">();
    const look = (line: string) => pattern.test(line) && resolve("found");
    this.#waiting.add(look);
    const aborted = untilAborted(signal);
    const first = await Promise.race([promise, aborted, this.ended.then(() => this.#reading)]);
    this.#waiting.delete(look);
    if (first === "found" || signal.aborted) return;
    throw new UserError(`${this.name} has ended: ${this.lastLines}`);
  }

  kill(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // The process has ended already.
    }
  }

  /** Ends the process, and waits for its end. */
  async end(): Promise<void> {
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), END_MS);
    await this.ended;
    clearTimeout(timer);
    await this.#reading;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        this.#lines.push(line);
        if (this.#lines.length > 2 * LINES_MAX) this.#lines.splice(0, LINES_MAX);
        this.#waiting.forEach((look) => look(line));
      }
    }
  }
}
