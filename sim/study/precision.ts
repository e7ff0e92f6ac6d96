/**
 * When a study with `precision` has enough replications.
 *
 * It is looked at after a first number of replications, and again each time there are half as many more.
 * Looking often and stopping when the interval happens to be narrow would make it cover too rarely: the
 * runs that are stopped early are those that by chance varied little. So the number of looks is fixed
 * beforehand, and the intervals of each look have a confidence of `1 − 5 % / looks`. All of them together
 * then cover in 95 % of studies (Bonferroni), whichever is the last. The same confidence is that of the
 * intervals which are reported.
 */
import type { Repetition } from "../../lib/scenario/mod.ts";
import { CONFIDENCE, type Estimate } from "../../lib/stats/mod.ts";

/** Replications before the first look: fewer say too little of how much they vary. */
const FIRST = 20;
const GROWTH = 1.5;

/** After how many replications there is a look, in ascending order; without `precision` there is one. */
export function checkpointsOf(repetition: Repetition): number[] {
  if ("replications" in repetition) return [repetition.replications];
  const { maxReplications } = repetition;
  const checkpoints: number[] = [];
  for (let next = FIRST; next < maxReplications; next = Math.ceil(next * GROWTH)) {
    checkpoints.push(next);
  }
  return [...checkpoints, maxReplications];
}

/** The confidence of each single interval, so that those of a study cover in 95 % of studies. */
export function confidenceOf(repetition: Repetition): number {
  return 1 - (1 - CONFIDENCE) / checkpointsOf(repetition).length;
}

/**
 * Half of an interval as a share of its value: the half that is larger. Infinity for a value of 0: what has
 * not happened in any run may be rare, and how rare is not known.
 */
export function relativeHalf({ value, low, high }: Estimate): number {
  if (value === 0) return Infinity;
  return Math.max(high - value, value - low) / Math.abs(value);
}
