/**
 * When a study with `precision` has enough replications.
 *
 * The intervals are checked after a first number of replications, and again after each further half as many.
 * A study that is checked often and stops when the interval happens to be narrow would cover too rarely: runs
 * that stop early are those that vary little by chance. So the number of checkpoints is fixed beforehand, and
 * the intervals at each checkpoint have a confidence of `1 − 5 % / checkpoints`. All of them together then
 * cover in 95 % of studies (Bonferroni), whichever is the last. The reported intervals have the same
 * confidence.
 */
import type { Repetition } from "../../lib/scenario/mod.ts";
import { CONFIDENCE, type Estimate } from "../../lib/stats/mod.ts";

/** Replications before the first checkpoint: the spread of fewer replications is known too badly. */
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

/** The confidence of each single interval, such that all intervals of a study cover in 95 % of studies. */
export function confidenceOf(repetition: Repetition): number {
  return 1 - (1 - CONFIDENCE) / checkpointsOf(repetition).length;
}

/**
 * The larger half of an interval, relative to its value. Infinity for a value of 0: something that happened
 * in no run may be rare, and how rare is unknown.
 */
export function relativeHalf({ value, low, high }: Estimate): number {
  if (value === 0) return Infinity;
  return Math.max(high - value, value - low) / Math.abs(value);
}
