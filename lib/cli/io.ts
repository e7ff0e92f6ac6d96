/** What a subcommand knows of the world it runs in. `main.ts` makes the real one, tests make others. */
export interface Io {
  /** Writes a line to standard output. */
  out(line: string): void;
  /** Writes a line to standard error. */
  err(line: string): void;
  /**
   * Shows a line in place of the last one shown so, or nothing: how far something is. Goes to standard
   * error if that is a terminal, and nowhere otherwise.
   */
  status(line?: string): void;
  readonly stdoutIsTerminal: boolean;
  readonly stdinIsTerminal: boolean;
  /** Whether to colour what goes to standard output: it is a terminal and NO_COLOR is not set. */
  readonly color: boolean;
  /** Width of the terminal in characters; 80 when there is none. */
  readonly columns: number;
  /** The code with which `main.ts` will exit: 0 fine, 1 failed, 2 wrong usage or configuration. */
  setExitCode(code: 0 | 1 | 2): void;
  /** Aborted by the first Ctrl-C or SIGTERM: finish what you do and return. */
  readonly signal: AbortSignal;
  /** Aborted by the second: do not wait for anybody. A third ends the process. */
  readonly hurry: AbortSignal;
}
