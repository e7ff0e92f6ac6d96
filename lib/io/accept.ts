import { eventLoopTurn } from "./event_loop.ts";
import { localShortage, systemCode } from "./system_error.ts";
import { UserError } from "../base/mod.ts";

/** The kinds of failures of an accept. */
export type AcceptFailure =
  /** The client has gone or its network has failed: the next client can be accepted at once. */
  | "client"
  /** This machine lacks a resource, or the error is unknown: accepting again may work later. */
  | "shortage"
  /** The listener itself is unusable: no accept will succeed. */
  | "listener"
  /** This process has closed the listener. */
  | "closed";

/**
 * Errors of a single connection. ECONNABORTED, ECONNRESET: the client reset the connection before it was accepted.
 * ENOTCONN (EINVAL on macOS): the same, but this was noticed only when the client's address was read. The others are
 * network errors that Linux reports through accept, and a refusal by the firewall (EPERM).
 */
const CLIENT_ERRORS: ReadonlySet<string> = new Set([
  "ECONNABORTED",
  "ECONNRESET",
  "ENOTCONN",
  "EPIPE",
  "ETIMEDOUT",
  "EINTR",
  "EAGAIN",
  "EPERM",
  "EPROTO",
  "ENOPROTOOPT",
  "EOPNOTSUPP",
  "ENETDOWN",
  "ENETUNREACH",
  "ENONET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
]);

const LISTENER_ERRORS: ReadonlySet<string> = new Set(["EBADF", "ENOTSOCK", "EINVAL", "EFAULT"]);

/** The kind of failure that an error of an accept means. */
export function acceptFailure(error: unknown, os: string = Deno.build.os): AcceptFailure {
  if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
    return "closed";
  }
  const code = systemCode(error) ?? "";
  if (CLIENT_ERRORS.has(code) || (code === "EINVAL" && os === "darwin")) return "client";
  if (localShortage(error) !== undefined) return "shortage";
  return LISTENER_ERRORS.has(code) ? "listener" : "shortage";
}

/**
 * After this many accepts the event loop polls, so that a burst of clients does not delay other connections.
 */
const ACCEPTS_PER_TURN = 64;

/**
 * Accepts connections until the listener is closed.
 *
 * @param take Gets each connection, and owns it.
 * @param shortage Called when this machine lacks a resource; accepting continues when the promise resolves.
 * @param turn Lets the event loop poll.
 * @throws {UserError} if the listener itself has failed.
 */
export async function acceptAll<Conn>(
  listener: { accept(): Promise<Conn> },
  take: (connection: Conn) => void,
  shortage: (error: unknown) => Promise<void>,
  turn: () => Promise<void> = eventLoopTurn,
): Promise<void> {
  for (let accepts = 1;; accepts++) {
    if (accepts % ACCEPTS_PER_TURN === 0) await turn();
    let connection: Conn;
    try {
      connection = await listener.accept();
    } catch (error) {
      const failure = acceptFailure(error);
      if (failure === "closed") return;
      if (failure === "listener") {
        const { message } = error as Error;
        throw new UserError(`no client can be accepted any more: ${message}`, { cause: error });
      }
      if (failure === "shortage") await shortage(error);
      continue;
    }
    take(connection);
  }
}
