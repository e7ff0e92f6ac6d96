import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { Clock } from "../../lib/io/mod.ts";
import { Alarm } from "./alarm.ts";
import type { Load } from "./load.ts";

/** How long a run lasts, and what ends it early. */
export interface RunOptions {
  /** Requests begin in this time. */
  readonly duration: Nanoseconds;
  /** Ends the run at once: requests that have no answer yet remain unfinished. */
  readonly signal: AbortSignal;
  /** Called before the first request. */
  readonly started?: (() => void) | undefined;
}

/** The time of a run, from its start. */
export class RunClock {
  readonly #now: Clock;
  #start: Nanoseconds;

  constructor(now: Clock) {
    this.#now = now;
    this.#start = now();
  }

  readonly now = (): Nanoseconds => this.#now() - this.#start;

  /** The run begins now. */
  start(): void {
    this.#start = this.#now();
  }
}

/**
 * Drives a load to its end: to the end of its duration and the last answer, or to the signal. Its connections
 * are then closed.
 *
 * @param clock The clock by which the load measures.
 * @returns For how long requests began: the duration, unless the signal or the last arrival came before.
 */
export async function run(
  load: Load,
  clock: RunClock,
  { duration, signal, started }: RunOptions,
): Promise<Nanoseconds> {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  let isStopping = false;
  const alarm = await Alarm.create(clock.now, () => {
    const now = clock.now();
    load.ring(now);
    // What was due before the end begins, however late it is.
    if (!isStopping && now >= duration && load.nextAt >= duration) {
      isStopping = true;
      load.stop();
    }
    check();
  });
  const check = () => {
    if (load.isDone) end();
    else alarm.set(Math.min(load.nextAt, isStopping ? Infinity : duration));
  };
  signal.addEventListener("abort", end);
  try {
    await Promise.race([load.prepare?.(), ended]);
    if (signal.aborted) return 0;
    clock.start();
    started?.();
    load.changed = check;
    load.start();
    check();
    await ended;
    return Math.min(duration, clock.now());
  } finally {
    load.changed = () => {};
    signal.removeEventListener("abort", end);
    alarm.stop();
    await load.close();
  }
}
