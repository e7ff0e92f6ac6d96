import type { Candidate } from "./algorithms/algorithm.ts";
import { Ejection, type EjectionRules } from "./ejection.ts";
import { Health, type HealthRules } from "./health.ts";
import type { Nanoseconds } from "./time.ts";

/** What the operator says of a backend. */
export interface BackendOptions {
  readonly id: string;
  /** Share of the load it should get, relative to the others; at 0 it gets no new client. */
  readonly weight: number;
  /** At this many connections in flight it is full; no limit if left out. */
  readonly maxConnections?: number | undefined;
  /** Used only while no other backend is available. */
  readonly backup: boolean;
  /** `ready` if left out. */
  readonly mode?: BackendMode | undefined;
}

/** Whether clients are meant to come there while all is well: it is no backup, and not taken out. */
export function takesClients({ backup, weight, mode = "ready" }: BackendOptions): boolean {
  return !backup && weight > 0 && mode === "ready";
}

/**
 * What the operator wants of a backend. `ready`: use it. `drain`: nothing new, what is there may
 * finish. `maintenance`: nothing new and no probes.
 */
export type BackendMode = "ready" | "drain" | "maintenance";

/** A backend as the scheduler sees it. Others read it; only the scheduler writes. */
export class Backend implements Candidate {
  readonly id: string;
  readonly index: number;
  order: number;
  backup: boolean;
  maxConnections: number;
  /** Its weight in the configuration. */
  fullWeight: number;
  /** Its weight now: less than the full one while it starts slowly. */
  weight: number;
  /** What its probes say. */
  readonly health: Health;
  /** What the operator wants. Apart from health: neither changes the other. */
  mode: BackendMode;
  /** Connections being opened to it and open on it. Never reset by a probe. */
  inFlight = 0;
  /** Connections that reached it, since the start. */
  connections = 0;
  /** Connects to it that failed, since the start. */
  connectFailures = 0;
  /** How it behaves towards connects; keeps it out for a while if they fail too often. */
  ejection: Ejection | undefined;
  /** Since when it starts slowly; undefined if it does not. */
  warmingSince: Nanoseconds | undefined;
  /** When a probe last succeeded: since then it is known to work. */
  provenAt: Nanoseconds = -Infinity;
  /** The scheduler has let go of it; it is counted to the end, but no algorithm knows it any more. */
  removed = false;
  /** Set while a connection that has tried it in vain looks for another. */
  excluded = false;
  /** Kept by the scheduler: the one question that algorithms ask. */
  available = false;

  constructor(
    options: BackendOptions,
    index: number,
    order: number,
    rules: HealthRules,
    ejection?: EjectionRules,
  ) {
    this.id = options.id;
    this.index = index;
    this.order = order;
    this.backup = options.backup;
    this.mode = options.mode ?? "ready";
    this.maxConnections = options.maxConnections ?? Infinity;
    this.fullWeight = options.weight;
    this.weight = options.weight;
    this.ejection = ejection && new Ejection(ejection);
    this.health = new Health(rules);
  }

  /** At its limit of connections. */
  get full(): boolean {
    return this.inFlight >= this.maxConnections;
  }

  /** Healthy, not ejected and enabled; it may still be full. */
  get active(): boolean {
    return this.healthy && this.mode === "ready";
  }

  /** Up by its probes, and not ejected for failed connects. */
  get healthy(): boolean {
    return this.health.state === "up" && this.ejection?.ejected !== true;
  }

  /** Why a new client cannot be sent to it, in words; undefined if it can. */
  get unavailability(): string | undefined {
    if (this.mode !== "ready") return this.mode;
    if (this.health.state !== "up") return this.health.state === "down" ? "down" : "not probed yet";
    if (this.ejection?.ejected) return "ejected";
    if (this.fullWeight === 0) return "weight 0";
    if (this.full) return `full: ${this.inFlight} of ${this.maxConnections}`;
    return this.excluded ? "already tried" : undefined;
  }
}
