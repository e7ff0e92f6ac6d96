import { type Nanoseconds, NS_PER_MS } from "../base/mod.ts";

/** Tells the time. The live world passes `monotonicNow`, tests pass what they please. */
export type Clock = () => Nanoseconds;

/** Nanoseconds since this process started; never goes back. */
export function monotonicNow(): Nanoseconds {
  return Math.round(performance.now() * NS_PER_MS);
}

/** Longer delays do not fit into `setTimeout`: it would fire at once. */
const DELAY_MAX_MS = 2 ** 31 - 1;

/**
 * A delay for `setTimeout`, which counts in milliseconds and fires early rather than late. What is
 * longer than 24 days fires then.
 */
export function timerDelay(duration: Nanoseconds): number {
  return Math.min(Math.max(0, Math.ceil(duration / NS_PER_MS)), DELAY_MAX_MS);
}

/** Today in UTC, as YYYY-MM-DD. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}
