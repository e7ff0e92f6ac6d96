import { type Clock, timerDelay } from "./clock.ts";
import { type EventStream, type ScarceResource, toMs } from "../core/mod.ts";
import { type Nanoseconds, NS_PER_S } from "../base/mod.ts";
import { DescriptorLimit } from "./descriptor_limit.ts";
import type { Notifier } from "./notifier.ts";

/** The wait before another try, if no connection ends earlier. */
const POLL_MS = 100;

/** A shortage has ended when the system has reported none for this long. */
const QUIET: Nanoseconds = NS_PER_S;

/** A shortage of one resource that has begun and not ended. */
interface Shortage {
  readonly since: Nanoseconds;
  /** When the system last reported it. */
  reportedAt: Nanoseconds;
  readonly timer: ReturnType<typeof setInterval>;
}

/**
 * Handles shortages of this machine: of descriptors, local ports or memory. Emits one event when a shortage
 * begins and one when it ends, and makes clients wait in between.
 */
export class LocalShortages {
  readonly #events: EventStream;
  readonly #now: Clock;
  readonly #connectionEnded: Notifier;
  readonly #connections: () => number;
  readonly #descriptors = new DescriptorLimit();
  readonly #shortages = new Map<ScarceResource, Shortage>();
  #stopped = false;

  /**
   * @param connectionEnded Notifies when a connection has ended, because its resources may then be free.
   * @param connections Returns the number of open connections, which the events contain.
   */
  constructor(
    events: EventStream,
    now: Clock,
    connectionEnded: Notifier,
    connections: () => number,
  ) {
    this.#events = events;
    this.#now = now;
    this.#connectionEnded = connectionEnded;
    this.#connections = connections;
    this.#descriptors.fill();
  }

  /**
   * Records that a probe or a reload failed because a resource was missing. The next probe or reload may use the
   * reserve.
   *
   * @param detail The system's message.
   */
  record(resource: ScarceResource, detail: string): void {
    if (resource === "descriptors") this.#descriptors.release();
    this.#record(resource, detail);
  }

  #record(resource: ScarceResource, detail: string): void {
    const now = this.#now();
    const shortage = this.#shortages.get(resource);
    if (shortage !== undefined) shortage.reportedAt = now;
    else if (!this.#stopped) this.#begin(resource, detail, now);
  }

  /**
   * Records that a client's accept or connect failed because a resource was missing, and waits a moment.
   *
   * @returns Whether another try may succeed.
   */
  async wait(resource: ScarceResource, detail: string): Promise<boolean> {
    this.#record(resource, detail);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = new Promise<void>((resolve) => timer = setTimeout(resolve, POLL_MS));
    await Promise.race([this.#connectionEnded.next, poll]);
    clearTimeout(timer);
    return this.#stopped || resource !== "descriptors" || this.#descriptors.mayTry(this.#now());
  }

  /** Stops waiting for shortages to end, and releases the reserve. */
  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#shortages.values()) clearInterval(timer);
    this.#shortages.clear();
    this.#descriptors.release();
  }

  #begin(resource: ScarceResource, detail: string, now: Nanoseconds): void {
    const connections = this.#connections();
    const at_ms = toMs(now);
    this.#events.emit({ type: "shortage_began", at_ms, resource, detail, connections });
    const timer = setInterval(() => this.#endIfOver(resource), timerDelay(QUIET));
    this.#shortages.set(resource, { since: now, reportedAt: now, timer });
  }

  #endIfOver(resource: ScarceResource): void {
    const now = this.#now();
    const shortage = this.#shortages.get(resource)!;
    if (now - shortage.reportedAt < QUIET) return;
    if (resource === "descriptors" && !this.#descriptors.fill()) return;
    clearInterval(shortage.timer);
    this.#shortages.delete(resource);
    this.#events.emit({
      type: "shortage_ended",
      at_ms: toMs(now),
      resource,
      lasted_ms: toMs(shortage.reportedAt - shortage.since),
      connections: this.#connections(),
    });
  }
}
