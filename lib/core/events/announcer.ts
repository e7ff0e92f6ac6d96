import type { Nanoseconds } from "../../base/mod.ts";
import {
  type ConnectFailure,
  type ConnectionEnd,
  type EventStream,
  type ExplainedBackend,
  type RefusalReason,
  toMs,
} from "./events.ts";
import type { MeteredBackend as Backend } from "./meter.ts";

/** The data about a connection that events contain. */
interface Connection {
  readonly number: number;
  readonly client: string;
  readonly arrivedAt: Nanoseconds;
  /** How many connects have failed. */
  readonly attempts: number;
  /** When it began to wait for a free place at a backend; undefined if it has never waited. */
  readonly queuedAt: Nanoseconds | undefined;
}

/** The data about a connection that has a backend. */
interface AssignedConnection extends Connection {
  readonly backend: Backend;
  /** When that backend was picked. */
  readonly pickedAt: Nanoseconds;
}

/** A connection that is open, or was until now. */
interface OpenConnection extends AssignedConnection {
  /** How long the connected client sent nothing; undefined until it has sent a byte. */
  readonly idle: Nanoseconds | undefined;
}

/** A session in the form in which a store keeps it. */
interface ReceivedSession {
  readonly key: string;
  readonly backend: string;
  readonly home: string;
  readonly changedAt: Nanoseconds;
  readonly usedAt: Nanoseconds;
}

/** The number of relayed bytes, in each direction. */
interface Traffic {
  readonly bytesToBackend: number;
  readonly bytesToClient: number;
}

/**
 * Emits the events of the scheduler. Each kind of event has a function. An event without a reader is not created.
 *
 * The functions for the usual events of connections may be called only if `followsConnections` is true. The caller
 * checks this, because most simulations have no reader, and the compiler inlines a check but not a whole function.
 */
export class Announcer {
  readonly #events: EventStream;
  /** The `wanted` of the stream, kept here because it is read several times for each connection. */
  readonly #wanted: EventStream["wanted"];
  readonly #activeServers: () => readonly string[];

  constructor(events: EventStream, activeServers: () => readonly string[]) {
    this.#events = events;
    this.#wanted = events.wanted;
    this.#activeServers = activeServers;
  }

  /** Whether explanations of picks have a reader. An explanation costs more than the pick. */
  get wantsExplanations(): boolean {
    return this.#wanted.pick_explained;
  }

  /** Whether anything reads or counts the usual events of connections; see `EventStream.followsConnections`. */
  get followsConnections(): boolean {
    return this.#events.followsConnections;
  }

  connectionArrived({ number, client }: Connection, now: Nanoseconds): void {
    this.#events.meter?.arrived();
    if (!this.#wanted.connection_arrived) return;
    this.#events.emit({
      type: "connection_arrived",
      at_ms: toMs(now),
      connection: number,
      client,
    });
  }

  /** @param inFlight The connections in flight over all backends, including this one. */
  connectionPicked(connection: AssignedConnection, inFlight: number, now: Nanoseconds): void {
    const { backend } = connection;
    this.#events.meter?.picked(backend, inFlight);
    if (!this.#wanted.backend_picked) return;
    this.#events.emit({
      type: "backend_picked",
      at_ms: toMs(now),
      connection: connection.number,
      client: connection.client,
      backend: backend.id,
      attempt: connection.attempts + 1,
      in_flight: backend.inFlight,
    });
  }

  connectionOpened(connection: AssignedConnection, now: Nanoseconds): void {
    const { number, client, arrivedAt, backend, attempts, pickedAt } = connection;
    this.#events.meter?.opened(backend, attempts + 1, now - pickedAt);
    if (!this.#wanted.connection_opened) return;
    this.#events.emit({
      type: "connection_opened",
      at_ms: toMs(now),
      connection: number,
      client,
      backend: backend.id,
      attempt: attempts + 1,
      connect_ms: toMs(now - pickedAt),
      since_arrival_ms: toMs(now - arrivedAt),
      in_flight: backend.inFlight,
    });
  }

  /** @param latency The time from the pick, without the time during which the client had sent nothing. */
  connectionAnswered(connection: OpenConnection, latency: Nanoseconds, now: Nanoseconds): void {
    this.#events.meter?.answered(connection.backend, latency);
    if (!this.#wanted.backend_answered) return;
    this.#events.emit({ type: "backend_answered", at_ms: toMs(now), ...idleOf(connection) });
  }

  clientFinished(connection: OpenConnection, now: Nanoseconds): void {
    if (!this.#wanted.client_finished) return;
    this.#events.emit({ type: "client_finished", at_ms: toMs(now), ...idleOf(connection) });
  }

  /** An open connection is about to end without an answer. */
  clientAsked(connection: OpenConnection, now: Nanoseconds): void {
    const { number, idle } = connection;
    if (!this.#wanted.client_asked || idle === undefined) return;
    const idle_ms = toMs(idle);
    this.#events.emit({ type: "client_asked", at_ms: toMs(now), connection: number, idle_ms });
  }

  proxyConnected(proxy: string, now: Nanoseconds): void {
    if (!this.#wanted.proxy_connected) return;
    this.#events.emit({ type: "proxy_connected", at_ms: toMs(now), client: proxy });
  }

  clientNamed({ number, client }: Connection, now: Nanoseconds): void {
    if (!this.#wanted.client_named) return;
    this.#events.emit({ type: "client_named", at_ms: toMs(now), connection: number, client });
  }

  /** @param dueAt The time of the next change that time alone causes. */
  queueLeft({ number }: Connection, dueAt: Nanoseconds, now: Nanoseconds): void {
    if (!this.#wanted.queue_left || dueAt > now) return;
    this.#events.emit({ type: "queue_left", at_ms: toMs(dueAt), connection: number });
  }

  schedulerStopped(now: Nanoseconds): void {
    if (!this.#wanted.scheduler_stopped) return;
    this.#events.emit({ type: "scheduler_stopped", at_ms: toMs(now) });
  }

  /** @param restored Whether it is one of many that are restored together. */
  sessionReceived(record: ReceivedSession, restored: boolean, now: Nanoseconds): void {
    if (!this.#wanted.session_received) return;
    const { key, backend, home, changedAt, usedAt } = record;
    this.#events.emit({
      type: "session_received",
      at_ms: toMs(now),
      client: key,
      backend,
      home,
      changed_ms: toMs(changedAt),
      used_ms: toMs(usedAt),
      restored,
    });
  }

  connectFailed(
    { number, client, backend, attempts, pickedAt }: AssignedConnection,
    reason: ConnectFailure,
    detail: string | undefined,
    now: Nanoseconds,
  ): void {
    this.#events.meter?.connectFailed(backend, attempts + 1, reason);
    if (!this.#wanted.connect_failed) return;
    this.#events.emit({
      type: "connect_failed",
      at_ms: toMs(now),
      connection: number,
      client,
      backend: backend.id,
      attempt: attempts + 1,
      connect_ms: toMs(now - pickedAt),
      reason,
      ...detail !== undefined && { detail },
    });
  }

  connectionClosed(
    { number, client, arrivedAt, backend, pickedAt }: AssignedConnection,
    end: ConnectionEnd,
    { bytesToBackend, bytesToClient }: Traffic,
    now: Nanoseconds,
  ): void {
    this.#events.meter?.closed(backend, end, now - pickedAt, bytesToBackend, bytesToClient);
    if (!this.#wanted.connection_closed) return;
    this.#events.emit({
      type: "connection_closed",
      at_ms: toMs(now),
      connection: number,
      client,
      backend: backend.id,
      end,
      duration_ms: toMs(now - pickedAt),
      since_arrival_ms: toMs(now - arrivedAt),
      bytes_to_backend: bytesToBackend,
      bytes_to_client: bytesToClient,
      in_flight: backend.inFlight,
    });
  }

  connectionRefused(
    { number, client, attempts }: Connection,
    reason: RefusalReason,
    detail: string | undefined,
    now: Nanoseconds,
  ): void {
    this.#events.meter?.refused(reason);
    if (!this.#wanted.connection_refused) return;
    this.#events.emit({
      type: "connection_refused",
      at_ms: toMs(now),
      connection: number,
      client,
      reason,
      ...detail !== undefined && { detail },
      attempts,
    });
  }

  /** @param phase The phase in which the connection was. */
  connectionLeft(
    { number, client, arrivedAt, attempts }: Connection,
    phase: "arriving" | "waiting" | "connecting",
    now: Nanoseconds,
  ): void {
    this.#events.meter?.left();
    if (!this.#wanted.connection_left) return;
    this.#events.emit({
      type: "connection_left",
      at_ms: toMs(now),
      connection: number,
      client,
      phase,
      attempts,
      since_arrival_ms: toMs(now - arrivedAt),
    });
  }

  /** @param waiting How many connections wait, including this one. */
  connectionQueued({ number, client }: Connection, waiting: number, now: Nanoseconds): void {
    this.#events.meter?.queued(waiting);
    if (!this.#wanted.connection_queued) return;
    this.#events.emit({
      type: "connection_queued",
      at_ms: toMs(now),
      connection: number,
      client,
      waiting,
    });
  }

  /** @param waiting How many connections wait, without this one. */
  connectionDequeued(
    { number, client, queuedAt, backend }: AssignedConnection,
    waiting: number,
    now: Nanoseconds,
  ): void {
    if (!this.#wanted.connection_dequeued) return;
    this.#events.emit({
      type: "connection_dequeued",
      at_ms: toMs(now),
      connection: number,
      client,
      backend: backend.id,
      waited_ms: toMs(now - (queuedAt ?? now)),
      waiting,
    });
  }

  /** @param backend The backend that was picked; null if none was available. */
  pickExplained(
    { number, client }: Connection,
    backend: string | null,
    rule: string,
    candidates: readonly ExplainedBackend[],
    now: Nanoseconds,
  ): void {
    if (!this.#wanted.pick_explained) return;
    this.#events.emit({
      type: "pick_explained",
      at_ms: toMs(now),
      connection: number,
      client,
      backend,
      rule,
      candidates,
    });
  }

  /** @param reason What went wrong; undefined if it went well. */
  probe(
    backend: string,
    ok: boolean,
    took: Nanoseconds,
    reason: string | undefined,
    streak: number,
    now: Nanoseconds,
  ): void {
    if (!this.#wanted.probe) return;
    this.#events.emit({
      type: "probe",
      at_ms: toMs(now),
      backend,
      ok,
      probe_ms: toMs(took),
      ...reason !== undefined && { reason },
      streak,
    });
  }

  backendUp(backend: string, probes: number, now: Nanoseconds): void {
    if (!this.#wanted.backend_up) return;
    const active_servers = this.#activeServers();
    this.#events.emit({ type: "backend_up", at_ms: toMs(now), backend, probes, active_servers });
  }

  backendDown({ id, inFlight }: Backend, probes: number, reason: string, now: Nanoseconds): void {
    if (!this.#wanted.backend_down) return;
    this.#events.emit({
      type: "backend_down",
      at_ms: toMs(now),
      backend: id,
      probes,
      active_servers: this.#activeServers(),
      reason,
      in_flight: inFlight,
    });
  }

  backendModeChanged(
    { id, inFlight }: Backend,
    mode: "ready" | "drain" | "maintenance",
    now: Nanoseconds,
  ): void {
    if (!this.#wanted.backend_mode_changed) return;
    this.#events.emit({
      type: "backend_mode_changed",
      at_ms: toMs(now),
      backend: id,
      mode,
      in_flight: inFlight,
    });
  }

  backendEjected(backend: string, failures: number, duration: Nanoseconds, now: Nanoseconds): void {
    if (!this.#wanted.backend_ejected) return;
    this.#events.emit({
      type: "backend_ejected",
      at_ms: toMs(now),
      backend,
      failures,
      ejected_for_ms: toMs(duration),
      active_servers: this.#activeServers(),
    });
  }

  backendReadmitted(backend: string, now: Nanoseconds): void {
    if (!this.#wanted.backend_readmitted) return;
    const active_servers = this.#activeServers();
    this.#events.emit({ type: "backend_readmitted", at_ms: toMs(now), backend, active_servers });
  }

  sessionPinned(client: string, backend: string, now: Nanoseconds): void {
    if (!this.#wanted.session_pinned) return;
    this.#events.emit({ type: "session_pinned", at_ms: toMs(now), client, backend });
  }

  sessionMoved(
    client: string,
    from: string,
    to: string,
    why: "failover" | "failback",
    now: Nanoseconds,
  ): void {
    if (!this.#wanted.session_moved) return;
    this.#events.emit({ type: "session_moved", at_ms: toMs(now), client, from, to, why });
  }

  sessionEvicted(client: string, backend: string, now: Nanoseconds): void {
    if (!this.#wanted.session_evicted) return;
    this.#events.emit({ type: "session_evicted", at_ms: toMs(now), client, backend });
  }

  sessionAdopted(client: string, backend: string, now: Nanoseconds): void {
    if (!this.#wanted.session_adopted) return;
    this.#events.emit({ type: "session_adopted", at_ms: toMs(now), client, backend });
  }
}

function idleOf({ number, idle }: OpenConnection) {
  return { connection: number, ...idle !== undefined && { idle_ms: toMs(idle) } };
}
