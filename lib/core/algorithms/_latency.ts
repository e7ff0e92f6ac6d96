import { exp, type Nanoseconds } from "../../base/mod.ts";
import { extended } from "./_extended.ts";

/** The landmark is moved after this many τ. This is far below 709, where e^x overflows. */
const LANDMARK_LIFE = 100;

/**
 * Peak-sensitive moving averages of latencies, one for each index: they fall slowly and rise at once.
 *
 * Rule: with `w = e^(−Δt/τ)`, `average = average · w + latency · (1 − w)`; a latency above the average replaces it.
 * An average without new observations falls by the same `w`, so a backend that was slow is tried again.
 *
 * The decay is computed forward: with one landmark L for all averages, `w = g(then) / g(now)` where `g(t) = e^((t −
 * L)/τ)`. So each point in time needs one exponential, for any number of averages.
 *
 * Source: Finagle, `PeakEwma.scala`; G. Cormode et al., "Forward decay: a practical time decay model for streaming
 * systems", ICDE 2009.
 */
export class PeakAverages {
  readonly #decay: Nanoseconds;
  readonly #known: boolean[] = [];
  /** The averages at their latest observations. */
  #values = new Float64Array(0);
  /** The value of g at the latest observation; 0 if there was none, or if its weight has fallen to 0. */
  #growths = new Float64Array(0);
  #landmark: Nanoseconds = 0;
  /** The latest time, and the value of g at this time. */
  #now: Nanoseconds = 0;
  #growth = 1;

  /** @param decay τ: after this time, the weight of an observation has fallen to 1/e. */
  constructor(decay: Nanoseconds) {
    this.#decay = decay;
  }

  /** Resets an average: from now on it has no observation. */
  reset(index: number): void {
    if (index >= this.#values.length) this.#extend(2 * index + 8);
    this.#known[index] = false;
    this.#growths[index] = 0;
  }

  /** Whether there has been an observation. */
  isKnown(index: number): boolean {
    return this.#known[index]!;
  }

  observe(index: number, latency: Nanoseconds, now: Nanoseconds): void {
    this.advance(now);
    const kept = this.#growths[index]! / this.#growth;
    const average = this.#values[index]! * kept + latency * (1 - kept);
    this.#values[index] = Math.max(latency, average);
    this.#growths[index] = this.#growth;
    this.#known[index] = true;
  }

  /** The average at the latest time; 0 if it is not known. */
  current(index: number): Nanoseconds {
    return this.#values[index]! * (this.#growths[index]! / this.#growth);
  }

  /** The average at a time; NaN if it is not known. Changes nothing. */
  at(index: number, now: Nanoseconds): Nanoseconds {
    if (!this.#known[index]) return NaN;
    if (now <= this.#now) return this.current(index);
    const growth = exp((now - this.#landmark) / this.#decay);
    return this.#values[index]! * (this.#growths[index]! / growth);
  }

  /** Lets time pass for all averages. An earlier time changes nothing. */
  advance(now: Nanoseconds): void {
    if (now <= this.#now) return;
    this.#now = now;
    const exponent = (now - this.#landmark) / this.#decay;
    if (exponent > LANDMARK_LIFE) this.#moveLandmark(exponent);
    else this.#growth = exp(exponent);
  }

  /** Moves the landmark to the present, which is `exponent` time constants after it. */
  #moveLandmark(exponent: number): void {
    const shrink = exp(-exponent);
    this.#growths.forEach((growth, index, growths) => growths[index] = growth * shrink);
    this.#landmark = this.#now;
    this.#growth = 1;
  }

  #extend(length: number): void {
    this.#values = extended(this.#values, length);
    this.#growths = extended(this.#growths, length);
  }
}
