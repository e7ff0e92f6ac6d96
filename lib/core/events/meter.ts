import type { Nanoseconds } from "../../base/mod.ts";
import type { ConnectFailure, ConnectionEnd, RefusalReason } from "./events.ts";

/** A backend for a meter: the same object during the whole life of the backend. */
export interface MeteredBackend {
  readonly id: string;
  readonly inFlight: number;
  readonly removed: boolean;
}

/**
 * Counts what happens to connections. An event for each change would cost more than counting it. So the scheduler
 * gives the numbers directly to the meter, and creates an event only if it has readers.
 */
export interface ConnectionMeter {
  /** A client has connected. */
  arrived(): void;
  /** A client left before its connection was open. */
  left(): void;
  /** A backend was picked, and counts the connection already. `inFlight` is the number over all backends. */
  picked(backend: MeteredBackend, inFlight: number): void;
  /** A connection reached a backend. `attempt` is 1 for the first backend tried. */
  opened(backend: MeteredBackend, attempt: number, connect: Nanoseconds): void;
  connectFailed(backend: MeteredBackend, attempt: number, reason: ConnectFailure): void;
  /** A backend sent its first byte on a connection. The latency counts from the pick and the client's first byte. */
  answered(backend: MeteredBackend, latency: Nanoseconds): void;
  /** A connection that had been opened ended. */
  closed(
    backend: MeteredBackend,
    end: ConnectionEnd,
    duration: Nanoseconds,
    bytesToBackend: number,
    bytesToClient: number,
  ): void;
  refused(reason: RefusalReason): void;
  /** A connection waits. `waiting` is the number of connections that wait, including this one. */
  queued(waiting: number): void;
}
