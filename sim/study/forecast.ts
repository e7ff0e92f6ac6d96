import { type Nanoseconds, NS_PER_S } from "../../lib/base/mod.ts";
import { plain } from "../../lib/report/format.ts";
import type { Progress } from "./run_study.ts";

/** A study that takes less than this shows no progress. */
const QUIET: Nanoseconds = 2 * NS_PER_S;
/** The smallest width of the progress bar, in columns. */
const BAR_MIN = 5;
const BAR_MAX = 30;
const GAP = "  ";
/** No forecast before this many runs: the first ones are slower than the rest. */
const RUNS_MIN = 2;

/** Shows a study's progress and the time left, if the study takes long enough. */
export class Forecast {
  readonly #started: Nanoseconds;

  constructor(started: Nanoseconds) {
    this.#started = started;
  }

  /**
   * `██████░░░░  34 %, 12 of 40 runs, 3.1 a second, about 8 s left`, in a number of columns; undefined while
   * the study is expected to end soon.
   */
  line({ done, total }: Progress, now: Nanoseconds, columns: number): string | undefined {
    const elapsed = now - this.#started;
    if (done < RUNS_MIN || done === total) return undefined;
    const left = elapsed / done * (total - done);
    if (elapsed + left < QUIET) return undefined;
    const rate = done / (elapsed / NS_PER_S);
    const text = `${Math.floor(100 * done / total)} %, ${done} of ${total} runs, ` +
      `${plain(rate)} a second, about ${span(left)} left`;
    // A terminal wraps a line that reaches its last column.
    const room = Math.min(BAR_MAX, columns - 1 - text.length - GAP.length);
    if (room < BAR_MIN) return text;
    const full = Math.floor(room * done / total);
    return `${"█".repeat(full)}${"░".repeat(room - full)}${GAP}${text}`;
  }
}

function span(time: Nanoseconds): string {
  const seconds = Math.ceil(time / NS_PER_S);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
