import { type Aged, assert, type Nanoseconds } from "../base/mod.ts";
import type { Admission } from "./admission/mod.ts";
import type { Lease, Refusal } from "./lease.ts";
import type { Scheduler } from "./scheduler.ts";

/** Where clients wait while every backend that could take them is full. */
export interface QueueRules {
  /** So many may wait; more are refused. */
  readonly length: number;
  /** For so long at most. */
  readonly timeout: Nanoseconds;
}

/**
 * A client that waits, first in, first out, for a backend to have room. It ends exactly once: the
 * scheduler settles it, or its driver calls `leave`.
 */
export class Waiting implements Aged<Waiting> {
  readonly granted = false;
  /** Number of the client's connection, from 1. */
  readonly connection: number;
  /** The client's address, as it came. */
  readonly client: string;
  /** Since when it waits. */
  readonly since: Nanoseconds;
  /** It is refused if it still waits then. @internal */
  until: Nanoseconds;
  /**
   * Called once, with the lease of a backend that has room, or a refusal: it has waited for too long, no
   * backend can have room any more, or the scheduler stops. The driver sets it before it calls the
   * scheduler again, and does not call the scheduler from it.
   */
  settled: ((outcome: Lease | Refusal, now: Nanoseconds) => void) | undefined;
  /** The connect that failed before it had to wait, if any. @internal */
  readonly failed: Lease | undefined;
  /** Where its client is counted, if anywhere. @internal */
  readonly admission: Admission | undefined;
  /** @internal */
  older: Waiting | undefined;
  /** @internal */
  younger: Waiting | undefined;
  #ended = false;
  readonly #scheduler: Scheduler;

  /** @internal Clients that wait come from `Scheduler.acquire`. */
  constructor(
    scheduler: Scheduler,
    connection: number,
    client: string,
    since: Nanoseconds,
    until: Nanoseconds,
    failed: Lease | undefined,
    admission: Admission | undefined,
  ) {
    this.#scheduler = scheduler;
    this.connection = connection;
    this.client = client;
    this.since = since;
    this.until = until;
    this.failed = failed;
    this.admission = admission;
  }

  /** How many backends it has tried before it had to wait. */
  get attempts(): number {
    return this.failed?.attempt ?? 0;
  }

  /** The client has gone. */
  leave(now: Nanoseconds): void {
    this.end();
    this.#scheduler._left(this, now);
  }

  /** @internal */
  end(): void {
    assert(!this.#ended, "a client that waits is settled or leaves exactly once");
    this.#ended = true;
  }
}
