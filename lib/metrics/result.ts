import type { Nanoseconds } from "../base/mod.ts";
import type { RefusalReason } from "../core/mod.ts";
import type { HistogramData } from "../stats/mod.ts";

/** Why a client was refused: the scheduler's reason, or that its balancer was down. */
export type RefusalCause = RefusalReason | "balancer_down";

/** Counts of requests. Each request that was offered ends in exactly one way, or is still in flight. */
export interface RequestCounts {
  offered: number;
  done: number;
  failed: number;
  refused: number;
  timedOut: number;
  /** Attempts beyond the first of a request. */
  retried: number;
  /** Done within the client's timeout, counted from when the client first wanted to send the request. */
  inTime: number;
}

/**
 * The results of one replication, as plain data: they can be written as JSON, and sent between threads, without a
 * change. Times are in nanoseconds. Unless stated otherwise, a field covers the window: from the end of the warm-up
 * until clients stop.
 */
export interface ReplicationResult {
  readonly seed: number;
  /** Events of the simulation: the size of the job. */
  readonly events: number;
  readonly window: { readonly from: Nanoseconds; readonly to: Nanoseconds };
  /** When the last request that was measured had ended. */
  readonly endedAt: Nanoseconds;
  /** Connections that clients began. */
  readonly connections: number;
  /** Requests that began in the window, and how they ended. */
  readonly requests: Readonly<RequestCounts> & {
    /** Requests that had not ended at the last event of the run. */
    readonly unfinished: number;
  };
  /** How often a client was refused, by reason. Each attempt counts. */
  readonly turnedAway: Readonly<Partial<Record<RefusalCause, number>>>;
  /** Requests that ended because no data had moved on their connection for `timeouts.idle`. */
  readonly idleCuts: number;
  /** Requests done per second of the window, including those that began before it. */
  readonly throughput: number;
  /** From when a client first wanted to send a request to the end of its answer; requests done only. */
  readonly sojourn: HistogramData;
  /** Time in a backend's queue; 0 under processor sharing. */
  readonly wait: HistogramData;
  readonly backends: readonly BackendResult[];
  /** How unevenly connections were spread over the backends that should get clients, relative to their weights. */
  readonly imbalance: Imbalance;
  readonly faults: readonly FaultResult[];
  /** How often a balancer marked a backend without a fault as down. */
  readonly falseDowns: number;
  /** For connections whose first connect failed: the time from the first pick until another backend was reached. */
  readonly failover: HistogramData;
  /** Sessions that changed their backend, over the whole run. */
  readonly sessionsMoved: { readonly failover: number; readonly failback: number };
  /** Readers of events that failed because of a defect: their counts are incomplete. */
  readonly readerFailures?: readonly string[];
  /** The time series; only on request. */
  readonly series?: Series;
}

/** The results of one backend. */
export interface BackendResult {
  readonly id: string;
  /** Connections that reached it. */
  readonly connections: number;
  /** Its share of all connections that reached a backend. */
  readonly share: number;
  readonly done: number;
  /** Attempts that ended there in an error, a reset or the client's timeout. */
  readonly failed: number;
  /** The average number of busy slots; `utilisation` is this number divided by the number of its slots. */
  readonly meanBusy: number;
  readonly utilisation: number;
  /** Requests in its queue, on average. */
  readonly meanQueue: number;
  /** Connections in flight to it, on average, as the balancers count them. */
  readonly meanInFlight: number;
  /** Share of the time for which balancers marked it as down, averaged over balancers. */
  readonly downShare: number;
  /** How often a balancer marked it as down. */
  readonly downs: number;
}

/** How unevenly something is spread. */
export interface Imbalance {
  readonly maxOverMean: number;
  readonly coefficientOfVariation: number;
}

/** How the balancers detected a fault of a backend and its end. */
export interface FaultResult {
  readonly backend: string;
  readonly kind: string;
  readonly at: Nanoseconds;
  /** Absent if it lasts to the end of the run. */
  readonly until?: Nanoseconds;
  /**
   * For each balancer: the time from the beginning of the fault until the balancer marked the backend as down; 0 if
   * it was marked already, null if it was never marked.
   */
  readonly detection: readonly (Nanoseconds | null)[];
  /**
   * For each balancer: the time from the end of the fault until the balancer marked the backend as up; 0 if it was
   * marked already, null if it was never marked.
   */
  readonly failback: readonly (Nanoseconds | null)[];
}

/** Averages over slices of time, from the start of the run. Entry `i` of each list is slice `i`. */
export interface Series {
  readonly interval: Nanoseconds;
  /** Requests that ended in the slice: done, or with an error. */
  readonly done: readonly number[];
  readonly errors: readonly number[];
  readonly meanSojourn: readonly (number | null)[];
  /** The first backends, up to a bound. */
  readonly backends: readonly {
    readonly inFlight: readonly number[];
    readonly queue: readonly number[];
    readonly busy: readonly number[];
    /** Share of the time for which the balancers marked it as up. */
    readonly up: readonly number[];
  }[];
  /** Every change of a balancer's marking of a backend, up to a bound. */
  readonly health: readonly {
    readonly at: Nanoseconds;
    readonly balancer: number;
    readonly backend: number;
    readonly up: boolean;
  }[];
}
