import { type Nanoseconds, NS_PER_MS } from "../base/mod.ts";

/** Returns the time. Live code uses `monotonicNow`, tests use clocks of their own. */
export type Clock = () => Nanoseconds;

/** The nanoseconds since this process started. The time never goes back. */
export function monotonicNow(): Nanoseconds {
  return Math.round(performance.now() * NS_PER_MS);
}

/** The longest delay for `setTimeout`. With a longer one it would fire at once. */
const DELAY_MAX_MS = 2 ** 31 - 1;

/**
 * A delay for `setTimeout`, in milliseconds and rounded up, so that the timer does not fire too early. A delay of more
 * than 24 days is shortened to 24 days.
 */
export function timerDelay(duration: Nanoseconds): number {
  return Math.min(Math.max(0, Math.ceil(duration / NS_PER_MS)), DELAY_MAX_MS);
}

/** Today in UTC, as YYYY-MM-DD. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}
