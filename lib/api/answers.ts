/** The answers of the admin API, as schemas. */
import * as z from "zod";
import type { Snapshot } from "../observe/mod.ts";

const count = z.int().min(0);
const number = z.number();
/** Milliseconds from the start of the run. */
const moment = number.describe("milliseconds from the start of the run");
const mode = z.enum(["ready", "drain", "maintenance"]);
const condition = z.enum(["up", "down", "unknown", "ejected", "drain", "maintenance"]);

const latency = z.strictObject({
  count: count.describe("the number of measurements in the last seconds"),
  p50_ms: number.nullable(),
  p99_ms: number.nullable(),
});

const health = z.strictObject({
  state: z.enum(["unknown", "up", "down"]),
  since_ms: moment,
  last_probe: z.strictObject({
    at_ms: moment,
    ok: z.boolean(),
    duration_ms: number,
    text: z.string().describe("ok, or what went wrong"),
  }).nullable(),
  streak: count.describe("probe results in a row that contradict the state"),
  probes: count,
  failed_probes: count,
  times_down: count,
  down_ms: number.describe("sum of the times for which the backend was down"),
});

const backend = z.strictObject({
  id: z.string(),
  address: z.string().nullable(),
  tier: z.enum(["primary", "backup"]),
  condition: condition.describe(
    "the operator's wish if it is drain or maintenance; otherwise the result of probes and connects",
  ),
  weight: number,
  effective_weight: number.describe(
    "the weight that the algorithm uses: less than `weight` during a slow start",
  ),
  health: health.describe("the result of the probes"),
  wish: z.strictObject({
    state: mode,
    since_ms: moment,
    file_state: mode.describe("what the file says"),
    file_weight: number,
  }).describe("what the operator wants"),
  in_flight: count,
  in_flight_max: count,
  limit: count.nullable().describe("max_connections; null: no limit"),
  opened: count.describe("connections that reached the backend since the start"),
  opened_per_s: number,
  share: number.describe("the backend's share of all connections since the start, 0 to 1"),
  recent_share: number.describe(
    "the backend's share of the connections of the last seconds, 0 to 1",
  ),
  connects_failed: count,
  retried: count.describe("connects to the backend that followed a failed connect to another one"),
  bytes_to_backend: count,
  bytes_to_client: count,
  connect: latency,
  first_byte: latency,
  ejection: z.strictObject({
    ejected: z.boolean(),
    until_ms: moment.nullable(),
    failures: count.describe("failed connects in a row"),
    times: count,
  }).nullable(),
  slow_start: z.strictObject({ share: number }).nullable(),
  fault: z.string().nullable().optional().describe(
    "the injected faults of the backend, like hang or slow 5x; null: none. Absent if the backend has no admin API",
  ),
});

/** `GET /api/status`. */
export const status = z.strictObject({
  at_ms: moment,
  epoch_ms: number.describe(
    "the wall-clock time at the start of the run, in milliseconds since 1970",
  ),
  version: z.string(),
  uptime_ms: number,
  listen: z.string().nullable(),
  algorithm: z.string(),
  configuration_digest: z.string().describe("equal configurations have equal digests"),
  wishes: z.array(z.string()).describe("how the operator's wishes differ from the file"),
  active_servers: z.array(z.string()).describe("backends that are healthy and enabled"),
  connection_count: z.record(z.string(), count).describe("connections in flight by backend"),
  connections: z.strictObject({
    in_flight: count,
    in_flight_max: count,
    limit: count,
    arrived: count,
    opened: count,
    opened_per_s: number,
    refused: count,
    refused_per_s: number,
    refused_by_reason: z.record(z.string(), count),
    left: count,
    retried: count,
  }),
  queue: z.strictObject({
    waiting: count,
    waiting_max: count,
    limit: count.nullable(),
    queued: count,
  }),
  sessions: z.strictObject({
    count,
    limit: count.nullable(),
    moved: count,
    evicted: count,
  }),
  bytes_to_backends: count,
  bytes_to_clients: count,
  process: z.strictObject({
    descriptors: count.nullable(),
    descriptors_limit: count.nullable(),
    event_loop_delay_ms: number,
    memory_bytes: count,
  }).nullable(),
  window_s: number.describe(
    "rates and latencies are those of the last seconds; this is how many, at most",
  ),
  backends: z.array(backend),
});

/** Makes the type checker compare the schema with the type of the answer, in both directions. */
type Same<A, B> = [A] extends [B] ? [B] extends [A] ? true : false : false;
type Mutable<T> = T extends readonly (infer Item)[] ? Mutable<Item>[]
  : T extends object ? { -readonly [Key in keyof T]: Mutable<T[Key]> }
  : T;
const _isComplete: Same<Mutable<Snapshot>, z.output<typeof status>> = true;

/** `GET /api/sessions`. */
export const sessions = z.strictObject({
  count,
  sessions: z.array(z.strictObject({
    client: z.string(),
    backend: z.string(),
    home: z.string().describe(
      "the backend to which the client returns when this backend has recovered",
    ),
    connections: count,
    used_at_ms: moment,
    moved_at_ms: moment,
  })).describe("least recently used first"),
});

/** `DELETE /api/sessions`. */
export const ended = z.strictObject({ sessions: count.describe("how many sessions were ended") });

/** `GET /api/config`. */
export const config = z.strictObject({
  digest: z.string(),
  in_use: z.record(z.string(), z.unknown()),
  file: z.record(z.string(), z.unknown()),
  wishes: z.array(z.string()),
});

/** The answer to a change of the operator's wishes. */
export const wishes = z.strictObject({
  wishes: z.array(z.string()).describe("how the wishes in force differ from the file"),
});

/** `POST /api/reload`. */
export const reloaded = z.strictObject({ reloaded: z.literal(true) });

/** `POST /api/explain`. */
export const explained = z.strictObject({
  client: z.string(),
  backend: z.string().nullable(),
  rule: z.string().describe("the rule that decided"),
  candidates: z.array(z.strictObject({
    backend: z.string(),
    weight: number,
    in_flight: count,
    score: number.optional().describe("the value that the algorithm compared"),
    unavailable: z.string().optional().describe("why it could not be picked"),
  })),
});

/** `/api/fault` of a backend, and `/api/backends/{id}/fault` of the balancer. */
export const faults = z.strictObject({
  backend: z.string(),
  faults: z.array(z.strictObject({
    kind: z.union([z.string(), z.record(z.string(), z.unknown())]).describe("as in the request"),
    fault: z.string().describe("the same in words, like slow 5x"),
    for_ms: number.nullable().describe("how long the fault lasts; null: until a request ends it"),
    ends_in_ms: number.nullable(),
  })).describe("the present faults of the backend; simultaneous faults add up"),
});

/** The answer of a backend to a request about its faults. */
export type FaultsAnswer = z.output<typeof faults>;

const limit = z.union([count, z.literal("unlimited")]);

/** `/api/service` of a backend. */
export const service = z.strictObject({
  backend: z.string(),
  version: z.string(),
  service: z.strictObject({
    slots: limit,
    queue: limit,
    speed: number,
    discipline: z.string(),
    abandoned: z.string(),
    run: z.string().describe("an id that changes each time the backend begins to serve a scenario"),
    ends_in_ms: number.describe(
      "time until the backend stops serving the scenario, unless the request is repeated",
    ),
    busy_ms: number.describe(
      "sum of the busy times of all slots since the backend began to serve the scenario",
    ),
    waiting_ms: number.describe("sum of the times that requests waited in the backend's queue"),
  }).nullable().describe(
    "how the backend serves the requests of a scenario; null: it serves no scenario",
  ),
});

/** The answer of a backend to a request about how it serves a scenario. */
export type ServiceAnswer = z.output<typeof service>;

/** The body of every answer that refuses a request. */
export const failed = z.strictObject({ error: z.string().describe("the reason, as a sentence") });
