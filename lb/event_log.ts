import type { Logger } from "@logtape/logtape";
import { EVENT_TYPES, type EventOf, type EventStream, type EventType } from "../lib/core/mod.ts";
import type { LbEvent, ReaderFailure } from "../lib/core/mod.ts";
import { logSentence } from "../lib/cli/mod.ts";
import { detailed, IDS_MAX, plural, refusalInWords, sentenceOf } from "../lib/observe/mod.ts";

/**
 * Events of each connection besides `connection_opened` and `connection_closed`. An event without a reader is
 * not created.
 */
const CONNECTION_EVENTS = [
  "connection_queued",
  "connection_dequeued",
  "connection_left",
  "session_pinned",
  "session_adopted",
] as const satisfies readonly EventType[];

/** Events that have no line of their own, or that are logged only if connections are. */
const NOT_ALWAYS_LOGGED: readonly EventType[] = [
  ...CONNECTION_EVENTS,
  ...["connection_arrived", "connection_opened", "connection_closed"] as const,
  ...["probe", "pick_explained"] as const,
];

const OTHER_EVENTS = EVENT_TYPES.filter((type) => !NOT_ALWAYS_LOGGED.includes(type));

/** Options of the event log. */
export interface EventLogOptions {
  /** Whether each connection is logged. */
  readonly connections: boolean;
  /** Whether picks are explained. */
  readonly explain?: boolean;
}

/**
 * Writes events to the log, one line each: a sentence, with the event itself as the record's properties.
 * Repeated conditions are summarised once a second. Returns a function that ends this log.
 */
export function logEvents(
  events: EventStream,
  log: Logger,
  options: EventLogOptions,
): () => void {
  const write = (event: LbEvent) =>
    logSentence(log, levelOf(event), sentenceOf(event), propertiesOf(event));
  const connections = new ConnectionLines(log);
  const throttle = new RepeatThrottle((repeats) => {
    const { sentence, properties } = summaryOf(repeats);
    logSentence(log, levelOf(repeats.last), sentence, properties);
  });
  const writeOrCount = (event: LbEvent) => {
    if (log.isEnabledFor(levelOf(event)) && !throttle.holdsBack(event)) write(event);
  };
  const unsubscribe = [events.subscribe("log", OTHER_EVENTS, writeOrCount)];
  if (options.connections && log.isEnabledFor("info")) {
    unsubscribe.push(
      events.subscribe("log of connections", CONNECTION_EVENTS, write),
      events.subscribe(
        "log of connections",
        ["connection_opened"],
        (event) => connections.opened(event),
      ),
      events.subscribe(
        "log of connections",
        ["connection_closed"],
        (event) => connections.closed(event),
      ),
    );
  }
  if (options.explain) {
    unsubscribe.push(events.subscribe("log of picks", ["pick_explained"], write));
  }
  // At `debug`, the log also has every client that connects, and every probe of every backend.
  if (log.isEnabledFor("debug")) {
    unsubscribe.push(events.subscribe("log of probes", ["probe"], write));
    if (options.connections) {
      unsubscribe.push(events.subscribe("log of connections", ["connection_arrived"], write));
    }
  }
  return () => {
    unsubscribe.forEach((end) => end());
    connections.end();
    throttle.end();
  };
}

/** Logs that a reader of events has failed; the reader may be the log itself. */
export function logReaderFailure(log: Logger, failure: ReaderFailure): void {
  const { reader, event: failed_with, cause, message } = failure;
  logSentence(log, "error", `a defect of lbsim: ${message}`, {
    event: "reader_failed",
    reader,
    failed_with,
    error: String(cause),
  });
}

type Opened = EventOf<"connection_opened">;
type Closed = EventOf<"connection_closed">;

interface HeldLine {
  readonly event: Opened;
  readonly timestamp: number;
}

/** The line of a connection that stays open is held back for this time at least, and for twice this time at most. */
const FIRST_BYTE_MS = 100;

/**
 * Logs that connections were opened and closed. If a connection ends soon and without a byte, the client is a monitor
 * or another balancer that probes this one: this is logged at `debug`. So the line of an opened connection is held
 * back for a moment, with the time at which it was opened.
 */
class ConnectionLines {
  readonly #log: Logger;
  /** The lines that are held back, by connection: those of the present interval and those of the previous one. */
  #held = new Map<number, HeldLine>();
  #heldLonger = new Map<number, HeldLine>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  opened(event: Opened): void {
    this.#held.set(event.connection, { event, timestamp: Date.now() });
    this.#timer ??= setTimeout(() => this.#tick(), FIRST_BYTE_MS);
  }

  closed(event: Closed): void {
    const { connection } = event;
    const held = this.#held.get(connection) ?? this.#heldLonger.get(connection);
    if (held === undefined) return this.#write(event, "info");
    if (!this.#held.delete(connection)) this.#heldLonger.delete(connection);
    const level = isProbe(event) ? "debug" : "info";
    this.#write(held.event, level, held.timestamp);
    this.#write(event, level);
  }

  /** Writes the lines that are held back. */
  end(): void {
    clearTimeout(this.#timer);
    this.#tick();
    this.#tick();
  }

  #tick(): void {
    for (const { event, timestamp } of this.#heldLonger.values()) {
      this.#write(event, "info", timestamp);
    }
    this.#heldLonger = this.#held;
    this.#held = new Map();
    const isOver = this.#heldLonger.size === 0;
    this.#timer = isOver ? undefined : setTimeout(() => this.#tick(), FIRST_BYTE_MS);
  }

  #write(event: Opened | Closed, level: "debug" | "info", timestamp = Date.now()): void {
    const { type, ...rest } = event;
    logSentence(this.#log, level, sentenceOf(event), { event: type, ...rest }, { timestamp });
  }
}

/** Whether the client closed without a byte in either direction. */
function isProbe({ end, bytes_to_backend, bytes_to_client }: Closed): boolean {
  return bytes_to_backend === 0 && bytes_to_client === 0 &&
    (end === "closed" || end === "client_aborted");
}

/**
 * The condition of an event that clients, backends or a store can cause very often; undefined for other
 * events.
 */
function conditionOf(event: LbEvent): string | undefined {
  switch (event.type) {
    case "connection_refused":
    case "connect_failed":
      return `${event.type} ${event.reason}`;
    case "session_moved":
      return `${event.type} ${event.why}`;
    case "backend_ejected":
    case "backend_readmitted":
    case "session_store_degraded":
    case "session_store_recovered":
    case "session_evicted":
      return event.type;
    default:
      return undefined;
  }
}

/** The log has at most one line for each condition in this time. */
const SUMMARY_EVERY_MS = 1000;

/** Events of one condition since its last line. */
interface Repeats {
  count: number;
  /** The latest of them. */
  last: LbEvent;
  /** How many of them concern each backend. */
  readonly backends: Map<string, number>;
}

/**
 * Prevents repeated conditions from flooding the log: the log gets the first event of a condition, and then one summary
 * per interval. The conditions are those of `conditionOf`.
 */
class RepeatThrottle {
  /**
   * By condition: the events that were held back since its last line, and the timer that ends the interval.
   */
  readonly #silent = new Map<
    string,
    { repeats: Repeats | undefined; timer: ReturnType<typeof setTimeout> }
  >();
  readonly #write: (repeats: Repeats) => void;

  /** @param write Writes a line for the events that were held back. */
  constructor(write: (repeats: Repeats) => void) {
    this.#write = write;
  }

  /** Whether an event is held back: it is counted, not written. */
  holdsBack(event: LbEvent): boolean {
    const condition = conditionOf(event);
    if (condition === undefined) return false;
    const silence = this.#silent.get(condition);
    if (silence === undefined) {
      this.#begin(condition);
      return false;
    }
    const repeats = silence.repeats ??= { count: 0, last: event, backends: new Map() };
    repeats.count++;
    repeats.last = event;
    if ("backend" in event && event.backend !== null) {
      repeats.backends.set(event.backend, (repeats.backends.get(event.backend) ?? 0) + 1);
    }
    return true;
  }

  /** Writes all summaries that are due. */
  end(): void {
    for (const { repeats, timer } of this.#silent.values()) {
      clearTimeout(timer);
      if (repeats !== undefined) this.#write(repeats);
    }
    this.#silent.clear();
  }

  #begin(condition: string): void {
    const timer = setTimeout(() => {
      const { repeats } = this.#silent.get(condition)!;
      this.#silent.delete(condition);
      if (repeats === undefined) return;
      this.#write(repeats);
      this.#begin(condition);
    }, SUMMARY_EVERY_MS);
    this.#silent.set(condition, { repeats: undefined, timer });
  }
}

/** One line for several events of a condition. */
function summaryOf(
  { count: held_back, last, backends }: Repeats,
): { sentence: string; properties: Record<string, unknown> } {
  switch (last.type) {
    case "connection_refused": {
      const { reason, client, detail } = last;
      return {
        sentence: `${plural(held_back, "more client")} refused: ${refusalInWords(reason)}`,
        properties: {
          event: "connections_refused",
          reason,
          held_back,
          last_client: client,
          ...detail !== undefined && { last_detail: detail },
        },
      };
    }
    case "connect_failed": {
      const { reason, detail } = last;
      const most = [...backends].toSorted(([, a], [, b]) => b - a).slice(0, IDS_MAX);
      const more = backends.size > most.length ? ", …" : "";
      return {
        sentence: `${plural(held_back, "more connect")} failed: ${reason}${detailed(last)} ` +
          `(${most.map(([id, count]) => `${id} ${count}`).join(", ")}${more})`,
        properties: {
          event: "connects_failed",
          reason,
          held_back,
          backends: Object.fromEntries(most),
          ...detail !== undefined && { last_detail: detail },
        },
      };
    }
    default:
      return {
        sentence: `${plural(held_back, "more event")} of this kind; the last: ${sentenceOf(last)}`,
        properties: { ...propertiesOf(last), held_back },
      };
  }
}

function levelOf(event: LbEvent): "debug" | "info" | "warning" | "error" {
  switch (event.type) {
    case "connection_arrived":
    case "probe":
    case "session_evicted":
      return "debug";
    case "connection_refused":
      // The client is a monitor, or a balancer in front of this one, that probes.
      return event.reason === "sent_nothing" ? "debug" : "warning";
    case "connect_failed":
    case "backend_down":
    case "backend_ejected":
    case "backend_fault_began":
    case "session_store_degraded":
    case "session_store_incomplete":
    case "shortage_began":
      return "warning";
    default:
      return "info";
  }
}

/**
 * An event as a record's properties. If many servers are active, only their number is written: each line
 * tells what has changed, and `listening` names all servers.
 */
function propertiesOf(event: LbEvent): Record<string, unknown> {
  const { type, ...rest } = event;
  if (!("active_servers" in rest)) return { event: type, ...rest };
  const { active_servers, ...others } = rest;
  return {
    event: type,
    ...others,
    active_count: active_servers.length,
    ...active_servers.length <= IDS_MAX && { active_servers },
  };
}
