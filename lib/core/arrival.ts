import type { Admission } from "./admission.ts";
import { assert } from "./assert.ts";
import type { RefusalReason } from "./events.ts";
import type { Lease, Refusal } from "./lease.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Nanoseconds } from "./time.ts";
import type { Waiting } from "./waiting.ts";

/**
 * A client that has connected and has something to say before it is sent on: a PROXY header, a TLS
 * handshake. It counts among the connections from the moment it comes and, as soon as it is let in, for
 * its own limits: who says nothing takes a place, too. It ends exactly once: by `acquire`, `turnAway`, or
 * not being let in.
 */
export class Arrival {
  /** Number of the client's connection, from 1. */
  readonly connection: number;
  /** The client's address, as far as it is known. */
  client: string;
  /** Where its client is counted, if anywhere. @internal */
  admission: Admission | undefined;
  #isLetIn = false;
  #ended = false;
  readonly #scheduler: Scheduler;

  /** @internal Arrivals come from `Scheduler.arrive`. */
  constructor(scheduler: Scheduler, connection: number, client: string) {
    this.#scheduler = scheduler;
    this.connection = connection;
    this.client = client;
  }

  /** It is known who the client is. Why it may not come in; undefined if it may. */
  letIn(client: string, now: Nanoseconds): Refusal | undefined {
    assert(!this.#isLetIn && !this.#ended, "an arrival is let in at most once");
    this.client = client;
    const refusal = this.#scheduler._letIn(this, now);
    this.#isLetIn = refusal === undefined;
    this.#ended = !this.#isLetIn;
    return refusal;
  }

  /** It has said all: as `Scheduler.acquire`, but for what has been looked at already. */
  acquire(now: Nanoseconds): Lease | Waiting | Refusal {
    assert(this.#isLetIn, "who acquires has been let in");
    this.#end();
    return this.#scheduler._arrived(this, now);
  }

  /** It cannot be served. */
  turnAway(reason: RefusalReason, now: Nanoseconds, detail?: string): Refusal {
    this.#end();
    return this.#scheduler._turnedAway(this, reason, now, detail);
  }

  #end(): void {
    assert(!this.#ended, "an arrival ends exactly once");
    this.#ended = true;
  }
}
