/**
 * Runs a program with as many file descriptors as the system allows, and measures the CPU time and memory that it uses.
 */

/** Kernel clock ticks per second: the unit of CPU time in /proc. It is 100 on every Linux. */
const TICKS_PER_SECOND = 100;

const RAISE_LIMIT = 'ulimit -n "$(ulimit -H -n)"; exec "$@"';

/** The output of a program, and whether the program succeeded. */
export interface Output {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(command: readonly string[]): Promise<Output> {
  const { success, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", RAISE_LIMIT, "sh", ...command],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { ok: success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** The number of file descriptors that a program started from here can have. */
export async function descriptorLimit(): Promise<number> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", "ulimit -H -n"] }).output();
  const limit = Number(new TextDecoder().decode(stdout));
  return Number.isNaN(limit) ? Infinity : limit;
}

/** Whether a program is installed. */
export async function isInstalled(name: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", 'command -v "$1"', "sh", name],
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

/** A file of /proc, read by another program: Deno itself reads there only with all permissions. */
async function proc(path: string): Promise<string> {
  const { ok, stdout, stderr } = await run(["cat", `/proc/${path}`]);
  if (!ok) throw new Error(stderr.trim());
  return stdout.trim();
}

/** A running program with its workers. The code that starts it must stop it. */
export class Process {
  readonly #child: Deno.ChildProcess;
  readonly #command: readonly string[];

  constructor(command: readonly string[], options: { stdio?: "inherit" | "null" } = {}) {
    const stdio = options.stdio ?? "null";
    this.#command = command;
    this.#child = new Deno.Command("sh", {
      args: ["-c", RAISE_LIMIT, "sh", ...command],
      stdin: "null",
      stdout: stdio,
      stderr: stdio,
    }).spawn();
  }

  /** CPU seconds, in user and kernel mode, of all its threads and workers so far. */
  async cpuSeconds(): Promise<number> {
    let ticks = 0;
    for (const pid of await this.#family()) {
      const stat = await proc(`${pid}/stat`);
      // The second field, the name, may contain spaces; utime and stime are fields 14 and 15.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      ticks += Number(fields[11]) + Number(fields[12]);
    }
    return ticks / TICKS_PER_SECOND;
  }

  /** Bytes of resident memory, including those of its workers. */
  async residentBytes(): Promise<number> {
    let kilobytes = 0;
    for (const pid of await this.#family()) {
      const status = await proc(`${pid}/status`);
      kilobytes += Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    }
    return kilobytes * 1024;
  }

  /** Rejects when the process ends, because it should not end by itself. */
  async ended(): Promise<never> {
    const { code } = await this.#child.status;
    throw new Error(`ended with code ${code}: ${this.#command.join(" ")}`);
  }

  /** Asks the process to end, kills it after two seconds, and waits for its end. */
  async stop(): Promise<void> {
    const insist = setTimeout(() => this.#kill("SIGKILL"), 2000);
    this.#kill("SIGTERM");
    await this.#child.status;
    clearTimeout(insist);
  }

  #kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // The process has ended already.
    }
  }

  async #family(): Promise<number[]> {
    const { pid } = this.#child;
    const children = await proc(`${pid}/task/${pid}/children`);
    return [pid, ...children.split(" ").filter((child) => child !== "").map(Number)];
  }
}

/** A port on loopback on which nothing listens. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Waits until something listens on a port of this machine. */
export async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`nothing listens on port ${port} after 10 s`);
}
