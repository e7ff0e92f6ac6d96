import { assert, type Nanoseconds } from "../lib/base/mod.ts";
import { SlotHistory } from "../lib/workload/mod.ts";

/** The options of a service: the keys of `servers` in a scenario. */
export interface ServiceOptions {
  /** The number of requests that are served at the same time. May be Infinity. */
  readonly slots: number;
  /** The number of requests that may wait. May be Infinity. */
  readonly queue: number;
  /** Work done per unit of time, per slot; above 0. */
  readonly speed: number;
  /**
   * `fifo`: requests are served in order of arrival, and each slot serves one request at full speed.
   * `processor-sharing`: all requests are served at the same time; n requests share `min(n, slots)` slots equally.
   */
  readonly discipline: "fifo" | "processor-sharing";
}

/** A request at a service. */
export interface Job {
  readonly work: Nanoseconds;
  readonly submittedAt: Nanoseconds;
  /** How long it waited for a slot. */
  waited: Nanoseconds;
  /** The virtual time at which the request is done; undefined while it waits. */
  doneAt: number | undefined;
  /** Called when the work of the request is done, with the time at which it was due to be done. */
  readonly done: (job: Job, at: Nanoseconds) => void;
}

/**
 * The slots and the queue of a backend, as the simulator models them. It has no timer: call `passTime` at `nextEnd`.
 * A late call does not delay later requests: the service of the next request in the queue begins at the moment at
 * which its slot was due to be free. So the delays of timers do not accumulate.
 *
 * Virtual time passes at the rate at which each request in service is served. A request that is begun at virtual time
 * v with work w is done at virtual time v + w, even if other requests arrive or leave.
 *
 * Source: the virtual time of Parekh and Gallager's generalised processor sharing, 1993.
 */
export class Service {
  /** Called when `nextEnd` may have changed. */
  onChange: (() => void) | undefined;
  /** Places reserved for requests that are on the way. */
  reserved = 0;
  #options: ServiceOptions;
  /** The present speed as a share of the usual speed; 0 while the service is stopped. */
  #share = 1;
  readonly #slotHistory: SlotHistory;
  /** The requests in service, sorted by the virtual time of their end; the next one is the last. */
  readonly #serving: Job[] = [];
  readonly #waiting: Job[] = [];
  #virtual = 0;
  #since: Nanoseconds = 0;
  #busyTime = 0;
  #waitingTime = 0;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#slotHistory = new SlotHistory(options.slots);
  }

  /** Busy slots. */
  get busy(): number {
    const { discipline, slots } = this.#options;
    // If the number of slots was reduced, requests that are served already keep their slots to the end.
    return discipline === "fifo" ? this.#serving.length : Math.min(this.#serving.length, slots);
  }

  /** Requests that wait; none under processor sharing, where all are served at the same time. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether there is room for another request. */
  get hasRoom(): boolean {
    const { slots, queue } = this.#options;
    return this.#serving.length + this.#waiting.length + this.reserved < slots + queue;
  }

  /** When the next request is done; undefined if none is in service, or the service is stopped. */
  get nextEnd(): Nanoseconds | undefined {
    const next = this.#serving.at(-1);
    const rate = this.#rate;
    if (next === undefined || rate === 0) return undefined;
    return this.#since + Math.round(Math.max(0, next.doneAt! - this.#virtual) / rate);
  }

  /** A request arrives. */
  submit(work: Nanoseconds, now: Nanoseconds, done: Job["done"]): Job {
    this.passTime(now);
    const job: Job = { work, submittedAt: now, waited: 0, doneAt: undefined, done };
    const { discipline, slots } = this.#options;
    if (discipline === "fifo" && this.#serving.length >= slots) this.#waiting.push(job);
    else this.#serve(job);
    this.onChange?.();
    return job;
  }

  /** A request leaves before it is done. */
  cancel(job: Job, now: Nanoseconds): void {
    this.passTime(now);
    const list = job.doneAt === undefined ? this.#waiting : this.#serving;
    const place = list.indexOf(job);
    if (place < 0) return;
    list.splice(place, 1);
    this.#fill(now);
    this.onChange?.();
  }

  /** Changes the speed to a share of the usual one; 0 stops the service. */
  setSpeed(share: number, now: Nanoseconds): void {
    this.passTime(now);
    this.#share = share;
    this.onChange?.();
  }

  /** Changes its speed, slots and queue. Its discipline stays, and so do the requests in service. */
  change(options: Omit<ServiceOptions, "discipline">, now: Nanoseconds): void {
    this.passTime(now);
    const { discipline } = this.#options;
    if (options.slots !== this.#options.slots) {
      this.#slotHistory.changed(now, options.slots);
    }
    this.#options = { ...options, discipline };
    this.#fill(now);
    this.onChange?.();
  }

  /** Removes all requests. None of them is done. */
  clear(now: Nanoseconds): void {
    this.passTime(now);
    this.#serving.length = 0;
    this.#waiting.length = 0;
    this.onChange?.();
  }

  /** Handles everything that is due by now, in order. */
  passTime(now: Nanoseconds): void {
    const finished: [Job, Nanoseconds][] = [];
    for (let end = this.nextEnd; end !== undefined && end <= now; end = this.nextEnd) {
      const job = this.#serving.at(-1)!;
      this.#advance(Math.max(end, this.#since));
      // Times are rounded to whole nanoseconds, so the virtual time may be slightly less than `doneAt`.
      this.#virtual = Math.max(this.#virtual, job.doneAt!);
      this.#serving.pop();
      this.#fill(this.#since);
      finished.push([job, this.#since]);
    }
    this.#advance(now);
    if (finished.length === 0) return;
    this.onChange?.();
    for (const [job, at] of finished) job.done(job, at);
  }

  /** Busy slots, integrated over time: slot-nanoseconds since the start. */
  busyTime(now: Nanoseconds): number {
    this.passTime(now);
    return this.#busyTime;
  }

  /** Waiting requests, integrated over time. */
  waitingTime(now: Nanoseconds): number {
    this.passTime(now);
    return this.#waitingTime;
  }

  /** The number of slots, averaged over a time. */
  meanSlots(from: Nanoseconds, to: Nanoseconds): number {
    return this.#slotHistory.mean(from, to);
  }

  /** Work done per nanosecond for each request in service. */
  get #rate(): number {
    const { discipline, slots, speed } = this.#options;
    const full = speed * this.#share;
    return discipline === "fifo" ? full : full * Math.min(1, slots / this.#serving.length);
  }

  #fill(at: Nanoseconds): void {
    const { discipline, slots } = this.#options;
    if (discipline !== "fifo") return;
    while (this.#serving.length < slots && this.#waiting.length > 0) {
      const job = this.#waiting.shift()!;
      job.waited = at - job.submittedAt;
      this.#serve(job);
    }
  }

  #serve(job: Job): void {
    job.doneAt = this.#virtual + job.work;
    let low = 0;
    let high = this.#serving.length;
    // Of requests that end at the same moment, the one whose service began first ends first.
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#serving[middle]!.doneAt! > job.doneAt) low = middle + 1;
      else high = middle;
    }
    this.#serving.splice(low, 0, job);
  }

  /** Must be called before `busy` or `waiting` changes. */
  #advance(to: Nanoseconds): void {
    const elapsed = to - this.#since;
    assert(elapsed >= 0, "time does not go back");
    this.#busyTime += elapsed * this.busy;
    this.#waitingTime += elapsed * this.waiting;
    if (this.#serving.length === 0) this.#virtual = 0;
    else this.#virtual += elapsed * this.#rate;
    this.#since = to;
  }
}
