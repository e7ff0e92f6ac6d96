import type { Nanoseconds } from "../base/mod.ts";

/** The number of times that a driver checks for passed timeouts during one timeout. */
export const SWEEPS_PER_TIMEOUT = 8;

/**
 * The time between two checks of all connections (or connects) with the same timeout. One timer for all costs less
 * than a timer for each. But a timeout may be noticed late, by up to this time.
 *
 * Source: G. Varghese and A. Lauck, "Hashed and hierarchical timing wheels", 1987: a tick may be coarse where
 * timeouts need not be exact.
 */
export function sweepInterval(timeout: Nanoseconds): Nanoseconds {
  return timeout / SWEEPS_PER_TIMEOUT;
}
