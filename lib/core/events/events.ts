/**
 * What happens, as typed events. The live balancer and the simulator emit the same events. The log, the metrics and a
 * recording are readers of this stream. An event is written as JSON without changes, so its names are snake_case and
 * contain their units. `at_ms` counts from the start of the run.
 */
import { type Nanoseconds, NS_PER_MS } from "../../base/mod.ts";
import type { ConnectionMeter } from "./meter.ts";

/** Why a client was refused. */
export type RefusalReason =
  /** No backend is both healthy and enabled. */
  | "no_backend_available"
  /** There are healthy backends, and each is at its `max_connections`. */
  | "all_backends_full"
  /** Every backend is full, and so is the queue. */
  | "queue_full"
  /** The client has waited for a free place at a backend for `queue.timeout`. */
  | "queue_timeout"
  /** The balancer is at `limits.connections`. */
  | "connection_limit"
  /** The client's address is on the list `deny`, or is missing on the list `allow`. */
  | "denied"
  /** A trusted proxy sent no PROXY header in time, or an invalid one. */
  | "bad_proxy_header"
  /** The client's TLS handshake failed, or was not complete in time. */
  | "bad_tls_handshake"
  /** The client closed its connection before it had sent a byte of a PROXY header or a handshake, as a probe does. */
  | "sent_nothing"
  /** The client is at `limits.per_client.connections`. */
  | "client_connection_limit"
  /** The client exceeds `limits.per_client.rate`. */
  | "client_rate_limit"
  /** Every connect failed, and there are no `retries` left, or every backend was tried. */
  | "connects_failed"
  /** This machine lacks descriptors, local ports or memory to reach a backend. */
  | "local_shortage"
  /** The balancer is stopping. */
  | "stopping";

/** Why a connect to a backend failed. */
export type ConnectFailure =
  | "refused"
  | "timeout"
  | "unreachable"
  /** The TLS handshake failed, most often because the backend's certificate cannot be verified. */
  | "tls"
  | "other";

/** How a relayed connection ended. */
export type ConnectionEnd =
  /** Both sides finished. Every other end is a failure or a decision of the balancer. */
  | "closed"
  | "client_aborted"
  | "backend_aborted"
  | "idle_timeout"
  /** Its backend was marked as down, and `on_down` is `close`. */
  | "backend_down"
  /** The drain timeout passed, or the operator made the balancer close the connection. */
  | "closed_by_balancer";

interface At {
  readonly at_ms: number;
}

/** A run begins. This is the first event of each run. */
export interface RunStarted extends At {
  readonly type: "run_started";
  /** The version of lbsim. */
  readonly version: string;
  /** The seed of all random draws. */
  readonly seed: number;
  /**
   * The wall-clock time at which `at_ms` is 0, in milliseconds since 1970. Virtual time begins in 1970: 0.
   */
  readonly epoch_ms: number;
  /** The complete configuration, as config.yaml would state it, without passwords. */
  readonly configuration: Readonly<Record<string, unknown>>;
}

/**
 * A client has connected: the first event of its connection. The last one is exactly one of
 * `connection_closed`, `connection_refused` and `connection_left`.
 */
export interface ConnectionArrived extends At {
  readonly type: "connection_arrived";
  readonly connection: number;
  /** The client's address; that of a trusted proxy, if its header with the client's address has not arrived yet. */
  readonly client: string;
}

/** A client's connection reached a backend. */
export interface ConnectionOpened extends At {
  readonly type: "connection_opened";
  readonly connection: number;
  readonly client: string;
  readonly backend: string;
  /** 1 for the first backend tried. */
  readonly attempt: number;
  /** How long this attempt took. */
  readonly connect_ms: number;
  /** The time since the client connected, including waits and failed attempts. */
  readonly since_arrival_ms: number;
  /** In flight on that backend, this one included. */
  readonly in_flight: number;
}

/** A connect to a backend failed. Another attempt or a refusal follows. */
export interface ConnectFailed extends At {
  readonly type: "connect_failed";
  readonly connection: number;
  readonly client: string;
  readonly backend: string;
  readonly attempt: number;
  /** How long this attempt took. */
  readonly connect_ms: number;
  readonly reason: ConnectFailure;
  /** A detail that the reason does not contain, in a few words. */
  readonly detail?: string;
}

/** Every backend is full: a client waits. */
export interface ConnectionQueued extends At {
  readonly type: "connection_queued";
  readonly connection: number;
  readonly client: string;
  /** The number of clients that wait, including this one. */
  readonly waiting: number;
}

/** A backend has room for a client that waited. If the client is refused or leaves, another event reports this. */
export interface ConnectionDequeued extends At {
  readonly type: "connection_dequeued";
  readonly connection: number;
  readonly client: string;
  readonly backend: string;
  readonly waited_ms: number;
  /** The number of connections that wait, without this one. */
  readonly waiting: number;
}

/** A client was refused. */
export interface ConnectionRefused extends At {
  readonly type: "connection_refused";
  readonly connection: number;
  readonly client: string;
  readonly reason: RefusalReason;
  /** A detail that the reason does not contain, in a few words. */
  readonly detail?: string;
  /** How many backends were tried. */
  readonly attempts: number;
}

/** A client left before its connection was open. */
export interface ConnectionLeft extends At {
  readonly type: "connection_left";
  readonly connection: number;
  readonly client: string;
  /** `arriving`: before a backend was asked for. `waiting`: in the queue. `connecting`: during a connect. */
  readonly phase: "arriving" | "waiting" | "connecting";
  /** How many connects to backends had failed. */
  readonly attempts: number;
  readonly since_arrival_ms: number;
}

/** A connection that had been opened ended. */
export interface ConnectionClosed extends At {
  readonly type: "connection_closed";
  readonly connection: number;
  readonly client: string;
  readonly backend: string;
  readonly end: ConnectionEnd;
  /** The time since its backend was picked. */
  readonly duration_ms: number;
  readonly since_arrival_ms: number;
  readonly bytes_to_backend: number;
  readonly bytes_to_client: number;
  /** Connections in flight on that backend, without this one. */
  readonly in_flight: number;
}

/** A health probe ended. */
export interface ProbeDone extends At {
  readonly type: "probe";
  readonly backend: string;
  readonly ok: boolean;
  readonly probe_ms: number;
  /** Why the probe failed, in a few words; absent if it succeeded. */
  readonly reason?: string;
  /** Results in a row that contradict the present state, this one included. */
  readonly streak: number;
}

/** A backend became healthy. */
export interface BackendUp extends At {
  readonly type: "backend_up";
  readonly backend: string;
  /** The number of successful probes in a row; 0 if it is not probed any more. */
  readonly probes: number;
  readonly active_servers: readonly string[];
}

/** A backend became unhealthy. Its open connections stay counted until they close. */
export interface BackendDown extends At {
  readonly type: "backend_down";
  readonly backend: string;
  /** The number of failed probes in a row. */
  readonly probes: number;
  readonly reason: string;
  readonly in_flight: number;
  readonly active_servers: readonly string[];
}

/** Too many connects to a backend failed in a row: it gets no clients for a while. */
export interface BackendEjected extends At {
  readonly type: "backend_ejected";
  readonly backend: string;
  /** Failed connects in a row. */
  readonly failures: number;
  readonly ejected_for_ms: number;
  readonly active_servers: readonly string[];
}

/** A backend that was ejected is used again. */
export interface BackendReadmitted extends At {
  readonly type: "backend_readmitted";
  readonly backend: string;
  readonly active_servers: readonly string[];
}

/** An explanation of a pick. */
export interface PickExplained extends At {
  readonly type: "pick_explained";
  readonly connection: number;
  readonly client: string;
  /** Null if no backend was available. */
  readonly backend: string | null;
  /** The rule that decided, in words. */
  readonly rule: string;
  /** Every backend with its state. A backend that the algorithm compared has its score, too. */
  readonly candidates: readonly ExplainedBackend[];
}

/** A backend at the moment of a pick. */
export interface ExplainedBackend {
  readonly backend: string;
  readonly weight: number;
  readonly in_flight: number;
  /** The value that the algorithm compared; absent if it did not compare this backend. */
  readonly score?: number;
  /** Why it could not be picked; absent if it could. */
  readonly unavailable?: string;
}

/** The operator enabled, drained or disabled a backend. */
export interface BackendModeChanged extends At {
  readonly type: "backend_mode_changed";
  readonly backend: string;
  readonly mode: "ready" | "drain" | "maintenance";
  readonly in_flight: number;
}

/** An injected fault of a backend has begun. */
export interface BackendFaultBegan extends At {
  readonly type: "backend_fault_began";
  readonly backend: string;
  /** Like `hang` or `slow 5x`. */
  readonly fault: string;
  /** How long the fault lasts; null: until it is ended. */
  readonly for_ms: number | null;
}

/** An injected fault of a backend has ended. */
export interface BackendFaultEnded extends At {
  readonly type: "backend_fault_ended";
  readonly backend: string;
  readonly fault: string;
}

/** A client that had no session got one. */
export interface SessionPinned extends At {
  readonly type: "session_pinned";
  /** The client's address or prefix. */
  readonly client: string;
  readonly backend: string;
}

/** A session changed its backend. */
export interface SessionMoved extends At {
  readonly type: "session_moved";
  readonly client: string;
  readonly from: string;
  readonly to: string;
  /** `failover`: away from a backend that cannot take it. `failback`: back to this backend. */
  readonly why: "failover" | "failback";
}

/** A session was dropped to make room for another. */
export interface SessionEvicted extends At {
  readonly type: "session_evicted";
  readonly client: string;
  readonly backend: string;
}

/** A session that another balancer had pinned or moved was read from the session store. */
export interface SessionAdopted extends At {
  readonly type: "session_adopted";
  readonly client: string;
  readonly backend: string;
}

/** The session store has been opened. */
export interface SessionStoreOpened extends At {
  readonly type: "session_store_opened";
  /** The kind and the place of the store, without secrets. */
  readonly store: string;
  /** The number of sessions of an earlier run that were read from it. */
  readonly restored: number;
}

/** The session store fails or answers too late. Until it works again, sessions are in memory only. */
export interface SessionStoreDegraded extends At {
  readonly type: "session_store_degraded";
  readonly store: string;
  readonly reason: string;
  /** Sessions in memory. */
  readonly sessions: number;
}

/** The session store works again, and has received all changes that it had missed. */
export interface SessionStoreRecovered extends At {
  readonly type: "session_store_recovered";
  readonly store: string;
  readonly degraded_ms: number;
  /** The number of sessions that were written to the store since it works again. */
  readonly written: number;
}

/** The balancer stopped before every change was written to the session store. */
export interface SessionStoreIncomplete extends At {
  readonly type: "session_store_incomplete";
  readonly store: string;
  /** The number of sessions whose latest change is not in the store. */
  readonly unwritten: number;
}

/** The balancer has applied another configuration. */
export interface ConfigReloaded extends At {
  readonly type: "config_reloaded";
  /** The differences, one line each; empty if there are none. */
  readonly changes: readonly string[];
  /** The differences that need a restart. */
  readonly ignored: readonly string[];
  /** How the operator's wishes differ from the new configuration; absent if there are no wishes. */
  readonly wishes?: readonly string[];
}

/** The operator has a wish that differs from the file, or withdraws a wish. */
export interface WishesChanged extends At {
  readonly type: "wishes_changed";
  /** The changes, one line each; empty if there are none. */
  readonly changes: readonly string[];
  /** The differences between all wishes in force and the file. */
  readonly wishes: readonly string[];
}

/** The operator ended sessions: their clients are new when they come again. */
export interface SessionsEnded extends At {
  readonly type: "sessions_ended";
  /** The client; null: all clients. */
  readonly client: string | null;
  readonly sessions: number;
}

/** What this machine can lack; "other" if the system's error is unknown. */
export type ScarceResource = "descriptors" | "local_ports" | "memory" | "other";

/**
 * This machine lacks a resource that connections need. Clients wait, and this does not count as a failure of a
 * backend.
 */
export interface ShortageBegan extends At {
  readonly type: "shortage_began";
  readonly resource: ScarceResource;
  /** The error message of the system. */
  readonly detail: string;
  readonly connections: number;
}

/** The shortage is over. */
export interface ShortageEnded extends At {
  readonly type: "shortage_ended";
  readonly resource: ScarceResource;
  readonly lasted_ms: number;
  readonly connections: number;
}

/** Anything that can happen. */
export type LbEvent =
  | RunStarted
  | ConnectionArrived
  | ConnectionOpened
  | ConnectFailed
  | ConnectionQueued
  | ConnectionDequeued
  | ConnectionRefused
  | ConnectionLeft
  | ConnectionClosed
  | ProbeDone
  | BackendUp
  | BackendDown
  | BackendModeChanged
  | BackendFaultBegan
  | BackendFaultEnded
  | BackendEjected
  | BackendReadmitted
  | PickExplained
  | SessionPinned
  | SessionMoved
  | SessionEvicted
  | SessionAdopted
  | SessionStoreOpened
  | SessionStoreDegraded
  | SessionStoreRecovered
  | SessionStoreIncomplete
  | ConfigReloaded
  | WishesChanged
  | SessionsEnded
  | ShortageBegan
  | ShortageEnded;

/**
 * The events that only a recording has: picks, and the inputs of the scheduler that no other event contains. Together
 * with the other events they contain all inputs of the scheduler, so a replay can repeat its decisions.
 */
export type ReplayEvent =
  | BackendPicked
  | ProxyConnected
  | ClientNamed
  | BackendAnswered
  | ClientFinished
  | ClientAsked
  | QueueLeft
  | SchedulerStopped
  | SessionReceived
  | ConfigurationUsed;

/** A backend was picked for a connection, and counts it. Each attempt of a connection has its own pick. */
export interface BackendPicked extends At {
  readonly type: "backend_picked";
  readonly connection: number;
  readonly client: string;
  readonly backend: string;
  /** 1 for the first backend tried. */
  readonly attempt: number;
  /** In flight on that backend, this one included. */
  readonly in_flight: number;
}

/** The connection that arrives next is that of a trusted proxy, which has not named its client yet. */
export interface ProxyConnected extends At {
  readonly type: "proxy_connected";
  /** The address of the proxy. */
  readonly client: string;
}

/** A trusted proxy named its client. */
export interface ClientNamed extends At {
  readonly type: "client_named";
  readonly connection: number;
  readonly client: string;
}

/** A backend sent the first byte of an answer. */
export interface BackendAnswered extends At {
  readonly type: "backend_answered";
  readonly connection: number;
  /** From the moment the connection was open until the client sent its first byte; absent if it has sent none. */
  readonly idle_ms?: number;
}

/** A client closed its sending side before it had an answer. */
export interface ClientFinished extends At {
  readonly type: "client_finished";
  readonly connection: number;
  /** As for `backend_answered`. */
  readonly idle_ms?: number;
}

/** A connection is about to end, for any reason. Its client had sent something, and the backend has not answered. */
export interface ClientAsked extends At {
  readonly type: "client_asked";
  readonly connection: number;
  /** As for `backend_answered`. */
  readonly idle_ms: number;
}

/**
 * A connection leaves the queue without a backend: `connection_left` or `connection_refused` follows. This event is
 * written only if events that the passing of time causes come between the two.
 */
export interface QueueLeft extends At {
  readonly type: "queue_left";
  readonly connection: number;
}

/** From now on every client is refused. */
export interface SchedulerStopped extends At {
  readonly type: "scheduler_stopped";
}

/** A session of another balancer, or of an earlier run, was read from the session store. */
export interface SessionReceived extends At {
  readonly type: "session_received";
  readonly client: string;
  readonly backend: string;
  /** The backend to which it was pinned before it had to move. */
  readonly home: string;
  readonly changed_ms: number;
  readonly used_ms: number;
  /** Whether it is one of many that are restored together. */
  readonly restored: boolean;
}

/** From now on another configuration is used. The events of the changes follow. */
export interface ConfigurationUsed extends At {
  readonly type: "configuration_used";
  /** As in `run_started`, with the operator's wishes. */
  readonly configuration: Readonly<Record<string, unknown>>;
}

/** Every kind of event that only a recording has. */
export const REPLAY_TYPES = [
  "backend_picked",
  "proxy_connected",
  "client_named",
  "backend_answered",
  "client_finished",
  "client_asked",
  "queue_left",
  "scheduler_stopped",
  "session_received",
  "configuration_used",
] as const satisfies readonly ReplayEvent["type"][];

/** Anything that the stream carries. */
export type StreamEvent = LbEvent | ReplayEvent;

/** The name of anything that the stream carries. */
export type StreamType = StreamEvent["type"];

/** The name of a kind of event. */
export type EventType = LbEvent["type"];

/** Every kind of event. */
export const EVENT_TYPES = [
  "run_started",
  "connection_arrived",
  "connection_opened",
  "connect_failed",
  "connection_queued",
  "connection_dequeued",
  "connection_refused",
  "connection_left",
  "connection_closed",
  "probe",
  "backend_up",
  "backend_down",
  "backend_mode_changed",
  "backend_fault_began",
  "backend_fault_ended",
  "backend_ejected",
  "backend_readmitted",
  "pick_explained",
  "session_pinned",
  "session_moved",
  "session_evicted",
  "session_adopted",
  "session_store_opened",
  "session_store_degraded",
  "session_store_recovered",
  "session_store_incomplete",
  "config_reloaded",
  "wishes_changed",
  "sessions_ended",
  "shortage_began",
  "shortage_ended",
] as const satisfies readonly EventType[];

/** An event of one kind. */
export type EventOf<Type extends StreamType> = Extract<StreamEvent, { type: Type }>;

/** Milliseconds, as events carry them. */
export function toMs(duration: Nanoseconds): number {
  return duration / NS_PER_MS;
}

/** A reader of events has thrown an error, which is a defect of the reader. The error is the `cause`. */
export class ReaderFailure extends Error {
  override readonly name = "ReaderFailure";
  /** The reader's name. */
  readonly reader: string;
  /** The kind of event that it could not read. */
  readonly event: StreamType;

  constructor(reader: string, event: StreamType, cause: unknown) {
    super(`the reader "${reader}" failed at an event ${event} and gets no more events: ${cause}`, {
      cause,
    });
    this.reader = reader;
    this.event = event;
  }
}

/** One reader of the stream. */
interface Subscription {
  readonly name: string;
  readonly types: readonly StreamType[];
  readonly read: (event: StreamEvent) => void;
}

/** The types of the events that every connection has if nothing fails. */
const USUAL_TYPES = [
  "connection_arrived",
  "backend_picked",
  "connection_opened",
  "backend_answered",
  "connection_closed",
] as const;

/**
 * Hands each event to the readers of its kind, in the order in which they subscribed. Readers are isolated: the
 * stream detaches a reader that throws, and reports this reader once, by its name. The other readers get the event, and
 * the code that emitted it continues.
 */
export class EventStream {
  /**
   * Whether each kind of event has a reader. Check this before you create a frequent event, so that an event without
   * a reader costs nothing. It is a property and not a method, because a look-up by name costs more than a pick.
   */
  readonly wanted = forEachType(() => false);
  /** Whether anything reads or counts the usual events of connections. Most simulations have no such reader. */
  followsConnections = false;
  #meter: ConnectionMeter | undefined;
  readonly #subscriptions = forEachType((): readonly Subscription[] => []);
  readonly #onReaderFailed: (failure: ReaderFailure) => void;

  /**
   * @param onReaderFailed Called once for each reader that threw an error, after it was detached. An error of this
   *   function reaches the code that emitted the event.
   */
  constructor(onReaderFailed: (failure: ReaderFailure) => void) {
    this.#onReaderFailed = onReaderFailed;
  }

  /** Counts the connections; undefined if there is no meter. */
  get meter(): ConnectionMeter | undefined {
    return this.#meter;
  }

  set meter(meter: ConnectionMeter | undefined) {
    this.#meter = meter;
    this.#readersChanged();
  }

  /**
   * Calls `read` for every event of these types, until the returned function is called or `read`
   * throws.
   *
   * @param name The name of the reader in a report of its failure.
   */
  subscribe<Type extends StreamType>(
    name: string,
    types: readonly Type[],
    read: (event: EventOf<Type>) => void,
  ): () => void {
    const subscription: Subscription = { name, types, read: read as Subscription["read"] };
    for (const type of types) {
      this.#setSubscriptions(type, [...this.#subscriptions[type], subscription]);
    }
    return () => this.#detach(subscription);
  }

  emit(event: StreamEvent): void {
    for (const subscription of this.#subscriptions[event.type]) {
      try {
        subscription.read(event);
      } catch (error) {
        this.#detach(subscription);
        this.#onReaderFailed(new ReaderFailure(subscription.name, event.type, error));
      }
    }
  }

  #detach(subscription: Subscription): void {
    for (const type of subscription.types) {
      this.#setSubscriptions(type, this.#subscriptions[type].filter((one) => one !== subscription));
    }
  }

  #setSubscriptions(type: StreamType, subscriptions: readonly Subscription[]): void {
    this.#subscriptions[type] = subscriptions;
    this.wanted[type] = subscriptions.length > 0;
    this.#readersChanged();
  }

  #readersChanged(): void {
    this.followsConnections = this.#meter !== undefined ||
      USUAL_TYPES.some((type) => this.wanted[type]);
  }
}

function forEachType<Value>(make: () => Value): Record<StreamType, Value> {
  const types = [...EVENT_TYPES, ...REPLAY_TYPES];
  return Object.fromEntries(types.map((type) => [type, make()])) as Record<StreamType, Value>;
}
