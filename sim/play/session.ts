import {
  canonicalIp,
  escapeText,
  finished,
  type Nanoseconds,
  NS_PER_MS,
  NS_PER_S,
  parseIp,
  UserError,
} from "../../lib/base/mod.ts";
import { Explanation, type LbEvent } from "../../lib/core/mod.ts";
import { refusalInWords } from "../../lib/observe/mod.ts";
import type { Variant } from "../../lib/scenario/mod.ts";
import { meanRate } from "../../lib/workload/mod.ts";
import { extensionOf, type ReadyScenario, withWarmups } from "../study/mod.ts";
import type { RunDocument } from "./document.ts";
import { PlayRun } from "./play_run.ts";
import { type RecordedLines, RecordedRun } from "./recorded_run.ts";
import type { ExplainedPick, ShownRun } from "./shown_run.ts";
import { type Batch, type Slice, SLICES_PER_BATCH } from "./slice_log.ts";
import { Spares } from "./spares.ts";
import { statisticsOf, verdictOf } from "./statistics.ts";
import { seriesCsv } from "./csv.ts";
import type { RunState, Sessions, Statistics, Update, VariantFrame, Why } from "./types.ts";
import { Flowmeter } from "./flowmeter.ts";
import { whyOf } from "./why.ts";

/** The number of slices of the run, for the series. */
const SLICES = 300;
/** A run whose length is not known has slices of this length. */
const SLICE_DEFAULT: Nanoseconds = NS_PER_S / 10;
/**
 * The least distance between two spares (paused runs), in events of all variants together. In a long run the distance
 * is larger, because the number of spares is limited.
 */
const SPARE_DISTANCE = 50_000;
/** A piece of work between two looks at the clock has about this many events. */
const EVENTS_PER_PIECE = 5_000;
/** Statistics are sent this often at most, in milliseconds of the machine's clock. */
const STATISTICS_EVERY = 250;
/** Computing statistics takes at most this share of the time. */
const STATISTICS_SHARE = 0.1;
const SNAPSHOT_EVERY = 1000;
const FRAMES_PER_S_MAX = 60;

/** The choice of the data that the page shows. */
export interface Shown {
  dots: boolean;
  statistics: boolean;
  dots_max: number;
  balancer: number;
  frames_per_s: number;
}

/** The kind of event at which a step ends. */
export type StepTarget = "event" | "pick" | "health";

/** The result of a step: the variant in which the event happened, and the pick. */
export interface Step {
  readonly variant: number;
  readonly pick: ExplainedPick | undefined;
  /** For a step to a change of health: the change. */
  readonly health: LbEvent | undefined;
}

/**
 * Why long work pauses. `work`: there is more to do. `wait`: it waits until the runs have reached the time that is
 * shown; for this, the session's owner must call `tick`.
 */
export type Pause = "work" | "wait";

/** Options of a session. */
export interface SessionOptions {
  /** Its scenarios with their warm-ups; computed if left out. */
  readonly scenarios?: readonly ReadyScenario[] | undefined;
  /** The recording that is shown until the first change; after it, the document is simulated. */
  readonly recorded?: RecordedLines | undefined;
}

/**
 * A run that is shown: variants side by side, with a clock that can be paused, set back, and made faster or slower. Its
 * owner calls `tick` again and again, and sends the result to the page.
 */
export class Session {
  readonly shown: Shown = {
    dots: true,
    statistics: true,
    dots_max: 2000,
    balancer: 0,
    frames_per_s: FRAMES_PER_S_MAX,
  };
  speed = 0;
  readonly #wallMs: () => number;
  #document: RunDocument;
  #variants: readonly { readonly variant: Variant; readonly scenario: ReadyScenario }[] = [];
  #runs: readonly ShownRun[] = [];
  readonly #spares = new Spares();
  /** The spare that is being created, and the time at which it will stop. */
  #growing: { readonly runs: readonly ShownRun[]; readonly place: number } | undefined;
  /** The slices of each variant so far. They stay when the user goes back in time. */
  #slices: Slice[][] = [];
  #batches: Batch[][] = [];
  #sliceLength: Nanoseconds = SLICE_DEFAULT;
  #length: Nanoseconds = 0;
  /** The time that is shown. It has fractions of a nanosecond if time passes slowly. */
  #at: Nanoseconds = 0;
  /** The latest time that was reached, and the number of events until then. */
  #furthest = { at: 0, events: 0 };
  #flowmeters: Flowmeter[] = [];
  #epoch = 0;
  #lastTick: number | undefined;
  #actualSpeed = 0;
  #isTextNew = true;
  #isFrameDue = true;
  #lastFrame = -Infinity;
  #lastStatistics = -Infinity;
  #statisticsCost = 0;
  #lastSnapshot = -Infinity;
  #progressFrom: Nanoseconds = 0;

  /** The recording that is shown; undefined if runs are simulated. */
  #recorded: RecordedLines | undefined;
  #isStepping = false;
  /** A number that increases each time the runs are replaced. */
  #generation = 0;

  /** @param wallMs A clock of the machine, in milliseconds. It paces the run and has no influence on it. */
  constructor(document: RunDocument, wallMs: () => number, options: SessionOptions = {}) {
    const { scenarios = readyOf(document), recorded } = options;
    this.#wallMs = wallMs;
    this.#document = document;
    this.#recorded = recorded;
    this.#begin(scenarios);
  }

  get document(): RunDocument {
    return this.#document;
  }

  get runs(): readonly ShownRun[] {
    return this.#runs;
  }

  get scenarios(): readonly ReadyScenario[] {
    return this.#variants.map(({ scenario }) => scenario);
  }

  get at(): Nanoseconds {
    return this.#at;
  }

  /** Whether the runs have reached the time that is shown. */
  get isThere(): boolean {
    const at = Math.floor(this.#at);
    return this.#runs.every((run) => run.now >= at || run.isOver);
  }

  get isOver(): boolean {
    return this.#runs.every((run) => run.isOver);
  }

  /** Whether single steps are in progress. The clock is paused then. */
  get isStepping(): boolean {
    return this.#isStepping;
  }

  /** Whether a recording is shown, and nothing is simulated. */
  get isRecorded(): boolean {
    return this.#recorded !== undefined;
  }

  /**
   * Shows another document at the present time. If only later events differ, the runs continue with it; otherwise
   * everything is simulated from the start.
   *
   * @param at The time to show; the present time if left out.
   */
  show(
    document: RunDocument,
    at: Nanoseconds = this.#at,
    scenarios: readonly ReadyScenario[] = readyOf(document),
  ): void {
    this.#generation++;
    const goesOn = this.#extend(document, scenarios);
    this.#document = document;
    if (!goesOn) {
      this.#recorded = undefined;
      this.#begin(scenarios);
    }
    this.#isTextNew = true;
    this.seek(at);
  }

  /** Continues the runs with another document. Returns whether this is possible; if not, nothing has changed. */
  #extend(document: RunDocument, scenarios: readonly ReadyScenario[]): boolean {
    const { seed, variants } = document.study;
    const isAlike = seed === this.#document.study.seed && this.isThere &&
      variants.length === this.#variants.length;
    if (!isAlike) return false;
    const now = Math.max(...this.#runs.map((run) => run.now));
    const extensions = scenarios.flatMap((scenario, i) =>
      extensionOf(this.#variants[i]!.scenario, scenario, now) ?? []
    );
    const canExtend = (runs: readonly ShownRun[]) =>
      runs.every((run, i) => run.canExtend(extensions[i]!));
    if (extensions.length < scenarios.length || !canExtend(this.#runs)) return false;
    this.#spares.retain((spare) => spare.at <= now && canExtend(spare.runs));
    for (const runs of [this.#runs, ...this.#spares.all.map(({ runs }) => runs)]) {
      runs.forEach((run, i) => run.extend(extensions[i]!));
    }
    this.#variants = variants.map((variant, i) => ({ variant, scenario: scenarios[i]! }));
    this.#growing = undefined;
    this.#furthest = { at: now, events: handledBy(this.#runs) };
    // The stored future of the run is no longer valid.
    this.#runs.forEach(({ slices: { ended }, ids }, i) => {
      const slices = this.#slices[i]!;
      slices.splice(ended);
      this.#batches[i]!.splice(Math.floor(ended / SLICES_PER_BATCH));
      // A backend that joins has had nothing in flight until now.
      slices.forEach((slice, at) => {
        if (slice.inFlight.length === ids.length) return;
        const inFlight = new Float32Array(ids.length);
        inFlight.set(slice.inFlight);
        slices[at] = { ...slice, inFlight };
      });
    });
    this.#flowmeters = this.#runs.map((run) => new Flowmeter(run));
    return true;
  }

  /** Goes to a time. The runs follow in the next ticks. */
  seek(to: Nanoseconds): void {
    const at = Math.max(0, Math.min(to, this.#length));
    const there = Math.floor(at);
    const now = Math.max(...this.#runs.map((run) => run.now));
    this.#epoch++;
    this.#at = at;
    this.#isFrameDue = true;
    this.#lastStatistics = this.#lastSnapshot = -Infinity;
    const latest = this.#spares.latestAt(there);
    const isBack = now > there;
    if (isBack || latest > now) {
      this.#keep(this.#runs);
      this.#runs = this.#spares.take(there)?.runs ?? this.#fresh();
      this.#flowmeters = this.#runs.map((run) => new Flowmeter(run));
    }
    this.#progressFrom = Math.max(0, Math.min(...this.#runs.map((run) => run.now)));
  }

  /**
   * Moves on to the next event, the next pick, or the next change of health, of any variant.
   *
   * @returns The result; undefined if the run has ended.
   */
  step(to: StepTarget): Step | undefined {
    this.finish();
    return finished(this.stepping(to));
  }

  /** As `step`, in small steps of work. */
  *stepping(to: StepTarget): Generator<Pause, Step | undefined> {
    this.speed = 0;
    yield* this.reaching();
    const before = this.#runs.map((run) => run.events.lastHealthChange);
    let pick: ExplainedPick | undefined;
    const ends = to === "pick"
      ? this.#runs.map((run) => run.explainPicks((explained) => pick ??= explained))
      : [];
    let variant: number | undefined;
    let health: LbEvent | undefined;
    this.#isStepping = true;
    try {
      for (let count = 1;; count++) {
        variant = this.#stepOnce();
        if (variant === undefined || to === "event") break;
        const change = this.#runs[variant]!.events.lastHealthChange;
        if (to === "health" && change !== before[variant]) health = change;
        if (pick !== undefined || health !== undefined) break;
        if (count % EVENTS_PER_PIECE !== 0) continue;
        this.#isFrameDue = true;
        yield "work";
      }
    } finally {
      this.#isStepping = false;
      for (const end of ends) end();
      this.#noteFurthest();
      this.#isFrameDue = true;
      this.#epoch++;
      this.#lastStatistics = this.#lastSnapshot = -Infinity;
    }
    return variant === undefined ? undefined : { variant, pick, health };
  }

  #stepOnce(): number | undefined {
    let first: number | undefined;
    let earliest = Infinity;
    this.#runs.forEach(({ nextTime }, variant) => {
      if (nextTime >= earliest) return;
      earliest = nextTime;
      first = variant;
    });
    if (first === undefined) return undefined;
    this.#runs[first]!.step();
    this.#at = this.#runs[first]!.now;
    return first;
  }

  /** Waits until the runs have reached the time that is shown. */
  *reaching(): Generator<Pause, void> {
    while (!this.isThere) yield "wait";
  }

  /** Makes the runs reach the time that is shown, without a limit of time. */
  finish(): void {
    while (!this.isThere) this.#work();
  }

  /**
   * Lets virtual time pass by the clock of the machine, with about this many milliseconds of work.
   *
   * @returns The data to draw; undefined if nothing has changed.
   */
  tick(budgetMs: number): Update | undefined {
    const from = this.#wallMs();
    if (this.#isStepping) return this.#update(from);
    const isSeeking = !this.isThere;
    this.#advanceClock(from);
    const isOut = () => this.#wallMs() - from >= budgetMs;
    while (!this.isThere && !isOut()) this.#work();
    if (!this.isThere && !isSeeking) {
      // The machine cannot keep up: time passes more slowly.
      this.#at = Math.max(0, Math.min(...this.#runs.map((run) => run.now)));
    }
    if (this.isThere) {
      this.#noteFurthest();
      while (!isOut() && this.#growSpare());
    }
    return this.#update(this.#wallMs());
  }

  /** Whether `tick` has work to do although time is paused. */
  get isBusy(): boolean {
    return !this.isThere || this.#isFrameDue || this.#growing !== undefined ||
      this.#missingSpare() !== undefined;
  }

  #begin(scenarios: readonly ReadyScenario[]): void {
    const { study } = this.#document;
    this.#variants = study.variants.map((variant, i) => ({ variant, scenario: scenarios[i]! }));
    this.#length = this.#recorded?.end ?? Math.max(...scenarios.map(lengthOf));
    const isKnown = this.#recorded !== undefined ||
      scenarios.every(({ end, workload }) =>
        "duration" in end || !Number.isNaN(meanRate(workload.arrivals))
      );
    this.#sliceLength = isKnown ? Math.max(1, Math.ceil(this.#length / SLICES)) : SLICE_DEFAULT;
    this.#slices = scenarios.map(() => []);
    this.#batches = scenarios.map(() => []);
    this.#spares.clear();
    this.#growing = undefined;
    this.#furthest = { at: 0, events: 0 };
    this.#at = 0;
    this.#epoch++;
    this.#isTextNew = true;
    this.#isFrameDue = true;
    this.#lastStatistics = this.#lastSnapshot = -Infinity;
    this.#progressFrom = 0;
    this.#runs = this.#fresh();
    this.#flowmeters = this.#runs.map((run) => new Flowmeter(run));
  }

  #fresh(): ShownRun[] {
    return this.#variants.map(({ scenario }, variant) => {
      const slices = this.#slices[variant]!;
      const batches = this.#batches[variant]!;
      const reader = {
        sliceLength: this.#sliceLength,
        needsSlice: (slice: number) => slice === slices.length,
        sliceEnded: (data: Slice) => void slices.push(data),
        needsBatch: (batch: number) => batch === batches.length,
        batchEnded: (data: Batch) => void batches.push(data),
      };
      return this.#recorded === undefined
        ? new PlayRun(scenario, this.#document.study.seed, reader)
        : new RecordedRun(this.#recorded, scenario, reader);
    });
  }

  #advanceClock(wall: number): void {
    const passed = this.#lastTick === undefined ? 0 : wall - this.#lastTick;
    this.#lastTick = wall;
    if (this.speed === 0 || !this.isThere || this.isOver) {
      if (this.speed === 0) this.#actualSpeed = 0;
      return;
    }
    // After a pause of the page, for example while it was hidden, time does not leap.
    this.#at += Math.min(passed, 100) * NS_PER_MS * this.speed;
    this.#isFrameDue = true;
  }

  /** Lets every run advance a little towards the time that is shown. */
  #work(): void {
    const at = Math.floor(this.#at);
    const from = Math.min(...this.#runs.map((run) => run.isOver ? at : run.now));
    const to = Math.min(at, from + this.#pieceLength());
    for (const run of this.#runs) run.runTo(to);
    this.#isFrameDue = true;
  }

  /** A time in which a few thousand events happen, estimated from the past. */
  #pieceLength(): Nanoseconds {
    const { at, events } = this.#furthest;
    const now = Math.max(...this.#runs.map((run) => run.now));
    const done = handledBy(this.#runs);
    const [time, count] = done > events ? [now, done] : [at, events];
    if (time <= 0 || count === 0) return Math.max(1, Math.round(this.#sliceLength / 10));
    return Math.max(1, Math.round(time / count * EVENTS_PER_PIECE));
  }

  #noteFurthest(): void {
    const at = Math.max(...this.#runs.map((run) => run.now));
    if (at > this.#furthest.at) {
      this.#furthest = { at, events: handledBy(this.#runs) };
    }
    if (!this.isOver) this.#length = Math.max(this.#length, at);
  }

  #keep(runs: readonly ShownRun[]): void {
    const at = Math.max(...runs.map((run) => run.now));
    // After single steps, the runs may have handled only a part of the events of one time. Such
    // runs are not kept.
    if (runs.some(({ now, isOver }) => now !== at && !isOver)) return;
    const events = handledBy(runs);
    if (events > 0) this.#spares.add({ at, events, runs });
  }

  #missingSpare(): number | undefined {
    return this.#spares.missing(SPARE_DISTANCE, this.#furthest.events);
  }

  /** Does a step of work on a spare. Returns whether there was work to do. */
  #growSpare(): boolean {
    if (this.#growing === undefined) {
      const place = this.#missingSpare();
      if (place === undefined) return false;
      this.#growing = { runs: this.#fresh(), place };
    }
    const { runs, place } = this.#growing;
    const from = Math.max(...runs.map((run) => run.now), 0);
    const to = Math.round(from + this.#pieceLength());
    for (const run of runs) run.runTo(to);
    if (handledBy(runs) >= place || runs.every((run) => run.isOver)) {
      this.#growing = undefined;
      this.#keep(runs);
    }
    return true;
  }

  #update(wall: number): Update | undefined {
    const interval = 1000 / Math.min(FRAMES_PER_S_MAX, this.shown.frames_per_s);
    if (!this.#isFrameDue || wall - this.#lastFrame < interval - 1) return undefined;
    this.#actualSpeed = this.speed === 0 ? 0 : this.#measuredSpeed(wall);
    this.#lastFrame = wall;
    const isThere = this.isThere;
    if (isThere) this.#isFrameDue = false;
    return {
      kind: "update",
      run: this.#state(),
      variants: isThere ? this.frames(wall) : [],
      statistics: isThere && this.shown.statistics ? this.#statisticsIfDue(wall) : null,
    };
  }

  #speedFrom = { wall: 0, at: 0, epoch: -1 };

  /** The virtual time per time of the machine, over the last second. */
  #measuredSpeed(wall: number): number {
    const from = this.#speedFrom;
    const passed = wall - from.wall;
    if (from.epoch !== this.#epoch || passed > 2000) {
      this.#speedFrom = { wall, at: this.#at, epoch: this.#epoch };
      return this.speed;
    }
    if (passed < 200) return this.#actualSpeed;
    const speed = (this.#at - from.at) / NS_PER_MS / passed;
    if (passed > 500) this.#speedFrom = { wall, at: this.#at, epoch: this.#epoch };
    return speed;
  }

  #state(): RunState {
    const isNew = this.#isTextNew;
    this.#isTextNew = false;
    const done = Math.min(...this.#runs.map((run) => run.now));
    const span = this.#at - this.#progressFrom;
    return {
      epoch: this.#epoch,
      at_ms: this.#at / NS_PER_MS,
      speed: this.speed,
      actual_speed: this.#actualSpeed,
      length_ms: this.#length / NS_PER_MS,
      over: this.isOver,
      events: handledBy(this.#runs),
      recorded: this.isRecorded,
      text: isNew ? this.#document.text : null,
      interventions: isNew ? this.#document.interventions : null,
      progress: this.isThere ? null : Math.max(0, (done - this.#progressFrom) / Math.max(1, span)),
    };
  }

  /** The variants at the present time. */
  frames(wall: number = this.#wallMs()): VariantFrame[] {
    const withSnapshot = wall - this.#lastSnapshot >= SNAPSHOT_EVERY;
    if (withSnapshot) this.#lastSnapshot = wall;
    const now = Math.floor(this.#at);
    return this.#runs.map((run, variant): VariantFrame => {
      const { settings } = run;
      const { monitors } = run.events;
      const { events, lost } = run.events.take();
      const monitor = monitors[this.shown.balancer] ?? monitors[0]!;
      return {
        frame: monitor.frame(now, {}),
        snapshot: withSnapshot ? monitor.snapshot(now, { settings }) : null,
        events,
        events_lost: lost,
        algorithm: run.algorithm,
        ...run.picture(now, this.shown.dots ? this.shown.dots_max : -1),
        flows: this.#flowmeters[variant]!.read(wall),
      };
    });
  }

  #statisticsIfDue(wall: number): Statistics | null {
    const interval = Math.max(STATISTICS_EVERY, this.#statisticsCost / STATISTICS_SHARE);
    if (wall - this.#lastStatistics < interval) return null;
    const statistics = this.statistics();
    this.#lastStatistics = this.#wallMs();
    this.#statisticsCost = this.#lastStatistics - wall;
    return statistics;
  }

  /** Statistics up to the present time. */
  statistics(): Statistics {
    const ended = Math.floor(this.#at / this.#sliceLength);
    const slices = this.#slices.map((ofVariant) => ofVariant.slice(0, ended));
    const warm = Math.max(...this.#variants.map(({ scenario }) => scenario.warmup));
    return {
      variants: this.#runs.map((run, variant) =>
        statisticsOf(
          run.measured,
          slices[variant]!,
          this.#sliceLength / NS_PER_MS,
          run.theory(),
        )
      ),
      verdict: verdictOf(
        this.#variants.map(({ variant }) => variant.name),
        this.#batches.map((ofVariant, i) => {
          const warm = this.#variants[i]!.scenario.warmup / this.#sliceLength / SLICES_PER_BATCH;
          return ofVariant.slice(Math.ceil(warm), Math.floor(ended / SLICES_PER_BATCH));
        }),
        this.#at < warm ? warm : undefined,
      ),
    };
  }

  /**
   * Explains a pick: the one that sent a dot to its backend, or the latest one. The run is repeated up to that pick.
   *
   * @param dot The number of a dot; undefined for the latest pick.
   * @returns Null if there was none.
   */
  *why(variant: number, dot?: number): Generator<Pause, Why | null> {
    yield* this.reaching();
    const pick = this.#run(variant).latestPick(dot);
    if (pick === undefined) return null;
    const { at, connection } = pick;
    const generation = this.#generation;
    const now = Math.floor(this.#at);
    const runs = this.#runsBefore(at);
    const again = runs[variant]!;
    yield* this.#advancing(again, at - 1);
    let found: ExplainedPick | undefined;
    const end = again.explainPicks((pick) => {
      if (connection === undefined || pick.event.connection === connection) found = pick;
    });
    while (again.step(now) && !(found !== undefined && again.now > at));
    end();
    const stopped = Math.max(...runs.map((run) => run.now));
    for (const run of runs) yield* this.#advancing(run, stopped);
    // If the shown run has changed in the meantime, these runs are repetitions of the former run.
    if (this.#generation === generation) this.#keep(runs);
    return found === undefined ? null : whyOf(variant, found);
  }

  /**
   * The backend that a client would get now. A repeated run computes it, so the turns and the random numbers of the
   * shown run do not change.
   */
  *explain(variant: number, address: string): Generator<Pause, Why> {
    if (parseIp(address) === undefined) {
      throw new UserError(`"${escapeText(address)}" is not an IP address`, { exitCode: 2 });
    }
    const client = canonicalIp(address);
    yield* this.reaching();
    this.#run(variant);
    const now = Math.floor(this.#at);
    const again = this.#runsBefore(now + 1)[variant]!;
    yield* this.#advancing(again, now);
    const index = Math.min(this.shown.balancer, again.schedulers.length - 1);
    const scheduler = again.schedulers[index]!;
    let found: ExplainedPick | undefined;
    again.explainPicks((pick) => found ??= pick);
    const details = scheduler.pickDetails(client, now) ?? null;
    const connection = scheduler.accept(client, now);
    if (connection.refusal === undefined) connection.assign(now);
    if (found !== undefined) return { ...whyOf(variant, found), details };
    const { refusal } = connection;
    return {
      variant,
      balancer: index,
      at_ms: now / NS_PER_MS,
      client,
      backend: null,
      rule: refusal === undefined
        ? "every backend is full: the client waits"
        : refusalInWords(refusal),
      candidates: new Explanation(scheduler.backends).candidates,
      details,
    };
  }

  /** Makes a run reach a time, in small steps. */
  *#advancing(run: ShownRun, to: Nanoseconds): Generator<Pause, void> {
    while (run.now < to && !run.isOver) {
      run.runTo(Math.min(to, Math.max(0, run.now) + this.#pieceLength()));
      yield "work";
    }
  }

  /** The session map of the balancer that is shown. */
  *sessions(variant: number, limit: number, client?: string): Generator<Pause, Sessions> {
    yield* this.reaching();
    const { schedulers } = this.#run(variant);
    const scheduler = schedulers[Math.min(this.shown.balancer, schedulers.length - 1)]!;
    const rows: Sessions["sessions"][number][] = [];
    for (const { key, backend, home, open, usedAt } of scheduler.sessions) {
      if (client !== undefined && key !== client) continue;
      if (rows.length >= limit) break;
      rows.push({
        client: key,
        backend: backend.id,
        home: home.id,
        connections: open,
        used_at_ms: usedAt / NS_PER_MS,
      });
    }
    return { count: scheduler.sessionCount, sessions: rows };
  }

  /** The series up to the present time, as CSV. */
  csv(): string {
    return seriesCsv(
      this.#variants.map(({ variant: { name } }, i) => ({
        name,
        ids: this.#runs[i]!.ids,
        slices: this.#slices[i]!.slice(0, Math.floor(this.#at / this.#sliceLength)),
      })),
      this.#sliceLength / NS_PER_MS,
    );
  }

  #run(variant: number): ShownRun {
    const run = this.#runs[variant];
    if (run === undefined) {
      throw new UserError(`there is no variant ${variant}`, { exitCode: 2 });
    }
    return run;
  }

  /** Runs that are not shown: the latest spare before a time, which is removed from the spares; or new runs. */
  #runsBefore(time: Nanoseconds): readonly ShownRun[] {
    return this.#spares.take(time - 1)?.runs ?? this.#fresh();
  }

  get length(): Nanoseconds {
    return this.#length;
  }
}

function readyOf({ study }: RunDocument): ReadyScenario[] {
  return withWarmups(study.variants.map(({ scenario }) => scenario), study.seed);
}

/** Events that several runs have handled. */
function handledBy(runs: readonly ShownRun[]): number {
  return runs.reduce((sum, { handled }) => sum + handled, 0);
}

/** When a run is expected to end. */
export function lengthOf({ end, workload, warmup }: ReadyScenario): Nanoseconds {
  if ("duration" in end) return end.duration;
  const rate = meanRate(workload.arrivals);
  return Number.isNaN(rate) || rate <= 0
    ? 60 * NS_PER_S
    : Math.round(warmup + end.connections * NS_PER_S / rate);
}
