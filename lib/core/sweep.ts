import type { Nanoseconds } from "../base/mod.ts";

/** How often a driver looks for timeouts that have passed, in the course of one timeout. */
export const SWEEPS_PER_TIMEOUT = 8;

/**
 * The time between two looks at all connections (or connects) with the same timeout. One timer for all
 * costs less than a timer for each; in return a timeout ends up to this interval late.
 *
 * Source: G. Varghese and A. Lauck, "Hashed and hierarchical timing wheels", 1987: a tick may be coarse
 * where timeouts need not be exact.
 */
export function sweepInterval(timeout: Nanoseconds): Nanoseconds {
  return timeout / SWEEPS_PER_TIMEOUT;
}
