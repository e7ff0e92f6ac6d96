import { type Clock, timerDelay } from "./clock.ts";
import { type EventStream, type ScarceResource, toMs } from "../core/mod.ts";
import { type Nanoseconds, NS_PER_MS, NS_PER_S } from "../base/mod.ts";
import { DescriptorReserve } from "./descriptor_reserve.ts";
import { descriptorsLeft } from "./descriptors.ts";
import type { Pulse } from "./pulse.ts";

/** How long to wait before another try, if no connection ends before that. */
const POLL_MS = 100;

/** Descriptors that a client's next try may take: an accept, a connect, and a lookup of the backend's name. */
const DESCRIPTORS_PER_TRY = 4;

/** A shortage is over when it has not been met for this long. */
const QUIET: Nanoseconds = NS_PER_S;

/** A time during which something is short. */
interface Course {
  readonly since: Nanoseconds;
  /** When it was last met. */
  metAt: Nanoseconds;
  readonly timer: ReturnType<typeof setInterval>;
}

/** What a balancer does while this machine lacks descriptors, local ports or memory: it says so once, and waits. */
export class Shortage {
  readonly #events: EventStream;
  readonly #now: Clock;
  readonly #connectionEnded: Pulse;
  readonly #connections: () => number;
  readonly #reserve = new DescriptorReserve();
  readonly #courses = new Map<ScarceResource, Course>();
  #stopped = false;
  /** Tries that were allowed since `#allowedAt`: what they will take is still free. */
  #allowed = 0;
  #allowedAt: Nanoseconds = -Infinity;

  /**
   * @param connectionEnded Beats when something may be free again.
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
    this.#reserve.fill();
  }

  /** A probe or a reload lacks something; the detail is what the system says. The next one may use the reserve. */
  noted(resource: ScarceResource, detail: string): void {
    if (resource === "descriptors") this.#reserve.release();
    this.#note(resource, detail);
  }

  #note(resource: ScarceResource, detail: string): void {
    const now = this.#now();
    const course = this.#courses.get(resource);
    if (course !== undefined) course.metAt = now;
    else if (!this.#stopped) this.#begin(resource, detail, now);
  }

  /** A client lacks something: resolves after a while to whether another try is of use. */
  async met(resource: ScarceResource, detail: string): Promise<boolean> {
    this.#note(resource, detail);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = new Promise<void>((resolve) => timer = setTimeout(resolve, POLL_MS));
    await Promise.race([this.#connectionEnded.next, wait]);
    clearTimeout(timer);
    return this.#stopped || resource !== "descriptors" || this.#mayTry();
  }

  /**
   * Whether a client's try will find descriptors besides the reserve. If none will, the reserve is given up for
   * probes: not before, for connects of clients that are still under way would take it.
   */
  #mayTry(): boolean {
    if (!this.#reserve.fill()) return false;
    const now = this.#now();
    if (now - this.#allowedAt >= POLL_MS * NS_PER_MS) {
      this.#allowed = 0;
      this.#allowedAt = now;
    }
    const needed = DESCRIPTORS_PER_TRY * (this.#allowed + 1);
    if ((descriptorsLeft(needed) ?? needed) === needed) {
      this.#allowed++;
      return true;
    }
    if (this.#allowed === 0) this.#reserve.release();
    return false;
  }

  /** Looks no more for its end. */
  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#courses.values()) clearInterval(timer);
    this.#courses.clear();
    this.#reserve.release();
  }

  #begin(resource: ScarceResource, detail: string, now: Nanoseconds): void {
    const connections = this.#connections();
    const at_ms = toMs(now);
    this.#events.emit({ type: "shortage_began", at_ms, resource, detail, connections });
    const timer = setInterval(() => this.#endIfOver(resource), timerDelay(QUIET));
    this.#courses.set(resource, { since: now, metAt: now, timer });
  }

  #endIfOver(resource: ScarceResource): void {
    const now = this.#now();
    const course = this.#courses.get(resource)!;
    if (now - course.metAt < QUIET) return;
    if (resource === "descriptors" && !this.#reserve.fill()) return;
    clearInterval(course.timer);
    this.#courses.delete(resource);
    this.#events.emit({
      type: "shortage_ended",
      at_ms: toMs(now),
      resource,
      lasted_ms: toMs(course.metAt - course.since),
      connections: this.#connections(),
    });
  }
}
