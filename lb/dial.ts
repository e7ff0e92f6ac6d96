import type { Address } from "../lib/address.ts";
import type { ConnectFailure } from "../lib/core/mod.ts";

/** A connect that failed. */
export interface DialFailure {
  readonly reason: ConnectFailure;
  /** This machine has no descriptor left: the connect was never sent and says nothing of the backend. */
  readonly outOfDescriptors: boolean;
  /** What the reason leaves open, in a few words. */
  readonly detail?: string;
}

/**
 * Opens a connection. Whoever gets it owns it and closes it.
 *
 * @param signal Gives the connect up; it then counts as timed out.
 */
export function dial(
  { host, port }: Address,
  signal: AbortSignal,
): Promise<Deno.TcpConn | DialFailure> {
  return Deno.connect({ hostname: host, port, signal, autoSelectFamily: false })
    .catch((error: unknown): DialFailure => ({
      reason: signal.aborted ? "timeout" : connectFailure(error),
      outOfDescriptors: isOutOfDescriptors(error),
    }));
}

/** Whether an error says that this process, or the machine, has no file descriptor left. */
export function isOutOfDescriptors(error: unknown): boolean {
  return error instanceof Error && /\(os error (23|24|10024)\)/.test(error.message);
}

function connectFailure(error: unknown): ConnectFailure {
  if (error instanceof Deno.errors.ConnectionRefused) return "refused";
  if (error instanceof Deno.errors.TimedOut) return "timeout";
  const unreachable = error instanceof Deno.errors.NetworkUnreachable ||
    (error instanceof Error && /unreachable|no route to host/i.test(error.message));
  return unreachable ? "unreachable" : "other";
}
