import { monotonicNow, timerDelay } from "../lib/io/mod.ts";
import type { Nanoseconds } from "../lib/base/mod.ts";

/** Work in progress. */
interface Task {
  /** The task is done when `Work` has done this much work since its start. */
  readonly end: Nanoseconds;
  readonly done: () => void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Work that takes time, at a speed that can change during the work. At speed 0.5 the remaining work takes twice as
 * long, and at speed 0 it stops.
 */
export class Work {
  readonly #tasks = new Set<Task>();
  #speed = 1;
  /** The work that was done from the start until `#since`. */
  #worked: Nanoseconds = 0;
  #since: Nanoseconds = monotonicNow();

  /** Changes the speed of all work, including work in progress. */
  setSpeed(speed: number): void {
    if (speed === this.#speed) return;
    this.#worked = this.#workedNow();
    this.#since = monotonicNow();
    this.#speed = speed;
    for (const task of this.#tasks) this.#setTimer(task);
  }

  /**
   * Works until the work is done.
   *
   * @param duration The duration of the work at speed 1.
   * @throws The signal's reason, if it is aborted before the end.
   */
  async run(duration: Nanoseconds, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (duration === 0 && this.#speed > 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const task: Task = { end: this.#workedNow() + duration, done: resolve, timer: undefined };
    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp);
    this.#tasks.add(task);
    this.#setTimer(task);
    try {
      await promise;
    } finally {
      clearTimeout(task.timer);
      this.#tasks.delete(task);
      signal.removeEventListener("abort", giveUp);
    }
  }

  #workedNow(): Nanoseconds {
    return this.#worked + (monotonicNow() - this.#since) * this.#speed;
  }

  #setTimer(task: Task): void {
    clearTimeout(task.timer);
    if (this.#speed === 0) return;
    const left = (task.end - this.#workedNow()) / this.#speed;
    task.timer = setTimeout(task.done, timerDelay(left));
  }
}
