import { type Nanoseconds, NS_PER_MS } from "../../lib/base/mod.ts";
import {
  EVENT_TYPES,
  type EventStream,
  type EventType,
  type LbEvent,
  type PickDetails,
  type PickExplained,
  type Scheduler,
} from "../../lib/core/mod.ts";
import { Monitor } from "../../lib/observe/mod.ts";
import type { ExplainedPick } from "./shown_run.ts";

/** The events of single connections, which are too many to be sent. */
const OF_CONNECTIONS: readonly EventType[] = [
  ...["connection_arrived", "connection_opened", "connection_queued"] as const,
  ...["connection_dequeued", "connection_refused", "connection_left"] as const,
  ...["connection_closed", "connect_failed", "pick_explained", "probe"] as const,
  ...["session_pinned", "session_adopted", "session_evicted"] as const,
];
const REPORTED = EVENT_TYPES.filter((type) => !OF_CONNECTIONS.includes(type));
const HEALTH = ["backend_up", "backend_down", "backend_ejected", "backend_readmitted"] as const;
/** Events of one run that are kept until they are sent. */
const EVENTS_MAX = 200;
/** The number of balancers that are observed for the dashboard's components. */
const MONITORS_MAX = 8;

/** A balancer of a run. */
export interface Observed {
  readonly events: EventStream;
  /** The present scheduler: after a restart, the balancer has another one. */
  readonly scheduler: Scheduler;
}

/** The latest events of the balancers of a run, and the explanations of their picks. */
export class RunEvents {
  /** The latest event in which a balancer marked a backend as up or down, or ejected or readmitted it. */
  lastHealthChange: LbEvent | undefined;
  /** The monitors of the first balancers. */
  readonly monitors: readonly Monitor[];
  #latest: LbEvent[] = [];
  #lost = 0;
  readonly #balancers: readonly Observed[];
  /** How many readers of explained picks there are. */
  #explains = 0;
  #steps = 0;
  /** For each balancer: the data from which its algorithm decides, before the step with this number. */
  #detailsBefore: readonly { readonly step: number; readonly details: PickDetails | undefined }[];

  constructor(balancers: readonly Observed[]) {
    this.#balancers = balancers;
    this.#detailsBefore = balancers.map(() => ({ step: -1, details: undefined }));
    this.monitors = balancers.slice(0, MONITORS_MAX).map((balancer) => {
      const monitor = new Monitor(balancer.events);
      monitor.observe(tablesOf(balancer), 0);
      return monitor;
    });
    for (const { events } of balancers) {
      events.subscribe("playground", HEALTH, (event) => void (this.lastHealthChange = event));
      events.subscribe("playground", REPORTED, (event) => this.add(event));
    }
  }

  add(event: LbEvent): void {
    if (this.#latest.length === EVENTS_MAX) {
      this.#latest.shift();
      this.#lost++;
    }
    this.#latest.push(event);
  }

  /** The events since the last call, and how many were dropped because there were too many. */
  take(): { readonly events: LbEvent[]; readonly lost: number } {
    const taken = { events: this.#latest, lost: this.#lost };
    this.#latest = [];
    this.#lost = 0;
    return taken;
  }

  /** A single event will happen. Picks in it are explained by the state before it. */
  stepBegins(now: Nanoseconds, isHashed: boolean): void {
    this.#steps++;
    // The ring or the table of a hash algorithm is large. A pick does not change it, so it is read
    // after the pick.
    if (this.#explains === 0 || isHashed) return;
    this.#detailsBefore = this.#balancers.map(({ scheduler }) => ({
      step: this.#steps,
      details: scheduler.pickDetails("", now),
    }));
  }

  /** The single event has happened. */
  stepEnded(): void {
    this.#steps++;
  }

  /** Calls `read` for every pick from now on, until the returned function is called. */
  explainPicks(read: (pick: ExplainedPick) => void): () => void {
    const ends = this.#balancers.map((balancer, index) =>
      balancer.events.subscribe("playground", ["pick_explained"], (event) => {
        const { step, details } = this.#detailsBefore[index]!;
        read({
          balancer: index,
          event,
          details: step === this.#steps ? details ?? null : detailsAt(balancer, event) ?? null,
        });
      })
    );
    this.#explains++;
    return () => {
      this.#explains--;
      ends.forEach((end) => end());
    };
  }
}

function detailsAt({ scheduler }: Observed, { client, at_ms }: PickExplained) {
  return scheduler.pickDetails(client, Math.round(at_ms * NS_PER_MS));
}

/** The tables of a balancer's present scheduler. */
function tablesOf(balancer: Observed) {
  return {
    get backends() {
      return balancer.scheduler.backends;
    },
    get activeServers() {
      return balancer.scheduler.activeServers;
    },
    get connections() {
      return balancer.scheduler.connections;
    },
    get waiting() {
      return balancer.scheduler.waiting;
    },
    get sessionCount() {
      return balancer.scheduler.sessionCount;
    },
    backend: (id: string) => balancer.scheduler.backend(id),
  };
}
