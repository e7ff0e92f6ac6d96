import { type Nanoseconds, NS_PER_MS } from "./core/mod.ts";

/** Tells the time. The live world passes `monotonicNow`, tests pass what they please. */
export type Clock = () => Nanoseconds;

/** Nanoseconds since this process started; never goes back. */
export function monotonicNow(): Nanoseconds {
  return Math.round(performance.now() * NS_PER_MS);
}

/** A delay for `setTimeout`, which counts in milliseconds and fires early rather than late. */
export function timerDelay(duration: Nanoseconds): number {
  return Math.max(0, Math.ceil(duration / NS_PER_MS));
}
