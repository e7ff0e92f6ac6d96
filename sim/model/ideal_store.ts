import {
  type Backend,
  type Scheduler,
  type Session,
  SessionMap,
  type StickyRules,
} from "../../lib/core/mod.ts";
import type { Nanoseconds } from "../../lib/base/mod.ts";
import type { Balancer } from "../../lib/scenario/types.ts";

/**
 * An ideal store of sessions: it gets every change at once, answers at once and never fails. It survives the restarts
 * of balancers.
 */
export class IdealStore {
  readonly #sessions: SessionMap<string>;

  constructor(rules: StickyRules) {
    this.#sessions = new SessionMap(rules);
  }

  /** Stores every change of a session of a balancer's scheduler from now on. */
  follow(scheduler: Scheduler): void {
    scheduler.onSessionUse = (session, change, now) => this.#write(session, change, now);
  }

  /** Gives the scheduler the session of a client that arrives, if the scheduler needs to ask for it. */
  tell(scheduler: Scheduler, client: string, now: Nanoseconds): void {
    const key = scheduler.sessionToAskFor(client, now);
    const session = key === undefined ? undefined : this.#sessions.find(key, now);
    if (session === undefined) return;
    scheduler.adopt({ ...session, usedAt: session.open > 0 ? now : session.usedAt }, now);
  }

  #write(
    { key, backend, home, changedAt }: Session<Backend>,
    change: 1 | -1,
    now: Nanoseconds,
  ): void {
    const record = { key, backend: backend.id, home: home.id, changedAt, usedAt: now };
    this.#sessions.adopt(record, now);
    const session = this.#sessions.find(key, now);
    if (session === undefined) return;
    if (change === 1) this.#sessions.opened(session, now);
    // If a session was evicted while it was in use, its count started again from 0.
    else if (session.open > 0) this.#sessions.closed(session, now);
  }
}

/**
 * The stores of a scenario's balancers: one shared store, or one each; undefined where sessions are in memory
 * only and end with their balancer.
 */
export function idealStoresOf(
  { sticky }: Balancer,
  loadBalancers: number,
): readonly (IdealStore | undefined)[] {
  const store = sticky?.store ?? "memory";
  if (sticky === undefined || store === "memory") return Array(loadBalancers).fill(undefined);
  if (store.redis !== undefined) return Array(loadBalancers).fill(new IdealStore(sticky));
  return Array.from({ length: loadBalancers }, () => new IdealStore(sticky));
}
