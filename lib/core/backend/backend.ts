import type { Candidate } from "../algorithms/mod.ts";
import { Ejection, type EjectionRules } from "./ejection.ts";
import { Health, type HealthRules } from "./health.ts";
import type { SlowStart } from "./slow_start.ts";
import type { Nanoseconds } from "../../base/mod.ts";

/** The operator's settings of a backend. */
export interface BackendOptions {
  readonly id: string;
  /** Its share of the load, relative to the others. With weight 0 it gets no new client. */
  readonly weight: number;
  /** At this many connections in flight it is full; no limit if left out. */
  readonly maxConnections?: number | undefined;
  /** Used only while no other backend is available. */
  readonly backup: boolean;
  /** `ready` if left out. */
  readonly mode?: BackendMode | undefined;
  /** Where it listens. Two backends with the same name and different addresses are different backends. */
  readonly address?: { readonly host: string; readonly port: number } | undefined;
}

/**
 * The operator's wish for a backend. `ready`: use it. `drain`: no new clients; open connections may finish.
 * `maintenance`: no new connections and no probes.
 */
export type BackendMode = "ready" | "drain" | "maintenance";

/** A backend as drivers see it: the scheduler alone changes it. */
export interface Backend extends Candidate {
  /** Where it listens. A backend with another address is another backend. */
  readonly address: BackendOptions["address"];
  readonly backup: boolean;
  /** At this many connections in flight it is full; Infinity if there is no limit. */
  readonly maxConnections: number;
  /** Its weight in the configuration; `weight` is less while it starts slowly. */
  readonly fullWeight: number;
  /** The result of its probes. */
  readonly health: Pick<Readonly<Health>, "state" | "streak">;
  /** The operator's wish. It is independent of the health: a change of one does not change the other. */
  readonly mode: BackendMode;
  /** Connections that reached it, since the start. */
  readonly connections: number;
  /** Connects to it that failed, since the start. */
  readonly connectFailures: number;
  /** Passive ejection: the backend gets no clients for a while if connects to it fail too often. */
  readonly ejection: Pick<Readonly<Ejection>, "ejected" | "until" | "failures"> | undefined;
  /** The progress of its slow start; undefined while there is none. */
  readonly slowStart: Pick<Readonly<SlowStart>, "share" | "nextStepAt"> | undefined;
  /** When a probe or a connect last succeeded; −Infinity if none has. */
  readonly provenAt: Nanoseconds;
  /** When a probe or a connect last failed; −Infinity if none has. */
  readonly failedAt: Nanoseconds;
  /**
   * Whether it was removed from the configuration. Its open connections still count, but no algorithm picks it.
   */
  readonly removed: boolean;
}

/** A backend as the scheduler keeps it. */
export class BackendState implements Backend {
  readonly id: string;
  readonly address: BackendOptions["address"];
  index = 0;
  order = 0;
  backup = false;
  maxConnections = Infinity;
  fullWeight = 0;
  weight = 0;
  health: Health;
  mode: BackendMode = "ready";
  /** Its connections: those that are being opened, and those that are open. A probe never resets the number. */
  inFlight = 0;
  connections = 0;
  connectFailures = 0;
  ejection: Ejection | undefined;
  slowStart: SlowStart | undefined;
  /** Whether it is probed. */
  probed = true;
  provenAt: Nanoseconds = -Infinity;
  failedAt: Nanoseconds = -Infinity;
  removed = false;
  /** The result of `isAvailable` that the algorithm was notified of last. */
  available = false;

  constructor(options: BackendOptions, rules: HealthRules, ejection?: EjectionRules) {
    this.id = options.id;
    this.address = options.address;
    this.health = new Health(rules);
    this.join(options, rules, ejection);
  }

  /**
   * It joins the configuration, for the first time or again. It keeps only its counts: connections in flight,
   * connections so far, and failed connects.
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

  /** Whether these options belong to this backend, and not to another backend with the same name. */
  isMeantBy({ id, address }: BackendOptions): boolean {
    return id === this.id && address?.host === this.address?.host &&
      address?.port === this.address?.port;
  }

  /**
   * Whether a probe or a connect has succeeded since this time, and none has failed after that success.
   * A backend without probes must prove this only if a connect to it has failed.
   */
  hasProvenSince(time: Nanoseconds): boolean {
    const since = this.probed ? Math.max(time, this.failedAt) : this.failedAt;
    return since === -Infinity || this.provenAt > since;
  }
}
