/**
 * A scenario in the form that runs: every number in nanoseconds or a plain ratio, every default filled
 * in, every name resolved. Reading it from YAML is somebody else's business.
 */
import type { HealthRules, SchedulerOptions, StickyRules } from "../core/mod.ts";
import type { Nanoseconds } from "../base/mod.ts";
import type { Distribution } from "../stats/mod.ts";

export type { Distribution } from "../stats/mod.ts";

/** What is simulated. */
export interface Scenario {
  readonly balancer: Balancer;
  /** How many load balancers stand side by side, each with its own view; at least 1. */
  readonly loadBalancers: number;
  /** A backend that becomes idle reports it to one of them, drawn at random; not if left out. */
  readonly idleReports?: boolean;
  /**
   * `redrawn`: an algorithm that hashes places clients anew in every replication, as if backends and
   * clients had other names; an interval is then over placements, too. `fixed`, if left out: as in live
   * operation, always the same.
   */
  readonly hashPlacement?: "redrawn" | "fixed";
  readonly workload: Workload;
  /** How much work a request is: its service time at speed 1. */
  readonly service: Distribution;
  /** How the backends behave, in the order of `balancer.backends`. */
  readonly servers: readonly ServerOptions[];
  readonly network: NetworkSettings;
  readonly faults: readonly Fault[];
  /** When clients stop coming. What is under way then is brought to its end. */
  readonly end: End;
  /** Requests that begin earlier are not measured. `auto`: found by a pilot run (MSER-5). */
  readonly warmup: Nanoseconds | "auto";
}

/** After a span of time, or with so many connections that are measured. */
export type End =
  | { readonly duration: Nanoseconds }
  | { readonly connections: number };

/** The balancer's own settings. The live balancer's configuration fits in here as it is. */
export interface Balancer extends SchedulerOptions {
  /** What becomes of connections on a backend that is marked down; `keep` if left out. */
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
    /** A connection on which nothing moves for this long is closed. May be Infinity. */
    readonly idle: Nanoseconds;
  };
}

/** How clients stick to backends, and whether the sessions outlive their balancer. */
export interface Sticky extends StickyRules {
  /**
   * `memory`, if left out: they do not. All balancers share one that names a `redis`; any other belongs
   * to one balancer. Where it is does not matter here: nobody connects to it.
   */
  readonly store?: "memory" | { readonly redis?: unknown };
}

/** Who comes, when, and how patient they are. */
export interface Workload {
  readonly arrivals: Arrivals;
  readonly clients: Clients;
  /** How many requests a client sends on one connection; draws are rounded, and at least 1. */
  readonly requestsPerConnection: Distribution;
  /** Between an answer and the next request on the same connection. */
  readonly thinkTime: Distribution;
  /** How long a client waits for an answer, from the moment it begins to connect. May be Infinity. */
  readonly timeout: Nanoseconds;
  readonly retries: ClientRetries;
}

/** How connections (not requests) come. Rates are per second. */
export type Arrivals =
  /** Independent of each other: the gaps are exponential. */
  | { readonly kind: "poisson"; readonly rate: number }
  /** Evenly spaced, the first at once. */
  | { readonly kind: "deterministic"; readonly rate: number }
  /** Independent gaps of any law. */
  | { readonly kind: "renewal"; readonly gap: Distribution }
  /**
   * Poisson with a rate that jumps: `stay` is the mean of an exponential time in a state, after which
   * the next one in the list follows, the first after the last. Starts in the first.
   */
  | {
    readonly kind: "mmpp";
    readonly states: readonly { readonly rate: number; readonly stay: Nanoseconds }[];
  }
  /** Poisson at `rate` for an `on` time, nothing for an `off` time, and so on. Starts on. */
  | {
    readonly kind: "on_off";
    readonly rate: number;
    readonly on: Distribution;
    readonly off: Distribution;
  }
  /**
   * Poisson with a rate that swings: `rate · (1 + amplitude · sin(2π · (t / period + phase)))`.
   * Amplitude from 0 to 1; phase in turns.
   */
  | {
    readonly kind: "diurnal";
    readonly rate: number;
    readonly amplitude: number;
    readonly period: Nanoseconds;
    readonly phase: number;
  }
  /** A fixed number of clients: each thinks, connects, is served, closes, and thinks again. */
  | { readonly kind: "closed"; readonly clients: number; readonly think: Distribution }
  /** At these moments, in ascending order; each may bring its own client and its own work. */
  | { readonly kind: "trace"; readonly entries: readonly TraceEntry[] };

/** A connection that was recorded. */
export interface TraceEntry {
  readonly at: Nanoseconds;
  /** Index of its client; drawn if left out. */
  readonly client?: number;
  /** Work of each of its requests; drawn if left out. */
  readonly work?: Nanoseconds;
}

/** Who connects. Drives stickiness and hashing. */
export interface Clients {
  /** How many different clients there are; at least 1. */
  readonly count: number;
  /** Exponent of Zipf's law: how much more often the first client comes than the others; 0 is equal. */
  readonly zipf: number;
}

/**
 * What a client does after a request that failed, was refused or timed out. The k-th retry waits
 * `backoff · multiplier^(k−1)`, stretched or shrunk by up to `jitter`, a share of it.
 */
export interface ClientRetries {
  readonly max: number;
  readonly backoff: Nanoseconds;
  readonly multiplier: number;
  readonly jitter: number;
}

/** How one backend behaves. */
export interface ServerOptions {
  /** How many requests it serves at a time. May be Infinity. */
  readonly slots: number;
  /** How many more may wait; the next are refused at the connect. May be Infinity. */
  readonly queue: number;
  /** Work done per unit of time, per slot; above 0. */
  readonly speed: number;
  /**
   * `fifo`: in order of arrival, each slot serves one request at full speed.
   * `processor-sharing`: all at once; n requests share `min(n, slots)` slots equally.
   */
  readonly discipline: "fifo" | "processor-sharing";
  /**
   * What becomes of a request whose client has left. `serve`: the work is done in vain, as by a server
   * that looks at the connection only when it answers. `drop`: it stops as soon as it learns.
   */
  readonly abandoned: "serve" | "drop";
}

/** How long a message takes, one way. Each is drawn anew. */
export interface NetworkSettings {
  /** Between a client and the balancer. */
  readonly clientLatency: Distribution;
  /** Between the balancer and a backend. */
  readonly backendLatency: Distribution;
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

/** What is wrong with a backend. Faults at the same time add up, and each lasts until its own end. */
export type BackendFaultKind =
  /**
   * The process is gone: what it was working on is lost, its connections are reset, connects and probes
   * are refused. It comes back empty.
   */
  | { readonly name: "crash" }
  /**
   * The machine is silent: connects and probes time out, work stands still, connections stay. When it
   * wakes up, work goes on where it stopped.
   */
  | { readonly name: "hang" }
  /**
   * The process stands still (garbage collection, SIGSTOP), its kernel does not: connects and `tcp`
   * probes succeed, requests queue up; `expect` and `http` probes time out.
   */
  | { readonly name: "pause" }
  /** Everything takes `factor` times as long. */
  | { readonly name: "slow"; readonly factor: number }
  /** This share of requests, and of `expect` and `http` probes, is served and then ends in an error. */
  | { readonly name: "fail-rate"; readonly rate: number }
  /** This share of requests, and of `expect` and `http` probes, gets an error at once, without work. */
  | { readonly name: "fast-errors"; readonly rate: number }
  /**
   * Probes of every type pass at once, whatever the load; this share of requests is served and then
   * ends in an error, and everything takes `factor` times as long.
   */
  | { readonly name: "gray"; readonly rate: number; readonly factor: number }
  /** Crashes and comes back, over and over: down for the first `down` share of every period. */
  | { readonly name: "flap"; readonly period: Nanoseconds; readonly down: number }
  /**
   * The network between the backend and one balancer (all of them, if left out) is cut: connects and
   * probes time out; messages on open connections, resets included, arrive when it is mended.
   */
  | { readonly name: "partition"; readonly loadBalancer?: number }
  /**
   * Nothing is wrong with it: the operator withdraws it from every balancer, and gives it back. Of
   * several wishes the strictest holds, and a balancer that is restarted knows of them.
   */
  | { readonly name: "drain" | "maintenance" };

/**
 * A balancer stops, and is started again when the fault is over: its connections are reset, clients are
 * refused, and it forgets counts, health and sessions. It listens once every backend was probed.
 */
export interface BalancerFault extends FaultTimes {
  /** Index of the balancer. */
  readonly loadBalancer: number;
  readonly kind: { readonly name: "lb-restart" };
}

/** What goes wrong, and when. */
export type Fault = BackendFault | BalancerFault;
