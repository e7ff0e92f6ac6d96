import type { LogTarget } from "./log.ts";

/** 0 fine, 1 failed, 2 wrong usage or configuration, 3 not valid, 130 ended by Ctrl-C before the end. */
export type ExitCode = 0 | 1 | 2 | 3 | 130;

/** The environment of a subcommand. `main.ts` makes the real one, tests make others. */
export interface Io {
  /** Writes a line to standard output. None of this waits for a reader: see `written`. */
  out(line: string): void;
  /** Writes text to standard output as it is, like a prompt. */
  print(text: string): void;
  /** Writes a line to standard error. */
  err(line: string): void;
  /** Where the log goes: standard output. Lines are dropped if the reader is too slow for them. */
  readonly log: LogTarget;
  /**
   * Shows a line below all others in place of the last one shown so, or none: how far something is. Goes
   * to the terminal, and nowhere if there is none.
   */
  status(line?: string): void;
  /**
   * Resolves when the readers have taken what was written, or the command is to stop. A command that
   * writes a line for each it reads waits for this.
   */
  written(): Promise<void>;
  readonly stdoutIsTerminal: boolean;
  readonly stdinIsTerminal: boolean;
  /** Whether to colour what goes to standard output: it is a terminal and NO_COLOR is not set. */
  readonly color: boolean;
  /** Width of the terminal in characters; 80 when there is none. */
  readonly columns: number;
  /** The code with which `main.ts` will exit. */
  setExitCode(code: ExitCode): void;
  /** Aborted by the first Ctrl-C or SIGTERM: finish what you do and return. */
  readonly signal: AbortSignal;
  /** Aborted by the second: stop at once, without waiting for open connections. A third ends the process. */
  readonly hurry: AbortSignal;
}
