import type { Io } from "../lib/cli/mod.ts";

/**
 * Switches to the alternate screen, hides the cursor and turns off line wrapping. `LEAVE` reverses
 * this.
 */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/**
 * Uses the whole terminal until it is disposed. Then it restores the terminal, even if an uncaught error ends the
 * command, because the message of this error must appear on the normal screen.
 */
export class Screen implements Disposable {
  readonly #io: Pick<Io, "print" | "written">;
  readonly #hasKeys: boolean;
  readonly #emergency = () =>
    this.#leave((text) => {
      Deno.stdout.writeSync(new TextEncoder().encode(text));
    });
  #isEntered = false;
  #isWriting = false;
  #next: readonly string[] | undefined;

  /** @param hasKeys Whether the keyboard is read, key by key. */
  constructor(io: Pick<Io, "print" | "written">, hasKeys: boolean) {
    this.#io = io;
    this.#hasKeys = hasKeys;
    for (const event of EMERGENCIES) {
      globalThis.addEventListener(event, this.#emergency, { capture: true });
    }
    if (hasKeys) Deno.stdin.setRaw(true);
    this.#isEntered = true;
    io.print(ENTER);
  }

  /** Columns and rows. */
  get size(): { readonly columns: number; readonly rows: number } {
    try {
      const { columns, rows } = Deno.consoleSize();
      return { columns: columns || 80, rows: rows || 24 };
    } catch {
      return { columns: 80, rows: 24 };
    }
  }

  /** Shows these lines in place of all others. If the terminal is slow, it gets only the latest lines. */
  draw(lines: readonly string[]): void {
    this.#next = lines;
    if (this.#isWriting || !this.#isEntered) return;
    this.#isWriting = true;
    this.#io.print(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
    this.#next = undefined;
    void this.#io.written().then(() => {
      this.#isWriting = false;
      if (this.#next !== undefined) this.draw(this.#next);
    });
  }

  [Symbol.dispose](): void {
    for (const event of EMERGENCIES) {
      globalThis.removeEventListener(event, this.#emergency, { capture: true });
    }
    // `print` comes after all that has been drawn.
    this.#leave((text) => this.#io.print(text));
  }

  #leave(print: (text: string) => void): void {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    try {
      if (this.#hasKeys) Deno.stdin.setRaw(false);
      print(LEAVE);
    } catch {
      // The terminal is closed.
    }
  }
}

const EMERGENCIES = ["unload", "error", "unhandledrejection"] as const;
