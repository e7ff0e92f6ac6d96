/** A server that speaks just enough Redis for a session store to open, and lets a test count what it is asked. */
import { TestServer } from "./sockets.ts";

/** Answers every command, but may fall silent when it is asked for a session. */
export class SilentRedis implements AsyncDisposable {
  /** The names of the commands that have come. */
  readonly commands: string[] = [];
  readonly #server: TestServer;

  /** It answers no GET any more; else it says that it knows of no such session. */
  silent = false;

  constructor() {
    this.#server = new TestServer(async (connection) => {
      const buffer = new Uint8Array(64 * 1024);
      let text = "";
      for (let count = await connection.read(buffer); count !== null;) {
        text += new TextDecoder().decode(buffer.subarray(0, count));
        for (let match = COMMAND.exec(text); match !== null; match = COMMAND.exec(text)) {
          text = text.slice(match[0].length);
          const name = /\r\n([A-Z]+)\r\n/i.exec(match[0])![1]!.toUpperCase();
          this.commands.push(name);
          const reply = name === "GET"
            ? (this.silent ? "" : "$-1\r\n")
            : REPLIES[name] ?? "+OK\r\n";
          await connection.write(new TextEncoder().encode(reply));
        }
        count = await connection.read(buffer);
      }
    });
  }

  get address() {
    return { ...this.#server.address, tls: false, database: 0 };
  }

  /** How often it was asked for a session. */
  get gets(): number {
    return this.commands.filter((name) => name === "GET").length;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}

/** A whole array of at most three short strings. */
const COMMAND =
  /^\*(?:1\r\n|2\r\n\$\d+\r\n[^\r]*\r\n|3\r\n(?:\$\d+\r\n[^\r]*\r\n){2})\$\d+\r\n[^\r]*\r\n/;

const REPLIES: Readonly<Record<string, string>> = { PING: "+PONG\r\n" };
