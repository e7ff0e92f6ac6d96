import type { Nanoseconds } from "../../lib/base/mod.ts";
import { type CumulativeTotals, withIdleBackend } from "./cumulative_totals.ts";
import type { HealthLog } from "./health_log.ts";
import type { Series } from "../../lib/metrics/mod.ts";

/** A time series has at least this many slices, and less than twice as many. */
export const SLICES = 240;
/** How many backends a time series has at most: more lines cannot be distinguished in a plot. */
export const SERIES_BACKENDS_MAX = 200;

/**
 * Readings of the totals at equal distances. When there are too many, every other one is dropped and the distance
 * doubles, so the memory is bounded for runs of any length.
 */
export class TimeSeries {
  interval: Nanoseconds;
  readonly #maxSlices: number;
  #readings: CumulativeTotals[] = [];

  constructor(interval: Nanoseconds, maxSlices: number) {
    this.interval = interval;
    this.#maxSlices = maxSlices;
  }

  /** When the next reading is due. */
  get nextAt(): Nanoseconds {
    return this.#readings.length * this.interval;
  }

  /** Adds a reading. */
  add(reading: CumulativeTotals): void {
    this.#readings.push(reading);
    if (this.#readings.length <= 2 * this.#maxSlices) return;
    this.#readings = this.#readings.filter((_, i) => i % 2 === 0);
    this.interval *= 2;
  }

  /** Adds another backend, which has had no values until now. */
  addBackend(): void {
    this.#readings = this.#readings.map((reading) =>
      reading.backends.length < SERIES_BACKENDS_MAX ? withIdleBackend(reading) : reading
    );
  }

  /** The averages between the readings. */
  series(balancers: number, health: HealthLog): Series {
    const pairs = this.#readings.slice(1).map((to, i) => ({ from: this.#readings[i]!, to }));
    const backends = this.#readings[0]?.backends ?? [];
    const average = (read: (totals: CumulativeTotals) => number) =>
      pairs.map(({ from, to }) => (read(to) - read(from)) / (to.at - from.at));
    return {
      interval: this.interval,
      done: pairs.map(({ from, to }) => to.done - from.done),
      errors: pairs.map(({ from, to }) => to.errors - from.errors),
      meanSojourn: pairs.map(({ from, to }) =>
        to.done === from.done ? null : (to.sojourns - from.sojourns) / (to.done - from.done)
      ),
      backends: backends.map((_, index) => ({
        inFlight: average((totals) => totals.backends[index]!.inFlight),
        queue: average((totals) => totals.backends[index]!.queue),
        busy: average((totals) => totals.backends[index]!.busy),
        up: average((totals) => totals.backends[index]!.down).map((down) => 1 - down / balancers),
      })),
      health: health.changes,
    };
  }
}
