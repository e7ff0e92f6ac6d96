import { type ActiveFault, ActiveFaults, type ServerFault } from "../lib/fault/mod.ts";
import { monotonicNow, timerDelay } from "../lib/io/mod.ts";
import type { Nanoseconds } from "../lib/base/mod.ts";
import type { BackendServer } from "./server.ts";

/** A fault of a backend begins or ends. */
export interface FaultChange {
  readonly type: "begun" | "ended";
  readonly fault: ActiveFault;
}

/** The faults of one backend. They act on its sockets, and each ends by itself when its time is over. */
export class BackendFaults {
  readonly server: BackendServer;
  readonly #report: (change: FaultChange) => void;
  readonly #active = new ActiveFaults();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param report Called when a fault begins and when it ends. */
  constructor(server: BackendServer, report: (change: FaultChange) => void = () => {}) {
    this.server = server;
    this.#report = report;
  }

  /** Those that it has now, in the order in which they began. */
  get active(): readonly ActiveFault[] {
    return this.#active.all;
  }

  /**
   * Begins a fault, in addition to those that are active. Resolves when it is in force.
   *
   * @param duration If left out, it lasts until `end`.
   */
  async begin(fault: ServerFault, duration: Nanoseconds = Infinity): Promise<ActiveFault> {
    const begun = this.#active.begin(fault, monotonicNow(), duration);
    this.#report({ type: "begun", fault: begun });
    await this.#apply();
    return begun;
  }

  /** Begins a fault in place of those of the same kind. Resolves when it is in force. */
  async replace(fault: ServerFault, duration: Nanoseconds = Infinity): Promise<ActiveFault> {
    this.#drop(this.active.filter((one) => one.fault.name === fault.name));
    return await this.begin(fault, duration);
  }

  /** Ends some faults, by default all. Those that have ended already are left out. */
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
    clearTimeout(this.#timer);
    const now = monotonicNow();
    for (const fault of this.#active.passTime(now)) this.#report({ type: "ended", fault });
    const next = this.#active.nextChange(now);
    if (next !== Infinity) {
      this.#timer = setTimeout(() => void this.#apply(), timerDelay(next - now));
    }
    await this.server.applyFaults(this.#active.effect(now));
  }
}
