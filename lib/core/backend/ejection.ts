import type { Nanoseconds } from "../../base/mod.ts";

/** When failed connects eject a backend, and for how long. */
export interface EjectionRules {
  /** This many failed connects in a row eject a backend. */
  readonly failures: number;
  /** The duration of the first ejection. */
  readonly base: Nanoseconds;
  /** The longest duration of an ejection. */
  readonly max: Nanoseconds;
  /** At most this share of all backends is ejected at the same time. */
  readonly maxShare: number;
}

/**
 * Passive ejection of one backend: it depends on connects, not on probes. An ejection lasts `min(base · ejections,
 * max)`. When the backend has then worked for as long as its ejection lasted, the number of ejections begins at 0
 * again.
 *
 * Source: Envoy, outlier detection.
 */
export class Ejection {
  /** The rules may change during the run. */
  rules: EjectionRules;
  #failures = 0;
  #ejections = 0;
  #until: Nanoseconds = -Infinity;
  #lasted: Nanoseconds = 0;
  #ejected = false;

  constructor(rules: EjectionRules) {
    this.rules = rules;
  }

  get ejected(): boolean {
    return this.#ejected;
  }

  /** When the ejection ends. */
  get until(): Nanoseconds {
    return this.#until;
  }

  succeeded(now: Nanoseconds): void {
    this.#failures = 0;
    if (!this.#ejected && now - this.#until >= this.#lasted) this.#ejections = 0;
  }

  /** A connect failed. Returns whether the backend must now be ejected. */
  failed(): boolean {
    if (this.#ejected) return false;
    return ++this.#failures >= this.rules.failures;
  }

  /** Failed connects in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Ejects the backend. Returns the duration of the ejection. */
  eject(now: Nanoseconds): Nanoseconds {
    this.#ejections++;
    this.#lasted = Math.min(this.rules.base * this.#ejections, this.rules.max);
    this.#until = now + this.#lasted;
    this.#ejected = true;
    return this.#lasted;
  }

  /** Ends the ejection. */
  readmit(): void {
    this.#ejected = false;
    this.#failures = 0;
  }
}
