import type { Candidate } from "../algorithms/mod.ts";
import { Ejection, type EjectionRules } from "./ejection.ts";
import { Health, type HealthRules } from "./health.ts";
import type { SlowStart } from "./slow_start.ts";
import type { Nanoseconds } from "../../base/mod.ts";

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
  /** Where it is. It serves to tell whether a backend of the same name is the same one. */
  readonly address?: { readonly host: string; readonly port: number } | undefined;
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
  /** Where it is. Under another address it is another backend. */
  readonly address: BackendOptions["address"];
  index = 0;
  order = 0;
  backup = false;
  maxConnections = Infinity;
  /** Its weight in the configuration. */
  fullWeight = 0;
  /** Its weight now: less than the full one while it starts slowly. */
  weight = 0;
  /** What its probes say. */
  health: Health;
  /** What the operator wants. Apart from health: neither changes the other. */
  mode: BackendMode = "ready";
  /** Connections being opened to it and open on it. Never reset by a probe. */
  inFlight = 0;
  /** Connections that reached it, since the start. */
  connections = 0;
  /** Connects to it that failed, since the start. */
  connectFailures = 0;
  /** How it behaves towards connects; keeps it out for a while if they fail too often. */
  ejection: Ejection | undefined;
  /** How far it has come in a slow start; undefined if it is in none. */
  slowStart: SlowStart | undefined;
  /** Whether probes look after it. */
  probed = true;
  /** When a probe or a connect last succeeded, */
  provenAt: Nanoseconds = -Infinity;
  /** and when one last failed. */
  failedAt: Nanoseconds = -Infinity;
  /** It has left the configuration; it is counted to the end, but no algorithm knows it any more. */
  removed = false;
  /** Set while a connection that has tried it in vain looks for another. */
  excluded = false;
  /** Kept by the scheduler: the one question that algorithms ask. */
  available = false;

  constructor(options: BackendOptions, rules: HealthRules, ejection?: EjectionRules) {
    this.id = options.id;
    this.address = options.address;
    this.health = new Health(rules);
    this.join(options, rules, ejection);
  }

  /**
   * It joins the configuration, or joins it again: nothing is known of it but what is in flight, and how
   * many connections it has had.
   */
  join(options: BackendOptions, rules: HealthRules, ejection?: EjectionRules): void {
    this.backup = options.backup;
    this.mode = options.mode ?? "ready";
    this.maxConnections = options.maxConnections ?? Infinity;
    this.fullWeight = options.weight;
    this.weight = options.weight;
    this.health = new Health(rules);
    this.ejection = ejection && new Ejection(ejection);
    this.slowStart = undefined;
    this.provenAt = -Infinity;
    this.failedAt = -Infinity;
    this.removed = false;
  }

  /** Whether these options are about it, and not about another backend of the same name. */
  isMeantBy({ id, address }: BackendOptions): boolean {
    return id === this.id && address?.host === this.address?.host &&
      address?.port === this.address?.port;
  }

  /** At its limit of connections. */
  get full(): boolean {
    return this.inFlight >= this.maxConnections;
  }

  /** Healthy, not ejected and enabled; it may still be full. */
  get active(): boolean {
    return this.healthy && this.mode === "ready";
  }

  /** Whether new clients may come there, were it not full. */
  get serves(): boolean {
    return this.active && this.fullWeight > 0;
  }

  /** Whether clients that are pinned to it could come there, were it not full: also if it drains or has weight 0. */
  get works(): boolean {
    return this.healthy && this.mode !== "maintenance";
  }

  /** Up by its probes, and not ejected for failed connects. */
  get healthy(): boolean {
    return this.health.state === "up" && this.ejection?.ejected !== true;
  }

  /**
   * Whether it works, by what is known since then: a probe or a connect has succeeded since then, and none
   * has failed since that. If it is not probed, no evidence comes by itself, and none is asked for unless
   * it has failed.
   */
  hasProvenSince(time: Nanoseconds): boolean {
    const since = this.probed ? Math.max(time, this.failedAt) : this.failedAt;
    return since === -Infinity || this.provenAt > since;
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
