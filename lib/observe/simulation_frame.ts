/** The data that only a simulation can show, besides the frames that a live balancer has, too. */
/**
 * The present state of the backends. Each column has one number for each backend, in the order of `ids`: first the
 * backends of the configuration, then those that were added. A removed backend keeps its place.
 */
export interface Truth {
  readonly ids: readonly string[];
  /** Bits: 1 crashed, 2 silent (hang), 4 paused, 8 gray, 16 cut off from some balancer, 32 has any fault. */
  readonly state: Uint8Array;
  /** The work per second and slot, including faults: 0 means stopped, 1 is the normal speed. */
  readonly speed: Float32Array;
  /** Infinity: unlimited. */
  readonly slots: Float32Array;
  readonly busy: Float32Array;
  /** Requests in the backend's own queue. */
  readonly waiting: Float32Array;
  /** Places in that queue. Infinity: unlimited. */
  readonly queue: Float32Array;
  /** Share of requests that end in an error. */
  readonly fail_rate: Float32Array;
  /** Words for the present faults: `crash`, `slow ×5`; empty if there are none. */
  readonly faults: readonly string[];
  /** 1 if it is in the configuration of the balancers at present. */
  readonly configured: Uint8Array;
}

/** The state of the backends as a balancer sees it. Columns are in the order of `Truth.ids`. */
export interface Beliefs {
  readonly listening: boolean;
  /** Clients that wait for a backend. */
  readonly waiting: number;
  /** Indices into `CONDITIONS` of lib/observe; 255: not in the configuration. */
  readonly condition: Uint8Array;
  readonly available: Uint8Array;
  readonly in_flight: Float32Array;
  /** Infinity: no limit. */
  readonly limit: Float32Array;
  /** The weight that the algorithm uses: less than the configured weight during a slow start. */
  readonly weight: Float32Array;
}

/** Requests since the end of the warm-up. */
export interface Counts {
  readonly offered: number;
  readonly done: number;
  readonly failed: number;
  readonly refused: number;
  readonly timed_out: number;
  /** Attempts beyond the first. */
  readonly retried: number;
}

/** The phases of a request, in the order of their numbers in `Dots.phase`. */
export const PHASES = [
  /** From the client to the balancer. */
  "to balancer",
  /** It waits at the balancer until a backend has a free place. */
  "queued at balancer",
  /** The balancer connects to the backend. */
  "connecting",
  /** From the balancer to the backend. */
  "to backend",
  /** It waits in the backend's queue. */
  "queued at backend",
  "in service",
  /** The answer is on its way back. */
  "returning",
  /** An error or a refusal is on its way back to the client. */
  "failing",
  /** The client waits before it tries again. */
  "before retry",
  /** The message is held back: the backend is silent or paused, or the network is cut. */
  "stuck",
  /** The connection is open, and its client thinks before the next request. */
  "thinking",
] as const;

/** A phase of a request. */
export type Phase = (typeof PHASES)[number];

/** The value of `backend` or `balancer` for a dot that has none. */
export const NONE = 0xffff;

/** The requests in progress, as columns: entry i of each is dot i. */
export interface Dots {
  readonly count: number;
  /** Identifies a request while it is in progress: the same number in the next frame is the same request. */
  readonly number: Uint32Array;
  /** Indices into `PHASES`. */
  readonly phase: Uint8Array;
  /** The progress of the phase, from 0 to 1; NaN if its end is unknown (waiting, stuck). */
  readonly progress: Float32Array;
  /** How long it has been in this phase, in virtual milliseconds. */
  readonly since_ms: Float32Array;
  /**
   * Its place in the queue in which it waits, from 0; or the number of the slot that serves it. NaN in other phases.
   */
  readonly place: Float32Array;
  /** Index of its client: from 0 to `Opened.clients` − 1. */
  readonly client: Uint32Array;
  readonly balancer: Uint16Array;
  readonly backend: Uint16Array;
  /** 1 for the first attempt. */
  readonly attempt: Uint8Array;
}

/** Requests per virtual second between clients, balancers and backends, over the last fraction of a real second. */
export interface Flows {
  /** For each balancer: requests from clients. */
  readonly to_balancer: Float32Array;
  /**
   * For each balancer and backend: connections that reached the backend. The index is `balancer × ids.length +
   * backend`.
   */
  readonly to_backend: Float32Array;
  /** For each backend: finished requests, and attempts that failed there. */
  readonly done: Float32Array;
  readonly failed: Float32Array;
  /** For each balancer: clients that were refused. */
  readonly refused: Float32Array;
}
