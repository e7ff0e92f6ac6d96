import type { Nanoseconds } from "../../lib/base/mod.ts";

/** The part of a backend, simulated or real, that the measurements of a run read. */
export interface MeasuredBackend {
  readonly id: string;
  readonly index: number;
  readonly server: {
    /** Busy slots, integrated over time: slot-nanoseconds since the start. */
    busyTime(now: Nanoseconds): number;
    /** Waiting requests, integrated over time. */
    waitingTime(now: Nanoseconds): number;
    /** Its slots, averaged over a time. */
    meanSlots(from: Nanoseconds, to: Nanoseconds): number;
  };
  /**
   * Counts of the measured time: connections that reached it, requests that it has done, and requests that failed
   * there.
   */
  reached: number;
  done: number;
  failed: number;
  /** Connections in flight to it, integrated over time. */
  inFlightTime(now: Nanoseconds): number;
}
