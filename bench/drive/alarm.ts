import type { Nanoseconds } from "../../lib/base/mod.ts";
import { NS_PER_MS } from "../../lib/base/mod.ts";
import { type Clock, EventLoopGate } from "../../lib/io/mod.ts";

/** A timer fires up to a millisecond late, and later on a busy machine. So it is set this much too early. */
const LEAD: Nanoseconds = 2 * NS_PER_MS;

/**
 * Rings at a time, with an error of some microseconds. A timer is less precise: it fires up to a millisecond late. So
 * in the last two milliseconds the event loop runs turn after turn, which uses the free processor time. In each turn
 * input and output are handled.
 */
export class Alarm {
  readonly #now: Clock;
  readonly #ring: () => void;
  readonly #gate: EventLoopGate | undefined;
  #at: Nanoseconds = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isTurning = false;
  #isStopped = false;

  private constructor(now: Clock, ring: () => void, gate: EventLoopGate | undefined) {
    this.#now = now;
    this.#ring = ring;
    this.#gate = gate;
  }

  /** @param ring Called when the time has come. It may set the alarm again. */
  static async create(now: Clock, ring: () => void): Promise<Alarm> {
    return new Alarm(now, ring, await EventLoopGate.open());
  }

  /** Sets the time at which the alarm rings, and replaces the earlier time. With Infinity it does not ring. */
  set(at: Nanoseconds): void {
    if (at === this.#at || this.#isStopped) return;
    this.#at = at;
    clearTimeout(this.#timer);
    if (this.#isTurning || at === Infinity) return;
    const left = at - this.#now();
    if (left <= LEAD && this.#gate !== undefined) return void this.#turn(this.#gate);
    const delay = Math.floor((left - (this.#gate === undefined ? 0 : LEAD)) / NS_PER_MS);
    this.#timer = setTimeout(() => this.#wake(), Math.min(Math.max(0, delay), 2 ** 31 - 1));
  }

  stop(): void {
    this.#isStopped = true;
    this.#at = Infinity;
    clearTimeout(this.#timer);
    if (!this.#isTurning) this.#gate?.close();
  }

  #wake(): void {
    const at = this.#at;
    if (this.#now() >= at) return this.#fire();
    this.#at = Infinity;
    this.set(at);
  }

  async #turn(gate: EventLoopGate): Promise<void> {
    this.#isTurning = true;
    while (!this.#isStopped && this.#at - this.#now() <= LEAD) {
      if (this.#now() >= this.#at) this.#fire();
      await gate.turn();
    }
    this.#isTurning = false;
    if (this.#isStopped) return gate.close();
    const at = this.#at;
    this.#at = Infinity;
    this.set(at);
  }

  #fire(): void {
    this.#at = Infinity;
    this.#ring();
  }
}
