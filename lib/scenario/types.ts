/**
 * A scenario as the simulator runs it: times are in nanoseconds, ratios are plain numbers, defaults are filled
 * in, and names are resolved.
 */
import type { HealthRules, SchedulerOptions, StickyRules } from "../core/mod.ts";
import type { Nanoseconds } from "../base/mod.ts";
import type { ServerFault } from "../fault/mod.ts";
import type { Distribution } from "../stats/mod.ts";

export type { Distribution } from "../stats/mod.ts";

/** A scenario: everything that one simulated run depends on, except its seed. */
export interface Scenario {
  readonly balancer: Balancer;
  /** The number of load balancers, at least 1. Each knows only its own connections and probes. */
  readonly loadBalancers: number;
  /** Whether a backend that becomes idle reports this to a random load balancer. */
  readonly idleReports?: boolean;
  /**
   * `redrawn`: hash algorithms place clients differently in every replication, as if backends and clients had
   * other names. Intervals then include the variation of placements. `fixed`, the default: the placement is
   * that of live operation, in every replication.
   */
  readonly hashPlacement?: "redrawn" | "fixed";
  readonly workload: Workload;
  /** The work of a request: its service time at speed 1. */
  readonly service: Distribution;
  /** The behaviour of the backends, in the order of `balancer.backends`. */
  readonly servers: readonly ServerOptions[];
  readonly network: NetworkSettings;
  /** The time that real sockets and event loops add; none if left out. */
  readonly overheads?: Overheads;
  readonly faults: readonly Fault[];
  /** Settings that change during the run, in the order of time; absent if there are none. */
  readonly changes?: readonly Change[];
  /** When clients stop arriving. Requests that have begun by then are completed. */
  readonly end: End;
  /** Requests that begin earlier are not measured. `auto`: found by a pilot run (MSER-5). */
  readonly warmup: Nanoseconds | "auto";
}

/** A change of settings at a time of the run. */
export interface Change {
  readonly at: Nanoseconds;
  /** All settings from then on. Its own changes, faults, end and warm-up are ignored. */
  readonly to: Scenario;
}

/** The end of a run: after a time, or after a number of measured connections. */
export type End =
  | { readonly duration: Nanoseconds }
  | { readonly connections: number };

/** The balancer's settings. The configuration of a live balancer has this type, too. */
export interface Balancer extends SchedulerOptions {
  /** What happens to open connections of a backend that is marked as down; `keep` by default. */
  readonly onDown?: "keep" | "close";
  readonly sticky?: Sticky | undefined;
  readonly healthCheck: HealthRules & {
    readonly type: "tcp" | "expect" | "http" | "none";
    /** A probe without an answer for this long has failed. */
    readonly timeout: Nanoseconds;
  };
  readonly timeouts: {
    /** A connect to a backend without an answer for this long has failed. */
    readonly connect: Nanoseconds;
    /** A connection on which no data moves for this long is closed. May be Infinity. */
    readonly idle: Nanoseconds;
  };
}

/** How clients stick to backends, and where sessions are stored. */
export interface Sticky extends StickyRules {
  /**
   * `memory`, the default: sessions are lost when their balancer restarts. With `redis`, balancers share a store; every
   * other store belongs to one balancer. The simulator does not connect to a store.
   */
  readonly store?: "memory" | { readonly redis?: unknown };
}

/** The clients: when they arrive, what they send, and how long they wait. */
export interface Workload {
  readonly arrivals: Arrivals;
  readonly clients: Clients;
  /** How many requests a client sends on one connection; draws are rounded, and at least 1. */
  readonly requestsPerConnection: Distribution;
  /** The time between an answer and the next request on the same connection. */
  readonly thinkTime: Distribution;
  /** How long a client waits for an answer, from when it begins to connect. May be Infinity. */
  readonly timeout: Nanoseconds;
  readonly retries: ClientRetries;
}

/** The arrivals of connections, not of requests. Rates are per second. */
export type Arrivals =
  /** Arrivals that are independent of each other: the gaps are exponential. */
  | { readonly kind: "poisson"; readonly rate: number }
  /** Evenly spaced; the first arrival is at time 0. */
  | { readonly kind: "deterministic"; readonly rate: number }
  /** Independent gaps with any distribution. */
  | { readonly kind: "renewal"; readonly gap: Distribution }
  /**
   * Poisson with a rate that depends on a state. The time in a state is exponential with mean `stay`; then the
   * next state in the list follows, and the first after the last. The first state is the initial one.
   */
  | {
    readonly kind: "mmpp";
    readonly states: readonly { readonly rate: number; readonly stay: Nanoseconds }[];
  }
  /** Poisson at `rate` for an `on` time, nothing for an `off` time, and so on. The first time is an `on` time. */
  | {
    readonly kind: "on_off";
    readonly rate: number;
    readonly on: Distribution;
    readonly off: Distribution;
  }
  /**
   * Poisson with a rate that rises and falls: `rate · (1 + amplitude · sin(2π · (t / period + phase)))`. The amplitude
   * is from 0 to 1; the phase is a share of the period.
   */
  | {
    readonly kind: "diurnal";
    readonly rate: number;
    readonly amplitude: number;
    readonly period: Nanoseconds;
    readonly phase: number;
  }
  /** A fixed number of clients. Each thinks, connects, gets its answers, closes, and thinks again. */
  | { readonly kind: "closed"; readonly clients: number; readonly think: Distribution }
  /** At recorded times, in ascending order. Each entry may have its own client and its own work. */
  | ({ readonly kind: "trace" } & Trace);

/** Recorded connections. */
export interface Trace {
  /** The connections in the order of their times. */
  readonly entries: readonly TraceEntry[];
  /** The addresses of the clients, by their numbers; absent if the trace has only numbers. */
  readonly addresses?: readonly string[];
}

/** A recorded connection. */
export interface TraceEntry {
  readonly at: Nanoseconds;
  /** Index of its client; drawn if left out. */
  readonly client?: number;
  /** Work of each of its requests; drawn if left out. */
  readonly work?: Nanoseconds;
}

/** The population of clients. It matters for stickiness and hashing. */
export interface Clients {
  /** How many different clients there are; at least 1. */
  readonly count: number;
  /** Exponent of Zipf's law, with which clients are drawn; with 0 all clients are equally frequent. */
  readonly zipf: number;
}

/**
 * What a client does after a request that failed, was refused or timed out. The k-th retry waits `backoff ·
 * multiplier^(k−1)`, varied by up to the share `jitter`.
 */
export interface ClientRetries {
  readonly max: number;
  readonly backoff: Nanoseconds;
  readonly multiplier: number;
  readonly jitter: number;
}

/** The server of one backend. */
export interface ServerOptions {
  /** The number of requests that it serves at the same time. May be Infinity. */
  readonly slots: number;
  /** The number of requests that may wait. Further ones are refused at the connect. May be Infinity. */
  readonly queue: number;
  /** Work done per unit of time, per slot; above 0. */
  readonly speed: number;
  /**
   * `fifo`: requests are served in order of arrival, and each slot serves one request at full speed.
   * `processor-sharing`: all requests are served at the same time; n requests share `min(n, slots)` slots equally.
   */
  readonly discipline: "fifo" | "processor-sharing";
  /**
   * What happens to a request whose client has left. `serve`: it is served nevertheless, as by a server that uses the
   * connection only to answer. `drop`: the server stops serving it when it notices.
   */
  readonly abandoned: "serve" | "drop";
}

/** The one-way latency of messages. It is drawn for each message. */
export interface NetworkSettings {
  /** Between a client and the balancer. */
  readonly clientLatency: Distribution;
  /** Between the balancer and a backend. */
  readonly backendLatency: Distribution;
}

/** The time that a machine adds to each connection and request. `lbsim calibrate` measures it. */
export interface Overheads {
  /** From a connect until it is accepted. It is added between client and balancer, and between balancer and backend. */
  readonly connect: Nanoseconds;
  /** How long a new connection occupies the balancer's event loop. */
  readonly relayConnection: Nanoseconds;
  /** How long a request and its answer occupy the balancer's event loop. */
  readonly relayRequest: Nanoseconds;
}

interface FaultTimes {
  /** When it begins. */
  readonly at: Nanoseconds;
  /** How long it lasts; Infinity: to the end of the run. */
  readonly for: Nanoseconds;
}

/** A fault of a backend. */
export interface BackendFault extends FaultTimes {
  /** Index of the backend. */
  readonly backend: number;
  readonly kind: BackendFaultKind;
}

/** The kind of a fault of a backend. Simultaneous faults add up, and each lasts until its own end. */
export type BackendFaultKind =
  | Exclude<ServerFault, { name: "refuse" | "reset" }>
  /**
   * The network between the backend and one balancer (by default, all of them) is cut: connects and probes
   * time out. Messages on open connections, including resets, arrive after the fault.
   */
  | { readonly name: "partition"; readonly loadBalancer?: number }
  /**
   * This is not a failure: the operator sets this mode in every balancer, and sets the old mode after the fault. If
   * there are several modes, the strictest one applies. A restarted balancer keeps the mode.
   */
  | { readonly name: "drain" | "maintenance" };

/**
 * A balancer stops, and is started again after the fault: its connections are reset, clients are refused, and
 * its counts, health states and sessions are lost. It listens after every backend was probed once.
 */
export interface BalancerFault extends FaultTimes {
  /** Index of the balancer. */
  readonly loadBalancer: number;
  readonly kind: { readonly name: "lb-restart" };
}

/** A fault, with its times. */
export type Fault = BackendFault | BalancerFault;
