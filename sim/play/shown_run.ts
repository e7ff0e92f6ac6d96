import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { PickDetails, PickExplained, Scheduler } from "../../lib/core/mod.ts";
import type { Beliefs, Counts, Dots, Settings, Truth } from "../../lib/observe/mod.ts";
import type { Balancer } from "../../lib/scenario/types.ts";
import type { Histogram } from "../../lib/stats/mod.ts";
import type { Extension } from "../study/mod.ts";
import type { RunEvents } from "./run_events.ts";
import type { SliceLog } from "./slice_log.ts";
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

/** The counts since the start, including the warm-up. */
export interface Totals {
  /** The number of finished requests of each backend. */
  done: Float64Array;
  /** The number of failed attempts of each backend. */
  failed: Float64Array;
  /** The number of clients that each balancer has refused. */
  readonly refused: Float64Array;
}

/** A run of a variant that can be paused at any event and shown: a simulated or a recorded run. */
export interface ShownRun {
  /**
   * All events before this time have happened. All events at this time have happened, too, or, after single steps, some
   * of them.
   */
  readonly now: Nanoseconds;
  readonly isOver: boolean;
  /** Events handled so far. */
  readonly handled: number;
  /** When the next event happens; Infinity if there is none. */
  readonly nextTime: Nanoseconds;
  readonly slices: SliceLog;
  readonly events: RunEvents;
  readonly settings: Settings;
  readonly totals: Totals;
  /** All backends, also those that are in the configuration only for a part of the run. */
  readonly ids: readonly string[];
  readonly schedulers: readonly Scheduler[];
  /** The present algorithm. */
  readonly algorithm: string;
  /** The backends of the present configuration. For a recording, the backends with which its simulation begins. */
  readonly backends: Balancer["backends"];
  /** The measurements since the end of the warm-up. */
  readonly measured: {
    readonly sojourn: Histogram;
    readonly requests: {
      readonly offered: number;
      readonly failed: number;
      readonly refused: number;
      readonly timedOut: number;
    };
  };
  /** The results of queueing theory, or the reason why there are none. */
  theory(): TheoryLines | string;
  /** Handles all events up to and including this time. */
  runTo(time: Nanoseconds): void;
  /** Handles one event, at this time or before. Returns whether there was one. */
  step(until?: Nanoseconds): boolean;
  /** Calls `read` for every pick from now on, until the returned function is called. */
  explainPicks(read: (pick: ExplainedPick) => void): () => void;
  /**
   * The latest pick so far: when it was, and the number of its connection. With `dot`, the pick that sent this dot to
   * its backend.
   */
  latestPick(
    dot: number | undefined,
  ): { readonly at: Nanoseconds; readonly connection: number | undefined } | undefined;
  /** @param dotsMax If there were more dots than this, the picture has none. */
  picture(now: Nanoseconds, dotsMax: number): Picture;
  /** Whether it can continue with a scenario that has more changes and faults: see `Simulation.canExtend`. */
  canExtend(extension: Extension): boolean;
  /** Continues with a scenario for which `canExtend` is true. */
  extend(extension: Extension): void;
}
