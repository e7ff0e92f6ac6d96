/** Snapshots for tests of tables and screens. */
import type { BackendSnapshot, Snapshot } from "../../lib/observe/mod.ts";

/** A backend that is up, with the properties that a test changes. */
export function backendSnapshot(
  id: string,
  { health, wish, ...more }: Partial<Omit<BackendSnapshot, "health" | "wish">> & {
    readonly health?: Partial<BackendSnapshot["health"]>;
    readonly wish?: Partial<BackendSnapshot["wish"]>;
  } = {},
): BackendSnapshot {
  const latency = { count: 10, p50_ms: 1, p99_ms: 12.3 };
  return {
    id,
    address: "127.0.0.1:9000",
    tier: "primary",
    condition: "up",
    weight: 1,
    effective_weight: 1,
    health: {
      state: "up",
      since_ms: 0,
      last_probe: { at_ms: 59_000, ok: true, duration_ms: 0.82, text: "ok" },
      streak: 0,
      probes: 30,
      failed_probes: 0,
      times_down: 0,
      down_ms: 0,
      ...health,
    },
    wish: { state: "ready", since_ms: 0, file_state: "ready", file_weight: 1, ...wish },
    in_flight: 0,
    in_flight_max: 9,
    limit: null,
    opened: 100,
    opened_per_s: 12.34,
    share: 0.5,
    recent_share: 0.5,
    connects_failed: 0,
    retried: 0,
    bytes_to_backend: 0,
    bytes_to_client: 0,
    connect: latency,
    first_byte: latency,
    ejection: null,
    slow_start: null,
    ...more,
  };
}

/** A balancer with these backends, after a minute. */
export function snapshotOf(
  backends: readonly BackendSnapshot[],
  more: Partial<Snapshot> = {},
): Snapshot {
  return {
    at_ms: 60_000,
    epoch_ms: 1_700_000_000_000,
    version: "1.2.3",
    uptime_ms: 60_000,
    listen: "127.0.0.1:8000",
    algorithm: "round-robin",
    configuration_digest: "0123456789abcdef",
    wishes: [],
    active_servers: backends.map(({ id }) => id),
    connection_count: {},
    connections: {
      in_flight: 5,
      in_flight_max: 12,
      limit: 10_000,
      opened: 1234,
      opened_per_s: 24.7,
      refused: 0,
      refused_per_s: 0,
      refused_by_reason: {},
      retried: 0,
      arrived: 1234,
      left: 0,
    },
    queue: { waiting: 0, waiting_max: 0, limit: null, queued: 0 },
    sessions: { count: 0, limit: null, moved: 0, evicted: 0 },
    bytes_to_backends: 0,
    bytes_to_clients: 0,
    process: null,
    window_s: 2,
    backends,
    ...more,
  };
}
