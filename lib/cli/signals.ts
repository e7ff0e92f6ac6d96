import process from "node:process";

/** After SIGUSR1, the debugger's port is closed as soon as it opens; it is waited for as long as this. */
const DEBUGGER_WAIT_MS = 1000;
const DEBUGGER_POLL_MS = 2;

/**
 * Listens to the signals that mean the same for every subcommand, until the process ends.
 *
 * @param stop Ctrl-C and SIGTERM ask for this.
 */
export function listenToSignals(stop: () => void): void {
  Deno.addSignalListener("SIGINT", stop);
  if (Deno.build.os === "windows") return;
  Deno.addSignalListener("SIGTERM", stop);
  // Both would otherwise end the process at once.
  Deno.addSignalListener("SIGUSR1", closeDebugger);
  Deno.addSignalListener("SIGUSR2", () => {});
}

/**
 * Listens for the end of the terminal, for a subcommand to which SIGHUP also means something else. What
 * is not on a terminal is left alone: `nohup` and services rely on it.
 */
export function listenForHangup(stop: () => void): void {
  if (Deno.build.os === "windows" || !hasTerminal()) return;
  Deno.addSignalListener("SIGHUP", () => {
    if (!hasTerminal()) stop();
  });
}

/** Whether input or output is a terminal: not for a service, in a script, or when the terminal is gone. */
export function hasTerminal(): boolean {
  return [Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal());
}

/** Deno answers SIGUSR1 with a debugger on port 9229, which cannot be forbidden: it is closed again. */
function closeDebugger(): void {
  const { _debugEnd: end } = process as unknown as { readonly _debugEnd?: () => void };
  if (end === undefined) return;
  const timer = setInterval(end, DEBUGGER_POLL_MS);
  setTimeout(() => clearInterval(timer), DEBUGGER_WAIT_MS);
}
