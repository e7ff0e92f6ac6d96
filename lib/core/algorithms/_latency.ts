import type { Nanoseconds } from "../time.ts";

/**
 * Peak-sensitive moving average of a latency: it falls slowly and rises at once.
 *
 * Rule: with `w = e^(−Δt/τ)`, `average = average · w + latency · (1 − w)`; a latency above that is taken
 * as it is. What is not observed fades by the same `w`, so that a backend once slow is tried again.
 *
 * Source: Finagle, `PeakEwma.scala`.
 */
export class PeakAverage {
  readonly #decay: Nanoseconds;
  #value = 0;
  #at: Nanoseconds = 0;
  #known = false;

  constructor(decay: Nanoseconds) {
    this.#decay = decay;
  }

  /** Whether there was anything to observe yet. */
  get known(): boolean {
    return this.#known;
  }

  observe(latency: Nanoseconds, now: Nanoseconds): void {
    const kept = this.#kept(now);
    const average = this.#value * kept + latency * (1 - kept);
    this.#value = this.#known ? Math.max(latency, average) : latency;
    this.#at = now;
    this.#known = true;
  }

  /** The average, as it has faded by now. */
  at(now: Nanoseconds): Nanoseconds {
    return this.#value * this.#kept(now);
  }

  #kept(now: Nanoseconds): number {
    return Math.exp(-Math.max(0, now - this.#at) / this.#decay);
  }
}
