import { type Nanoseconds, NS_PER_MS, NS_PER_S } from "../lib/base/mod.ts";
import type { Io } from "../lib/cli/mod.ts";
import { type Clock, timerDelay } from "../lib/io/mod.ts";
import { Histogram } from "../lib/stats/mod.ts";

/** The time between two updates of the line. Its rate and p99 are those of this time. */
const EVERY: Nanoseconds = NS_PER_S;

/**
 * Shows the state on the terminal, once a second: rate and p99 of the last second, and all errors. Without a terminal
 * nothing is shown.
 */
export class LiveLine implements Disposable {
  readonly #io: Pick<Io, "status">;
  readonly #now: Clock;
  readonly #begun: Nanoseconds;
  readonly #timer: ReturnType<typeof setInterval>;
  #latency = new Histogram();
  #since: Nanoseconds;
  #errors = 0;

  constructor(io: Pick<Io, "status">, now: Clock) {
    this.#io = io;
    this.#now = now;
    this.#begun = this.#since = now();
    this.#timer = setInterval(() => this.#show(), timerDelay(EVERY));
  }

  /** Records a request that has ended. */
  record(latency: Nanoseconds, hasFailed: boolean): void {
    if (hasFailed) this.#errors++;
    else this.#latency.record(latency);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#io.status();
  }

  #show(): void {
    const now = this.#now();
    this.#io.status(liveLine({
      elapsed: now - this.#begun,
      rate: this.#latency.count / ((now - this.#since) / NS_PER_S),
      p99: this.#latency.count === 0 ? undefined : this.#latency.quantile(0.99),
      errors: this.#errors,
    }));
    this.#latency = new Histogram();
    this.#since = now;
  }
}

interface Live {
  readonly elapsed: Nanoseconds;
  readonly rate: number;
  /** Undefined if nothing was answered. */
  readonly p99: Nanoseconds | undefined;
  readonly errors: number;
}

/** `  12 s   198 answers/s   p99 4.21 ms   0 errors`. */
export function liveLine({ elapsed, rate, p99, errors }: Live): string {
  return [
    `${(elapsed / NS_PER_S).toFixed(0).padStart(4)} s`,
    `${rate.toFixed(0)} answers/s`,
    `p99 ${p99 === undefined ? "–" : `${(p99 / NS_PER_MS).toFixed(2)} ms`}`,
    `${errors} ${errors === 1 ? "error" : "errors"}`,
  ].join("   ");
}
