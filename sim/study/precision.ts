/**
 * When a study with `precision` has enough replications.
 *
 * The intervals are checked after a first number of replications, and again after each further half as many. If a study
 * were checked often and stopped when the interval was narrow by chance, its interval would contain the true value too
 * rarely: the studies that stop early are those whose runs differ little by chance. So the number of checkpoints is
 * fixed beforehand, and the intervals at each checkpoint have a confidence of `1 − 5 % / checkpoints`. Then, in 95 % of
 * studies, the intervals of a value are right at all checkpoints (Bonferroni), whichever checkpoint is the last. The
 * reported intervals have the same confidence.
 */
import type { Repetition } from "../../lib/scenario/mod.ts";
import { CONFIDENCE, type Estimate } from "../../lib/stats/mod.ts";

/**
 * The number of replications before the first checkpoint. The spread of fewer replications is not known well enough.
 */
const FIRST = 20;
const GROWTH = 1.5;

/**
 * The numbers of replications at which the intervals are checked, in ascending order; without `precision`
 * there is one.
 */
export function checkpointsOf(repetition: Repetition): number[] {
  if ("replications" in repetition) return [repetition.replications];
  const { maxReplications } = repetition;
  const checkpoints: number[] = [];
  for (let next = FIRST; next < maxReplications; next = Math.ceil(next * GROWTH)) {
    checkpoints.push(next);
  }
  return [...checkpoints, maxReplications];
}

/**
 * The confidence of each interval. With it, the intervals of a value contain the true value at all checkpoints, in 95 %
 * of studies.
 */
export function confidenceOf(repetition: Repetition): number {
  return 1 - (1 - CONFIDENCE) / checkpointsOf(repetition).length;
}

/**
 * The larger half of an interval, relative to its value. Infinity for a value of 0: an event that happened in no run
 * may be rare, and it is unknown how rare.
 */
export function relativeHalf({ value, low, high }: Estimate): number {
  if (value === 0) return Infinity;
  return Math.max(high - value, value - low) / Math.abs(value);
}
