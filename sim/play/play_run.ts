import { childSeed, type Nanoseconds } from "../../lib/base/mod.ts";
import { isHash, type Scheduler } from "../../lib/core/mod.ts";
import type { ReplicationResult } from "../../lib/metrics/mod.ts";
import type { Settings } from "../../lib/observe/mod.ts";
import { replicationSeed } from "../../lib/workload/mod.ts";
import type { World } from "../model/mod.ts";
import { type Extension, type ReadyScenario, Simulation } from "../study/mod.ts";
import { pictureOf, requestNumber } from "./picture.ts";
import { RunEvents } from "./run_events.ts";
import type { ExplainedPick, Picture, ShownRun, Totals } from "./shown_run.ts";
import { SliceLog, type SliceReader } from "./slice_log.ts";
import { theoryOf } from "./statistics.ts";
import type { TheoryLines } from "./types.ts";

/**
 * For this many of the latest events, the queue keeps the time at which they were scheduled: the time at which their
 * message was sent.
 */
const PUSH_TIMES = 1 << 15;

/** With more backends than this, the probes at the start of a run are not observed. */
const MANY_BACKENDS = 500;

/**
 * One simulated run of a variant. Two runs of the same scenario at the same time show the same picture, even if they
 * reached this time in different ways.
 */
export class PlayRun implements ShownRun {
  readonly simulation: Simulation;
  readonly settings: Settings;
  readonly totals: Totals;
  readonly events: RunEvents;
  readonly slices: SliceLog;
  now: Nanoseconds = -1;
  #scenario: ReadyScenario;

  constructor(scenario: ReadyScenario, seed: number, reader: SliceReader) {
    this.#scenario = scenario;
    // In `lbsim sim`, the first replication of a variant records its series. This run does so, too,
    // so that both handle the same events.
    this.simulation = new Simulation(scenario, replicationSeed(seed, 0), { series: true });
    const { world } = this;
    world.queue.keepPushTimes(PUSH_TIMES);
    const backends = world.backends.length;
    this.totals = {
      done: new Float64Array(backends),
      failed: new Float64Array(backends),
      refused: new Float64Array(world.balancers.length),
    };
    this.settings = settingsOf(scenario);
    // For each backend that is found up there is an event, which lists all backends that are up. With many backends,
    // these events happen before the run is observed.
    if (backends > MANY_BACKENDS) void this.simulation.nextTime;
    this.events = new RunEvents(world.balancers);
    this.slices = new SliceLog(
      reader,
      this.events.monitors,
      (end) => Float64Array.from(world.backends, (backend) => backend.inFlightTime(end)),
    );
    world.watcher = {
      answered: ({ startedAt, backend: { index } }, now) => {
        this.slices.done(now - startedAt);
        this.totals.done[index]!++;
      },
      attemptFailed: ({ picked, balancer }, outcome, isLast) => {
        if (isLast) this.slices.failed(outcome);
        if (outcome === "refused") this.totals.refused[balancer.index]!++;
        else if (picked !== undefined) this.totals.failed[picked.index]!++;
      },
    };
  }

  get world(): World {
    return this.simulation.world;
  }

  get scenario(): ReadyScenario {
    return this.#scenario;
  }

  get isOver(): boolean {
    return this.simulation.isOver;
  }

  get handled(): number {
    return this.simulation.events;
  }

  get nextTime(): Nanoseconds {
    return this.simulation.nextTime;
  }

  get ids(): string[] {
    return this.world.backends.map(({ id }) => id);
  }

  get schedulers(): Scheduler[] {
    return this.world.balancers.map(({ scheduler }) => scheduler);
  }

  get algorithm(): string {
    return this.world.scenario.balancer.algorithm.name;
  }

  get backends(): ReadyScenario["balancer"]["backends"] {
    return this.world.scenario.balancer.backends;
  }

  get measured(): World["recorder"] {
    return this.world.recorder;
  }

  theory(): TheoryLines | string {
    return theoryOf(this.#scenario, this.simulation);
  }

  picture(now: Nanoseconds, dotsMax: number): Picture {
    return pictureOf(this.world, now, dotsMax);
  }

  latestPick(dot: number | undefined): ReturnType<ShownRun["latestPick"]> {
    const picked = this.world.connections.all.filter((connection) =>
      connection.pickedAt <= this.now && (dot === undefined || requestNumber(connection) === dot)
    );
    const at = picked.reduce((latest, { pickedAt }) => Math.max(latest, pickedAt), -1);
    if (at < 0) return undefined;
    return { at, connection: dot === undefined ? undefined : picked[0]!.scheduled?.number };
  }

  canExtend(extension: Extension): boolean {
    return this.simulation.canExtend(extension);
  }

  extend(extension: Extension): void {
    this.simulation.extend(extension);
    this.#scenario = extension.scenario;
    const { length } = this.world.backends;
    this.totals.done = aligned(this.totals.done, length);
    this.totals.failed = aligned(this.totals.failed, length);
  }

  explainPicks(read: (pick: ExplainedPick) => void): () => void {
    return this.events.explainPicks(read);
  }

  runTo(time: Nanoseconds): void {
    this.#handleBefore(time + 1);
    if (time > this.now) this.now = time;
  }

  step(until: Nanoseconds = Infinity): boolean {
    const { simulation, world: { queue, scenario } } = this;
    const { nextTime } = simulation;
    if (nextTime > until || nextTime === Infinity) return false;
    this.slices.passBoundaries(nextTime);
    this.events.stepBegins(nextTime, isHash(scenario.balancer.algorithm));
    if (!simulation.step()) return false;
    this.events.stepEnded();
    this.now = queue.time;
    return true;
  }

  /** The result of the whole run. It is run to its end first. */
  result(): ReplicationResult {
    this.#handleBefore(Infinity);
    return this.simulation.result();
  }

  #handleBefore(before: Nanoseconds): void {
    const { simulation } = this;
    while (true) {
      const boundary = Math.min(before, this.slices.nextBoundary);
      simulation.advance(boundary);
      if (boundary === before || simulation.isOver) return;
      this.slices.passBoundaries(boundary);
    }
  }
}

/** The same numbers, and as many zeros as are missing. */
function aligned(numbers: Float64Array, length: number): Float64Array {
  if (numbers.length === length) return numbers;
  const longer = new Float64Array(length);
  longer.set(numbers);
  return longer;
}

/** The part of a snapshot that describes the configuration. */
export function settingsOf({ balancer }: ReadyScenario): Settings {
  const { algorithm, limits, queue, sticky, backends } = balancer;
  const digest = [1, 2].map((seed) =>
    (childSeed(seed, JSON.stringify(balancer)) >>> 0).toString(16).padStart(8, "0")
  );
  return {
    listen: null,
    algorithm: algorithm.name,
    digest: digest.join(""),
    connectionsLimit: limits.connections,
    queueLimit: queue?.length ?? null,
    sessionsLimit: sticky?.maxEntries ?? null,
    wishes: [],
    takesFaults: new Set(),
    file: new Map(backends.map(({ id, mode, weight }) => [id, { state: mode ?? "ready", weight }])),
  };
}
