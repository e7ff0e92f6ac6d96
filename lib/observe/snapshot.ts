import type { BackendCondition, BackendMode } from "../core/mod.ts";

/**
 * The state of a run at one moment: the content of `GET /api/status`. The status log, the metrics, `lbsim ctl` and the
 * dashboard read it; none of them counts anything itself. Names are those of the JSON and carry their units. Every
 * `…at_ms` and `since_ms` counts from the start of the run, as in events: `epoch_ms` is the wall-clock time of 0.
 */
export interface Snapshot {
  readonly at_ms: number;
  /** The wall-clock time at which `at_ms` is 0, in milliseconds since 1970. */
  readonly epoch_ms: number;
  readonly version: string;
  /** How long the balancer has been running. */
  readonly uptime_ms: number;
  /** Where clients connect; null in the simulator. */
  readonly listen: string | null;
  /** The algorithm in use. */
  readonly algorithm: string;
  /** Identifies the configuration in use, wishes included. Equal configurations have equal digests. */
  readonly configuration_digest: string;
  /** How the operator's wishes differ from the file: lines like `B1.mode: ready → drain`. */
  readonly wishes: readonly string[];
  /** The backends that are healthy and enabled. */
  readonly active_servers: readonly string[];
  /** Connections in flight on each backend, including those that are being opened. */
  readonly connection_count: Readonly<Record<string, number>>;
  readonly connections: ConnectionsSnapshot;
  readonly queue: QueueSnapshot;
  readonly sessions: SessionsSnapshot;
  /** Bytes since the start, including those of open connections. */
  readonly bytes_to_backends: number;
  readonly bytes_to_clients: number;
  /** The process; null in the simulator. */
  readonly process: ProcessSnapshot | null;
  /** Rates and latencies are computed over this many last seconds, or over fewer soon after the start. */
  readonly window_s: number;
  /** In the order of the configuration. */
  readonly backends: readonly BackendSnapshot[];
}

/** Connections over all backends. */
export interface ConnectionsSnapshot {
  readonly in_flight: number;
  readonly in_flight_max: number;
  /** `limits.connections`. */
  readonly limit: number;
  /** Clients that have connected, since the start. */
  readonly arrived: number;
  /** Connections that reached a backend, since the start. */
  readonly opened: number;
  readonly opened_per_s: number;
  /** Clients that were refused since the start, and why. */
  readonly refused: number;
  readonly refused_per_s: number;
  readonly refused_by_reason: Readonly<Record<string, number>>;
  /** Clients that left before their connections were open. */
  readonly left: number;
  /** Connects that followed a failed connect to another backend. */
  readonly retried: number;
}

/** Clients that wait while every backend is full. */
export interface QueueSnapshot {
  readonly waiting: number;
  readonly waiting_max: number;
  /** The largest number that may wait; null if there is no queue. */
  readonly limit: number | null;
  /** Clients that had to wait, since the start. */
  readonly queued: number;
}

/** The session map. */
export interface SessionsSnapshot {
  readonly count: number;
  /** The largest number of sessions; null if there are no sticky sessions. */
  readonly limit: number | null;
  readonly moved: number;
  readonly evicted: number;
}

/** The resources of this machine that the balancer uses. */
export interface ProcessSnapshot {
  /** Open file descriptors; null if the system does not tell. */
  readonly descriptors: number | null;
  /** How many may be open; null if the system does not tell. */
  readonly descriptors_limit: number | null;
  /** The largest delay of the event loop in the last seconds. */
  readonly event_loop_delay_ms: number;
  readonly memory_bytes: number;
}

/** A latency in the last seconds. Null: nothing was measured. */
export interface LatencySnapshot {
  readonly count: number;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
}

/** One backend. */
export interface BackendSnapshot {
  readonly id: string;
  /** Where it listens; null in the simulator. */
  readonly address: string | null;
  /** `backup`: used only while no other backend is available. */
  readonly tier: "primary" | "backup";
  /** Its state in one word. The operator's wish comes first, then the results of probes and connects. */
  readonly condition: BackendCondition;
  /** Its weight, including the operator's wish. */
  readonly weight: number;
  /** The weight that the algorithm uses: less than `weight` during a slow start. */
  readonly effective_weight: number;
  readonly health: HealthSnapshot;
  readonly wish: WishSnapshot;
  readonly in_flight: number;
  readonly in_flight_max: number;
  /** `max_connections`; null if there is no limit. */
  readonly limit: number | null;
  /** Connections that reached it, since the start. */
  readonly opened: number;
  readonly opened_per_s: number;
  /** Its part of all connections since the start; 0 to 1. */
  readonly share: number;
  /** Its part of the connections of the last seconds; 0 to 1. */
  readonly recent_share: number;
  readonly connects_failed: number;
  /** Connects to it that followed a failed connect to another backend. */
  readonly retried: number;
  readonly bytes_to_backend: number;
  readonly bytes_to_client: number;
  /** The time from the pick to the end of the connect. */
  readonly connect: LatencySnapshot;
  /** The time from the pick to the first byte of an answer, without the time in which the client had sent nothing. */
  readonly first_byte: LatencySnapshot;
  /** Null if failed connects eject no backend. */
  readonly ejection: EjectionSnapshot | null;
  /** Null if it has no slow start. */
  readonly slow_start: SlowStartSnapshot | null;
  /** The injected faults that it has, like `hang, slow 5x`; null if none. Absent if it has no admin API. */
  readonly fault?: string | null | undefined;
}

/** The result of the probes of a backend. */
export interface HealthSnapshot {
  readonly state: "unknown" | "up" | "down";
  readonly since_ms: number;
  readonly last_probe: ProbeSnapshot | null;
  /** Probe results in a row that contradict the state. */
  readonly streak: number;
  readonly probes: number;
  readonly failed_probes: number;
  readonly times_down: number;
  /** The sum of the times for which it was down, until now. */
  readonly down_ms: number;
}

/** The last probe. */
export interface ProbeSnapshot {
  readonly at_ms: number;
  readonly ok: boolean;
  readonly duration_ms: number;
  /** `ok`, or what went wrong. */
  readonly text: string;
}

/** The operator's wish for a backend. It is independent of the health: a change of one does not change the other. */
export interface WishSnapshot {
  readonly state: BackendMode;
  readonly since_ms: number;
  /** The mode in the file. It may differ from the wish until the wish is withdrawn. */
  readonly file_state: BackendMode;
  readonly file_weight: number;
}

/** Whether a backend is ejected because of failed connects. */
export interface EjectionSnapshot {
  readonly ejected: boolean;
  /** When it is used again; null if it is not ejected. */
  readonly until_ms: number | null;
  /** Failed connects in a row. */
  readonly failures: number;
  /** How often it was ejected. */
  readonly times: number;
}

/** The progress of a slow start. */
export interface SlowStartSnapshot {
  /** The share of its weight that it has now. */
  readonly share: number;
}
