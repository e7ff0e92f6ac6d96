/** lbsim as a process of its own, as a user would start it. */
import { TextLineStream } from "./text_line_stream.ts";

const ROOT = `${import.meta.dirname}/../../`;

/** The arguments that run main.ts with the permissions of the `lbsim:run` task, no more. */
export function lbsimArgs(args: readonly string[]): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
  const [, ...words] = (tasks["lbsim:run"].command as string).split(" ");
  return [...words.map((word) => word === "main.ts" ? `${ROOT}main.ts` : word), ...args];
}

/** The words of a command, as a shell splits it: quotes hold words together. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, held, word]) => held ?? word!);
}

/** What a finished process left. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs lbsim to its end. */
export async function lbsim(
  args: readonly string[],
  options: { readonly stdin?: string; readonly cwd?: string; readonly prefix?: readonly string[] } =
    {},
): Promise<Outcome> {
  const process = spawn(args, {
    ...options,
    stdin: options.stdin === undefined ? "null" : "piped",
  });
  if (options.stdin !== undefined) {
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await process.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** lbsim while it runs. */
export class RunningLbsim {
  readonly #process: Deno.ChildProcess;
  readonly #lines: string[] = [];
  readonly #arrived: (() => void)[] = [];
  readonly #reading: Promise<unknown>;

  /** @param prefix A command that runs the rest, like `ip netns exec NAME`. */
  constructor(
    args: readonly string[],
    options: {
      readonly cwd?: string;
      readonly prefix?: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
    } = {},
  ) {
    this.#process = spawn(args, { ...options, stdin: "null" });
    this.#reading = Promise.all(
      [this.#process.stdout, this.#process.stderr].map((stream) => this.#read(stream)),
    );
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** What it has printed so far, on both streams. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Its log records, if it logs JSON. */
  get records(): Record<string, unknown>[] {
    return this.#lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** The first line that fits, now or when it comes. */
  async line(fits: (line: string) => boolean, timeoutMs = 60_000): Promise<string> {
    const deadline = performance.now() + timeoutMs;
    while (true) {
      const found = this.#lines.find(fits);
      if (found !== undefined) return found;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`no such line in time:\n${this.#lines.join("\n")}`);
      await this.#more(left);
    }
  }

  kill(signal: Deno.Signal = "SIGTERM"): void {
    try {
      this.#process.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended already.
    }
  }

  /** Its exit code, when it has ended. */
  async ended(): Promise<number> {
    const { code } = await this.#process.status;
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.ended();
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const lines = stream.pipeThrough(new TextDecoderStream() as never)
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      this.#lines.push(line);
      this.#arrived.splice(0).forEach((wake) => wake());
    }
    this.#arrived.splice(0).forEach((wake) => wake());
  }

  #more(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#arrived.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** Where a balancer or a backend listens, as soon as it says so. */
export async function addressOf(process: RunningLbsim): Promise<string> {
  const line = await process.line((text) => /listening on [\d.]+:\d+/.test(text));
  return /listening on ([\d.]+:\d+)/.exec(line)![1]!;
}

function spawn(
  args: readonly string[],
  { cwd, prefix = [], stdin, env }: {
    readonly cwd?: string;
    readonly prefix?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly stdin: "null" | "piped";
  },
): Deno.ChildProcess {
  const [program, ...rest] = [...prefix, Deno.execPath(), ...lbsimArgs(args)];
  return new Deno.Command(program!, {
    args: rest,
    stdin,
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    ...cwd !== undefined && { cwd },
  }).spawn();
}
