import type { Nanoseconds } from "../base/mod.ts";
import { type Clock, timerDelay } from "./clock.ts";

/** Rings once each time it is set. */
export interface Timer {
  /** Sets the timer to another moment; undefined switches it off. */
  set(at: Nanoseconds | undefined): void;
}

/** Makes a timer that calls `ring`. */
export type MakeTimer = (ring: () => void) => Timer;

/** Timers of the system. They ring up to a millisecond late, more on a busy machine. */
export function systemTimers(now: Clock): MakeTimer {
  return (ring) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    return {
      set(at) {
        clearTimeout(timer);
        if (at !== undefined) timer = setTimeout(ring, timerDelay(at - now()));
      },
    };
  };
}
