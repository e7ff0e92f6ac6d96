import process from "node:process";
import { setImmediate } from "node:timers";
import { monotonicNow } from "../io/clock.ts";
import { NS_PER_MS } from "../base/mod.ts";

/** Deno opens the debugger's port within a turn or two of the event loop after SIGUSR1. */
const DEBUGGER_WAIT = 100 * NS_PER_MS;
/**
 * On a busy machine this takes longer. So the port is closed this many times more, every `LATE_LOOK_MS` milliseconds.
 */
const LATE_LOOKS = 50;
const LATE_LOOK_MS = 100;

/**
 * Handles the signals that have the same meaning for every subcommand, until the process ends.
 *
 * @param stop Called after Ctrl-C or SIGTERM.
 */
export function listenToSignals(stop: () => void): void {
  Deno.addSignalListener("SIGINT", stop);
  if (Deno.build.os === "windows") return;
  Deno.addSignalListener("SIGTERM", stop);
  // Without a listener, each of these signals would end the process at once.
  Deno.addSignalListener("SIGUSR1", closeDebugger);
  Deno.addSignalListener("SIGUSR2", () => {});
}

/**
 * Handles the end of the terminal, for a subcommand in which SIGHUP has another meaning, too. A process without a
 * terminal is not affected, since `nohup` and services rely on this. A SIGHUP that comes before the subcommand listens
 * to it does not end the process either.
 */
export function listenForHangup(stop: () => void): void {
  if (Deno.build.os === "windows") return;
  const hadTerminal = hasTerminal();
  Deno.addSignalListener("SIGHUP", () => {
    if (hadTerminal && !hasTerminal()) stop();
  });
}

/** Whether input or output is a terminal. This is false in a service, in a script, and after the terminal closed. */
export function hasTerminal(): boolean {
  return [Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal());
}

/**
 * Closes the debugger on port 9229. Deno opens it after SIGUSR1, and has no setting against that. A debugger gets its
 * session only in a turn of the event loop, so the port is closed again in the turn in which it opens. A program that
 * tries to connect all the time rarely gets a session, and loses it at once.
 */
function closeDebugger(): void {
  const { _debugEnd: end } = process as unknown as { readonly _debugEnd?: () => void };
  if (end === undefined) return;
  const until = monotonicNow() + DEBUGGER_WAIT;
  let looks = 0;
  const closeLater = () => {
    end();
    if (++looks < LATE_LOOKS) Deno.unrefTimer(setTimeout(closeLater, LATE_LOOK_MS));
  };
  const closeAtEachTurn = () => {
    end();
    if (monotonicNow() < until) setImmediate(closeAtEachTurn);
    else closeLater();
  };
  closeAtEachTurn();
}
