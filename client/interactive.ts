import { createInterface, type Interface } from "node:readline";
import process from "node:process";
import { Writable } from "node:stream";
import { styleText } from "node:util";
import { escapeText, formatAddress } from "../lib/base/mod.ts";
import type { Io } from "../lib/cli/mod.ts";
import type { IdleEvents } from "./connection.ts";
import { ClientSession, type Exchange, type SessionOptions } from "./session.ts";

/** The part of a terminal that a conversation uses. */
export type Terminal = Pick<
  Interface,
  "on" | "prompt" | "close" | "getCursorPos" | typeof Symbol.asyncIterator
>;

/** The part of a session that a conversation uses. */
export type Session = Pick<ClientSession, "send" | "close" | "counts" | "backends">;

/** Sends the lines that the user types at the terminal, until Ctrl-C or Ctrl-D. */
export async function converse(options: SessionOptions, io: Io): Promise<void> {
  const where = formatAddress(options.address);
  io.out(`lbsim client for ${where}: type a line, Enter sends it; Ctrl-D ends.`);
  await io.written();
  const terminal = createInterface({
    input: process.stdin,
    output: terminalOutput(io),
    prompt: "> ",
  });
  await hold(terminal, (idle) => new ClientSession({ ...options, idle }), where, io);
}

/**
 * Holds a conversation until the terminal closes, and then prints how many lines were sent and answered.
 *
 * @param newSession Creates a session that reports events between two lines.
 * @param where The address to which the session connects, in words.
 */
export async function hold(
  terminal: Terminal,
  newSession: (idle: IdleEvents) => Session,
  where: string,
  io: Io,
): Promise<void> {
  const narrator = new Narrator(io, terminal, where);
  const session = newSession(narrator);
  let ended = false;
  const end = () => terminal.close();
  terminal.on("SIGINT", end);
  terminal.on("close", () => {
    ended = true;
    narrator.end();
    session.close();
  });
  io.signal.addEventListener("abort", end);
  terminal.on("line", () => narrator.entered());
  try {
    narrator.prompt();
    // Lines that are typed or pasted before an answer has come wait here.
    for await (const line of terminal) {
      narrator.begin();
      const exchange = line === "" ? undefined : await session.send(line);
      if (ended) break;
      if (exchange !== undefined) narrator.exchange(exchange);
      await io.written();
      // Ctrl-D may have come meanwhile, and a closed terminal takes no prompt.
      if (ended) break;
      narrator.prompt();
    }
  } finally {
    io.signal.removeEventListener("abort", end);
    terminal.close();
    session.close();
  }
  const { lines, answers } = session.counts;
  const shares = [...session.backends].map(([id, count]) => `${escapeText(id)} ${count}`);
  io.out(
    `\n${lines} lines, ${answers} answers` +
      (shares.length > 0 ? ` (${shares.join(", ")})` : ""),
  );
}

/** The terminal for `readline`: its output is in order with all other output, and does not wait. */
function terminalOutput(io: Io): Writable {
  const output = new Writable({
    write(chunk, _encoding, done) {
      io.print(String(chunk));
      done();
    },
  });
  return Object.assign(output, { isTTY: io.stdoutIsTerminal, columns: io.columns });
}

/** Prints the outcome of each line, and what has changed since the last one. */
class Narrator {
  readonly #io: Io;
  readonly #terminal: Terminal;
  readonly #where: string;
  #backend: string | undefined;
  #connection = 0;
  /** The number of lines that have been entered, and whose sending has not begun. */
  #waiting = 0;
  #isPrompting = false;

  constructor(io: Io, terminal: Terminal, where: string) {
    this.#io = io;
    this.#terminal = terminal;
    this.#where = where;
  }

  /** Asks for a line, unless one has been entered already. */
  prompt(): void {
    if (this.#waiting > 0) return;
    this.#isPrompting = true;
    // `true` keeps the text that was typed while an answer was awaited, and the place of the cursor in it.
    this.#terminal.prompt(true);
  }

  /** A line was entered: the cursor is below it. */
  entered(): void {
    this.#waiting++;
    this.#isPrompting = false;
  }

  /** An entered line is sent. */
  begin(): void {
    this.#waiting--;
  }

  /** The terminal takes no more lines. */
  end(): void {
    this.#isPrompting = false;
  }

  exchange(exchange: Exchange): void {
    const { answer, backend, connection, error, message, ms } = exchange;
    if (error !== undefined) {
      this.#note("red", `no answer: ${message}`);
      // After a refused connect, the line was certainly not sent. After these errors, it may have reached a backend.
      if (error === "closed" || error === "timeout") {
        this.#note(
          "yellow",
          "the backend may or may not have handled this line; the next line reconnects",
        );
      }
      return;
    }
    if (connection !== this.#connection && this.#connection !== 0) {
      this.#note("yellow", `reconnected (connection ${connection})`);
    }
    this.#connection = connection;
    this.#print(escapeText(answer ?? ""));
    if (backend !== undefined && backend !== this.#backend) {
      const was = this.#backend === undefined ? "" : ` (was ${this.#backend})`;
      this.#note("cyan", `answered by ${backend}${was} in ${ms.toFixed(1)} ms`);
      this.#backend = backend;
    }
  }

  unasked(line: string): void {
    this.#print(escapeText(line));
    this.#note("yellow", "this line came without a request");
  }

  closed(): void {
    const who = this.#backend ?? this.#where;
    this.#note("yellow", `${who} closed the connection; the next line opens another`);
  }

  #note(style: "red" | "yellow" | "cyan", text: string): void {
    const safe = `  ${escapeText(text)}`;
    this.#print(this.#io.color ? styleText(style, safe, { validateStream: false }) : safe);
  }

  /** Prints a line above the prompt and the typed text, if there is a prompt. */
  #print(line: string): void {
    if (!this.#isPrompting) return this.#io.out(line);
    const { rows } = this.#terminal.getCursorPos();
    const up = rows > 0 ? `\x1b[${rows}A` : "";
    // `prompt` draws again from `rows` rows above the cursor: the newlines make room for these rows.
    this.#io.out(`${up}\r\x1b[J${line}${"\n".repeat(rows)}`);
    this.#io.written().then(() => {
      if (this.#isPrompting) this.#terminal.prompt(true);
    });
  }
}
