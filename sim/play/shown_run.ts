import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { LbEvent, PickDetails, PickExplained, Scheduler } from "../../lib/core/mod.ts";
import type { Beliefs, Counts, Dots, Monitor, Settings, Truth } from "../../lib/observe/mod.ts";
import type { Balancer } from "../../lib/scenario/types.ts";
import type { Histogram } from "../../lib/stats/mod.ts";
import type { Extension } from "../study/mod.ts";
import type { TheoryLines } from "./types.ts";

/** A pick, explained at the moment at which it was made. */
export interface ExplainedPick {
  readonly balancer: number;
  readonly event: PickExplained;
  readonly details: PickDetails | null;
}

/** A run at one moment. */
export interface Picture {
  readonly truth: Truth;
  readonly beliefs: readonly Beliefs[];
  readonly counts: Counts;
  readonly dots: Dots | null;
  readonly dots_total: number;
}

/** What has been counted since the start, the warm-up included. */
export interface Totals {
  /** By backend: requests that are done. */
  done: Float64Array;
  /** By backend: attempts that failed there. */
  failed: Float64Array;
  /** By balancer: clients that were refused. */
  readonly refused: Float64Array;
}

/** A run of a variant that can be stopped anywhere and shown: a simulated one, or one that was recorded. */
export interface ShownRun {
  /** All events before and at this time have happened, or, after single steps, some of those at this time. */
  readonly now: Nanoseconds;
  readonly isOver: boolean;
  /** Events handled so far. */
  readonly handled: number;
  /** When the next event happens; Infinity if there is none. */
  readonly nextTime: Nanoseconds;
  /** How many slices have ended. */
  readonly slicesEnded: number;
  /** The latest events, and how many were dropped. Their reader empties them. */
  events: LbEvent[];
  eventsLost: number;
  /** How often a balancer has marked a backend as up or down, or ejected or readmitted it. */
  readonly healthChanges: number;
  /** Of the first balancers. */
  readonly monitors: readonly Monitor[];
  readonly settings: Settings;
  readonly totals: Totals;
  /** All backends, also those that are in the configuration only for a part of the run. */
  readonly ids: readonly string[];
  readonly schedulers: readonly Scheduler[];
  /** The present one. */
  readonly algorithm: string;
  /** The backends of the present configuration; of a recording, those with which a simulation of it begins. */
  readonly backends: Balancer["backends"];
  /** What was measured since the end of the warm-up. */
  readonly measured: {
    readonly sojourn: Histogram;
    readonly requests: {
      readonly offered: number;
      readonly failed: number;
      readonly refused: number;
      readonly timedOut: number;
    };
  };
  /** What theory gives, or why it gives nothing. */
  theory(): TheoryLines | string;
  /** Handles all events up to and including this time. */
  runTo(time: Nanoseconds): void;
  /** Handles one event, at this time or before. Returns whether there was one. */
  step(until?: Nanoseconds): boolean;
  /** Calls `read` for every pick from now on, until the returned function is called. */
  explainPicks(read: (pick: ExplainedPick) => void): () => void;
  /**
   * The latest pick so far: when it was, and the number of its connection. With `dot`, the one that sent this dot to its
   * backend.
   */
  latestPick(
    dot: number | undefined,
  ): { readonly at: Nanoseconds; readonly connection: number | undefined } | undefined;
  /** @param dotsMax With more dots than this, there are none. */
  picture(now: Nanoseconds, dotsMax: number): Picture;
  /** Whether it can go on with a scenario that has more changes and faults: see `Simulation.canExtend`. */
  canExtend(extension: Extension): boolean;
  /** Goes on with that scenario. */
  extend(extension: Extension): void;
}
