import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { Alarms, Clock } from "../../lib/io/mod.ts";
import { Alarm } from "./alarm.ts";
import type { Load } from "./load.ts";

/** Options of a run: its duration, and the signal that ends it early. */
export interface RunOptions {
  /** Requests begin in this time. */
  readonly duration: Nanoseconds;
  /** How long the run then waits for requests that have begun; if left out, until all of them have ended. */
  readonly patience?: Nanoseconds | undefined;
  /** Ends the run at once: requests that have no answer yet remain unfinished. */
  readonly signal: AbortSignal;
  /** Called before the first request. */
  readonly started?: (() => void) | undefined;
  /** The alarms of this process, which use the same clock. If left out, the run has alarms of its own. */
  readonly alarms?: Alarms | undefined;
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
 * Drives a load to its end: to the end of its duration and the last answer, or to the signal. Its connections are then
 * closed.
 *
 * @param clock The clock by which the load measures.
 * @returns For how long requests began: the duration, unless the signal or the last arrival came earlier.
 */
export async function run(
  load: Load,
  clock: RunClock,
  { duration, patience = Infinity, signal, started, alarms }: RunOptions,
): Promise<Nanoseconds> {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  /** The time at which the run ends, even if some requests have not ended. */
  let last = Infinity;
  const ring = () => {
    const now = clock.now();
    load.ring(now);
    // Requests that were due before the end still begin, however late it is.
    if (!load.isStopped && now >= duration && load.nextAt >= duration) load.stop();
    if (now >= last) end();
    check();
  };
  const own = alarms === undefined ? await Alarm.create(clock.now, ring) : undefined;
  const shared = alarms?.alarm(ring);
  const check = () => {
    if (load.isDone) return end();
    if (load.isStopped && last === Infinity) last = clock.now() + patience;
    (own ?? shared)!.set(Math.min(load.nextAt, load.isStopped ? last : duration));
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
    own?.stop();
    shared?.set(undefined);
    await load.close();
  }
}
