import type { Logger } from "@logtape/logtape";
import type {
  EventOf,
  EventStream,
  EventType,
  ExplainedBackend,
  LbEvent,
  RefusalReason,
} from "../lib/core/mod.ts";
import { logSentence } from "../lib/log.ts";

/** Kinds that come once per connection: left unread, they are never made. */
const CONNECTION_EVENTS = [
  "connection_opened",
  "connection_queued",
  "connection_dequeued",
  "connection_closed",
  "session_pinned",
  "session_adopted",
] as const satisfies readonly EventType[];

const OTHER_EVENTS = [
  "connect_failed",
  "connection_refused",
  "backend_up",
  "backend_down",
  "backend_mode_changed",
  "backend_ejected",
  "backend_readmitted",
  "session_moved",
  "session_evicted",
  "session_store_opened",
  "session_store_degraded",
  "session_store_recovered",
  "session_store_incomplete",
  "config_reloaded",
  "accept_paused",
  "accept_resumed",
] as const satisfies readonly EventType[];

/** What the log is made of. */
export interface EventLogOptions {
  /** Whether each connection is logged. */
  readonly connections: boolean;
  /** Whether picks are explained. */
  readonly explain?: boolean;
}

/**
 * Writes events to the log, one line each: a sentence for people, with the event itself as the record's
 * properties. Returns what ends it.
 */
export function logEvents(
  events: EventStream,
  log: Logger,
  options: EventLogOptions,
): () => void {
  const crowd = new Crowd((reason, held_back) => {
    const sentence = `${count(held_back, "more client")} refused: ${refusalInWords(reason)}`;
    logSentence(log, "warning", sentence, { event: "connections_refused", reason, held_back });
  });
  const write = (event: LbEvent) => {
    if (event.type === "connection_refused" && crowd.holdsBack(event.reason)) return;
    const { type, ...rest } = event;
    logSentence(log, levelOf(event), say(event), { event: type, ...rest });
  };
  const unsubscribe = [events.subscribe(OTHER_EVENTS, write)];
  if (options.connections) unsubscribe.push(events.subscribe(CONNECTION_EVENTS, write));
  if (options.explain) unsubscribe.push(events.subscribe(["pick_explained"], write));
  // Every probe of every backend is for those who ask for it.
  if (log.isEnabledFor("debug")) unsubscribe.push(events.subscribe(["probe"], write));
  return () => {
    unsubscribe.forEach((end) => end());
    crowd.end();
  };
}

/** Refusals that come by the thousand: one client can cause them at will, or there is no room for all. */
const BY_THE_THOUSAND: ReadonlySet<RefusalReason> = new Set([
  "denied",
  "bad_proxy_header",
  "bad_tls_handshake",
  "client_connection_limit",
  "client_rate_limit",
  "connection_limit",
  "all_backends_full",
  "queue_full",
]);

/** Of these refusals one line in so long a time is written. */
const CROWD_MS = 1000;

/** Keeps those who are turned away by the thousand from flooding the log. */
class Crowd {
  /** How many were held back since the last line, and what ends the silence after it. */
  readonly #held = new Map<
    RefusalReason,
    { count: number; timer: ReturnType<typeof setTimeout> }
  >();
  readonly #tell: (reason: RefusalReason, count: number) => void;

  /** @param tell Says how many were held back. */
  constructor(tell: (reason: RefusalReason, count: number) => void) {
    this.#tell = tell;
  }

  /** Whether a refusal is not to be written, but counted. */
  holdsBack(reason: RefusalReason): boolean {
    if (!BY_THE_THOUSAND.has(reason)) return false;
    const held = this.#held.get(reason);
    if (held === undefined) {
      this.#fallSilent(reason);
      return false;
    }
    held.count++;
    return true;
  }

  /** Tells what is still to be told. */
  end(): void {
    for (const [reason, { count, timer }] of this.#held) {
      clearTimeout(timer);
      if (count > 0) this.#tell(reason, count);
    }
    this.#held.clear();
  }

  #fallSilent(reason: RefusalReason): void {
    const timer = setTimeout(() => this.#speak(reason), CROWD_MS);
    this.#held.set(reason, { count: 0, timer });
  }

  #speak(reason: RefusalReason): void {
    const { count } = this.#held.get(reason)!;
    this.#held.delete(reason);
    if (count === 0) return;
    this.#tell(reason, count);
    this.#fallSilent(reason);
  }
}

function levelOf(event: LbEvent): "debug" | "info" | "warning" | "error" {
  switch (event.type) {
    case "probe":
    case "session_evicted":
      return "debug";
    case "connect_failed":
    case "connection_refused":
    case "backend_down":
    case "backend_ejected":
    case "session_store_degraded":
    case "session_store_incomplete":
    case "accept_paused":
      return "warning";
    default:
      return "info";
  }
}

const REFUSALS: Readonly<Record<RefusalReason, string>> = {
  no_backend_available: "no backend is healthy and enabled",
  all_backends_full: "every backend is full",
  queue_full: "every backend is full, and as many clients as may wait do so",
  queue_timeout: "no backend had room for it in time",
  connection_limit: "the balancer is at limits.connections",
  connects_failed: "no backend could be reached",
  out_of_descriptors: "this machine has no file descriptor left",
  denied: "its address is not let in",
  bad_proxy_header: "no proper PROXY header came in time",
  bad_tls_handshake: "its TLS handshake failed",
  client_connection_limit: "it is at limits.per_client.connections",
  client_rate_limit: "it comes more often than limits.per_client.rate",
  stopping: "the balancer is stopping",
};

/** Why a client was turned away. */
export function refusalInWords(reason: RefusalReason): string {
  return REFUSALS[reason];
}

const ENDS: Readonly<Record<EventOf<"connection_closed">["end"], string>> = {
  closed: "closed",
  client_aborted: "aborted by the client",
  backend_aborted: "aborted by the backend",
  idle_timeout: "closed: idle for too long",
  backend_down: "closed: its backend is down",
  closed_by_balancer: "closed by the balancer",
};

function say(event: LbEvent): string {
  switch (event.type) {
    case "connection_opened":
      return `#${event.connection} ${event.client} → ${event.backend}` +
        ` (${event.in_flight} in flight, connect ${ms(event.connect_ms)})`;
    case "connection_closed":
      return `#${event.connection} ${event.client} → ${event.backend} ${ENDS[event.end]} after ` +
        `${ms(event.duration_ms)} (${bytes(event.bytes_to_backend)} in, ` +
        `${bytes(event.bytes_to_client)} out)`;
    case "connect_failed":
      return `#${event.connection} ${event.client} → ${event.backend} connect failed: ` +
        `${event.reason}${detailed(event)} (attempt ${event.attempt})`;
    case "connection_queued":
      return `#${event.connection} ${event.client} waits: every backend is full ` +
        `(${event.waiting} waiting)`;
    case "connection_dequeued":
      return `#${event.connection} ${event.client} ${
        event.backend === null ? "has left the queue" : `→ ${event.backend} has room`
      } after ${ms(event.waited_ms)} (${event.waiting} waiting)`;
    case "connection_refused":
      return `#${event.connection} ${event.client} refused: ${refusalInWords(event.reason)}${
        detailed(event)
      }`;
    case "probe":
      return event.ok
        ? `probe of ${event.backend} ok in ${ms(event.probe_ms)}`
        : `probe of ${event.backend} failed: ${event.reason}`;
    case "backend_up":
      return `${event.backend} ${
        event.probes === 0
          ? "is not probed any more and counts as up"
          : `is up after ${count(event.probes, "good probe")}`
      }; ${active(event.active_servers)}`;
    case "backend_down":
      return `${event.backend} is down after ${
        count(event.probes, "bad probe")
      }: ${event.reason}; ` +
        `${count(event.in_flight, "connection")} still on it; ${active(event.active_servers)}`;
    case "backend_mode_changed":
      return `${event.backend} is set to ${event.mode}; ` +
        `${count(event.in_flight, "connection")} on it`;
    case "backend_ejected":
      return `${event.backend} is left out for ${ms(event.ejected_for_ms)} after ` +
        `${count(event.failures, "failed connect")} in a row; ${active(event.active_servers)}`;
    case "backend_readmitted":
      return `${event.backend} is used again; ${active(event.active_servers)}`;
    case "pick_explained":
      return `#${event.connection} ${event.client} → ${
        event.backend ?? "nobody"
      }: ${event.rule}; ` +
        event.candidates.map(explained).join(", ");
    case "session_pinned":
      return `session of ${event.client} pinned to ${event.backend}`;
    case "session_moved":
      return `session of ${event.client} moved from ${event.from} to ${event.to} (${event.why})`;
    case "session_evicted":
      return `session of ${event.client} on ${event.backend} dropped to make room`;
    case "session_adopted":
      return `session of ${event.client} taken over: another balancer has it on ${event.backend}`;
    case "session_store_opened":
      return `sessions are kept in ${event.store}` +
        (event.restored === 0 ? "" : `; ${event.restored} taken over from it`);
    case "session_store_degraded":
      return `sessions are in memory only (${event.sessions} now) until ${event.store} is usable: ` +
        event.reason;
    case "session_store_recovered":
      return `sessions are kept in ${event.store} again after ${ms(event.degraded_ms)}; ` +
        `${count(event.written, "session")} written to it`;
    case "session_store_incomplete":
      return `${count(event.unwritten, "session change")} not written to ${event.store}: lost`;
    case "config_reloaded":
      return reloaded(event);
    case "accept_paused":
      return `accepting is paused: ${event.reason}; ${
        count(event.connections, "connection")
      } open. ` +
        "Raise the limit with `ulimit -n`, or lower limits.connections";
    case "accept_resumed":
      return `accepting again after ${ms(event.paused_ms)}`;
  }
}

function detailed({ detail }: { readonly detail?: string }): string {
  return detail === undefined ? "" : `: ${detail}`;
}

function reloaded({ changes, ignored }: EventOf<"config_reloaded">): string {
  const restart = ignored.length === 0 ? [] : [`needs a restart: ${ignored.join("; ")}`];
  if (changes.length === 0) return ["configuration read again: no change", ...restart].join("; ");
  return [`configuration reloaded: ${changes.join("; ")}`, ...restart].join("; ");
}

/** `B1 3 in flight, score 4`. */
function explained(candidate: ExplainedBackend): string {
  const { backend, in_flight, score, unavailable } = candidate;
  return [
    `${backend} ${unavailable ?? `${in_flight} in flight`}`,
    ...score === undefined ? [] : [`score ${Number(score.toPrecision(4))}`],
  ].join(" ");
}

function active(servers: readonly string[]): string {
  return `active: ${servers.length === 0 ? "none" : servers.join(" ")}`;
}

function count(number: number, noun: string): string {
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
