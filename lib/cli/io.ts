import type { LogTarget } from "./log.ts";

/**
 * 0: success. 1: failure. 2: wrong usage or configuration. 3: the result is not valid. 130: ended early by Ctrl-C.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 130;

/** The environment of a subcommand. `main.ts` creates the real one, and tests create others. */
export interface Io {
  /** Writes a line to standard output. This function and the others do not wait until it is read: see `written`. */
  out(line: string): void;
  /** Writes text to standard output without a line end, like a prompt. */
  print(text: string): void;
  /** Writes a line to standard error. */
  err(line: string): void;
  /** The target of the log: standard output. Lines are dropped if the reader is too slow. */
  readonly log: LogTarget;
  /**
   * Shows a line with the progress below all other lines, in place of the previous one. Without an argument, the
   * previous one is removed. If there is no terminal, nothing is shown.
   */
  status(line?: string): void;
  /**
   * Resolves when the readers have taken everything that was written, or when the command must stop. A command that
   * writes a line for each line that it reads waits for this.
   */
  written(): Promise<void>;
  readonly stdoutIsTerminal: boolean;
  readonly stdinIsTerminal: boolean;
  /** Whether standard output has colours: it is a terminal, and NO_COLOR is not set. */
  readonly color: boolean;
  /** The width of the terminal in characters; 80 if there is no terminal. */
  readonly columns: number;
  /** Sets the code with which `main.ts` will exit. */
  setExitCode(code: ExitCode): void;
  /** Aborted by the first Ctrl-C or SIGTERM: the command must finish its work and return. */
  readonly signal: AbortSignal;
  /**
   * Aborted by the second Ctrl-C or SIGTERM: the command must stop at once, without waiting for open connections. A
   * third one ends the process.
   */
  readonly hurry: AbortSignal;
}
