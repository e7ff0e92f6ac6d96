import { assert } from "./assert.ts";
import type { Backend } from "./backend.ts";
import { Ejection } from "./ejection.ts";
import { type EventStream, toMs } from "./events.ts";
import type { SchedulerOptions } from "./scheduler_options.ts";
import type { Nanoseconds } from "./time.ts";

/** A growing weight goes up in so many steps: algorithms need not hear of every instant. */
const SLOW_START_STEPS = 20;

/** What there is of rules for it. */
export type RecoveryRules = Pick<SchedulerOptions, "ejection" | "slowStart">;

/** What it needs of the scheduler. */
export interface RecoveryContext {
  readonly backends: readonly Backend[];
  activeServers(): readonly string[];
  /** Whether clients may be sent there has changed. */
  refresh(backend: Backend): void;
  /** Its weight has changed. */
  reweighed(backend: Backend): void;
}

/**
 * What time alone changes. A backend whose connects fail is ejected and returns after a while; one that has
 * recovered gains weight little by little: `weight · max(floor, time since it recovered / duration)`.
 *
 * Source: Envoy, outlier detection and slow start mode; HAProxy, `slowstart`.
 */
export class Recovery {
  #rules: RecoveryRules;
  readonly #events: EventStream;
  readonly #context: RecoveryContext;
  /** Those that time will change. */
  readonly #passing = new Set<Backend>();

  constructor(rules: RecoveryRules, events: EventStream, context: RecoveryContext) {
    this.#rules = rules;
    this.#events = events;
    this.#context = context;
  }

  /** Somebody is ejected, or starts slowly: time must be told of by `passTime`. */
  get underWay(): boolean {
    return this.#passing.size > 0;
  }

  /** Other rules from now on: `adapt` is to follow for each backend. */
  configure(rules: RecoveryRules): void {
    this.#rules = rules;
  }

  /** Goes by the present rules with a backend that had others. */
  adapt(backend: Backend, now: Nanoseconds): void {
    const { ejection, slowStart } = this.#rules;
    if (ejection === undefined) this.#pardon(backend, now);
    else if (backend.ejection === undefined) backend.ejection = new Ejection(ejection);
    else backend.ejection.rules = ejection;
    if (slowStart === undefined) backend.warmingSince = undefined;
  }

  /** A connect failed: leaves its backend out for a while if that is enough, unless too many are out. */
  connectFailed(backend: Backend, now: Nanoseconds): void {
    if (backend.ejection?.failed() && !backend.removed) this.#eject(backend, backend.ejection, now);
  }

  /** A backend has recovered: it gets its weight back little by little. */
  startSlowly(backend: Backend, now: Nanoseconds): void {
    if (this.#rules.slowStart === undefined || backend.fullWeight === 0) return;
    backend.warmingSince = now;
    this.#passing.add(backend);
    this.#warm(backend, now);
  }

  /** A backend is no more. */
  forget(backend: Backend): void {
    this.#passing.delete(backend);
  }

  /** The ejected return when it is time, and those that start slowly gain weight. */
  passTime(now: Nanoseconds): void {
    for (const backend of this.#passing) {
      if (backend.ejection?.ejected && now >= backend.ejection.until) {
        backend.ejection.readmit();
        this.#readmitted(backend, now);
      }
      if (backend.warmingSince !== undefined) this.#warm(backend, now);
      const waits = backend.ejection?.ejected || backend.warmingSince !== undefined;
      if (!waits) this.#passing.delete(backend);
    }
  }

  #eject(backend: Backend, ejection: Ejection, now: Nanoseconds): void {
    const { backends } = this.#context;
    const out = backends.filter((other) => other.ejection?.ejected).length;
    if (out + 1 > ejection.rules.maxShare * backends.length) return;
    const { failures } = ejection;
    const duration = ejection.eject(now);
    this.#passing.add(backend);
    this.#context.refresh(backend);
    this.#events.emit({
      type: "backend_ejected",
      at_ms: toMs(now),
      backend: backend.id,
      failures,
      ejected_for_ms: toMs(duration),
      active_servers: this.#context.activeServers(),
    });
  }

  /** Nobody is ejected any more. */
  #pardon(backend: Backend, now: Nanoseconds): void {
    const returns = backend.ejection?.ejected;
    backend.ejection = undefined;
    if (returns) this.#readmitted(backend, now);
  }

  #readmitted(backend: Backend, now: Nanoseconds): void {
    this.#context.refresh(backend);
    this.#events.emit({
      type: "backend_readmitted",
      at_ms: toMs(now),
      backend: backend.id,
      active_servers: this.#context.activeServers(),
    });
  }

  #warm(backend: Backend, now: Nanoseconds): void {
    const { slowStart } = this.#rules;
    assert(
      slowStart !== undefined && backend.warmingSince !== undefined,
      "who starts slowly has rules for it",
    );
    const passed = Math.min(1, (now - backend.warmingSince) / slowStart.duration);
    const grown = Math.floor(passed * SLOW_START_STEPS) / SLOW_START_STEPS;
    if (grown === 1) backend.warmingSince = undefined;
    const weight = backend.fullWeight * Math.max(slowStart.floor, grown);
    if (weight === backend.weight) return;
    backend.weight = weight;
    this.#context.reweighed(backend);
  }
}
