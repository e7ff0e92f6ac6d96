import type {
  EventOf,
  ExplainedBackend,
  LbEvent,
  RefusalReason,
  ScarceResource,
} from "../core/mod.ts";

const REFUSALS: Readonly<Record<RefusalReason, string>> = {
  no_backend_available: "no backend is both healthy and enabled",
  all_backends_full: "every backend is full",
  queue_full: "every backend and the queue are full",
  queue_timeout: "no backend had a free place within queue.timeout",
  connection_limit: "limits.connections is reached",
  connects_failed: "no backend could be reached",
  local_shortage: "this machine lacks resources for a connection",
  denied: "address not allowed",
  bad_proxy_header: "no valid PROXY header arrived in time",
  bad_tls_handshake: "the TLS handshake failed",
  sent_nothing: "the client closed the connection without sending data",
  client_connection_limit: "exceeds limits.per_client.connections",
  client_rate_limit: "exceeds limits.per_client.rate",
  stopping: "the balancer is stopping",
};

/** Why a client was refused. */
export function refusalInWords(reason: RefusalReason): string {
  return REFUSALS[reason];
}

const ENDS: Readonly<Record<EventOf<"connection_closed">["end"], string>> = {
  closed: "ended normally",
  client_aborted: "aborted by the client",
  backend_aborted: "aborted by the backend",
  idle_timeout: "closed by timeouts.idle",
  backend_down: "closed because its backend is down",
  closed_by_balancer: "closed by the balancer",
};

const PHASES: Readonly<Record<EventOf<"connection_left">["phase"], string>> = {
  arriving: "before the balancer looked for a backend",
  waiting: "while it waited in the queue",
  connecting: "before it was connected to a backend",
};

/** An event in words: one sentence without a full stop. */
export function sentenceOf(event: LbEvent): string {
  switch (event.type) {
    case "run_started":
      return `lbsim ${event.version} starts; seed ${event.seed}`;
    case "connection_arrived":
      return `#${event.connection} ${event.client} has connected`;
    case "connection_opened":
      return `#${event.connection} ${event.client} → ${event.backend}` +
        ` (${event.in_flight} in flight, connect ${ms(event.connect_ms)})`;
    case "connection_closed":
      return `#${event.connection} ${event.client} → ${event.backend} ${ENDS[event.end]} after ` +
        `${ms(event.duration_ms)} (${bytes(event.bytes_to_backend)} to the backend, ` +
        `${bytes(event.bytes_to_client)} to the client)`;
    case "connect_failed":
      return `#${event.connection} ${event.client} → ${event.backend} connect failed: ` +
        `${event.reason}${detailed(event)} (attempt ${event.attempt})`;
    case "connection_queued":
      return `#${event.connection} ${event.client} waits: every backend is full ` +
        `(${event.waiting} waiting)`;
    case "connection_dequeued":
      return `#${event.connection} ${event.client} → ${event.backend} after ` +
        `${ms(event.waited_ms)} in the queue (${event.waiting} waiting)`;
    case "connection_refused":
      return `#${event.connection} ${event.client} refused: ${refusalInWords(event.reason)}${
        detailed(event)
      }`;
    case "connection_left":
      return `#${event.connection} ${event.client} left after ${ms(event.since_arrival_ms)}, ` +
        PHASES[event.phase];
    case "probe":
      return event.ok
        ? `probe of ${event.backend} ok in ${ms(event.probe_ms)}`
        : `probe of ${event.backend} failed: ${event.reason}`;
    case "backend_up":
      return `${event.backend} ${
        event.probes === 0
          ? "is no longer probed and counts as up"
          : `is up after ${plural(event.probes, "successful probe")}`
      }; ${active(event.active_servers)}`;
    case "backend_down":
      return `${event.backend} is down after ${
        plural(event.probes, "failed probe")
      }: ${event.reason}; ` +
        `${plural(event.in_flight, "connection")} still open; ${active(event.active_servers)}`;
    case "backend_mode_changed":
      return `${event.backend} is set to mode ${event.mode}; ` +
        `${plural(event.in_flight, "connection")} open`;
    case "backend_fault_began":
      return `${event.backend} has the fault ${event.fault}` +
        (event.for_ms === null
          ? "; it lasts until an operator ends it"
          : `; it ends in ${ms(event.for_ms)}`);
    case "backend_fault_ended":
      return `${event.backend} no longer has the fault ${event.fault}`;
    case "backend_ejected":
      return `${event.backend} is ejected for ${ms(event.ejected_for_ms)} after ` +
        `${plural(event.failures, "failed connect")} in a row; ${active(event.active_servers)}`;
    case "backend_readmitted":
      return `the ejection of ${event.backend} has ended; ${active(event.active_servers)}`;
    case "pick_explained":
      return `#${event.connection} ${event.client} → ${
        event.backend ?? "no backend"
      }: ${event.rule}; ` +
        event.candidates.map(explained).join(", ");
    case "session_pinned":
      return `session of ${event.client} pinned to ${event.backend}`;
    case "session_moved":
      return `session of ${event.client} moved from ${event.from} to ${event.to} (${event.why})`;
    case "session_evicted":
      return `session of ${event.client} on ${event.backend} removed: sticky.max_entries is reached`;
    case "session_adopted":
      return `session of ${event.client} read from the store: another balancer pinned it to ${event.backend}`;
    case "session_store_opened":
      return `sessions are stored in ${event.store}` +
        (event.restored === 0 ? "" : `; ${plural(event.restored, "session")} read from it`);
    case "session_store_degraded":
      return `sessions are only in memory (${event.sessions} now), because ${event.store} does not work: ` +
        event.reason;
    case "session_store_recovered":
      return `sessions are stored in ${event.store} again after ${ms(event.degraded_ms)}; ` +
        `${plural(event.written, "session")} written to it`;
    case "session_store_incomplete":
      return `${plural(event.unwritten, "session change")} lost: not written to ${event.store}`;
    case "config_reloaded":
      return reloaded(event);
    case "wishes_changed":
      return wished(event);
    case "sessions_ended":
      return event.client === null
        ? `the operator ended all sessions (${event.sessions})`
        : event.sessions === 0
        ? `the operator wanted to end the session of ${event.client}, but this client has no session`
        : `the operator ended the session of ${event.client}`;
    case "shortage_began":
      return `this machine has run out of ${
        RESOURCES[event.resource]
      } (${event.detail}), so clients wait; ` +
        `${plural(event.connections, "connection")} open. ${REMEDIES[event.resource]}`;
    case "shortage_ended":
      return `this machine has ${RESOURCES[event.resource]} again after ${ms(event.lasted_ms)}`;
  }
}

const RESOURCES: Readonly<Record<ScarceResource, string>> = {
  descriptors: "file descriptors",
  local_ports: "local ports",
  memory: "memory for sockets",
  other: "a resource",
};

const REMEDIES: Readonly<Record<ScarceResource, string>> = {
  descriptors: "Raise the limit with `ulimit -n`, or lower limits.connections",
  local_ports: "Widen net.ipv4.ip_local_port_range, or lower limits.connections",
  memory: "Make memory free, or lower limits.connections",
  other: "The balancer tries again",
};

/** The detail of an event after a colon, if it has one. */
export function detailed({ detail }: { readonly detail?: string }): string {
  return detail === undefined ? "" : `: ${detail}`;
}

/** A sentence lists at most this many changes, and counts the rest. */
const CHANGES_MAX = 20;

function reloaded({ changes, ignored, wishes = [] }: EventOf<"config_reloaded">): string {
  const rest = [
    ...ignored.length === 0 ? [] : [`needs a restart: ${ignored.join("; ")}`],
    ...standing(wishes),
  ];
  if (changes.length === 0) {
    return ["configuration read again: nothing changed", ...rest].join("; ");
  }
  return [`configuration reloaded: ${shortened(changes)}`, ...rest].join("; ");
}

function wished({ changes, wishes }: EventOf<"wishes_changed">): string {
  const sentence = changes.length === 0
    ? "the operator changed nothing"
    : `the operator changed ${shortened(changes)}`;
  const rest = wishes.length === 0 ? ["all settings are those of the file"] : standing(wishes);
  return [sentence, ...rest].join("; ");
}

/** The operator's changes that differ from the file. */
function standing(wishes: readonly string[]): string[] {
  return wishes.length === 0 ? [] : [`set by the operator: ${shortened(wishes)}`];
}

function shortened(changes: readonly string[]): string {
  const shown = changes.slice(0, CHANGES_MAX);
  const more = changes.length - shown.length;
  if (more > 0) shown.push(`and ${plural(more, "more change")}`);
  return shown.join("; ");
}

/** `B1 3 in flight score 4`. */
function explained(candidate: ExplainedBackend): string {
  const { backend, in_flight, score, unavailable } = candidate;
  return [
    `${backend} ${unavailable ?? `${in_flight} in flight`}`,
    ...score === undefined ? [] : [`score ${Number(score.toPrecision(4))}`],
  ].join(" ");
}

/** A sentence lists at most this many ids. If there are more, it lists only the first few. */
export const IDS_MAX = 8;
const IDS_OF_MORE = 3;

/** `B1 B2`, `none`, or `500 (B1 B2 B3 …)`. */
export function idsInShort(ids: readonly string[]): string {
  if (ids.length === 0) return "none";
  if (ids.length <= IDS_MAX) return ids.join(" ");
  return `${ids.length} (${ids.slice(0, IDS_OF_MORE).join(" ")} …)`;
}

function active(servers: readonly string[]): string {
  return `active: ${idsInShort(servers)}`;
}

/** `1 probe`, `2 probes`. */
export function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function ms(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ms`;
}

function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const units = ["KB", "MB", "GB", "TB"];
  let scaled = value / 1024;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${scaled.toFixed(1)} ${units[unit]}`;
}
