import type { Interval, Occurrence } from "../../lib/report/mod.ts";
import { type Estimate, estimateMean } from "../../lib/stats/mod.ts";

/** An estimate in the form of a report. */
export function intervalOf({ value, low, high }: Estimate): Interval {
  return { value: finite(value), low: finite(low), high: finite(high) };
}

/**
 * The mean of a time over the runs in which the event happened, and the number of the other runs; null if there was
 * nothing to measure in any run.
 */
export function occurrenceOf(values: readonly number[], confidence: number): Occurrence | null {
  const due = values.filter((value) => !Number.isNaN(value));
  if (due.length === 0) return null;
  const happened = due.filter(Number.isFinite);
  return {
    ...intervalOf(estimateMean(happened, confidence)),
    max: happened.length === 0 ? null : Math.max(...happened),
    missing: due.length - happened.length,
  };
}

/** A number for JSON, which has neither NaN nor Infinity: null stands for these. */
export function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
