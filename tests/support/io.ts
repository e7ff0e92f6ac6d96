/** The environment of a command, for tests. */
import type { Io } from "../../lib/cli/mod.ts";

/** An environment that keeps what is written to standard output, and the rest if it is asked to. */
export function ioFor(out: string[], changes: Partial<Io> = {}): Io {
  const { signal } = new AbortController();
  return {
    out: (line) => out.push(line),
    print: (text) => out.push(text),
    err: () => {},
    log: { out: () => {}, stdoutIsTerminal: false, color: false },
    status: () => {},
    written: () => Promise.resolve(),
    stdoutIsTerminal: false,
    stdinIsTerminal: false,
    color: false,
    columns: 80,
    setExitCode: () => {},
    signal,
    hurry: signal,
    ...changes,
  };
}
