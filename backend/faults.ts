import {
  type ActiveFault,
  ActiveFaults,
  type FaultEffect,
  type ServerFault,
} from "../lib/fault/mod.ts";
import {
  type Clock,
  type MakeTimer,
  monotonicNow,
  systemTimers,
  type Timer,
} from "../lib/io/mod.ts";
import type { Nanoseconds } from "../lib/base/mod.ts";

/** A backend on which faults can act. */
export interface FaultyBackend {
  readonly id: string;
  /** Replaces the previous effect by the effect of all present faults. Resolves when this effect is in force. */
  applyFaults(effect: FaultEffect): Promise<void>;
}

/** Options of the faults of a backend. */
export interface BackendFaultsOptions {
  /** Called when a fault begins and when it ends. */
  readonly report?: (change: FaultChange) => void;
  readonly now?: Clock;
  /** Creates the timers that end faults; if left out, the timers of the system are used. */
  readonly timers?: MakeTimer;
}

/** A fault of a backend begins or ends. */
export interface FaultChange {
  readonly type: "begun" | "ended";
  readonly fault: ActiveFault;
}

/** The faults of one backend. They act on its sockets, and each ends by itself when its time is over. */
export class BackendFaults {
  readonly server: FaultyBackend;
  /** The clock by which the faults begin and end. */
  readonly now: Clock;
  readonly #report: (change: FaultChange) => void;
  readonly #active = new ActiveFaults();
  readonly #timer: Timer;

  constructor(
    server: FaultyBackend,
    { report = () => {}, now = monotonicNow, timers = systemTimers(now) }: BackendFaultsOptions =
      {},
  ) {
    this.server = server;
    this.now = now;
    this.#report = report;
    this.#timer = timers(() => void this.#apply());
  }

  /** The present faults, in the order in which they began. */
  get active(): readonly ActiveFault[] {
    return this.#active.all;
  }

  /**
   * Begins a fault, in addition to those that are active. Resolves when it is in force.
   *
   * @param duration If left out, the fault lasts until `end` is called.
   */
  async begin(fault: ServerFault, duration: Nanoseconds = Infinity): Promise<ActiveFault> {
    const begun = this.#active.begin(fault, this.now(), duration);
    this.#report({ type: "begun", fault: begun });
    await this.#apply();
    return begun;
  }

  /** Begins a fault, and ends faults of the same kind. Resolves when it is in force. */
  async replace(fault: ServerFault, duration: Nanoseconds = Infinity): Promise<ActiveFault> {
    this.#drop(this.active.filter((one) => one.fault.name === fault.name));
    return await this.begin(fault, duration);
  }

  /** Ends some faults, by default all. Faults that have ended already are ignored. */
  async end(faults: readonly ActiveFault[] = this.active): Promise<void> {
    this.#drop(faults);
    await this.#apply();
  }

  #drop(faults: readonly ActiveFault[]): void {
    for (const fault of faults) {
      if (this.#active.end(fault)) this.#report({ type: "ended", fault });
    }
  }

  async #apply(): Promise<void> {
    const now = this.now();
    for (const fault of this.#active.passTime(now)) this.#report({ type: "ended", fault });
    const next = this.#active.nextChange(now);
    this.#timer.set(next === Infinity ? undefined : next);
    await this.server.applyFaults(this.#active.effect(now));
  }
}
