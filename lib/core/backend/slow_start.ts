import type { Nanoseconds } from "../../base/mod.ts";

/** How the weight of a recovered backend grows. */
export interface SlowStartRules {
  /** Its weight grows linearly for this long. */
  readonly duration: Nanoseconds;
  /** The share of its weight with which it begins, in (0, 1]. */
  readonly floor: number;
}

/**
 * The number of steps, as in HAProxy. More steps would cost more, because consistent hashing rebuilds its table for
 * each.
 */
const STEPS = 20;

/**
 * Slow start of one backend: the share of its weight grows linearly from the floor to all of it,
 * `floor + (1 − floor) · t / duration`, in twenty equal steps. Time runs only while new clients may come:
 * a backend that drains does not warm up.
 *
 * Source: HAProxy, `slowstart`; Envoy, slow start mode.
 */
export class SlowStart {
  /** The rules may change during a slow start; the share that the backend has reached stays. */
  rules: SlowStartRules;
  #steps = 0;
  /** When the slow start would have begun if it had never been paused. */
  #beganAt: Nanoseconds;
  /** When it was paused; undefined while it runs. */
  #pausedAt: Nanoseconds | undefined;

  /** A new slow start is paused until `resume` is called. */
  constructor(rules: SlowStartRules, now: Nanoseconds) {
    this.rules = rules;
    this.#beganAt = now;
    this.#pausedAt = now;
  }

  /** The share of its weight that the backend has. */
  get share(): number {
    const { floor } = this.rules;
    return this.finished ? 1 : floor + (1 - floor) * this.#steps / STEPS;
  }

  /** Whether the backend has its full weight. */
  get finished(): boolean {
    return this.#steps === STEPS;
  }

  /** When the share grows next; Infinity while it is paused. */
  get nextStepAt(): Nanoseconds {
    if (this.#pausedAt !== undefined) return Infinity;
    return this.#beganAt + Math.ceil((this.#steps + 1) * this.rules.duration / STEPS);
  }

  /** Continues the slow start after a pause. */
  resume(now: Nanoseconds): void {
    if (this.#pausedAt === undefined) return;
    this.#beganAt += now - this.#pausedAt;
    this.#pausedAt = undefined;
  }

  /** Pauses the slow start until `resume` is called. */
  pause(now: Nanoseconds): void {
    this.#pausedAt ??= now;
  }

  passTime(now: Nanoseconds): void {
    while (!this.finished && this.nextStepAt <= now) this.#steps++;
  }
}
