import type { Nanoseconds } from "../base/mod.ts";
import { effectOf, type FaultEffect } from "./effect.ts";
import type { ServerFault } from "./kind.ts";

/** A fault that has begun. */
export interface ActiveFault {
  readonly fault: ServerFault;
  readonly since: Nanoseconds;
  /** When it ends by itself; Infinity if it does not. */
  readonly until: Nanoseconds;
}

/** The faults that a backend has now. It owns no clock: `passTime` ends the faults whose time is over. */
export class ActiveFaults {
  #active: readonly ActiveFault[] = [];

  /** The active faults, in the order in which they began. */
  get all(): readonly ActiveFault[] {
    return this.#active;
  }

  /**
   * Begins a fault, in addition to the active ones.
   *
   * @param duration Infinity if only `end` ends it.
   */
  begin(fault: ServerFault, now: Nanoseconds, duration: Nanoseconds): ActiveFault {
    const begun = { fault, since: now, until: now + duration };
    this.#active = [...this.#active, begun];
    return begun;
  }

  /** Ends a fault. Returns whether it was active. */
  end(fault: ActiveFault): boolean {
    const before = this.#active.length;
    this.#active = this.#active.filter((one) => one !== fault);
    return this.#active.length < before;
  }

  /** Ends the faults whose time is over, and returns them. */
  passTime(now: Nanoseconds): readonly ActiveFault[] {
    const over = this.#active.filter(({ until }) => until <= now);
    if (over.length > 0) this.#active = this.#active.filter(({ until }) => until > now);
    return over;
  }

  /** The present effect of all faults together. */
  effect(now: Nanoseconds): FaultEffect {
    return effectOf(
      this.#active.map((one) => isFlappedDown(one, now) ? { name: "crash" } : one.fault),
    );
  }

  /** The next time at which `passTime` or `effect` returns something else; Infinity if there is none. */
  nextChange(now: Nanoseconds): Nanoseconds {
    return this.#active.reduce(
      (next, one) => Math.min(next, one.until, nextFlap(one, now)),
      Infinity,
    );
  }
}

/** Whether the fault is a flap, and the backend is down at this time of the period. */
function isFlappedDown({ fault, since }: ActiveFault, now: Nanoseconds): boolean {
  return fault.name === "flap" && (now - since) % fault.period < downTime(fault);
}

/** When a flapping backend next crashes or returns. */
function nextFlap(one: ActiveFault, now: Nanoseconds): Nanoseconds {
  const { fault, since } = one;
  if (fault.name !== "flap" || downTime(fault) === 0 || downTime(fault) === fault.period) {
    return Infinity;
  }
  const periodStart = now - (now - since) % fault.period;
  return periodStart + (isFlappedDown(one, now) ? downTime(fault) : fault.period);
}

function downTime({ period, down }: ServerFault & { name: "flap" }): Nanoseconds {
  return Math.round(period * down);
}
