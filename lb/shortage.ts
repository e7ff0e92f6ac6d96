import { type Clock, timerDelay } from "../lib/clock.ts";
import { type EventStream, type Nanoseconds, NS_PER_S, toMs } from "../lib/core/mod.ts";
import { isOutOfDescriptors } from "./dial.ts";
import type { Pulse } from "./pulse.ts";

/** How long to wait for a descriptor before looking again, if no connection ends before that. */
const POLL_MS = 100;

/** A shortage is over when for this long nobody has met it. */
const QUIET: Nanoseconds = NS_PER_S;

/** A time without file descriptors. */
interface Course {
  readonly since: Nanoseconds;
  /** When it was last met. */
  metAt: Nanoseconds;
  readonly timer: ReturnType<typeof setInterval>;
}

/** What a balancer does while it has no file descriptor left: it waits, and says so once. */
export class Shortage {
  readonly #events: EventStream;
  readonly #now: Clock;
  readonly #connectionEnded: Pulse;
  readonly #connections: () => number;
  #course: Course | undefined;

  /**
   * @param connectionEnded Beats when a descriptor may be free.
   * @param connections How many are open, for the record.
   */
  constructor(
    events: EventStream,
    now: Clock,
    connectionEnded: Pulse,
    connections: () => number,
  ) {
    this.#events = events;
    this.#now = now;
    this.#connectionEnded = connectionEnded;
    this.#connections = connections;
  }

  /** It has been met, however often: resolves when it is worth another try. */
  async met(error: unknown): Promise<void> {
    this.#take(error);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = new Promise<void>((resolve) => timer = setTimeout(resolve, POLL_MS));
    await Promise.race([this.#connectionEnded.next, wait]);
    clearTimeout(timer);
  }

  /** Looks no more for its end. */
  stop(): void {
    clearInterval(this.#course?.timer);
  }

  #take(error: unknown): void {
    const now = this.#now();
    if (this.#course !== undefined) {
      this.#course.metAt = now;
      return;
    }
    const reason = isOutOfDescriptors(error) || !(error instanceof Error)
      ? "out of file descriptors"
      : error.message;
    const connections = this.#connections();
    this.#events.emit({ type: "accept_paused", at_ms: toMs(now), reason, connections });
    const timer = setInterval(() => this.#endIfOver(), timerDelay(QUIET));
    this.#course = { since: now, metAt: now, timer };
  }

  #endIfOver(): void {
    const now = this.#now();
    const course = this.#course;
    if (course === undefined || now - course.metAt < QUIET) return;
    clearInterval(course.timer);
    this.#course = undefined;
    this.#events.emit({
      type: "accept_resumed",
      at_ms: toMs(now),
      paused_ms: toMs(course.metAt - course.since),
      connections: this.#connections(),
    });
  }
}
