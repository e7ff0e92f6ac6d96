import { type Nanoseconds, NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import type { Histogram } from "../../lib/stats/mod.ts";

/** The state of a run at a moment. */
export interface Moment {
  readonly elapsed: Nanoseconds;
  /** The time in which requests begin; undefined if it ends with the last arrival. */
  readonly duration: Nanoseconds | undefined;
  /** The corrected latencies of the answers in the last `interval`. */
  readonly recent: Histogram;
  readonly interval: Nanoseconds;
  /** All errors. */
  readonly errors: number;
  readonly inFlight: number;
}

/** `  12 of 30 s  1980/s  p50 1.20  p99 4.21 ms  0 errors  12 in flight`; short, for narrow terminals. */
export function liveLine(moment: Moment): string {
  const { elapsed, duration, recent, interval, errors, inFlight } = moment;
  const seconds = (time: Nanoseconds) => (time / NS_PER_S).toFixed(0);
  const left = duration === undefined ? "" : ` of ${seconds(duration)}`;
  const ms = (share: number) =>
    recent.count === 0 ? "–" : (recent.quantile(share) / NS_PER_MS).toFixed(2);
  return [
    `${seconds(elapsed).padStart(4)}${left} s`,
    `${(recent.count / (interval / NS_PER_S)).toFixed(0)}/s`,
    `p50 ${ms(0.5)}`,
    `p99 ${ms(0.99)} ms`,
    `${errors} ${errors === 1 ? "error" : "errors"}`,
    `${inFlight} in flight`,
  ].join("  ");
}
