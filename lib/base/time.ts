/**
 * A duration or a point in time, as a whole number of nanoseconds. A double holds them exactly for
 * 104 days, which is why virtual time never rounds. Where a point in time starts counting is the
 * driver's choice: the process start in the live balancer, zero in the simulator.
 */
export type Nanoseconds = number;

/** Nanoseconds in a microsecond. */
export const NS_PER_US = 1e3;
/** Nanoseconds in a millisecond. */
export const NS_PER_MS = 1e6;
/** Nanoseconds in a second. */
export const NS_PER_S = 1e9;
