/**
 * A duration or a point in time, as a whole number of nanoseconds. A double holds them exactly for 104 days, so
 * virtual time is never rounded. The driver chooses the time that is 0: in the live balancer, it is the start of the
 * process; in the simulator, the start of the run.
 */
export type Nanoseconds = number;

/** Nanoseconds in a microsecond. */
export const NS_PER_US = 1e3;
/** Nanoseconds in a millisecond. */
export const NS_PER_MS = 1e6;
/** Nanoseconds in a second. */
export const NS_PER_S = 1e9;
