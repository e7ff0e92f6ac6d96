import type { AlgorithmOptions } from "../../lib/core/mod.ts";
import { NS_PER_MS, NS_PER_S } from "../../lib/base/mod.ts";
import type {
  Arrivals,
  Balancer,
  Scenario,
  ServerOptions,
  Workload,
} from "../../lib/scenario/types.ts";
import type { Distribution } from "../../lib/stats/variates.ts";

/** Mean service time of these scenarios: a second, so that a rate per second is a load. */
export const SERVICE = NS_PER_S;

/** One client without a timeout, which sends one request on each connection. */
export const PATIENT: Omit<Workload, "arrivals"> = {
  clients: { count: 1, zipf: 0 },
  requestsPerConnection: { kind: "deterministic", value: 1 },
  thinkTime: { kind: "deterministic", value: 0 },
  timeout: Infinity,
  retries: { max: 0, backoff: 0, multiplier: 1, jitter: 0 },
};

/** One slot, no limit, first come, first served. */
export const SINGLE: ServerOptions = {
  slots: 1,
  queue: Infinity,
  speed: 1,
  discipline: "fifo",
  abandoned: "serve",
};

/** Probes once a second that need a single result to mark a backend as up or down. */
export const PROBES = {
  type: "tcp",
  interval: NS_PER_S,
  timeout: NS_PER_S / 2,
  rise: 1,
  fall: 1,
  jitter: 0,
} as const;

/** Options of a scenario. The defaults are plain queueing: no probes, no latency, no faults. */
export interface QueueingOptions {
  readonly algorithm?: AlgorithmOptions;
  readonly n?: number;
  /** Offered load per server slot of speed 1. */
  readonly load?: number;
  readonly arrivals?: Arrivals;
  readonly service?: Distribution;
  readonly server?: Partial<ServerOptions>;
  readonly servers?: readonly Partial<ServerOptions>[];
  readonly weights?: readonly number[];
  readonly balancer?: Partial<Balancer>;
  readonly workload?: Partial<Workload>;
  readonly loadBalancers?: number;
  readonly idleReports?: boolean;
  readonly latency?: Distribution;
  readonly faults?: Scenario["faults"];
  readonly end?: Scenario["end"];
  readonly warmup?: number;
}

/** A scenario of plain queueing, with these options. */
export function queueing(options: QueueingOptions): Scenario & { readonly warmup: number } {
  const { load = 0.7, servers = [] } = options;
  const n = options.n ?? (servers.length || 1);
  const server = (index: number) => ({ ...SINGLE, ...options.server, ...servers[index] });
  const slots = Array.from({ length: n }, (_, i) => server(i)).reduce(
    (sum, { slots }) => sum + slots,
    0,
  );
  const instant: Distribution = { kind: "deterministic", value: 0 };
  return {
    balancer: {
      algorithm: options.algorithm ?? { name: "random" },
      backends: Array.from({ length: n }, (_, i) => ({
        id: `B${i + 1}`,
        weight: options.weights?.[i] ?? 1,
        backup: false,
      })),
      healthCheck: {
        type: "none",
        interval: 2 * NS_PER_S,
        timeout: NS_PER_S,
        jitter: 0,
        rise: 2,
        fall: 3,
      },
      retries: 3,
      timeouts: { connect: 2 * NS_PER_S, idle: Infinity },
      limits: { connections: Infinity },
      ...options.balancer,
    },
    loadBalancers: options.loadBalancers ?? 1,
    idleReports: options.idleReports ?? false,
    workload: {
      ...PATIENT,
      arrivals: options.arrivals ?? { kind: "poisson", rate: load * slots },
      ...options.workload,
    },
    service: options.service ?? { kind: "exponential", mean: SERVICE },
    servers: Array.from({ length: n }, (_, i) => server(i)),
    network: {
      clientLatency: options.latency ?? instant,
      backendLatency: options.latency ?? instant,
    },
    faults: options.faults ?? [],
    end: options.end ?? { connections: 100_000 },
    warmup: options.warmup ?? 1000 * SERVICE,
  };
}

/** Milliseconds, for scenarios that are easier to read in them. */
export function ms(value: number): number {
  return value * NS_PER_MS;
}
