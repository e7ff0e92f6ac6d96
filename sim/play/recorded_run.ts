import { type Nanoseconds, NS_PER_MS } from "../../lib/base/mod.ts";
import { type EventOf, isHash, type Scheduler, type StreamEvent } from "../../lib/core/mod.ts";
import type { Counts, Dots, Phase, Settings, Truth } from "../../lib/observe/mod.ts";
import { isData } from "../../lib/config/mod.ts";
import { configOf, type ReadLine, Replay } from "../../lib/recording/mod.ts";
import { Histogram } from "../../lib/stats/mod.ts";
import type { ReadyScenario } from "../study/mod.ts";
import { beliefsOf, newDots, PHASE_NUMBERS } from "./picture.ts";
import { settingsOf } from "./play_run.ts";
import { RunEvents } from "./run_events.ts";
import type { ExplainedPick, Picture, ShownRun, Totals } from "./shown_run.ts";
import { SliceLog, type SliceReader } from "./slice_log.ts";

/** The lines of a recording, and the facts about all of them that its runs need. */
export class RecordedLines {
  readonly lines: readonly ReadLine[];
  readonly isPseudonymous: boolean;
  /** All backends of all configurations. */
  readonly ids: readonly string[];
  /** When the last event happens. */
  readonly end: Nanoseconds;
  /** The number of each client's address. */
  readonly clients: ReadonlyMap<string, number>;

  constructor(lines: readonly ReadLine[], isPseudonymous: boolean) {
    this.lines = lines;
    this.isPseudonymous = isPseudonymous;
    const ids = new Set<string>();
    const clients = new Map<string, number>();
    let end = 0;
    for (const { event } of lines) {
      if ("at_ms" in event) end = event.at_ms * NS_PER_MS;
      if (event.type === "run_started" || event.type === "configuration_used") {
        for (const id of idsIn(event.configuration)) ids.add(id);
      } else if (event.type === "connection_arrived" || event.type === "client_named") {
        if (!clients.has(event.client)) clients.set(event.client, clients.size);
      }
    }
    this.ids = [...ids];
    this.end = Math.round(end);
    this.clients = clients;
  }
}

/** A connection that has not ended. */
interface OpenConnection {
  readonly number: number;
  client: number;
  phase: Phase;
  since: Nanoseconds;
  attempt: number;
  /** −1: it has none. */
  backend: number;
  pickedAt: Nanoseconds;
}

/** The events that change the picture. */
const DRAWN = [
  ...["connection_arrived", "client_named", "backend_picked", "connection_queued"] as const,
  ...["connection_opened", "connect_failed", "backend_answered", "client_asked"] as const,
  ...["connection_closed", "connection_refused", "connection_left"] as const,
];

/**
 * The replay of a recording as a run that can be shown: the scheduler gets the recorded inputs, and makes the decisions
 * again. The recording does not show what happened inside the backends: a connection takes a slot for as long as it is
 * open.
 */
export class RecordedRun implements ShownRun {
  readonly settings: Settings;
  readonly totals: Totals;
  readonly events: RunEvents;
  readonly slices: SliceLog;
  readonly ids: readonly string[];
  now: Nanoseconds = -1;
  handled = 0;
  isOver = false;
  readonly #replay: Replay;
  readonly #recorded: RecordedLines;
  readonly #open = new Map<number, OpenConnection>();
  readonly #places: ReadonlyMap<string, number>;
  /** The faults of each backend, as its own events report them. */
  readonly #faults: readonly Set<string>[];
  /** The connections in flight of each backend; and their integral over time until `#inFlightSince`. */
  readonly #inFlight: Float64Array;
  readonly #inFlightTime: Float64Array;
  readonly #inFlightSince: Float64Array;
  readonly #sojourn = new Histogram();
  readonly #requests = { offered: 0, done: 0, failed: 0, refused: 0, timedOut: 0, retried: 0 };
  readonly #scenario: ReadyScenario;
  #algorithm: ReadyScenario["balancer"]["algorithm"];
  #latestPick: { readonly at: Nanoseconds; readonly connection: number } | undefined;

  /** @param scenario The scenario with which a simulation of the recorded traffic begins. */
  constructor(recorded: RecordedLines, scenario: ReadyScenario, reader: SliceReader) {
    const { lines, isPseudonymous, ids } = recorded;
    this.#recorded = recorded;
    this.#scenario = scenario;
    this.#algorithm = scenario.balancer.algorithm;
    this.#replay = new Replay(lines[Symbol.iterator](), { isPseudonymous });
    // The first step reads the start of the run, which creates the scheduler.
    this.#replay.step();
    this.ids = ids;
    this.#places = new Map(ids.map((id, place) => [id, place]));
    this.#faults = ids.map(() => new Set());
    this.#inFlight = new Float64Array(ids.length);
    this.#inFlightTime = new Float64Array(ids.length);
    this.#inFlightSince = new Float64Array(ids.length);
    this.totals = {
      done: new Float64Array(ids.length),
      failed: new Float64Array(ids.length),
      refused: new Float64Array(1),
    };
    this.settings = settingsOf(scenario);
    const { events } = this.#replay;
    this.events = new RunEvents([{ events, scheduler: this.#scheduler }]);
    this.slices = new SliceLog(reader, this.events.monitors, (end) => this.#inFlightTimes(end));
    events.subscribe("playground", DRAWN, (event) => this.#draw(event));
  }

  get #scheduler(): Scheduler {
    return this.#replay.scheduler!;
  }

  get nextTime(): Nanoseconds {
    if (this.isOver) return Infinity;
    const event = this.#replay.next?.event;
    // A line without a time, like the note that lines are missing, follows at once.
    return event !== undefined && "at_ms" in event
      ? Math.round(event.at_ms * NS_PER_MS)
      : Math.max(0, this.now);
  }

  get schedulers(): Scheduler[] {
    return [this.#scheduler];
  }

  get algorithm(): string {
    return this.#algorithm.name;
  }

  get backends(): ReadyScenario["balancer"]["backends"] {
    return this.#scenario.balancer.backends;
  }

  get measured(): ShownRun["measured"] {
    return { sojourn: this.#sojourn, requests: this.#requests };
  }

  theory(): string {
    return "a recording has no model";
  }

  latestPick(dot: number | undefined): ReturnType<ShownRun["latestPick"]> {
    if (dot === undefined) {
      const { at } = this.#latestPick ?? {};
      return at === undefined ? undefined : { at, connection: undefined };
    }
    const one = this.#open.get(dot);
    if (one === undefined || Number.isNaN(one.pickedAt)) return undefined;
    return { at: one.pickedAt, connection: one.number };
  }

  picture(now: Nanoseconds, dotsMax: number): Picture {
    return {
      truth: this.#truth(),
      beliefs: [beliefsOf(this.#scheduler, true, this.ids.map((id) => ({ id })))],
      counts: this.#counts(),
      dots: this.#open.size <= dotsMax ? this.#dots(now) : null,
      dots_total: this.#open.size,
    };
  }

  /** Always false: a recording cannot be changed. */
  canExtend(): boolean {
    return false;
  }

  extend(): void {}

  explainPicks(read: (pick: ExplainedPick) => void): () => void {
    return this.events.explainPicks(read);
  }

  runTo(time: Nanoseconds): void {
    while (this.nextTime <= time) this.#replayNext();
    if (!this.isOver) this.slices.passBoundaries(time);
    if (time > this.now) this.now = time;
  }

  step(until: Nanoseconds = Infinity): boolean {
    const at = this.nextTime;
    if (at > until || at === Infinity) return false;
    this.events.stepBegins(at, isHash(this.#algorithm));
    this.#replayNext();
    this.events.stepEnded();
    this.now = Math.max(this.now, at);
    return true;
  }

  #replayNext(): void {
    this.slices.passBoundaries(this.nextTime);
    const event = this.#replay.next?.event;
    if (event?.type === "configuration_used") {
      this.#algorithm = configOf(event.configuration).algorithm;
    } else if (event?.type === "backend_fault_began" || event?.type === "backend_fault_ended") {
      const faults = this.#faults[this.#places.get(event.backend) ?? -1];
      if (event.type === "backend_fault_began") faults?.add(event.fault);
      else faults?.delete(event.fault);
      this.events.add(event);
    }
    this.isOver = this.#replay.step() !== undefined;
    this.handled++;
  }

  #draw(event: Extract<StreamEvent, { type: (typeof DRAWN)[number] }>): void {
    const now = Math.round(event.at_ms * NS_PER_MS);
    if (event.type === "connection_arrived") {
      this.#requests.offered++;
      this.#open.set(event.connection, {
        number: event.connection,
        client: this.#recorded.clients.get(event.client) ?? 0,
        phase: "to balancer",
        since: now,
        attempt: 1,
        backend: -1,
        pickedAt: NaN,
      });
      return;
    }
    const one = this.#open.get(event.connection);
    if (one === undefined) return;
    const enter = (phase: Phase) => {
      one.phase = phase;
      one.since = now;
    };
    switch (event.type) {
      case "client_named":
        one.client = this.#recorded.clients.get(event.client) ?? 0;
        return;
      case "connection_queued":
        return enter("queued at balancer");
      case "backend_picked":
        one.backend = this.#places.get(event.backend) ?? -1;
        one.attempt = event.attempt;
        one.pickedAt = now;
        this.#latestPick = { at: now, connection: event.connection };
        if (event.attempt > 1) this.#requests.retried++;
        this.#count(one.backend, 1, now);
        return enter("connecting");
      case "connection_opened":
        return enter("in service");
      case "backend_answered":
        if (one.phase === "in service") enter("thinking");
        return;
      case "client_asked":
        if (one.phase === "thinking") enter("in service");
        return;
      case "connect_failed":
        this.#leave(one, now, false);
        return enter("to balancer");
      default:
        this.#open.delete(event.connection);
        this.#end(one, event, now);
    }
  }

  #end(
    one: OpenConnection,
    event:
      | EventOf<"connection_closed">
      | EventOf<"connection_refused">
      | EventOf<"connection_left">,
    now: Nanoseconds,
  ): void {
    if (event.type === "connection_closed" && isDone(event)) {
      this.#leave(one, now, true);
      const sojourn = Math.round(event.since_arrival_ms * NS_PER_MS);
      this.#requests.done++;
      this.#sojourn.record(sojourn);
      this.slices.done(sojourn);
      return;
    }
    this.#leave(one, now, false);
    const how = event.type === "connection_refused"
      ? "refused"
      : event.type === "connection_left"
      ? "timedOut"
      : "failed";
    this.#requests[how]++;
    this.slices.failed(how);
    if (how === "refused") this.totals.refused[0]!++;
  }

  /** A connection is no longer in flight to its backend. */
  #leave(one: OpenConnection, now: Nanoseconds, isDone: boolean): void {
    if (one.backend === -1) return;
    this.#count(one.backend, -1, now);
    const totals = isDone ? this.totals.done : this.totals.failed;
    totals[one.backend]!++;
    one.backend = -1;
  }

  #count(backend: number, change: 1 | -1, now: Nanoseconds): void {
    if (backend === -1) return;
    const since = this.#inFlightSince[backend]!;
    this.#inFlightTime[backend]! += (now - since) * this.#inFlight[backend]!;
    this.#inFlightSince[backend] = now;
    this.#inFlight[backend]! += change;
  }

  #inFlightTimes(end: Nanoseconds): Float64Array {
    return this.#inFlightTime.map((time, i) =>
      time + (end - this.#inFlightSince[i]!) * this.#inFlight[i]!
    );
  }

  #counts(): Counts {
    const { timedOut, ...rest } = this.#requests;
    return { ...rest, timed_out: timedOut };
  }

  /** The state of the backends, as far as the recording contains it. */
  #truth(): Truth {
    const { length } = this.ids;
    const column = (value: number) => new Float32Array(length).fill(value);
    return {
      ids: this.ids,
      state: Uint8Array.from(this.#faults, ({ size }) => size > 0 ? 32 : 0),
      speed: column(1),
      slots: column(Infinity),
      busy: Float32Array.from(this.#inFlight),
      waiting: column(0),
      queue: column(0),
      fail_rate: column(0),
      faults: this.#faults.map((faults) => [...faults].join(", ")),
      configured: Uint8Array.from(
        this.ids,
        (id) => this.#scheduler.backend(id) === undefined ? 0 : 1,
      ),
    };
  }

  #dots(now: Nanoseconds): Dots {
    const dots = newDots(this.#open.size);
    const places = new Map<string, number>();
    let i = 0;
    for (const one of this.#open.values()) {
      dots.number[i] = one.number;
      dots.phase[i] = PHASE_NUMBERS[one.phase];
      dots.since_ms[i] = Math.max(0, now - one.since) / NS_PER_MS;
      if (one.phase === "queued at balancer" || one.phase === "in service") {
        const line = one.phase === "in service" ? String(one.backend) : "queue";
        const place = places.get(line) ?? 0;
        places.set(line, place + 1);
        dots.place[i] = place;
      }
      dots.client[i] = one.client;
      dots.balancer[i] = 0;
      if (one.backend !== -1) dots.backend[i] = one.backend;
      dots.attempt[i] = Math.min(255, one.attempt);
      i++;
    }
    return dots;
  }
}

/** The ids of the backends of a configuration. Its check takes too long for a recording with many of them. */
function idsIn({ backends }: Readonly<Record<string, unknown>>): string[] {
  const list = Array.isArray(backends) ? backends : [];
  return list.flatMap((backend) =>
    isData(backend) && typeof backend.id === "string" ? backend.id : []
  );
}

/** Whether its client or its backend closed it normally. */
function isDone({ end }: EventOf<"connection_closed">): boolean {
  return end === "closed";
}
