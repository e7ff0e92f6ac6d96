import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { ShownRun } from "./shown_run.ts";

/** How many paused runs are kept. Each has a world and a few histograms: about a megabyte and what its requests need. */
const SPARES_MAX = 24;

/** The runs of all variants, paused at one time. */
export interface Spare {
  readonly at: Nanoseconds;
  /** Events handled until then, over all variants. */
  readonly events: number;
  readonly runs: readonly ShownRun[];
}

/**
 * Runs that are paused at different times, so that time can be turned back: to reach a time, the latest spare before
 * this time is taken and continued. A run cannot be copied, so each spare was run from the start.
 */
export class Spares {
  #spares: Spare[] = [];

  /** In the order of their times. */
  get all(): readonly Spare[] {
    return this.#spares;
  }

  /** Keeps a spare. If there are too many, the spare whose neighbours are nearest to each other is dropped. */
  add(spare: Spare): void {
    if (this.#spares.some(({ at }) => at === spare.at)) return;
    this.#spares.push(spare);
    this.#spares.sort((a, b) => a.at - b.at);
    if (this.#spares.length <= SPARES_MAX) return;
    let dropped = 0;
    let least = Infinity;
    this.#spares.forEach((_, i) => {
      const before = this.#spares[i - 1]?.events ?? 0;
      const after = this.#spares[i + 1]?.events;
      if (after === undefined || after - before >= least) return;
      least = after - before;
      dropped = i;
    });
    this.#spares.splice(dropped, 1);
  }

  /** Takes out the latest spare that stands at this time or before; undefined if there is none. */
  take(time: Nanoseconds): Spare | undefined {
    const index = this.#spares.findLastIndex(({ at }) => at <= time);
    return index === -1 ? undefined : this.#spares.splice(index, 1)[0];
  }

  /** The time of the latest spare at this time or before; −Infinity if there is none. */
  latestAt(time: Nanoseconds): Nanoseconds {
    return this.#spares.findLast(({ at }) => at <= time)?.at ?? -Infinity;
  }

  /**
   * Where the next spare should stand: the first of the regular places that has no spare nearby.
   *
   * @param distance Events between two spares.
   * @param events Events handled up to the furthest time that was shown.
   */
  missing(distance: number, events: number): number | undefined {
    const between = Math.max(distance, events / (SPARES_MAX - 2));
    for (let place = between; place < events; place += between) {
      const isNear = this.#spares.some((spare) =>
        spare.events < place + 0.4 * between && spare.events > place - 0.6 * between
      );
      if (!isNear) return place;
    }
    return undefined;
  }

  /** Keeps only the spares for which `holds` is true. */
  retain(holds: (spare: Spare) => boolean): void {
    this.#spares = this.#spares.filter(holds);
  }

  clear(): void {
    this.#spares = [];
  }
}
