import { AgeList, type Nanoseconds } from "../../lib/base/mod.ts";
import type { Clock, MakeTimer, Timer } from "../../lib/io/mod.ts";
import type { Link } from "./link.ts";

/**
 * The deadlines of connections. All have the same delay, so they pass in the order in which they were set. Most are
 * never reached: such a deadline costs a place in a list, and no timer.
 */
export class Deadlines<User> {
  readonly #links = new AgeList<Link<User>>();
  readonly #now: Clock;
  readonly #timer: Timer;
  #isSet = false;

  constructor(now: Clock, timers: MakeTimer) {
    this.#now = now;
    this.#timer = timers(() => this.#ring());
  }

  /** A connection has a new deadline. */
  add(link: Link<User>): void {
    link.deadlines?.remove(link);
    if (link.deadline === Infinity) return;
    this.#links.add(link);
    link.deadlines = this;
    if (!this.#isSet) this.#setTimer(link.deadline);
  }

  /** A connection that was added has no deadline any more. */
  remove(link: Link<User>): void {
    this.#links.delete(link);
    link.deadlines = undefined;
  }

  /** Switches the timer off. */
  stop(): void {
    this.#timer.set(undefined);
  }

  #ring(): void {
    this.#isSet = false;
    const now = this.#now();
    for (let link = this.#links.oldest; link !== undefined; link = this.#links.oldest) {
      // An idle connection gets its next deadline when it is used again.
      if (link.isBusy && link.deadline > now) break;
      this.remove(link);
      if (link.isBusy) link.fail("timeout", "no answer came in time");
    }
    const { oldest } = this.#links;
    if (oldest !== undefined && !this.#isSet) this.#setTimer(oldest.deadline);
  }

  #setTimer(at: Nanoseconds): void {
    this.#isSet = true;
    this.#timer.set(at);
  }
}
