import type { Admission } from "./admission/mod.ts";
import { assert, type Nanoseconds } from "../base/mod.ts";
import type { RefusalReason } from "./events/mod.ts";
import type { Lease, Refusal } from "./lease.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Waiting } from "./waiting.ts";

/**
 * A client that has connected and does not acquire yet: its PROXY header or TLS handshake is awaited, or a
 * store is asked for its session. It counts among the connections from the moment it comes and, as soon as
 * it is let in, for its own limits. It ends exactly once: by `acquire`, `turnAway`, or not being let in.
 */
export class Arrival {
  /** Number of the client's connection, from 1. */
  readonly connection: number;
  /** The client's address, as far as it is known. */
  client: string;
  /** Where its client is counted, if anywhere. @internal */
  admission: Admission | undefined;
  #isLetIn: boolean;
  #ended = false;
  readonly #scheduler: Scheduler;

  /** @internal Arrivals come from `Scheduler.admit` and `Scheduler.arrive`. */
  constructor(
    scheduler: Scheduler,
    connection: number,
    client: string,
    admission: Admission | undefined,
    isLetIn: boolean,
  ) {
    this.#scheduler = scheduler;
    this.connection = connection;
    this.client = client;
    this.admission = admission;
    this.#isLetIn = isLetIn;
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
