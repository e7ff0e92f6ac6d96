/** A real Redis (or Valkey) for tests: a process of its own, on a free port of loopback, which keeps nothing on disk. */
import type { RedisAddress } from "../../lib/config/scalars.ts";
import { deadAddress } from "./sockets.ts";
import { TextLineStream } from "./text_line_stream.ts";
import { installed } from "./tools.ts";

/** The program that is installed here; undefined if none is. */
export const REDIS_SERVER = installed("redis-server", "valkey-server");

/** Declares a test that needs a Redis server; where none is installed it is skipped, and its name says why. */
export function testWithRedis(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name} (needs redis-server)`, ignore: REDIS_SERVER === undefined, fn });
}

/** A server that a test starts, stops, kills and starts again, always at one address. */
export class RedisServer implements AsyncDisposable {
  readonly address: RedisAddress;
  readonly #options: readonly string[];
  #process: Deno.ChildProcess | undefined;
  #output: Promise<void> = Promise.resolve();

  /** @param options More of the server's command line. */
  constructor(...options: readonly string[]) {
    this.address = { ...deadAddress(), tls: false, database: 0 };
    this.#options = options;
  }

  /** Resolves when it accepts connections. It knows nothing then. */
  async start(): Promise<this> {
    const { host, port } = this.address;
    this.#process = new Deno.Command(REDIS_SERVER!, {
      args: [
        ...["--bind", host, "--port", String(port)],
        ...["--save", "", "--appendonly", "no"],
        ...this.#options,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const lines = this.#process.stdout.pipeThrough(new TextDecoderStream() as never)
      .pipeThrough(new TextLineStream());
    const ready = Promise.withResolvers<void>();
    this.#output = (async () => {
      for await (const line of lines) if (/ready to accept/i.test(line)) ready.resolve();
      ready.reject(new Error("the Redis server ended"));
    })();
    await ready.promise;
    return this;
  }

  /** What it answers to a command. */
  async command(...args: readonly string[]): Promise<string> {
    const { stdout } = await new Deno.Command(REDIS_SERVER!.replace("server", "cli"), {
      args: ["-p", String(this.address.port), ...args],
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout).trim();
  }

  signal(signal: Deno.Signal): void {
    this.#process!.kill(signal);
  }

  /** Ends it without warning. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#process!.status;
    await this.#output;
    this.#process = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process !== undefined) await this.kill();
  }
}
