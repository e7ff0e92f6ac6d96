/** Programs as a person sees them: in a terminal. */

/** A program in a terminal of its own, which util-linux's `script` makes. */
export class InTerminal implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #keyboard: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #screen = "";
  #changed = () => {};

  constructor(command: readonly string[]) {
    const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    this.#process = new Deno.Command("script", {
      args: ["-qec", quoted, "/dev/null"],
      env: { TERM: "xterm", NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keyboard = this.#process.stdin.getWriter();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream() as never)) {
      this.#screen += text;
      this.#changed();
    }
    this.#changed();
  }

  /** Everything that was shown. */
  get screen(): string {
    return this.#screen;
  }

  async type(keys: string): Promise<void> {
    await this.#keyboard.write(new TextEncoder().encode(keys));
  }

  /** Waits until something is shown; in what came after `from`. Returns where it ends. */
  async shows(pattern: RegExp, from = 0): Promise<number> {
    const deadline = performance.now() + 60_000;
    while (performance.now() < deadline) {
      const match = pattern.exec(this.#screen.slice(from));
      if (match !== null) return from + match.index + match[0].length;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#changed = resolve;
      const timer = setTimeout(resolve, 1000);
      await promise;
      clearTimeout(timer);
    }
    throw new Error(`${pattern} was not shown:\n${JSON.stringify(this.#screen)}`);
  }

  async ended(): Promise<number> {
    const { code } = await this.#process.status;
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keyboard.close().catch(() => {});
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.ended();
  }
}
