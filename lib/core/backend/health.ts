import { assert, type Nanoseconds, type Random } from "../../base/mod.ts";

/** The rules for probes and their results. */
export interface HealthRules {
  /** From the start of one probe to the start of the next. */
  readonly interval: Nanoseconds;
  /** By how much an interval may be shorter or longer, as a share of it: 0.1 is ±10 %. */
  readonly jitter: number;
  /** This many successful probes in a row mark a backend as up. */
  readonly rise: number;
  /** This many failed probes in a row mark it as down. */
  readonly fall: number;
}

/**
 * Whether a backend is up or down, by its probes. Only results that contradict the present state count; a result that
 * agrees with it resets the count: with `fall: 3` the results ✗ ✓ ✗ ✓ ✗ mark no backend as down. The first result
 * alone decides, so that a balancer knows the state of its backends before it listens.
 *
 * Source: HAProxy `rise` and `fall`; Pingora `health_check`.
 */
export class Health {
  /** The rules may change during the run; the counts stay. */
  rules: Pick<HealthRules, "rise" | "fall">;
  #state: "unknown" | "up" | "down" = "unknown";
  #streak = 0;

  constructor(rules: Pick<HealthRules, "rise" | "fall">) {
    this.rules = rules;
  }

  /** `unknown` until the first probe has ended. */
  get state(): "unknown" | "up" | "down" {
    return this.#state;
  }

  /** Results in a row that contradict the present state. */
  get streak(): number {
    return this.#streak;
  }

  /** Records the result of a probe. Returns whether it changed the state, and the number of results in a row. */
  record(ok: boolean): { readonly flipped: boolean; readonly streak: number } {
    const result = ok ? "up" : "down";
    if (this.#state === result) {
      this.#streak = 0;
      return { flipped: false, streak: 0 };
    }
    const streak = this.#streak + 1;
    const needed = this.#state === "unknown" ? 1 : ok ? this.rules.rise : this.rules.fall;
    const flipped = streak >= needed;
    if (flipped) this.#state = result;
    this.#streak = flipped ? 0 : streak;
    return { flipped, streak };
  }
}

/**
 * The times at which one backend is probed. The first probe is due at once. The second is due after a random part of
 * the interval, so that backends are probed at different moments. Further probes follow after one interval each,
 * which the jitter makes longer or shorter. A probe is never due while one is in progress: if it takes longer than
 * the interval, the next is due when it ends.
 */
export class ProbeSchedule {
  readonly #rules: Pick<HealthRules, "interval" | "jitter">;
  readonly #random: Random;
  #dueAt: Nanoseconds;
  #begun = 0;
  #underWay = false;

  constructor(
    rules: Pick<HealthRules, "interval" | "jitter">,
    random: Random,
    now: Nanoseconds,
  ) {
    this.#rules = rules;
    this.#random = random;
    this.#dueAt = now;
  }

  /** The time of the next probe; undefined while a probe runs. */
  get dueAt(): Nanoseconds | undefined {
    return this.#underWay ? undefined : this.#dueAt;
  }

  /** A probe begins. */
  begin(now: Nanoseconds): void {
    assert(!this.#underWay, "a backend is probed once at a time");
    const { interval, jitter } = this.#rules;
    const draw = this.#random.next();
    const wait = this.#begun === 0 ? draw * interval : interval * (1 + jitter * (2 * draw - 1));
    // The interval begins when this probe was due, even if a busy driver starts it later: the rate must not fall.
    const lateness = now - this.#dueAt;
    const from = lateness < interval ? this.#dueAt : now;
    this.#dueAt = Math.round(from + wait);
    this.#begun++;
    this.#underWay = true;
  }

  /** The probe ended. */
  end(now: Nanoseconds): void {
    assert(this.#underWay, "only a probe that began can end");
    this.#underWay = false;
    this.#dueAt = Math.max(this.#dueAt, now);
  }
}
