import type { Nanoseconds } from "../base/mod.ts";
import { NS_PER_US } from "../base/mod.ts";
import { type Clock, timerDelay } from "./clock.ts";
import { eventLoopTurn } from "./event_loop.ts";

/**
 * `setTimeout` is exact to a millisecond only, and fires up to 1.3 ms late on an idle machine. So it is set this much
 * too early.
 */
const EARLY: Nanoseconds = 1300 * NS_PER_US;

/**
 * Calls functions at given moments. On an idle machine a call is a few tens of microseconds late: `setTimeout` fires a
 * little early, and then the event loop runs turn after turn until the moment comes. So input and output continue, but each
 * moment costs about half a millisecond of processor time.
 */
export class Alarms {
  readonly #now: Clock;
  /** The alarms that are set; the next one is the last in the list. */
  readonly #set: Alarm[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #turning = false;

  constructor(now: Clock) {
    this.#now = now;
  }

  /** The clock by which the moments are defined. */
  get now(): Clock {
    return this.#now;
  }

  /** Creates an alarm that calls `ring`. */
  alarm(ring: () => void): Alarm {
    return new Alarm(this, ring);
  }

  /** Resolves at a moment; at once if it has passed. */
  until(moment: Nanoseconds): Promise<void> {
    if (moment <= this.#now()) return Promise.resolve();
    return new Promise((resolve) => this.alarm(resolve).set(moment));
  }

  /** Switches all alarms off. */
  clear(): void {
    for (const alarm of this.#set) alarm.at = undefined;
    this.#set.length = 0;
    this.#arm();
  }

  /** Only `Alarm` calls this. */
  insert(alarm: Alarm, at: Nanoseconds): void {
    let low = 0;
    let high = this.#set.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#set[middle]!.at! > at) low = middle + 1;
      else high = middle;
    }
    this.#set.splice(low, 0, alarm);
    this.#arm();
  }

  /** Only `Alarm` calls this. */
  remove(alarm: Alarm): void {
    const place = this.#set.lastIndexOf(alarm);
    if (place >= 0) this.#set.splice(place, 1);
    this.#arm();
  }

  #arm(): void {
    if (this.#turning) return;
    const at = this.#set.at(-1)?.at ?? Infinity;
    if (at === this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    if (at === Infinity) return;
    const early = at - EARLY - this.#now();
    if (early <= 0) {
      this.#turning = true;
      queueMicrotask(() => void this.#turn());
      return;
    }
    // Rounded down: the turns of the event loop fill the rest of the time.
    this.#timer = setTimeout(() => void this.#turn(), Math.max(0, timerDelay(early) - 1));
  }

  async #turn(): Promise<void> {
    this.#turning = true;
    this.#timerAt = Infinity;
    while (true) {
      const next = this.#set.at(-1);
      if (next === undefined) break;
      const left = next.at! - this.#now();
      if (left <= 0) {
        this.#set.pop();
        next.at = undefined;
        next.ring();
      } else if (left <= EARLY) {
        await eventLoopTurn();
      } else break;
    }
    this.#turning = false;
    this.#arm();
  }
}

/** Rings once each time it is set. */
export class Alarm {
  /** When it rings; undefined if it is not set. */
  at: Nanoseconds | undefined;
  readonly ring: () => void;
  readonly #alarms: Alarms;

  constructor(alarms: Alarms, ring: () => void) {
    this.#alarms = alarms;
    this.ring = ring;
  }

  /** Sets the alarm to another moment; undefined switches it off. */
  set(at: Nanoseconds | undefined): void {
    if (at === this.at) return;
    if (this.at !== undefined) this.#alarms.remove(this);
    this.at = at;
    if (at !== undefined) this.#alarms.insert(this, at);
  }
}
