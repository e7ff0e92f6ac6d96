import { childSeed, type Nanoseconds, NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import {
  EVENT_TYPES,
  type EventType,
  isHash,
  type LbEvent,
  type PickDetails,
  type PickExplained,
} from "../../lib/core/mod.ts";
import type { ReplicationResult } from "../../lib/metrics/mod.ts";
import { Monitor, type Settings } from "../../lib/observe/mod.ts";
import { Histogram, type HistogramData } from "../../lib/stats/mod.ts";
import type { World } from "../model/mod.ts";
import { replicationSeed } from "../../lib/workload/mod.ts";
import { type Extension, type ReadyScenario, Simulation } from "../study/mod.ts";

/** Events of single connections: there are too many of them to send. */
const OF_CONNECTIONS: readonly EventType[] = [
  ...["connection_arrived", "connection_opened", "connection_queued"] as const,
  ...["connection_dequeued", "connection_refused", "connection_left"] as const,
  ...["connection_closed", "connect_failed", "pick_explained", "probe"] as const,
  ...["session_pinned", "session_adopted", "session_evicted"] as const,
];
const REPORTED = EVENT_TYPES.filter((type) => !OF_CONNECTIONS.includes(type));
const HEALTH = ["backend_up", "backend_down", "backend_ejected", "backend_readmitted"] as const;
/** Events of one run that are kept until they are sent. */
const EVENTS_MAX = 200;
/** Of so many events, the latest, it is known when they were scheduled: since then a message is under way. */
const PUSH_TIMES = 1 << 15;
/** How many balancers are observed as the dashboard shows them. */
const MONITORS_MAX = 8;

/** What a slice of time of a run has brought. */
export interface Slice {
  readonly done: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** By backend: the mean number in flight. */
  readonly inFlight: Float32Array;
}

/** How many slices make a batch. */
export const SLICES_PER_BATCH = 5;

/** The requests that ended in several slices. */
export interface Batch {
  readonly sojourn: HistogramData;
  readonly done: number;
  readonly failed: number;
  readonly refused: number;
  readonly timedOut: number;
}

/** Reads the slices of a run as they end. */
export interface SliceReader {
  /** The length of a slice. */
  readonly sliceLength: Nanoseconds;
  /** Whether this slice is new: else it is known from before, and need not be handed over. */
  needsSlice(slice: number): boolean;
  sliceEnded(data: Slice): void;
  /** The same for batches. */
  needsBatch(batch: number): boolean;
  batchEnded(data: Batch): void;
}

/** A pick, explained at the moment at which it was made. */
export interface ExplainedPick {
  readonly balancer: number;
  readonly event: PickExplained;
  readonly details: PickDetails | null;
}

/** What a backend has done since the start, the warm-up included. */
export interface BackendTotals {
  readonly done: Float64Array;
  readonly failed: Float64Array;
}

/**
 * One run of a variant that can be stopped anywhere and shown. Two runs of one scenario that stand at the same time show
 * the same, whatever way they came there.
 */
export class PlayRun {
  readonly simulation: Simulation;
  readonly monitors: readonly Monitor[];
  readonly settings: Settings;
  readonly totals: BackendTotals;
  /** By balancer: clients that were refused since the start. */
  readonly refused: Float64Array;
  /** All events before and at this time have happened, or, after single steps, some of those at this time. */
  now: Nanoseconds = -1;
  /** The latest events, and how many were dropped. */
  events: LbEvent[] = [];
  eventsLost = 0;
  /** How often a balancer has marked a backend as up or down, or ejected or readmitted it. */
  healthChanges = 0;
  #scenario: ReadyScenario;
  readonly #reader: SliceReader;
  #nextSecond: Nanoseconds = NS_PER_S;
  #slice = 0;
  /** How many readers of explained picks there are. */
  #explains = 0;
  /** By balancer: what its algorithm decided by before the event of this number. */
  #detailsBefore: readonly { readonly at: number; readonly details: PickDetails | undefined }[];
  /** The sojourn times of the requests that were done in this slice. */
  #sojourns = new Float64Array(256);
  #sliceEnded = nothingEnded();
  #batchSojourn = new Histogram();
  #batchEnded = nothingEnded();
  #inFlightTimes: Float64Array;

  constructor(scenario: ReadyScenario, seed: number, reader: SliceReader) {
    this.#scenario = scenario;
    this.#reader = reader;
    // The first replication of a variant records its series, too: so both handle the same events.
    this.simulation = new Simulation(scenario, replicationSeed(seed, 0), { series: true });
    const { world } = this;
    world.queue.keepPushTimes(PUSH_TIMES);
    const backends = world.backends.length;
    this.totals = { done: new Float64Array(backends), failed: new Float64Array(backends) };
    this.refused = new Float64Array(world.balancers.length);
    this.#inFlightTimes = new Float64Array(backends);
    this.#detailsBefore = world.balancers.map(() => ({ at: -1, details: undefined }));
    this.settings = settingsOf(scenario);
    this.monitors = world.balancers.slice(0, MONITORS_MAX).map((balancer) => {
      const monitor = new Monitor(balancer.events);
      monitor.observe(tablesOf(balancer), 0);
      return monitor;
    });
    for (const { events } of world.balancers) {
      events.subscribe("playground", HEALTH, () => void this.healthChanges++);
      events.subscribe("playground", REPORTED, (event) => {
        if (this.events.length === EVENTS_MAX) {
          this.events.shift();
          this.eventsLost++;
        }
        this.events.push(event);
      });
    }
    world.watcher = {
      answered: ({ startedAt, backend: { index } }, now) => {
        if (this.#sliceEnded.done === this.#sojourns.length) this.#growSojourns();
        this.#sojourns[this.#sliceEnded.done++] = now - startedAt;
        this.totals.done[index]!++;
      },
      attemptFailed: ({ picked, balancer }, outcome, isLast) => {
        if (isLast) this.#sliceEnded[outcome]++;
        if (outcome === "refused") this.refused[balancer.index]!++;
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

  /** How many slices have ended. */
  get slicesEnded(): number {
    return this.#slice;
  }

  /** Whether it can go on with a scenario that has more changes and faults: see `Simulation.canExtend`. */
  canExtend(extension: Extension): boolean {
    return this.simulation.canExtend(extension);
  }

  /** Goes on with that scenario. */
  extend(extension: Extension): void {
    this.simulation.extend(extension);
    this.#scenario = extension.scenario;
  }

  /** Calls `read` for every pick from now on, until the returned function is called. */
  explainPicks(read: (pick: ExplainedPick) => void): () => void {
    const ends = this.world.balancers.map(({ events, index }) =>
      events.subscribe("playground", ["pick_explained"], (event) => {
        const { at, details } = this.#detailsBefore[index]!;
        // The state before the pick, if a single step led to it.
        const { scheduler } = this.world.balancers[index]!;
        const isKnown = at === this.simulation.events - 1;
        read({
          balancer: index,
          event,
          details: isKnown
            ? details ?? null
            : scheduler.pickDetails(event.client, this.world.queue.time) ?? null,
        });
      })
    );
    this.#explains++;
    return () => {
      this.#explains--;
      ends.forEach((end) => end());
    };
  }

  /** Handles all events up to and including this time. */
  runTo(time: Nanoseconds): void {
    this.#handleBefore(time + 1);
    if (time > this.now) this.now = time;
  }

  /** Handles one event, at this time or before. Returns whether there was one. */
  step(until: Nanoseconds = Infinity): boolean {
    const { simulation, world: { queue } } = this;
    const { nextTime } = simulation;
    if (nextTime > until || nextTime === Infinity) return false;
    this.#passBoundaries(nextTime);
    // A ring or a table is the same after the pick, and large.
    if (this.#explains > 0 && !isHash(this.world.scenario.balancer.algorithm)) {
      this.#detailsBefore = this.world.balancers.map(({ scheduler }) => ({
        at: simulation.events,
        details: scheduler.pickDetails("", nextTime),
      }));
    }
    if (!simulation.step()) return false;
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
      const boundary = Math.min(before, this.#nextBoundary);
      simulation.advance(boundary);
      if (boundary === before || simulation.isOver) return;
      this.#passBoundaries(boundary);
    }
  }

  get #nextBoundary(): Nanoseconds {
    return Math.min(this.#nextSecond, (this.#slice + 1) * this.#reader.sliceLength);
  }

  /** Lets seconds and slices end that end by this time. */
  #passBoundaries(time: Nanoseconds): void {
    while (this.#nextSecond <= time) {
      for (const monitor of this.monitors) monitor.advance(this.#nextSecond);
      this.#nextSecond += NS_PER_S;
    }
    while ((this.#slice + 1) * this.#reader.sliceLength <= time) {
      this.#endSlice((this.#slice + 1) * this.#reader.sliceLength);
    }
  }

  #growSojourns(): void {
    const larger = new Float64Array(2 * this.#sojourns.length);
    larger.set(this.#sojourns);
    this.#sojourns = larger;
  }

  #endSlice(end: Nanoseconds): void {
    const { sliceLength } = this.#reader;
    const times = Float64Array.from(this.world.backends, (backend) => backend.inFlightTime(end));
    const ended = this.#sliceEnded;
    const sojourns = this.#sojourns.subarray(0, ended.done);
    if (this.#reader.needsSlice(this.#slice)) {
      sojourns.sort();
      this.#reader.sliceEnded({
        done: ended.done,
        errors: ended.failed + ended.refused + ended.timedOut,
        p50Ms: quantile(sojourns, 0.5) / NS_PER_MS,
        p99Ms: quantile(sojourns, 0.99) / NS_PER_MS,
        inFlight: Float32Array.from(
          times,
          (time, i) => (time - (this.#inFlightTimes[i] ?? 0)) / sliceLength,
        ),
      });
    }
    for (const sojourn of sojourns) this.#batchSojourn.record(sojourn);
    for (const outcome of OUTCOMES) this.#batchEnded[outcome] += ended[outcome];
    this.#inFlightTimes = times;
    this.#sliceEnded = nothingEnded();
    this.#slice++;
    if (this.#slice % SLICES_PER_BATCH !== 0) return;
    if (this.#reader.needsBatch(this.#slice / SLICES_PER_BATCH - 1)) {
      this.#reader.batchEnded({ sojourn: this.#batchSojourn.toData(), ...this.#batchEnded });
    }
    this.#batchSojourn = new Histogram();
    this.#batchEnded = nothingEnded();
  }
}

const OUTCOMES = ["done", "failed", "refused", "timedOut"] as const;

function nothingEnded(): Record<(typeof OUTCOMES)[number], number> {
  return { done: 0, failed: 0, refused: 0, timedOut: 0 };
}

/** The value that a share of sorted values does not exceed; NaN if there are none. */
function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/** The tables of a balancer, whichever scheduler it has at present: a restart gives it another one. */
function tablesOf(balancer: World["balancers"][number]) {
  return {
    get backends() {
      return balancer.scheduler.backends;
    },
    get activeServers() {
      return balancer.scheduler.activeServers;
    },
    get connections() {
      return balancer.scheduler.connections;
    },
    get waiting() {
      return balancer.scheduler.waiting;
    },
    get sessionCount() {
      return balancer.scheduler.sessionCount;
    },
    backend: (id: string) => balancer.scheduler.backend(id),
  };
}

/** What a snapshot says of the configuration. */
function settingsOf({ balancer }: ReadyScenario): Settings {
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
