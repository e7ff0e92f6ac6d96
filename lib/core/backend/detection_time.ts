import type { Nanoseconds } from "../../base/mod.ts";
import type { HealthRules } from "./health.ts";

/** The time until probes have detected a change. */
export interface NoticeTime {
  readonly least: Nanoseconds;
  readonly mean: Nanoseconds;
  readonly most: Nanoseconds;
}

type Schedule = Pick<HealthRules, "interval" | "jitter">;

/**
 * The time from a backend's failure until it is marked as down: `fall` probes must fail in a row.
 *
 * @param silence How long a failed probe takes: 0 if the backend refuses, the probe's timeout if it hangs.
 */
export function detectionTime(
  { fall, ...schedule }: Schedule & Pick<HealthRules, "fall">,
  silence: Nanoseconds = 0,
): NoticeTime {
  return noticeTime(fall, schedule, silence);
}

/** The time from a backend's return until it is marked as up: `rise` probes must succeed in a row. */
export function failbackTime(
  { rise, ...schedule }: Schedule & Pick<HealthRules, "rise">,
  silence: Nanoseconds = 0,
): NoticeTime {
  return noticeTime(rise, schedule, silence);
}

/**
 * The time from a change until `probes` probes in a row have shown it. The change comes at a random moment between
 * two probes. So the first probe after it comes at most one interval later; the average is E[X²] / 2E[X] for
 * intervals X. Then follow `probes − 1` further intervals. An interval is uniformly distributed between 1 − jitter
 * and 1 + jitter times its mean, so E[X²] = (1 + jitter² / 3) · interval².
 *
 * Source: renewal theory; W. Feller, "An introduction to probability theory and its applications" II, XI.4.
 */
function noticeTime(
  probes: number,
  { interval, jitter }: Schedule,
  silence: Nanoseconds,
): NoticeTime {
  const untilFirst = interval * (1 + jitter * jitter / 3) / 2;
  return {
    least: (probes - 1) * interval * (1 - jitter) + silence,
    mean: (probes - 1) * interval + untilFirst + silence,
    most: probes * interval * (1 + jitter) + silence,
  };
}
