import { type Nanoseconds, NS_PER_S } from "../../lib/base/mod.ts";
import { plain } from "../../lib/report/mod.ts";
import type { Progress } from "./run_study.ts";

/** What takes less is over before anybody wonders. */
const QUIET: Nanoseconds = 2 * NS_PER_S;
/** Widths of the bar. */
const BAR_MIN = 5;
const BAR_MAX = 30;
const GAP = "  ";
/** The first runs are slower than the rest. */
const RUNS_MIN = 2;

/** Says how far a study is and how long it will take, once that is worth saying. */
export class Forecast {
  readonly #started: Nanoseconds;

  constructor(started: Nanoseconds) {
    this.#started = started;
  }

  /**
   * `██████░░░░  34 %, 12 of 40 runs, 3.1 a second, about 8 s left`, in so many columns; undefined as long
   * as it looks like a moment's work.
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
