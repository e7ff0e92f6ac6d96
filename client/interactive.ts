import { createInterface } from "node:readline/promises";
import process from "node:process";
import { styleText } from "node:util";
import { type Address, formatAddress } from "../lib/address.ts";
import type { Io } from "../lib/cli/io.ts";
import type { ClientSession, Exchange } from "./session.ts";

/** Talks with the person at the terminal until Ctrl-C or Ctrl-D. */
export async function converse(session: ClientSession, address: Address, io: Io): Promise<void> {
  io.out(`lbsim client for ${formatAddress(address)}: type a line, Enter sends it; Ctrl-D ends.`);
  const terminal = createInterface({ input: process.stdin, output: process.stdout, prompt: "> " });
  const ended = new AbortController();
  const end = () => ended.abort();
  terminal.on("close", end);
  terminal.on("SIGINT", end);
  io.signal.addEventListener("abort", end);
  const say = new Narrator(io);
  try {
    while (!ended.signal.aborted) {
      const line = await terminal.question("> ", { signal: ended.signal });
      if (line !== "") say.exchange(await session.send(line));
    }
  } catch (error) {
    if (!ended.signal.aborted) throw error;
    io.out("");
  } finally {
    io.signal.removeEventListener("abort", end);
    terminal.close();
    session.close();
  }
  const shares = [...session.backends].map(([id, count]) => `${id} ${count}`).join(", ");
  io.out(`${session.lines} lines, ${session.answers} answers${shares && ` (${shares})`}`);
}

/** Says what became of each line, and above all what has changed since the last. */
class Narrator {
  readonly #io: Io;
  #backend: string | undefined;
  #connection = 0;

  constructor(io: Io) {
    this.#io = io;
  }

  exchange(exchange: Exchange): void {
    const { answer, backend, connection, error, message, ms } = exchange;
    if (error !== undefined) {
      this.#note("red", `no answer: ${message}`);
      // A refused connect carried nothing; anything later may have reached a backend.
      if (error === "closed" || error === "timeout") {
        this.#note("yellow", "this line may or may not have been handled; the next one reconnects");
      }
      return;
    }
    if (connection !== this.#connection && this.#connection !== 0) {
      this.#note("yellow", `reconnected (connection ${connection})`);
    }
    this.#connection = connection;
    this.#io.out(answer ?? "");
    if (backend !== undefined && backend !== this.#backend) {
      const was = this.#backend === undefined ? "" : ` (was ${this.#backend})`;
      this.#note("cyan", `answered by ${backend}${was} in ${ms.toFixed(1)} ms`);
      this.#backend = backend;
    }
  }

  #note(style: "red" | "yellow" | "cyan", text: string): void {
    this.#io.out(
      this.#io.color ? styleText(style, `  ${text}`, { validateStream: false }) : `  ${text}`,
    );
  }
}
