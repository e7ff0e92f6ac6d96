import { type Nanoseconds, NS_PER_S } from "../lib/core/mod.ts";
import type { Progress } from "./run_study.ts";

/** What takes less is over before anybody wonders. */
const QUIET: Nanoseconds = 2 * NS_PER_S;
/** The first runs are slower than the rest. */
const RUNS_MIN = 2;

/** Says how far a study is and how long it will take, once that is worth saying. */
export class Forecast {
  readonly #started: Nanoseconds;

  constructor(started: Nanoseconds) {
    this.#started = started;
  }

  /** `34 %, 12 of 40 runs, about 8 s left`; undefined as long as it looks like a moment's work. */
  line({ done, total }: Progress, now: Nanoseconds): string | undefined {
    const elapsed = now - this.#started;
    if (done < RUNS_MIN || done === total) return undefined;
    const left = elapsed / done * (total - done);
    if (elapsed + left < QUIET) return undefined;
    return `${Math.floor(100 * done / total)} %, ${done} of ${total} runs, about ${
      span(left)
    } left`;
  }
}

function span(time: Nanoseconds): string {
  const seconds = Math.ceil(time / NS_PER_S);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
