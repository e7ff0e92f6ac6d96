/** Short ways to take a connection of a scheduler through its phases. */
import type { ConnectFailure, Connection, Phase, PickTrace } from "../../lib/core/mod.ts";
import type { Scheduler } from "../../lib/core/mod.ts";
import type { Nanoseconds } from "../../lib/base/mod.ts";

/** A client connects and asks for a backend. What comes of that is the connection's phase, or its refusal. */
export function acquire(
  scheduler: Scheduler,
  client = "10.0.0.1",
  now: Nanoseconds = 0,
  trace?: PickTrace,
): Connection {
  const connection = scheduler.accept(client, now);
  if (connection.refusal === undefined) connection.assign(now, trace);
  return connection;
}

/** The connection, which the test is sure has a backend. */
export function connecting(connection: Connection): Connection {
  return inPhase(connection, "connecting");
}

/** The connection, which the test is sure waits. */
export function waiting(connection: Connection): Connection {
  return inPhase(connection, "waiting");
}

function inPhase(connection: Connection, phase: Phase): Connection {
  if (connection.phase === phase) return connection;
  throw new Error(`${connection.phase}: ${connection.refusal ?? connection.backend.id}`);
}

/** What has become of a connection: its backend, `waits`, or why it was refused. */
export function placeOf(connection: Connection): string {
  if (connection.phase === "waiting") return "waits";
  return connection.refusal ?? connection.backend.id;
}

/** The same connection after a failed connect, which the test is sure gets another backend. */
export function retried(
  connection: Connection,
  now: Nanoseconds,
  reason: ConnectFailure = "refused",
): Connection {
  connection.connectFailed(reason, now);
  return connecting(connection);
}

/** Acquires and connects. */
export function open(scheduler: Scheduler, client = "10.0.0.1", now = 0): Connection {
  const connection = connecting(acquire(scheduler, client, now));
  connection.connected(now);
  return connection;
}
