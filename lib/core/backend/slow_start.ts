import type { Nanoseconds } from "../../base/mod.ts";

/** How a backend that has recovered comes back. */
export interface SlowStartRules {
  /** Its weight grows linearly for this long. */
  readonly duration: Nanoseconds;
  /** The share of its weight with which it begins, in (0, 1]. */
  readonly floor: number;
}

/** As in HAProxy. More would cost more: consistent hashing makes its table anew for each. */
const STEPS = 20;

/**
 * Slow start of one backend: the share of its weight grows linearly from the floor to all of it,
 * `floor + (1 − floor) · t / duration`, in twenty equal steps. Time runs only while new clients may come:
 * a backend that drains does not warm up.
 *
 * Source: HAProxy, `slowstart`; Envoy, slow start mode.
 */
export class SlowStart {
  /** They may change while it runs: what was gained stays gained. */
  rules: SlowStartRules;
  #steps = 0;
  /** When it would have begun if its time had never stood still. */
  #beganAt: Nanoseconds;
  /** Since when its time stands still; undefined while it runs. */
  #pausedAt: Nanoseconds | undefined;

  /** Its time stands still until it is resumed. */
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

  /** The backend has all of its weight. */
  get finished(): boolean {
    return this.#steps === STEPS;
  }

  /** When the share grows next; Infinity while time stands still. */
  get nextStepAt(): Nanoseconds {
    if (this.#pausedAt !== undefined) return Infinity;
    return this.#beganAt + Math.ceil((this.#steps + 1) * this.rules.duration / STEPS);
  }

  /** Time runs. */
  resume(now: Nanoseconds): void {
    if (this.#pausedAt === undefined) return;
    this.#beganAt += now - this.#pausedAt;
    this.#pausedAt = undefined;
  }

  /** Time stands still. */
  pause(now: Nanoseconds): void {
    this.#pausedAt ??= now;
  }

  passTime(now: Nanoseconds): void {
    while (!this.finished && this.nextStepAt <= now) this.#steps++;
  }
}
