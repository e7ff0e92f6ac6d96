import { isServing } from "./availability.ts";
import type { BackendState } from "./backend.ts";
import { Ejection, type EjectionRules } from "./ejection.ts";
import type { Announcer } from "../events/mod.ts";
import { SlowStart, type SlowStartRules } from "./slow_start.ts";
import type { Nanoseconds } from "../../base/mod.ts";

/** The rules for ejection and for slow start. */
export interface RecoveryRules {
  /** Failed connects eject a backend for a while. Without these rules there is no ejection. */
  readonly ejection?: EjectionRules | undefined;
  /** A backend that has recovered starts slowly. Without these rules it gets its full share at once. */
  readonly slowStart?: SlowStartRules | undefined;
}

/** The functions of the scheduler that a recovery uses. */
export interface RecoveryContext {
  readonly backends: readonly BackendState[];
  /** The backend has become available or unavailable for clients. */
  refresh(backend: BackendState): void;
  /** The weight of the backend has changed. */
  reweighed(backend: BackendState): void;
  /** Makes the scheduler wake at this time or earlier. */
  wakeBy(at: Nanoseconds): void;
}

/**
 * Changes backends as time passes: a backend whose connects fail is ejected and returns after a while, and a recovered
 * backend starts slowly.
 */
export class BackendRecovery {
  #rules: RecoveryRules;
  readonly #announcer: Announcer;
  readonly #context: RecoveryContext;
  /** The backends that are ejected or start slowly: time will change them. */
  readonly #passing = new Set<BackendState>();

  constructor(rules: RecoveryRules, announcer: Announcer, context: RecoveryContext) {
    this.#rules = rules;
    this.#announcer = announcer;
    this.#context = context;
  }

  /** The next time at which an ejection or a step of a slow start ends; Infinity if there is none. */
  get dueAt(): Nanoseconds {
    let dueAt = Infinity;
    for (const { ejection, slowStart } of this.#passing) {
      if (ejection?.ejected) dueAt = Math.min(dueAt, ejection.until);
      if (slowStart !== undefined) dueAt = Math.min(dueAt, slowStart.nextStepAt);
    }
    return dueAt;
  }

  /** Applies other rules. Afterwards, `adapt` must be called for each backend. */
  configure(rules: RecoveryRules): void {
    this.#rules = rules;
  }

  /** Applies the present rules to a backend that had others. */
  adapt(backend: BackendState, now: Nanoseconds): void {
    const { ejection, slowStart } = this.#rules;
    if (ejection === undefined) this.#pardon(backend, now);
    else if (backend.ejection === undefined) backend.ejection = new Ejection(ejection);
    else backend.ejection.rules = ejection;
    if (slowStart === undefined) backend.slowStart = undefined;
    else if (backend.slowStart !== undefined) backend.slowStart.rules = slowStart;
    this.#grow(backend, now);
    this.follow(backend, now);
  }

  /** A connect failed: ejects its backend if too many have failed in a row, unless too many backends are ejected. */
  connectFailed(backend: BackendState, now: Nanoseconds): void {
    if (backend.ejection?.failed() && !backend.removed) this.#eject(backend, backend.ejection, now);
  }

  /** A backend has recovered, or is new: it gets its weight little by little. */
  startSlowly(backend: BackendState, now: Nanoseconds): void {
    const { slowStart } = this.#rules;
    if (slowStart === undefined) return;
    backend.slowStart = new SlowStart(slowStart, now);
    this.#passing.add(backend);
    this.follow(backend, now);
    this.#weigh(backend);
  }

  /** Called when a backend may have begun or ceased to take new clients. */
  follow(backend: BackendState, now: Nanoseconds): void {
    const { slowStart } = backend;
    if (slowStart === undefined) return;
    if (isServing(backend)) slowStart.resume(now);
    else slowStart.pause(now);
    this.#context.wakeBy(slowStart.nextStepAt);
  }

  /** A backend is removed. */
  forget(backend: BackendState): void {
    this.#passing.delete(backend);
  }

  /**
   * Ends the ejections whose time is over, and increases the weights of backends that start slowly.
   *
   * @returns Whether an ejection has ended.
   */
  passTime(now: Nanoseconds): boolean {
    let returned = false;
    for (const backend of this.#passing) {
      if (backend.ejection?.ejected && now >= backend.ejection.until) {
        backend.ejection.readmit();
        this.#readmitted(backend, now);
        returned = true;
      }
      this.#grow(backend, now);
      const waits = backend.ejection?.ejected || backend.slowStart !== undefined;
      if (!waits) this.#passing.delete(backend);
    }
    return returned;
  }

  #eject(backend: BackendState, ejection: Ejection, now: Nanoseconds): void {
    const { backends } = this.#context;
    const out = backends.filter((other) => other.ejection?.ejected).length;
    if (out + 1 > ejection.rules.maxShare * backends.length) return;
    const { failures } = ejection;
    const duration = ejection.eject(now);
    this.#passing.add(backend);
    this.#context.wakeBy(ejection.until);
    this.#context.refresh(backend);
    this.follow(backend, now);
    this.#announcer.backendEjected(backend.id, failures, duration, now);
  }

  /** Ends an ejection because the new rules have no ejection. */
  #pardon(backend: BackendState, now: Nanoseconds): void {
    const returns = backend.ejection?.ejected;
    backend.ejection = undefined;
    if (returns) this.#readmitted(backend, now);
  }

  #readmitted(backend: BackendState, now: Nanoseconds): void {
    this.startSlowly(backend, now);
    this.#context.refresh(backend);
    this.#announcer.backendReadmitted(backend.id, now);
  }

  #grow(backend: BackendState, now: Nanoseconds): void {
    const { slowStart } = backend;
    slowStart?.passTime(now);
    if (slowStart?.finished) backend.slowStart = undefined;
    this.#weigh(backend);
  }

  #weigh(backend: BackendState): void {
    const weight = backend.fullWeight * (backend.slowStart?.share ?? 1);
    if (weight === backend.weight) return;
    backend.weight = weight;
    this.#context.reweighed(backend);
  }
}
