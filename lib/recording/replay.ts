import {
  type Connection,
  type EventOf,
  EventStream,
  isHash,
  type ReaderFailure,
  type RefusalReason,
  REPLAY_TYPES,
  Scheduler,
  type SessionRecord,
  type StreamEvent,
  type StreamType,
} from "../core/mod.ts";
import {
  childSeed,
  createRandom,
  escapeText,
  type Nanoseconds,
  NS_PER_MS,
  UserError,
} from "../base/mod.ts";
import { type Config, parseConfig } from "../config/mod.ts";
import type { RecordedLine } from "./format.ts";
import { RECORDED_TYPES } from "./format.ts";
import type { ReadLine } from "./reader.ts";

/** The first difference between a recording and its replay. */
export interface Difference {
  /** The place in the recording. */
  readonly place: { readonly file: string; readonly line: number };
  /** The number of the pick, from 1, if the event is a pick. */
  readonly pick?: number;
  readonly recorded: RecordedLine;
  /** The event of the replay instead; null if there was none. */
  readonly replayed: StreamEvent | null;
}

/** The result of a replay. */
export interface ReplayResult {
  /** Lines that were read. */
  readonly lines: number;
  /** Picks that were compared. */
  readonly picks: number;
  /** Refusals that were compared. */
  readonly refusals: number;
  /** Undefined: every event is the same. */
  readonly difference?: Difference;
  /** The line at which the comparison ended, because lines are missing there. */
  readonly dropped?: { readonly file: string; readonly line: number; readonly count: number };
  /**
   * The line at which the comparison ended, because the algorithm hashes addresses from there on, and clients have
   * pseudonyms.
   */
  readonly hashed?: { readonly file: string; readonly line: number };
}

/** How a recording is replayed. */
export interface ReplayFlags {
  /** Whether clients have pseudonyms. Then the decisions of an algorithm that hashes addresses cannot be repeated. */
  readonly isPseudonymous?: boolean;
  /** Called with each line that has been read; the last ones may not have been compared. */
  readonly onLine?: ((line: ReadLine) => void) | undefined;
}

/** The events that a scheduler emits. All other events are those of its driver. */
const SCHEDULERS: ReadonlySet<string> = new Set<StreamType>([
  ...["connection_arrived", "connection_opened", "connect_failed", "connection_queued"] as const,
  ...["connection_dequeued", "connection_refused", "connection_left", "connection_closed"] as const,
  ...["probe", "backend_up", "backend_down", "backend_mode_changed"] as const,
  ...["backend_ejected", "backend_readmitted"] as const,
  ...["session_pinned", "session_moved", "session_evicted", "session_adopted"] as const,
  ...REPLAY_TYPES.filter((type) => type !== "configuration_used"),
]);

/**
 * The events that the replay compares. `client_asked` is left out: the replay takes this line from the recording
 * itself, after it has told the scheduler.
 */
const COMPARED_TYPES = RECORDED_TYPES.filter((type) => type !== "client_asked");

/** Refusals by the driver: it could not serve the connection. */
const REFUSED_BY_DRIVER: ReadonlySet<RefusalReason> = new Set<RefusalReason>([
  "bad_proxy_header",
  "bad_tls_handshake",
  "sent_nothing",
  "local_shortage",
]);

const LINES_PER_STEP = 2000;

/** A connection of the replay. */
interface Replayed {
  readonly connection: Connection;
  openedAt: Nanoseconds;
}

/**
 * Repeats a recording with a new scheduler. The new scheduler gets the recorded inputs at the recorded times, and the
 * replay compares every event that it emits, including its picks. It ends at the first difference, because later
 * differences may be consequences of the first.
 *
 * A recorded event is one of two kinds. An input, like the arrival of a client or the result of a probe, is given to
 * the scheduler, which then must emit the same event. Any other event must follow from an input or from time alone.
 */
export class Replay {
  readonly #source: Lookahead;
  readonly #events: EventStream;
  readonly #isPseudonymous: boolean;
  readonly #connections = new Map<number, Replayed>();
  #scheduler: Scheduler | undefined;
  #now: Nanoseconds = 0;
  #isMuted = false;
  #picks = 0;
  #refusals = 0;
  #difference: Difference | undefined;
  #failure: ReaderFailure | undefined;

  /** @param lines The recording, from the start of the run. */
  constructor(lines: Iterator<ReadLine>, { isPseudonymous = false, onLine }: ReplayFlags = {}) {
    this.#isPseudonymous = isPseudonymous;
    this.#source = new Lookahead(lines, onLine);
    this.#events = new EventStream((failure) => this.#failure = failure);
    this.#events.subscribe("replay", COMPARED_TYPES, (event) => this.#compare(event));
  }

  /**
   * Replays the whole recording in small steps, so that other work can be done in between.
   *
   * @throws {UserError} if the recording cannot be read, or does not have exactly one run, from its start.
   */
  *run(): Generator<void, ReplayResult> {
    for (let i = 1;; i++) {
      if (i % LINES_PER_STEP === 0) yield;
      const result = this.step();
      if (result !== undefined) return result;
    }
  }

  /** The events that its scheduler emits. */
  get events(): EventStream {
    return this.#events;
  }

  /** Undefined before the start of the recorded run. */
  get scheduler(): Scheduler | undefined {
    return this.#scheduler;
  }

  /** The line that the next step replays; undefined at the end of the recording. */
  get next(): ReadLine | undefined {
    return this.#source.peek();
  }

  /**
   * Replays the next line, with the lines that follow from it.
   *
   * @returns The result; undefined if the replay continues.
   * @throws {UserError} as `run` does.
   */
  step(): ReplayResult | undefined {
    const { next } = this;
    if (next === undefined) return this.#result();
    const { event } = next;
    if (event.type === "lines_dropped") return this.#dropped(next, event.count);
    if (event.type === "recording_ended") {
      this.#take();
      return this.#result();
    }
    if (this.#isPseudonymous && hashesAddresses(event)) {
      const { file, line } = next;
      return { ...this.#result(), hashed: { file, line } };
    }
    this.#tryStep(next);
    if (this.#failure !== undefined) throw this.#failure.cause as Error;
    if (this.#difference === undefined && this.next === next) {
      this.#difference = this.#differs(next, null);
    }
    return this.#difference === undefined ? undefined : this.#result();
  }

  #tryStep({ file, line, event }: ReadLine): void {
    try {
      this.#step(event as StreamEvent);
    } catch (error) {
      if (error instanceof UserError) throw error;
      // The scheduler asserts rules that every driver follows; a changed recording may break them.
      throw new UserError(
        `${escapeText(file)}:${line}: ${event.type} cannot follow what was recorded before it`,
        { cause: error },
      );
    }
  }

  #result(): ReplayResult {
    return {
      lines: this.#source.lines,
      picks: this.#picks,
      refusals: this.#refusals,
      ...this.#difference !== undefined && { difference: this.#difference },
    };
  }

  #dropped({ file, line }: ReadLine, count: number): ReplayResult {
    return { ...this.#result(), dropped: { file, line, count } };
  }

  #take(): void {
    this.#source.next();
  }

  /** The scheduler has emitted an event: the next event of the recording must be the same. */
  #compare(event: StreamEvent): void {
    if (this.#isMuted || this.#difference !== undefined) return;
    const next = this.#source.peek();
    // The recording was cut, or lacks lines, between an input and what followed from it.
    if (next === undefined || next.event.type === "lines_dropped") return;
    if (!isSameEvent(next.event, event)) {
      this.#difference = this.#differs(next, event);
      return;
    }
    this.#take();
    if (event.type === "backend_picked") this.#picks++;
    if (event.type === "connection_refused") this.#refusals++;
    if (isEnd(event.type)) this.#connections.delete((event as { connection: number }).connection);
    // The driver closes connections of a backend at the moment at which it is marked as down.
    if (event.type === "backend_down") this.#closeThoseOf(event);
  }

  #differs({ file, line, event: recorded }: ReadLine, replayed: StreamEvent | null): Difference {
    const isPick = recorded.type === "backend_picked" || replayed?.type === "backend_picked";
    return {
      place: { file, line },
      ...isPick && { pick: this.#picks + 1 },
      recorded,
      replayed,
    };
  }

  #closeThoseOf({ backend }: EventOf<"backend_down">): void {
    while (this.#difference === undefined) {
      const event = this.#source.peek()?.event;
      if (event?.type !== "connection_closed" && event?.type !== "client_asked") return;
      if (event.type === "connection_closed" && event.end !== "backend_down") return;
      const connection = this.#connections.get(event.connection)?.connection;
      if (connection?.phase !== "open" || connection.backend.id !== backend) return;
      this.#step(event);
    }
  }

  /** If the recorded event is an input, gives it to the scheduler; otherwise lets time pass until the event. */
  #step(event: StreamEvent): void {
    this.#now = Math.round(event.at_ms * NS_PER_MS);
    if (!SCHEDULERS.has(event.type)) {
      // Before this event, the scheduler may emit events that time alone causes.
      this.#scheduler?.passTime(this.#now);
      if (this.#difference === undefined) this.#driver(event);
      return;
    }
    const scheduler = this.#scheduler;
    if (scheduler === undefined) {
      throw new UserError("the recording does not begin with run_started, so its start is unknown");
    }
    switch (event.type) {
      case "proxy_connected":
        return this.#arrives(scheduler.acceptProxy(event.client, this.#now));
      case "connection_arrived":
        return this.#arrives(scheduler.accept(event.client, this.#now));
      case "probe":
        return scheduler.probed(
          event.backend,
          event.ok,
          this.#now,
          Math.round(event.probe_ms * NS_PER_MS),
          event.reason,
        );
      case "scheduler_stopped":
        return scheduler.stop(this.#now);
      case "session_received":
        return this.#received(scheduler, event);
      case "session_pinned":
      case "session_moved":
      case "session_evicted":
        return this.#sessionChanges(scheduler);
      case "backend_mode_changed":
        if (scheduler.backend(event.backend) === undefined) return;
        return scheduler.setMode(event.backend, event.mode, this.#now);
    }
    if (!("connection" in event)) return scheduler.passTime(this.#now);
    const replayed = this.#connections.get(event.connection);
    if (replayed === undefined) return scheduler.passTime(this.#now);
    this.#moveOn(replayed, event);
  }

  /** Keeps a connection that has arrived, unless the scheduler has refused it at once. */
  #arrives(connection: Connection): void {
    if (connection.phase === "ended") return;
    this.#connections.set(connection.number, { connection, openedAt: NaN });
  }

  /** Repeats a step that the recorded driver did with a connection. */
  #moveOn(replayed: Replayed, event: StreamEvent): void {
    const { connection } = replayed;
    const now = this.#now;
    const { phase } = connection;
    switch (event.type) {
      case "queue_left":
        return this.#leavesQueue(connection);
      case "client_named":
        if (phase !== "arriving") return;
        connection.admit(event.client, now);
        return;
      case "backend_picked":
      case "connection_queued":
        if (phase === "arriving") connection.assign(now);
        else this.#scheduler!.passTime(now);
        return;
      case "connection_opened":
        if (phase !== "connecting") return;
        replayed.openedAt = now;
        return connection.connected(now);
      case "connect_failed":
        if (phase === "connecting") connection.connectFailed(event.reason, now, event.detail);
        return;
      case "backend_answered":
        this.#asked(replayed, event.idle_ms);
        if (phase === "open") connection.answered(now);
        return;
      case "client_finished":
        this.#asked(replayed, event.idle_ms);
        return connection.clientFinished(now);
      case "client_asked":
        this.#asked(replayed, event.idle_ms);
        this.#take();
        return;
      case "connection_closed": {
        if (phase !== "open") return;
        const { bytes_to_backend: bytesToBackend, bytes_to_client: bytesToClient } = event;
        return connection.close(event.end, now, { bytesToBackend, bytesToClient });
      }
      case "connection_left":
        if (phase !== "open") connection.leave(now);
        return;
      case "connection_refused":
        return this.#refused(connection, event);
      default:
        this.#scheduler!.passTime(now);
    }
  }

  /** A connection leaves the queue. A later event, that of its end, tells when and how. */
  #leavesQueue(connection: Connection): void {
    for (let ahead = 1;; ahead++) {
      const event = this.#source.peek(ahead)?.event;
      if (event === undefined) return;
      if (!("connection" in event) || event.connection !== connection.number) continue;
      this.#now = Math.round(event.at_ms * NS_PER_MS);
      if (event.type === "connection_refused") {
        connection.refuse(event.reason, this.#now, event.detail);
      } else connection.leave(this.#now);
      return;
    }
  }

  #refused(connection: Connection, event: EventOf<"connection_refused">): void {
    const { phase } = connection;
    const isDrivers = REFUSED_BY_DRIVER.has(event.reason) ||
      (event.reason === "stopping" && phase === "connecting");
    if (isDrivers && phase !== "open") connection.refuse(event.reason, this.#now, event.detail);
    else if (phase === "arriving") this.#assignOrRefuse(connection, event);
    else this.#scheduler!.passTime(this.#now);
  }

  /** If a proxied connection is refused as "stopping" before its client is named, the driver has refused it. */
  #assignOrRefuse(connection: Connection, event: EventOf<"connection_refused">): void {
    if (event.reason === "stopping") connection.refuse("stopping", this.#now, event.detail);
    else connection.assign(this.#now);
  }

  /**
   * A connection asks for a backend. This changes sessions before the connection gets a backend or has to wait, so a
   * later event tells which connection it is.
   */
  #sessionChanges(scheduler: Scheduler): void {
    for (let ahead = 1;; ahead++) {
      const event = this.#source.peek(ahead)?.event;
      if (event?.type.startsWith("session_") && event.type !== "session_received") continue;
      const asking = event !== undefined && "connection" in event
        ? this.#connections.get(event.connection)?.connection
        : undefined;
      if (asking?.phase === "arriving") asking.assign(this.#now);
      else scheduler.passTime(this.#now);
      return;
    }
  }

  #asked({ connection, openedAt }: Replayed, idleMs: number | undefined): void {
    if (idleMs !== undefined) connection.asked(openedAt + Math.round(idleMs * NS_PER_MS));
  }

  /** Sessions that were restored together are given to the scheduler together. */
  #received(scheduler: Scheduler, first: EventOf<"session_received">): void {
    if (!first.restored) return scheduler.adopt(recordOf(first), this.#now);
    const records: SessionRecord<string>[] = [];
    for (let next = this.#source.peek(); next !== undefined; next = this.#source.peek()) {
      const { event } = next;
      if (event.type !== "session_received" || !event.restored || event.at_ms !== first.at_ms) {
        break;
      }
      records.push(recordOf(event));
      this.#take();
    }
    this.#isMuted = true;
    let left = records.length;
    const unmute = this.#events.subscribe("restored", ["session_received"], () => {
      // After the last session, the scheduler serves clients that wait. Those events are compared again.
      if (--left === 0) this.#isMuted = false;
    });
    scheduler.restore(records, this.#now);
    unmute();
    this.#isMuted = false;
  }

  #driver(event: StreamEvent): void {
    switch (event.type) {
      case "run_started":
        this.#start(event);
        break;
      case "configuration_used": {
        const config = configOf(event.configuration);
        this.#take();
        this.#scheduler?.reconfigure(config, this.#now);
        return;
      }
      case "sessions_ended":
        this.#scheduler?.endSessions(this.#now, event.client ?? undefined);
    }
    this.#take();
  }

  #start({ seed, configuration }: EventOf<"run_started">): void {
    if (this.#scheduler !== undefined) {
      throw new UserError("the recording has two runs, and only one can be replayed");
    }
    const random = createRandom(childSeed(seed, "algorithm", 0));
    this.#scheduler = new Scheduler(configOf(configuration), this.#events, random);
  }
}

/** Whether an event begins the use of a configuration whose algorithm hashes addresses. */
function hashesAddresses(event: RecordedLine): boolean {
  if (event.type !== "run_started" && event.type !== "configuration_used") return false;
  return isHash(configOf(event.configuration).algorithm);
}

/**
 * Reads a configuration in the form of a recording.
 *
 * @throws {DiagnosticsError} if it is not valid.
 */
export function configOf(configuration: Readonly<Record<string, unknown>>): Config {
  return parseConfig({ file: "the recorded configuration", text: JSON.stringify(configuration) });
}

function recordOf(event: EventOf<"session_received">): SessionRecord<string> {
  const { client, backend, home, changed_ms, used_ms } = event;
  const time = (ms: number) => Math.round(ms * NS_PER_MS);
  return { key: client, backend, home, changedAt: time(changed_ms), usedAt: time(used_ms) };
}

function isEnd(type: StreamType): boolean {
  return type === "connection_closed" || type === "connection_refused" ||
    type === "connection_left";
}

/** Whether an event of the replay has all recorded fields. In a later version it may have more fields. */
function isSameEvent(recorded: RecordedLine, replayed: StreamEvent): boolean {
  const [a, b] = [recorded, replayed] as unknown as [Fields, Fields];
  for (const key in a) if (!isSameValue(a[key], b[key])) return false;
  return true;
}

type Fields = Readonly<Record<string, unknown>>;

function isSameValue(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Lines, of which the next ones can be read in advance. */
class Lookahead {
  readonly #lines: Iterator<ReadLine>;
  readonly #onLine: ((line: ReadLine) => void) | undefined;
  readonly #next: ReadLine[] = [];
  lines = 0;

  constructor(lines: Iterator<ReadLine>, onLine: ((line: ReadLine) => void) | undefined) {
    this.#lines = lines;
    this.#onLine = onLine;
  }

  /** The next line, or the line that is `ahead` lines after it. */
  peek(ahead = 0): ReadLine | undefined {
    while (this.#next.length <= ahead) {
      const { value, done } = this.#lines.next();
      if (done) return undefined;
      this.#next.push(value);
      this.#onLine?.(value);
    }
    return this.#next[ahead];
  }

  next(): void {
    if (this.peek() === undefined) return;
    this.#next.shift();
    this.lines++;
  }
}
